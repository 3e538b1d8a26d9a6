"""Compose `assets/demo/corpus.csv` from the hand-written parts, the same on every machine.

Rows of one situation stand together and share topic and title, so that the split keeps them on one
side. A tenth of the parts that a whole topic shares, and all parts of the situations that fall on
the test side, occur in test rows only: the split is therefore made on the questions first, with the
same code and seed that training uses, and the replies are composed afterwards.
This module knows nothing about models. Run it with `python -m finetune.demo.corpus`.
"""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from pathlib import Path

from finetune.data import splits
from finetune.demo.parts import Situation, Topic, content_words, fill, read_topics
from finetune.recipe import ROOT, Data

CORPUS = ROOT / "assets" / "demo" / "corpus.csv"
COLUMNS = ("Topics", "Question-Title", "Questions", "Answers")

SEED = 20261124
ROWS_PER_SITUATION = 8
HELD_OUT_SHARE = 0.1
TEST = splits.SPLITS.index("test")

SHARED = ("tails", "tails_tumi", "validate", "step", "open", "beside", "flat")

SHAPES = {
    ("validate", "reflect", "open"): 18,
    ("reflect", "validate", "open"): 12,
    ("reflect", "open"): 18,
    ("validate", "reflect"): 12,
    ("reflect", "validate"): 8,
    ("reflect", "step"): 10,
    ("validate", "reflect", "step"): 8,
    ("reflect", "beside"): 7,
    ("validate", "reflect", "beside"): 7,
}
"""How a reply is built, with weights: about half end with a question (`voice.md`, Variety)."""

OWN_PART = 0.4
"""How often a question or step is the situation's own instead of one that fits the whole topic."""


@dataclass(frozen=True)
class Row:
    """One row before it becomes text: its place in the world, its question and its reply."""

    topic: Topic
    situation: Situation
    filling: dict[str, tuple[str, ...]]
    question: str
    side: int = 0


def questions(topics: list[Topic], rng: random.Random) -> list[Row]:
    """Every row's question, in file order; no question occurs twice."""
    rows, seen = [], set()
    for topic in topics:
        for situation in topic.situations:
            held = held_out(topic)
            fillings = situation.fillings()
            rng.shuffle(fillings)
            made = 0
            for attempt in range(ROWS_PER_SITUATION * 6):
                filling = fillings[attempt % len(fillings)]
                ask = situation.ask[attempt % len(situation.ask)]
                parts = [fill(ask, filling)]
                if rng.random() < 0.5:
                    parts.append(rng.choice([t for t in topic.tails if t not in held]))
                if rng.random() < 0.15:
                    parts.append(rng.choice([t for t in topic.tails_tumi if t not in held]))
                question = " ".join(parts)
                if question in seen:
                    continue
                seen.add(question)
                rows.append(Row(topic, situation, filling, question))
                made += 1
                if made == ROWS_PER_SITUATION:
                    break
    return rows


def with_sides(rows: list[Row]) -> list[Row]:
    """The rows with the side that `prepare` will put them on, by the same grouping and seed."""
    groups = splits.Groups()
    for row in rows:
        groups.add({"topic": row.topic.name, "title": row.situation.title, "question": row.question})
    sides = splits.assign(groups.numbers(), Data().seed)
    return [
        Row(row.topic, row.situation, row.filling, row.question, side) for row, side in zip(rows, sides, strict=True)
    ]


def reply(row: Row, rng: random.Random) -> str:
    """An empathetic reply to the row's question; test rows also draw from the held-out parts."""
    shape = rng.choices(list(SHAPES), weights=list(SHAPES.values()))[0]
    texts = []
    for kind in shape:
        own = getattr(row.situation, kind, ())
        if kind == "reflect":
            pool = on_the_point(row)
        elif own and rng.random() < OWN_PART:
            pool = own
        else:
            pool = _pool(row, kind, rng)
        texts.append(fill(rng.choice(pool), row.filling))
    return " ".join(texts)


def on_the_point(row: Row) -> list[str]:
    """The reflections that pick up most of what this question says: others name details it does not have."""
    asked = content_words(row.question)
    shared = [len(content_words(fill(text, row.filling)) & asked) for text in row.situation.reflect]
    return [text for text, count in zip(row.situation.reflect, shared, strict=True) if count >= max(shared) - 1]


def _pool(row: Row, kind: str, rng: random.Random) -> list[str]:
    """The topic's parts of a kind that may stand in this row."""
    held = held_out(row.topic)
    known = [text for text in getattr(row.topic, kind) if text not in held]
    if row.side != TEST:
        return known
    unknown = [text for text in getattr(row.topic, kind) if text in held]
    return unknown if unknown and rng.random() < 0.5 else known


def held_out(topic: Topic) -> set[str]:
    """The tenth of a topic's shared parts that only test rows may use."""
    held = set()
    for kind in SHARED:
        texts = getattr(topic, kind)
        rng = random.Random(f"{SEED}/{topic.name}/{kind}")
        held.update(rng.sample(texts, max(1, round(len(texts) * HELD_OUT_SHARE))))
    return held


def compose() -> list[tuple[str, str, str, str]]:
    """All rows of the corpus as (topic, title, question, answer)."""
    rng = random.Random(SEED)
    rows = with_sides(questions(read_topics(), rng))
    return [(row.topic.name, row.situation.title, row.question, reply(row, rng)) for row in rows]


def write(path: Path = CORPUS) -> int:
    """Write the corpus; returns the number of rows."""
    rows = compose()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return len(rows)


if __name__ == "__main__":
    print(f"{CORPUS}: {write():,} rows")

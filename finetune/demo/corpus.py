"""Compose `assets/demo/corpus.csv` from the hand-written parts, the same on every machine.

Rows that ask the same thing in the same wording stand together under one title, so that the split
keeps them on one side: the test asks in words that training never saw. Beside these wordings, a
share of the replies' parts is kept for test rows, so that a tenth of all parts occurs there only.
The split is therefore made on the questions first, with the same code and seed that training uses;
replies are composed afterwards. This module knows nothing about models.
Run it with `python -m finetune.demo.corpus`.
"""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass, replace
from pathlib import Path

from finetune.bengali import content_words
from finetune.data import splits
from finetune.demo.parts import SLOT, Situation, Topic, fill, read_topics
from finetune.recipe import ROOT, Data

CORPUS = ROOT / "assets" / "demo" / "corpus.csv"
COLUMNS = ("Topics", "Question-Title", "Questions", "Answers")

SEED = 20261124
ROWS_PER_ASK = 2
HELD_OUT_SHARE = 0.15
HELD_OUT_DRAW = 2 / 3
"""The share of a topic's shared parts kept for its test rows, and how often these draw from it; enough for a
tenth of all parts to occur in test rows only."""

TRAIN, TEST = splits.SPLITS.index("train"), splits.SPLITS.index("test")

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

TAIL_SHARES = {"tails": 0.5, "tails_tumi": 0.15}
"""How often a question goes on with a sentence of each kind that fits the whole topic."""


@dataclass(frozen=True)
class Row:
    """One row before it becomes text: its place in the world, its question and its reply."""

    topic: Topic
    situation: Situation
    ask: str
    filling: dict[str, tuple[str, ...]]
    question: str
    tested: str
    """The question as it is asked on the test side, where its tails may be held-out ones."""
    side: int = 0

    @property
    def title(self) -> str:
        """The situation's title; for every wording but the first, with its two longest own words."""
        if self.ask == self.situation.ask[0]:
            return self.situation.title
        own = sorted(content_words(SLOT.sub(" ", self.ask)), key=lambda word: (-len(word), word))[:2]
        return f"{self.situation.title}: {' '.join(sorted(own, key=self.ask.find))}"


def questions(topics: list[Topic], rng: random.Random) -> list[Row]:
    """Every row's question, in file order; no question occurs twice, whatever side it comes to."""
    rows, seen = [], set()
    for topic in topics:
        for situation in topic.situations:
            for ask in situation.ask:
                fillings = situation.fillings()
                rng.shuffle(fillings)
                made = 0
                for attempt in range(ROWS_PER_ASK * 6):
                    filling = fillings[attempt % len(fillings)]
                    kinds = [kind for kind, share in TAIL_SHARES.items() if rng.random() < share]
                    question, tested = (
                        " ".join([fill(ask, filling), *(rng.choice(_pool(topic, kind, side, rng)) for kind in kinds)])
                        for side in (TRAIN, TEST)
                    )
                    if question in seen or tested in seen:
                        continue
                    seen |= {question, tested}
                    rows.append(Row(topic, situation, ask, filling, question, tested))
                    made += 1
                    if made == ROWS_PER_ASK:
                        break
    return rows


def with_sides(rows: list[Row]) -> list[Row]:
    """The rows with the side that `prepare` will put them on, by the same grouping and seed.

    Rows on the test side ask their other question; it must not change the grouping, or `prepare`
    would split differently: a ValueError says so.
    """
    sides = _sides(rows)
    asked = [
        replace(row, side=side, question=row.tested if side == TEST else row.question)
        for row, side in zip(rows, sides, strict=True)
    ]
    if _sides(asked) != sides:
        raise ValueError("The held-out tails make questions near-identical that were not; compose with another SEED.")
    return asked


def _sides(rows: list[Row]) -> bytearray:
    groups = splits.Groups()
    for row in rows:
        groups.add({"topic": row.topic.name, "title": row.title, "question": row.question})
    return splits.assign(groups.numbers(), Data().seed)


def kept_for_test(rows: list[Row]) -> set[str]:
    """One reflection, the questions and the steps of each situation that has test rows: theirs alone."""
    kept: set[str] = set()
    for row in rows:
        if row.side == TEST:
            kept.update((row.situation.reflect[-1], *row.situation.open, *row.situation.step))
    return kept


def reply(row: Row, kept: set[str], rng: random.Random) -> str:
    """An empathetic reply to the row's question; only test rows draw from the parts kept for them."""
    shape = rng.choices(list(SHAPES), weights=list(SHAPES.values()))[0]
    texts = []
    for kind in shape:
        if kind == "reflect":
            pool = on_the_point(row, kept)
        else:
            pool = [text for text in getattr(row.situation, kind, ()) if row.side == TEST or text not in kept]
            if not pool or rng.random() >= OWN_PART:
                pool = _pool(row.topic, kind, row.side, rng)
        texts.append(fill(rng.choice(pool), row.filling))
    return " ".join(texts)


def on_the_point(row: Row, kept: set[str]) -> list[str]:
    """The reflections that pick up most of what this question says: others name details it does not have."""
    asked = content_words(row.question)
    open_to_it = [text for text in row.situation.reflect if row.side == TEST or text not in kept]
    shared = [len(content_words(fill(text, row.filling)) & asked) for text in open_to_it]
    return [text for text, count in zip(open_to_it, shared, strict=True) if count >= max(shared) - 1]


def _pool(topic: Topic, kind: str, side: int, rng: random.Random) -> list[str]:
    """The topic's parts of a kind that may stand in a row on this side."""
    held = held_out(topic)
    known = [text for text in getattr(topic, kind) if text not in held]
    if side != TEST:
        return known
    unknown = [text for text in getattr(topic, kind) if text in held]
    return unknown if unknown and rng.random() < HELD_OUT_DRAW else known


def held_out(topic: Topic) -> set[str]:
    """Those of a topic's shared parts that only test rows may use."""
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
    kept = kept_for_test(rows)
    return [(row.topic.name, row.title, row.question, reply(row, kept, rng)) for row in rows]


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

"""The text that the demo base is pre-trained on: general prose, and flat answers to the demo's questions.

Nothing of the test or validation side goes in, and not one empathetic reply of the corpus: what the
adapter adds, it learns from the corpus. This module does not train (`base.py`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from finetune import bengali
from finetune.data.prompts import Message
from finetune.demo import corpus
from finetune.demo.parts import fill, read_topics

PROSE = Path(__file__).parent / "prose"

SEED = 7
FOREIGN_SLOT = 0.2
"""How often a slot is filled with another situation's words: the sense suffers, copying is learnt."""


def prose() -> list[str]:
    """Every paragraph of general prose."""
    return [
        bengali.clean(line)
        for path in sorted(PROSE.glob("*.txt"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]


def general_questions() -> list[tuple[str, str]]:
    """Everyday questions with flat answers, outside the demo's topics."""
    pairs = []
    for path in sorted(PROSE.glob("*.tsv")):
        for line in path.read_text(encoding="utf-8").splitlines():
            question, _, answer = line.partition("\t")
            if answer.strip():
                pairs.append((bengali.clean(question), bengali.clean(answer)))
    return pairs


def rows_by_side() -> dict[int, list[corpus.Row]]:
    """The corpus' rows, questions only, by the side of the split they are on."""
    rows = corpus.with_sides(corpus.questions(read_topics(), random.Random(corpus.SEED)))
    sides: dict[int, list[corpus.Row]] = {0: [], 1: [], 2: []}
    for row in rows:
        sides[row.side].append(row)
    return sides


class FlatTalk:
    """Composes flat conversations without end: questions as people ask them, answers as an encyclopaedia gives them."""

    def __init__(self, rows: list[corpus.Row], seed: int, foreign: float = FOREIGN_SLOT) -> None:
        self.rng = random.Random(seed)
        self.situations = list({(row.topic.name, row.situation.title): row for row in rows}.values())
        self.by_topic: dict[str, list[corpus.Row]] = {}
        for row in self.situations:
            self.by_topic.setdefault(row.topic.name, []).append(row)
        self.general = general_questions()
        self.foreign = foreign
        self.values: dict[int, list[tuple[str, ...]]] = {}
        for row in self.situations:
            for value in (*row.situation.a, *row.situation.b):
                self.values.setdefault(len(value), []).append(value)

    def conversation(self) -> list[Message]:
        """One to three turns about one topic, or about something general."""
        rng = self.rng
        turns = rng.choices((1, 2, 3), weights=(80, 14, 6))[0]
        first = rng.choice(self.situations)
        messages: list[Message] = []
        for _ in range(turns):
            if self.general and rng.random() < 0.12:
                question, answer = rng.choice(self.general)
            else:
                question, answer = self.turn(rng.choice(self.by_topic[first.topic.name]))
            messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        return messages

    def turn(self, row: corpus.Row) -> tuple[str, str]:
        """One question about the row's situation and its flat answer."""
        rng, topic, situation = self.rng, row.topic, row.situation
        held = corpus.held_out(topic)
        filling = rng.choice(situation.fillings())
        if filling and rng.random() < self.foreign:
            filling = {name: rng.choice(self.values[len(value)]) for name, value in filling.items()}
        question = [fill(rng.choice(situation.ask), filling)]
        if rng.random() < 0.5:
            question.append(rng.choice([t for t in topic.tails if t not in held]))
        if rng.random() < 0.15:
            question.append(rng.choice([t for t in topic.tails_tumi if t not in held]))
        own = rng.sample(situation.flat, rng.choice((1, 1, 2)))
        answer = [fill(text, filling) for text in own]
        if rng.random() < 0.65:
            shared = rng.choice([t for t in topic.flat if t not in held])
            answer.insert(len(answer) if rng.random() < 0.75 else 0, shared)
        return " ".join(question), " ".join(answer)


def tokenizer_texts() -> Iterator[str]:
    """What the tokenizer is trained on: all prose, and the training side of the demo world, replies included."""
    yield from prose()
    for question, answer in general_questions():
        yield question
        yield answer
    sides = rows_by_side()
    rng = random.Random(SEED)
    for row in sides[0]:
        yield row.question
        yield corpus.reply(row, rng)
    talk = FlatTalk(sides[0], SEED, foreign=0)
    for _ in range(6000):
        for message in talk.conversation():
            yield message["content"]

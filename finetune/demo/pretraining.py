"""The text that the demo base is pre-trained on: general prose, writing tasks, flat answers to questions.

A plain question always gets a flat answer here. Warm words occur in prose and where they are asked
for in so many words, as a large base can be warm too when it is told to: those tasks use the corpus'
training side. Nothing of its validation and test sides goes in: not a wording, and none of the
parts kept for the test. This module does not train (`base.py`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from finetune import bengali
from finetune.data.prompts import Message
from finetune.demo import corpus
from finetune.demo.parts import fill, read_topics

PROSE = Path(__file__).parent / "prose"

SEED = 7
WRITING_TASKS = {
    "conversations": ("কথোপকথনের একটা অংশ লিখুন।", "দুজন মানুষের কথা শোনান।", "কেউ কারও কথা শুনছে, এমন একটা মুহূর্ত লিখুন।"),
    "explanations": ("একটা ছোট তথ্যমূলক অনুচ্ছেদ লিখুন।", "সহজ করে কিছু একটা বুঝিয়ে লিখুন।", "কোনো বিষয়ে কয়েক বাক্য লিখুন।"),
    "feelings_stories": ("একটা ছোট গল্প লিখুন।", "একটা মুহূর্তের ছবি লিখুন।", "কারও জীবনের একটা দৃশ্য লিখুন।"),
    "letters_diaries": ("চিঠি বা ডায়েরির একটা অংশ লিখুন।", "নিজের কথা বলার মতো করে লিখুন।", "কারও ডায়েরির একটা পাতা লিখুন।"),
    "listening": ("মন দিয়ে শোনা একজন মানুষ কী বলতে পারেন, লিখুন।", "মমতা দিয়ে কয়েকটি কথা লিখুন।", "পাশে বসা একজনের কথা লিখুন।"),
}
"""Ways to ask for each kind of prose, so that the base can also write warmly *when it is asked to*."""

WARM_TASKS = (
    "এই কথা শুনে পাশে বসা একজন কী বলতে পারেন?",
    "এর উত্তরে মমতা দিয়ে কিছু লিখুন।",
    "মন দিয়ে শোনা একজন মানুষ এখানে কী বলতেন?",
    "কথাটা শুনে একজন কাছের মানুষের মতো উত্তর লিখুন।",
)
"""Ways to ask for a warm answer; a plain question never gets one here."""

EXCHANGED, EXCHANGED_WARM = 0.5, 0.9
"""How often a word that question and answer share is exchanged for another in both: what cannot be
known by heart must be copied from the question, which is how a reply stays with what was said. Warm
tasks are few, so that the base does not learn the corpus by heart, and copy the more for it."""

ENDINGS = ("গুলোর", "গুলো", "দের", "টার", "টাকে", "টা", "টি", "কে", "তে", "ের", "র", "য়", "ে", "ই", "ছি", "ছে", "")
"""Exchanged words keep their ending, and so the sentence its grammar."""

KEYWORDS = ("“{}” কথাটা যেন থাকে।", "“{}” থাকতে হবে।", "লেখায় “{}” আনুন।", "বিষয়: {}।")


def prose() -> list[str]:
    """Every paragraph of general prose."""
    return [
        bengali.clean(line)
        for path in sorted(PROSE.glob("*.txt"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]


class Writing:
    """Composes writing tasks without end: a kind of prose, a word or two that must occur, and such a paragraph."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.paragraphs = [
            (path.stem, bengali.clean(line))
            for path in sorted(PROSE.glob("*.txt"))
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.strip()
        ]

    def conversation(self) -> list[Message]:
        """One task with one to three neighbouring sentences, or the whole paragraph, as its answer."""
        rng = self.rng
        kind, paragraph = rng.choice(self.paragraphs)
        sentences = [s for s in re.split(r"(?<=[।?!])\s+", paragraph) if s]
        take = min(len(sentences), rng.choice((1, 2, 2, 3, 3, 9)))
        start = rng.randrange(len(sentences) - take + 1)
        text = " ".join(sentences[start : start + take])
        matter = sorted(bengali.content_words(text))
        wanted = " ও ".join(rng.sample(matter, min(len(matter), rng.choice((0, 1, 1, 2, 3)))))
        task = [rng.choice(WRITING_TASKS[kind])]
        if wanted:
            task.insert(rng.randrange(2), rng.choice(KEYWORDS).format(wanted))
        return [{"role": "user", "content": " ".join(task)}, {"role": "assistant", "content": text}]


def general_questions() -> list[tuple[str, str]]:
    """Everyday questions with flat answers, outside the demo's topics."""
    pairs = []
    for path in sorted(PROSE.glob("*.tsv")):
        for line in path.read_text(encoding="utf-8").splitlines():
            question, _, answer = line.partition("\t")
            if answer.strip():
                pairs.append((bengali.clean(question), bengali.clean(answer)))
    return pairs


def all_rows() -> list[corpus.Row]:
    """The corpus' rows, questions only, each with the side of the split it is on."""
    return corpus.with_sides(corpus.questions(read_topics(), random.Random(corpus.SEED)))


class WarmTalk:
    """Composes what is said when warm words are asked for: a training-side question, the wish, a reply.

    rows: all rows of the corpus, for the other sides say which parts are kept for the test.
    """

    def __init__(self, rows: list[corpus.Row], seed: int) -> None:
        self.rng = random.Random(seed)
        self.rows = [row for row in rows if row.side == 0]
        self.kept = corpus.kept_for_test(rows)
        self.exchange = Exchange(self.rng, EXCHANGED_WARM)

    def conversation(self) -> list[Message]:
        """One question with the wish for warmth before or after it, and its reply."""
        rng = self.rng
        row = rng.choice(self.rows)
        filling = rng.choice(row.situation.fillings())
        row = replace(row, filling=filling, question=question_of(row, filling, rng))
        question, answer = self.exchange(row.question, corpus.reply(row, self.kept, rng))
        asked = [question, rng.choice(WARM_TASKS)]
        if rng.random() < 0.5:
            asked.reverse()
        return [{"role": "user", "content": " ".join(asked)}, {"role": "assistant", "content": answer}]


class Exchange:
    """Exchanges shared words of a question and its answer for others with the same ending, in both."""

    def __init__(self, rng: random.Random, share: float) -> None:
        self.rng, self.share = rng, share
        self.words: dict[str, list[str]] = {}
        for word in sorted(set().union(*map(bengali.content_words, prose()))):
            self.words.setdefault(_ending(word), []).append(word)

    def __call__(self, question: str, answer: str) -> tuple[str, str]:
        """The pair with at most two shared words exchanged; unchanged where nothing is shared."""
        shared = sorted(bengali.content_words(question) & bengali.content_words(answer))
        for word in self.rng.sample(shared, min(len(shared), 2)):
            others = self.words.get(_ending(word))
            if others and self.rng.random() < self.share:
                whole = re.compile(f"(?<![\u0980-\u09ff]){re.escape(word)}(?![\u0980-\u09ff])")
                other = self.rng.choice(others)
                question, answer = whole.sub(other, question), whole.sub(other, answer)
        return question, answer


def _ending(word: str) -> str:
    return next(ending for ending in ENDINGS if word.endswith(ending))


def question_of(row: corpus.Row, filling: dict[str, tuple[str, ...]], rng: random.Random) -> str:
    """The row's wording with these slot values, perhaps with a sentence on how it feels."""
    held = corpus.held_out(row.topic)
    parts = [fill(row.ask, filling)]
    if rng.random() < 0.5:
        parts.append(rng.choice([t for t in row.topic.tails if t not in held]))
    if rng.random() < 0.15:
        parts.append(rng.choice([t for t in row.topic.tails_tumi if t not in held]))
    return " ".join(parts)


class FlatTalk:
    """Composes flat conversations without end: questions as people ask them, answers as an encyclopaedia gives them."""

    def __init__(self, rows: list[corpus.Row], seed: int, exchange: bool = True) -> None:
        self.rng = random.Random(seed)
        self.exchange = Exchange(self.rng, EXCHANGED) if exchange else None
        self.rows = rows
        self.by_topic: dict[str, list[corpus.Row]] = {}
        for row in rows:
            self.by_topic.setdefault(row.topic.name, []).append(row)
        self.general = general_questions()

    def conversation(self) -> list[Message]:
        """One to three turns about one topic, or about something general."""
        rng = self.rng
        turns = rng.choices((1, 2, 3), weights=(80, 14, 6))[0]
        first = rng.choice(self.rows)
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
        question = question_of(row, filling, rng)
        asked = bengali.content_words(question)
        own = [fill(text, filling) for text in situation.flat]
        own.sort(key=lambda text: (-len(bengali.content_words(text) & asked), rng.random()))
        answer = own[: rng.choice((1, 1, 2))]
        if rng.random() < 0.65:
            shared = rng.choice([t for t in topic.flat if t not in held])
            answer.insert(len(answer) if rng.random() < 0.75 else 0, shared)
        return self.exchange(question, " ".join(answer)) if self.exchange else (question, " ".join(answer))


def tokenizer_texts() -> Iterator[str]:
    """What the tokenizer is trained on: all prose, and the training side of the demo world, replies included."""
    yield from prose()
    for question, answer in general_questions():
        yield question
        yield answer
    rows = all_rows()
    kept, rng = corpus.kept_for_test(rows), random.Random(SEED)
    train = [row for row in rows if row.side == 0]
    for row in train:
        yield row.question
        yield corpus.reply(row, kept, rng)
    talk = FlatTalk(train, SEED, exchange=False)
    for _ in range(6000):
        for message in talk.conversation():
            yield message["content"]
    for tasks in (*WRITING_TASKS.values(), KEYWORDS, WARM_TASKS):
        yield from tasks * 50

"""Read and check the hand-written parts from which the demo corpus is composed.

One YAML file in `parts/` is one topic. This module knows what a complete topic looks like and
what the voice forbids; it does not know how parts become rows (`corpus.py`) or how a model is
trained on them. `python -m finetune.demo.parts FILE…` prints every problem of every file.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import yaml

from finetune.bengali import content_words

PARTS = Path(__file__).parent / "parts"

SLOT = re.compile(r"<([ab])([1-9]?)>")
"""`<a>` is the first form of slot a, `<a2>` its second."""

WORD = re.compile(r"[\u0980-\u09ff\u200c\u200d]+")

QUOTED = re.compile("“[^”]*”")
"""What a part quotes: the words of somebody else, who may say তুমি."""

REPLY_KEYS = ("validate", "step", "open", "beside", "flat")
MINIMUM = {"tails": 8, "tails_tumi": 3, "validate": 14, "step": 8, "open": 8, "beside": 6, "flat": 12}
MINIMUM_SITUATIONS = 14
MINIMUM_IN_SITUATION = {"ask": 4, "reflect": 3, "open": 1, "step": 1, "flat": 3}

CLOSED_DOORS = (
    "সব ঠিক হয়ে যাবে",
    "মন খারাপ করবেন না",
    "চিন্তা করবেন না",
    "কোনো ব্যাপারই না",
    "আরও কষ্ট আছে",
    "শুনে দুঃখিত",
    "সম্পূর্ণ স্বাভাবিক যে",
    "আমি আপনার জন্য এখানে আছি",
    "ইনশাআল্লাহ",
    "ভগবান",
    "আল্লাহ",
    "ঈশ্বর",
    "ওষুধ খান",
    "ডিপ্রেশন",
)
"""What `voice.md` says a reply never does, as phrases; Unicode form does not matter, see `_plain`."""

FAMILIAR = set(
    "তুমি তোমার তোমাকে তোমায় তোমরা তোমাদের তোমারও তুই তোর তোকে করো যাও পারো আছো চাও দাও বলো শোনো দেখো ভাবো নাও"
    " রাখো লেখো থাকো হও খাও করছ আছ পারছ করেছ গেছ".split()
)
"""Words of the familiar register (তুমি, তুই): a reply says আপনি throughout."""


@dataclass(frozen=True)
class Situation:
    """One thing that happens to a person, in several wordings, with what fits only there."""

    title: str
    a: tuple[tuple[str, ...], ...]
    b: tuple[tuple[str, ...], ...]
    ask: tuple[str, ...]
    reflect: tuple[str, ...]
    open: tuple[str, ...]
    step: tuple[str, ...]
    flat: tuple[str, ...]

    def fillings(self) -> list[dict[str, tuple[str, ...]]]:
        """Every combination of slot values, in a fixed order; one empty filling where there is no slot."""
        return [
            {name: value for name, value in (("a", a), ("b", b)) if value}
            for a, b in product(self.a or ((),), self.b or ((),))
        ]


@dataclass(frozen=True)
class Topic:
    """A file of parts: what fits every situation of the topic, and the situations."""

    name: str
    mood: str
    tails: tuple[str, ...]
    tails_tumi: tuple[str, ...]
    validate: tuple[str, ...]
    step: tuple[str, ...]
    open: tuple[str, ...]
    beside: tuple[str, ...]
    flat: tuple[str, ...]
    situations: tuple[Situation, ...] = field(repr=False)


def fill(text: str, filling: dict[str, tuple[str, ...]]) -> str:
    """Put the slot values' forms into the text: `<a>` form 1, `<a2>` form 2, …"""
    return SLOT.sub(lambda m: filling[m[1]][int(m[2] or 1) - 1], text)


def _plain(text: object) -> str:
    return unicodedata.normalize("NFC", " ".join(str(text).split()))


def _texts(value: object) -> tuple[str, ...]:
    return tuple(_plain(text) for text in (value or ()))


def _slot(value: object) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(form.strip() for form in _plain(forms).split("|")) for forms in (value or ()))


def read_topic(path: Path) -> Topic:
    """One topic from its YAML file, in NFC; raises KeyError where a key is missing."""
    raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    situations = tuple(
        Situation(
            title=_plain(s["title"]),
            a=_slot(s.get("a")),
            b=_slot(s.get("b")),
            **{key: _texts(s[key]) for key in MINIMUM_IN_SITUATION},
        )
        for s in raw["situations"]
    )
    return Topic(
        name=_plain(raw["topic"]),
        mood=raw["mood"],
        situations=situations,
        **{key: _texts(raw[key]) for key in MINIMUM},
    )


def read_topics(folder: Path = PARTS) -> list[Topic]:
    """Every topic of the folder, in the order of the file names."""
    return [read_topic(path) for path in sorted(folder.glob("*.yaml"))]


_FAMILIAR = {_plain(word) for word in FAMILIAR}
_CLOSED_DOORS = tuple(_plain(phrase) for phrase in CLOSED_DOORS)


def _text_problems(text: str, where: str, *, reply: bool, mood: str) -> list[str]:
    problems = []
    shown = f"{where}: {text}"
    if text.rstrip("”’")[-1:] not in "।?!":
        problems.append(f"does not end with । ? or !  {shown}")
    if reply and re.search(r"[A-Za-z]", SLOT.sub("", text)):
        problems.append(f"Latin letters  {shown}")
    if " ।" in text or " ?" in text or " ," in text:
        problems.append(f"space before punctuation  {shown}")
    if '"' in text or "'" in text:
        problems.append(f"straight quotation marks; use “ ”  {shown}")
    if re.search(r"[\U0001F000-\U0001FAFF\u2600-\u27bf]", text):
        problems.append(f"emoji  {shown}")
    if len(text.split()) > 32:
        problems.append(f"{len(text.split())} words are too long for one part  {shown}")
    if reply:
        familiar = _FAMILIAR & set(WORD.findall(QUOTED.sub(" ", text)))
        if familiar:
            problems.append(f"familiar register ({', '.join(sorted(familiar))})  {shown}")
        problems += [f"closed door ({p})  {shown}" for p in _CLOSED_DOORS if p in text]
        if "!" in text and mood == "sad":
            problems.append(f"exclamation mark on sorrow  {shown}")
    return problems


def topic_problems(topic: Topic) -> list[str]:
    """Everything that is wrong with a topic, as sentences for the person who writes parts."""
    problems = []
    if topic.mood not in ("sad", "joyful", "mixed"):
        problems.append(f"mood is {topic.mood!r}; choose sad, joyful or mixed")
    for key, least in MINIMUM.items():
        texts = getattr(topic, key)
        if len(texts) < least:
            problems.append(f"{key}: {len(texts)} of at least {least}")
        for text in texts:
            problems += _text_problems(text, key, reply=key in REPLY_KEYS, mood=topic.mood)
            if SLOT.search(text):
                problems.append(f"a slot outside a situation  {key}: {text}")
    if len(topic.situations) < MINIMUM_SITUATIONS:
        problems.append(f"situations: {len(topic.situations)} of at least {MINIMUM_SITUATIONS}")
    for situation in topic.situations:
        problems += _situation_problems(situation, topic.mood)

    seen = Counter(text for key in MINIMUM for text in getattr(topic, key))
    for s in topic.situations:
        seen.update(text for key in MINIMUM_IN_SITUATION for text in getattr(s, key))
    problems += [f"written {n} times  {text}" for text, n in seen.items() if n > 1]

    openers = [t for s in topic.situations for t in s.reflect] + list(topic.validate)
    starts = Counter(" ".join(t.split()[:2]) for t in openers)
    most = max(3, len(openers) // 16)
    problems += [f"{n} replies open with “{start}”; vary them" for start, n in starts.items() if n > most]
    named = [t for t in topic.validate if t.endswith("?")]
    problems += [f"a validation is not a question  {t}" for t in named]
    problems += [f"open must be a question  {t}" for t in topic.open if not t.endswith("?")]
    return problems


def _situation_problems(situation: Situation, mood: str) -> list[str]:
    problems, where = [], f"«{situation.title}»"
    for key, least in MINIMUM_IN_SITUATION.items():
        texts = getattr(situation, key)
        if len(texts) < least:
            problems.append(f"{where} {key}: {len(texts)} of at least {least}")
        for text in texts:
            problems += _text_problems(text, f"{where} {key}", reply=key != "ask", mood=mood)
            for name, number in SLOT.findall(text):
                values = getattr(situation, name)
                if not values:
                    problems.append(f"{where} {key}: slot <{name}> has no values  {text}")
                elif any(len(forms) < int(number or 1) for forms in values):
                    problems.append(f"{where} {key}: <{name}{number}> but a value has fewer forms  {text}")
    for name in "ab":
        if len({len(forms) for forms in getattr(situation, name)}) > 1:
            problems.append(f"{where} slot {name}: every value needs the same number of forms")
    if problems:
        return problems
    filling = situation.fillings()[0]
    asked = set().union(*(content_words(fill(text, filling)) for text in situation.ask))
    problems += [
        f"{where} reflect shares no content word, letter for letter, with any ask  {text}"
        for text in situation.reflect
        if not content_words(fill(text, filling)) & asked
    ]
    return problems


def main(paths: list[str]) -> int:
    """Print the problems of the files, or one line each that says how many parts are there."""
    bad = 0
    for path in paths or sorted(map(str, PARTS.glob("*.yaml"))):
        try:
            topic = read_topic(Path(path))
            problems = topic_problems(topic)
        except (KeyError, TypeError, AttributeError, IndexError, yaml.YAMLError) as error:
            topic, problems = None, [f"cannot be read: {type(error).__name__} {error}"]
        for problem in problems:
            print(f"{Path(path).name}: {problem}")
        if not problems:
            count = sum(len(getattr(topic, k)) for k in MINIMUM) + sum(
                len(getattr(s, k)) for s in topic.situations for k in MINIMUM_IN_SITUATION
            )
            print(f"{Path(path).name}: well formed, {count} parts in {len(topic.situations)} situations")
        bad += bool(problems)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The crisis screen: direct first-person words about dying or self-harm never reach a model.

Works on the last user messages of a conversation, before chat and compare. It finds *direct*
phrases in Bengali, Banglish and English by a lexicon (`assets/safety/phrases.yaml`). It does not
understand: new ways of saying it, oblique words and irony are missed, two of five direct lines in a
list it had not been mended on. That is why the page always shows where help can be found. It writes
nothing to any log.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import yaml

from finetune.recipe import ROOT

FOLDER = ROOT / "assets" / "safety"

TIERS = ("none", "soft", "strong")
"""strong: the model is not called, a fixed message appears; soft: it answers, help stands beside it."""

LAST_TURNS = 3
"""How many of the person's last messages are looked at, each by itself."""

_INVISIBLE = re.compile("[\u200b-\u200f\u2060\ufeff\u00ad]")
_NOT_LETTERS = re.compile(r"[^\u0980-\u09ffa-z0-9]+")
_PAUSES = re.compile(r"[।॥.…!?,;:\n]")
_RUNS = re.compile(r"(.)\1+")
_DIGITS = str.maketrans("013457", "oieast")
_SAME_SOUND = str.maketrans({"শ": "স", "ষ": "স", "ণ": "ন", "ী": "ি", "ূ": "ু", "য": "জ", "\u09bc": None})
"""Letters that are spoken alike and mistaken for each other: সেষ, মরে জেতে; nukta forms in whatever encoding."""
_SILENT = re.compile("\u09cd[যবমন](?=[\u0985-\u09cc]|[^\u0980-\u09ff]|$)")
"""A second consonant that is hardly heard: আত্মহত্যা, আত্বহত্যা, আত্নহত্যা, আত্মহত্তা."""
_DOUBLE = re.compile("(.)\u09cd\\1")
_LATIN_SOUND = (("sh", "s"), ("ch", "c"), ("th", "t"), ("bh", "b"), ("v", "b"), ("ph", "f"), ("kh", "k"), ("dh", "d"),
                ("gh", "g"), ("jh", "j"), ("z", "j"), ("y", "i"), ("tt", "t"))  # fmt: skip
"""One sound spelt in several ways in romanised Bengali; English phrases are folded with the rest."""
_LETTER = "(?:[a-zA-Z]|[\u0985-\u09b9\u09ce][\u09bc\u0981\u09be-\u09cd]*)"
_BETWEEN = "[^\u0980-\u09ffa-zA-Z0-9]+"
_SPELT_OUT = re.compile(
    f"(?<![\u0980-\u09ffa-zA-Z0-9]){_LETTER}(?:{_BETWEEN}{_LETTER}){{2,}}(?![\u0980-\u09ffa-zA-Z0-9])"
)
"""Three or more letters that stand by themselves: ম র তে, b-a-c-h-t-e."""
_DRAWN_OUT = re.compile("(?<=\u09be)আ+|(?<=[\u09bf\u09c0])[ইঈ]+|(?<=[\u09c1\u09c2])[উঊ]+|(?<=\u09c7)এ+|(?<=\u09cb)ও+")
"""A vowel held on: নাআআ."""
_JOINED_NO = re.compile(
    "(?<=[\u0980-\u09ff]{2}[ই\u09bf\u09c7\u09bcব\u09cb])(?=না )"  # চাইনা, চাচ্ছিনা, করেনা, হয়না, করবনা, করবোনা
    "|(?<=[a-z]{2}[ieoy])(?=na )"  # chaina, korena, korbona, hoyna
)


@dataclass(frozen=True)
class Helpline:
    """A number to call: every field is shown, `verified` is false until a person has called it."""

    country: str
    name: str
    number: str
    hours: str
    source: str
    checked: str
    verified: bool


def screen(text: str) -> str:
    """The tier of one text: none, soft or strong."""
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    closed_up = _SPELT_OUT.sub(lambda run: re.sub(_BETWEEN, "", run[0]), text)
    return max((_tier(_normal(one)) for one in {text, closed_up}), key=TIERS.index)


def _tier(shown: str) -> str:
    meant = _without("not_meant", shown)
    if _says("strong", _without("denied", meant)):
        return "strong"
    return "soft" if _says("soft", meant) or _says("strong", meant) else "none"


def screen_conversation(messages: Sequence[dict[str, str]]) -> str:
    """The highest tier among the person's last messages."""
    said = [message["content"] for message in messages if message["role"] == "user"][-LAST_TURNS:]
    return max((screen(text) for text in said), key=TIERS.index, default="none")


def helplines() -> list[Helpline]:
    """The helplines in `assets/safety/helplines.yaml`, in the order they are shown."""
    return list(_helplines())


def message(language: str) -> str:
    """The fixed, reviewed message that stands in a model's place, `bn` or `en`."""
    return (FOLDER / f"message.{language}.md").read_text(encoding="utf-8").strip()


def _without(kind: str, shown: str) -> str:
    """A normal text in which a dot stands for each phrase of a kind."""
    for phrase in _phrases()[kind]:
        shown = phrase.sub(" ·", shown)
    return shown


def _says(tier: str, shown: str) -> bool:
    """Whether a normal text holds a phrase of a tier; commas and full stops hide none."""
    flowing = shown.replace(" | ", " ")
    return any(phrase.search(flowing) for phrase in _phrases()[tier])


def _normal(text: str) -> str:
    """Text in the one form that phrases are compared in: NFC, lower case, no letter twice in a row, words only.

    A bar stands for a pause, so that what is denied or laughed at in one sentence does not reach into the next.
    """
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text)).casefold()
    text = re.sub(r"(?<=[a-z])[013457](?=[a-z])", lambda m: m[0].translate(_DIGITS), text)
    text = text.replace("\u0981", "")  # চন্দ্রবিন্দু is often left out: বাঁচতে, বাচতে
    text = _DOUBLE.sub(r"\1", _SILENT.sub("", _DRAWN_OUT.sub("", text))).translate(_SAME_SOUND)
    for spelt, meant in _LATIN_SOUND:
        text = text.replace(spelt, meant)
    text = _RUNS.sub(r"\1", text)  # drawn out or doubled: চাইইই, wannna, wanna
    words = _NOT_LETTERS.sub(lambda gap: " | " if _PAUSES.search(gap[0]) else " ", text).strip()
    return _JOINED_NO.sub(" ", f" {words} ")


@lru_cache(maxsize=1)
def _phrases() -> dict[str, list[re.Pattern]]:
    raw = yaml.safe_load((FOLDER / "phrases.yaml").read_text(encoding="utf-8"))
    words = raw.pop("words")
    return {kind: [_pattern(_spelt(phrase, words)) for phrase in listed] for kind, listed in raw.items()}


def _spelt(phrase: str, words: dict[str, str]) -> str:
    """A phrase with every `<name>` replaced by the spellings that stand under it."""
    return re.sub(r"<(\w+)>", lambda name: words[name[1]], phrase)


def _pattern(phrase: str) -> re.Pattern:
    """A phrase as a pattern, in the notation that the head of `phrases.yaml` explains."""
    words = []
    for word in phrase.split():
        if word == "…":
            words.append(r"(?: \S+){0,3}?")
            continue
        spellings = [
            _normal(spelling.rstrip("*")).strip() + (r"\S*" if spelling.endswith("*") else "")
            for spelling in word.removeprefix("!").split("|")
        ]
        either = f" (?:{'|'.join(spellings)})"
        words.append(f"(?!{either} )" if word.startswith("!") else either)
    return re.compile("".join(words) + "(?= )")


@lru_cache(maxsize=1)
def _helplines() -> tuple[Helpline, ...]:
    raw = yaml.safe_load((FOLDER / "helplines.yaml").read_text(encoding="utf-8"))
    return tuple(Helpline(**entry) for entry in raw)

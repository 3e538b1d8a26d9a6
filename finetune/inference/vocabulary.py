"""The Bengali words that Banglish is read with: how frequent each is, and which sound alike when typed.

Read from assets/banglish: words of the demo's corpus with their frequency, verbs that are conjugated here, spellings
that people use, English words that are said in Bengali, and words that tell against Banglish. It knows single words;
sentences are `banglish.py`'s.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from finetune.inference.romanisation import skeletons
from finetune.recipe import ROOT

FOLDER = ROOT / "assets" / "banglish"

CONJUGATED = 2
"""Weight of a verb's form that the corpus lacks: most are everyday words all the same."""
SPOKEN = 6
"""Least weight of a word that is frequent enough for its spellings to be listed."""

_ON_HIGH = (  # শুনি, শুনছি, শুনলাম, শুনব, শুনতাম, শুনতে, শুনলে
    "ি িস ছি ছ ছো ছে ছেন ছিস ছিলাম ছিল ছিলেন লাম ল লো লে লেন লি লেও ব বো বে বেন বি তাম ত তো তে তেন তেই তেও ুন ো".split()
)
_ON_BASE = "ে েন ো া ার ায়".split()  # শোনে, শোনেন, শোনো, শোনা, শোনার
_ON_PERFECTIVE = "ে েও েই েছি েছ েছে েছেন েছিস েছিলাম েছিল েছিলেন েনি িনি ো".split()
_ON_OPEN = (  # ঘুমাই, ঘুমায়, ঘুমাচ্ছি, ঘুমালাম, ঘুমাব, ঘুমাতে
    "ই য় ও ন স চ্ছি চ্ছ চ্ছে চ্ছেন চ্ছিল চ্ছিলাম লাম ল লো লে লেন ব বো বে বেন বি তাম ত তো তে তেই তেও নো নোর ইনি".split()
)
_ON_OPEN_PERFECTIVE = "িয়ে িয়েছি িয়েছ িয়েছে িয়েছেন িয়েছিলাম িয়েছিল িয়েছিলেন".split()

_ON_VOWEL = (  # খাই, খাচ্ছি, খাব, খাওয়া
    "ই ও য় ন স ক চ্ছি চ্ছ চ্ছে চ্ছেন চ্ছিস চ্ছিল চ্ছিলাম ব বো বে বেন বি ওয়া ওয়ার ওয়ায় ইনি য়নি য়ও ইয়ে ইয়েছে ইছি".split()
)
_ON_VOWEL_PAST = (  # খেলাম, খেতে, খেয়েছি
    "লাম ল লো লে লেন লি লেও লেই তাম ত তো তে তেন তেই তেও য়ে য়েছি য়েছ য়েছে য়েছেন য়েছিস য়েছিলাম য়েছিল য়েছিলেন য়েও য়েই".split()
)


@dataclass(frozen=True)
class Vocabulary:
    """Every word that Banglish is read with, and what tells that a text is none."""

    weight: dict[str, int]
    """The logarithm to base 2 of how often a word stands in the demo's corpus; less sure where it is not from there."""
    alike: dict[str, list[str]]
    """The words of one skeleton (romanisation.py)."""
    typed: dict[str, str]
    """Spellings that the letters alone would not tell, and their words; below, English words that Bengali has taken."""
    loans: dict[str, str]
    pairs: tuple[tuple[str, str], ...]
    """Two words as they come out one by one, and what is meant where they stand together."""
    english: frozenset[str]
    """Words that tell against Banglish."""
    both: frozenset[str]
    """Words that are English as well as Bengali in Latin letters (to, more, hat), and tell nothing."""
    other: frozenset[str]
    """Words of Hindi and other languages in Latin letters."""


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """The vocabulary, read at the first call and kept."""
    typed, loans = _spellings("spoken.tsv"), _spellings("loans.tsv")
    weight = dict.fromkeys(loans.values(), 0) | dict.fromkeys(_conjugated(), CONJUGATED)
    for line in _lines("words.txt"):
        number, *words = line.split()
        weight |= {word: max(int(number), weight.get(word, 0)) for word in words}
    weight |= {word: max(SPOKEN, weight.get(word, 0)) for word in typed.values()}
    alike = defaultdict(list)
    for skeleton, word in skeletons(weight):
        alike[skeleton].append(word)
    pairs = tuple(tuple(line.split("\t")) for line in _lines("pairs.tsv"))
    tells: dict[str, set[str]] = {}
    for line in _lines("english.txt"):
        if line.startswith("["):
            listed = tells.setdefault(line.strip("[]"), set())
        else:
            listed.update(line.replace("'", "").split())
    return Vocabulary(weight, dict(alike), typed, loans, pairs, **{kind: frozenset(tells[kind]) for kind in tells})


def _lines(name: str) -> list[str]:
    text = unicodedata.normalize("NFC", (FOLDER / name).read_text(encoding="utf-8"))
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _spellings(name: str) -> dict[str, str]:
    """Spelling to Bengali word, from lines of a word, a tab and its spellings."""
    rows = (line.split("\t") for line in _lines(name))
    return {spelling: word for word, spellings in rows for spelling in spellings.split()}


def _conjugated() -> Iterator[str]:
    """The forms of every verb in verbs.txt, in the language that is written everywhere."""
    for line in _lines("verbs.txt"):
        pattern, *verbs = line.split()
        for verb in verbs:
            base, *others = verb.split("/")
            if pattern == "form":
                yield verb
            elif pattern == "vowel":
                yield from (base + ending for ending in _ON_VOWEL)
                yield from (others[0] + ending for ending in _ON_VOWEL_PAST)
            elif pattern == "open":
                yield from (base + ending for ending in _ON_OPEN)
                yield from (others[0] + ending for ending in _ON_OPEN_PERFECTIVE)
            else:
                high, perfective = others or (base, base)
                yield from (high + ending for ending in _ON_HIGH)
                yield from (base + ending for ending in _ON_BASE)
                yield from (perfective + ending for ending in _ON_PERFECTIVE)

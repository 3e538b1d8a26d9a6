"""One romanised word in Bengali letters: which word is meant, however it was typed.

A word is looked up as people spell it, then compared with every Bengali word of the same consonants, also in what
Dhaka's verb forms are elsewhere (kortesi, korchi), then as a stem with an ending. What is left is spelt as it sounds,
a name mostly; English that has no Bengali spelling here is left alone. Knows no sentences: those are `banglish.py`'s.
Readings of some thousand words, never of texts, are kept in memory.

Prices and thresholds were set on the lines of tests/inference/banglish.tsv that are not held out.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache

from finetune.inference.romanisation import price, spelt, typed_skeleton
from finetune.inference.vocabulary import vocabulary

FREQUENCY = 0.12
"""What a doubling of a word's frequency is worth, in the prices of romanisation.py."""
DIALECT = 0.5
"""Price of reading a word as a dialect's form, and below as a stem with an ending."""
ENDING = 0.6
CERTAIN = 0.3
"""Price up to which a word of the vocabulary is meant as it is, and no stem with an ending is tried against it."""
LONGEST = 30
"""Letters; what is longer is no word."""

_ENGLISH_LOOK = re.compile(
    "ck|wh|qu|ght|[st]ion|(?:ing|ly|ness|ment|able|ible|ous|ful|less|ive|ity|ism|ance|ence|[^aeiou]ed)$"
)
"""Spellings that English is full of and nobody uses for Bengali sounds."""
_FOREIGN_LOOK = re.compile("x|ea|oa|(?:[cpfs]t|ks|ss|ll|ff|mp|s[kp]|ts|[rn]ds?|rts?|ld)$")
"""Spellings that a Bengali word may have, but a name or word that nobody listed is English by."""

_DIALECT = tuple(
    (re.compile(typed), meant)
    for typed, meant in (
        (r"(?<=[aeou])i?t[ea](?:s|ch|ss)h?(?=[ieo])", "cch"),  # khaitesi, jaitase, hoitese
        (r"(?<=[dn]i)t[ea](?:s|ch)h?(?=[ieo])", "cch"),  # ditesi
        (r"(?<=[^aeiou])[ie]?t[ea](?:s|ch|ss)h?(?=[ieo])", "ch"),  # kortesi, lagtase
        (r"ai[sc]h?(?=[ieo]n?$|il)", "eyech"),  # paisi
        (r"oi[sc]h?(?=[ieo]n?$|il)", "oyech"),  # hoisilo
        (r"^([dn])i[sc]h?(?=[ieo]n?$|il)", r"\1iyech"),  # disi
        (r"s(?=[ieo]n?$|ilam$|ilo$)", "ech"),  # felse, porsi
        (r"oi([^aeiou]{1,2})a$", r"o\1e"),  # koira
        (r"ai([^aeiou]{1,2})a$", r"e\1e"),  # thaika
        (r"ai[yi]?a$", "eye"),  # khaiya
        (r"i[yi]?a$", "iye"),  # niya
        (r"(?<=\w{3}a)i(?=(?:te|le|lam)$)", ""),  # ghumaite
        (r"ai(?=(?:te|le|lam)$)", "e"),  # khaite
        (r"oi(?=(?:te|le|lo|lam|be|bo)$)", "o"),  # hoite
        (r"(?<=[^aeiou])(?:um|mu)$", "bo"),  # korum, kormu
        (r"(?<=[ai])mu$", "bo"),  # jamu
    )
)
"""A form as Dhaka says it, and as it is written everywhere."""

ENDINGS = {
    "gulor": "গুলোর", "gulo": "গুলো", "gula": "গুলো", "gulan": "গুলো", "tuku": "টুকু", "tate": "টাতে", "take": "টাকে",
    "tar": "টার", "tai": "টাই", "tao": "টাও", "der": "দের", "ta": "টা", "ti": "টি", "ke": "কে", "te": "তে", "ra": "রা",
    "er": "ের", "yer": "য়ের", "r": "র", "ei": "েই", "e": "ে", "y": "য়", "i": "ই", "o": "ও", "na": " না", "nai": " নাই",
}  # fmt: skip
"""What is added to a word; না, which many type without a blank, goes after one."""
_VOWEL_AT_END = re.compile("[\u0985-\u0994\u09be-\u09cc]$")


@dataclass(frozen=True)
class Reading:
    """A Bengali word for a typed one, its price, and the price less what the word's frequency is worth."""

    word: str
    price: float
    total: float


@lru_cache(maxsize=4096)
def in_bengali(typed: str) -> str | None:
    """The Bengali spelling of one word in a-z; None where it is best left as it is."""
    words = vocabulary()
    known = words.typed.get(typed) or words.loans.get(typed)
    if known or len(typed) == 1 or is_english(typed):
        return known
    best, inflected = nearest(typed), _inflected(typed)
    if inflected and (not best or best.price > CERTAIN and inflected.total < best.total):
        best = inflected
    if best and best.price <= allowed(typed):
        return best.word
    return None if _FOREIGN_LOOK.search(typed) else spelt(typed)


def is_english(typed: str) -> bool:
    """True for an English word that is no Bengali one as well, by the list or by its looks."""
    words = vocabulary()
    if typed in words.both or typed in words.typed:
        return False
    return typed in words.english or bool(_ENGLISH_LOOK.search(typed))


def allowed(typed: str) -> float:
    """Price beyond which a word of this length is no spelling of a Bengali one."""
    return 0.4 + 0.12 * len(typed)


@lru_cache(maxsize=4096)
def nearest(typed: str) -> Reading | None:
    """The word of the vocabulary that is most likely meant; None where none has these consonants."""
    words = vocabulary()
    if len(typed) > LONGEST:
        return None
    forms = {typed: 0.0}
    for dialect, meant in _DIALECT:
        forms.setdefault(dialect.sub(meant, typed), DIALECT)
    best = None
    for form, extra in forms.items():
        for word in words.alike.get(typed_skeleton(form), ()):
            worth = FREQUENCY * words.weight[word]
            cost = extra + price(word, form, (best.total + worth if best else 3 * allowed(typed)) - extra)
            if cost < math.inf and (best is None or cost - worth < best.total):
                best = Reading(word, cost, cost - worth)
    return best


def _inflected(typed: str) -> Reading | None:
    """The most likely reading as a stem with an ending."""
    words = vocabulary()
    found = []
    for ending, written in ENDINGS.items():
        stem = typed.removesuffix(ending)
        if stem == typed or len(stem) < 2:
            continue
        if stem in words.loans:
            return Reading(with_ending(words.loans[stem], written), 0, 0)
        best = nearest(stem)
        if stem in words.typed:
            word = words.typed[stem]
            best = Reading(word, 0, -FREQUENCY * words.weight[word])
        if best and best.price <= allowed(stem):
            found.append(Reading(with_ending(best.word, written), best.price, best.total + ENDING))
    return min(found, key=lambda reading: reading.total, default=None)


def with_ending(word: str, ending: str) -> str:
    """A Bengali word with an ending in the shape that its last letter wants: বাবা and ের make বাবার, ঘর and র ঘরের."""
    if _VOWEL_AT_END.search(word):
        if ending == "ের":
            long = word[-1] in "ইউ" or len(_VOWEL_AT_END.sub("", word)) == 1  # ভাইয়ের, বউয়ের, মায়ের
            return word + ("য়ের" if long else "র")
        return word + {"ে": "য়" if word[-1] == "া" else "তে", "েই": "তেই"}.get(ending, ending)
    return word + {"র": "ের", "য়": "ে", "তে": "ে"}.get(ending, ending)

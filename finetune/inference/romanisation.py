"""How people type Bengali in Latin letters: the price of taking a typed word for a Bengali one, and a plain spelling.

Nobody keeps to a scheme: করছি is korchi, korci, krchi or korsi, ভালো is valo, bhalo or vlo. So nothing is read
letter by letter. A Bengali word gives the spellings that each of its sounds may have, with a price for what is less
usual, and `price` finds the cheapest way through them. It knows letters; which words there are, and how frequent,
`vocabulary.py` knows. Prices were set by hand, on the lines of tests/inference/banglish.tsv that are not held out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

VIRAMA = "\u09cd"
_COMPOSED = (("ড\u09bc", "\u09dc"), ("ঢ\u09bc", "\u09dd"), ("য\u09bc", "\u09df"))

Spellings = dict[str, float]

_CONSONANTS: dict[str, Spellings] = {
    "ক": {"k": 0, "c": 1, "q": 0.5},
    "খ": {"kh": 0, "k": 0.8},
    "গ": {"g": 0},
    "ঘ": {"gh": 0, "g": 0.7},
    "ঙ": {"ng": 0, "n": 0.8},
    "চ": {"ch": 0, "c": 0.4, "chh": 0.6},
    "ছ": {"ch": 0, "chh": 0, "s": 0.3, "c": 0.4, "sh": 0.9},
    "জ": {"j": 0, "z": 0.3},
    "ঝ": {"jh": 0, "j": 0.7, "z": 1},
    "ঞ": {"n": 0, "": 0.8},
    "ট": {"t": 0},
    "ঠ": {"th": 0, "t": 0.6},
    "ড": {"d": 0},
    "ঢ": {"dh": 0, "d": 0.7},
    "ণ": {"n": 0},
    "ত": {"t": 0, "th": 0.9},
    "থ": {"th": 0, "t": 0.6},
    "দ": {"d": 0, "dh": 0.9},
    "ধ": {"dh": 0, "d": 0.6},
    "ন": {"n": 0},
    "প": {"p": 0},
    "ফ": {"f": 0, "ph": 0},
    "ব": {"b": 0, "v": 0.8, "w": 0.9},
    "ভ": {"bh": 0, "v": 0, "b": 0.7},
    "ম": {"m": 0},
    "য": {"j": 0, "z": 0.2, "y": 1},
    "র": {"r": 0},
    "ল": {"l": 0},
    "শ": {"sh": 0, "s": 0.2, "ch": 1},
    "ষ": {"sh": 0, "s": 0.2},
    "স": {"s": 0, "sh": 0.2, "c": 0.9, "ch": 0.9},
    "হ": {"h": 0, "": 0.9},
    "\u09dc": {"r": 0, "rh": 0.3, "d": 1},
    "\u09dd": {"rh": 0, "r": 0.2},
    "\u09df": {"y": 0, "i": 0.3, "": 0.2, "w": 0.3},
    "ৎ": {"t": 0, "th": 0.6},
    "ং": {"ng": 0, "n": 0.6, "m": 1},
    "ঃ": {"": 0, "h": 0.5},
    "\u0981": {"": 0, "n": 0.3},
}
_VOWELS: dict[str, Spellings] = {
    "অ": {"o": 0, "a": 0.5},
    "আ": {"a": 0, "aa": 0.1},
    "ই": {"i": 0, "e": 0.8, "y": 0.5},
    "ঈ": {"i": 0, "ee": 0.2, "e": 0.9},
    "উ": {"u": 0, "o": 0.8, "w": 0.6},
    "ঊ": {"u": 0, "oo": 0.3},
    "ঋ": {"ri": 0},
    "এ": {"e": 0, "a": 0.5, "ae": 0.3, "ye": 0.3},
    "ঐ": {"oi": 0, "ai": 0.6},
    "ও": {"o": 0, "w": 0.4, "u": 0.7},
    "ঔ": {"ou": 0, "au": 0.3, "o": 0.8},
    "া": {"a": 0, "aa": 0.1, "": 0.9},
    "ি": {"i": 0, "ee": 0.4, "e": 0.7, "": 1, "y": 0.7},
    "ী": {"i": 0, "ee": 0.2, "e": 0.8, "": 1.1, "y": 0.6},
    "ু": {"u": 0, "oo": 0.3, "o": 0.7, "": 1},
    "ূ": {"u": 0, "oo": 0.2, "o": 0.8, "": 1.1},
    "ৃ": {"ri": 0, "r": 0.6, "ree": 0.4, "re": 0.7, "ru": 0.8},
    "ে": {"e": 0, "a": 0.6, "ae": 0.4, "": 1, "i": 1.3, "ee": 0.6},
    "ৈ": {"oi": 0, "oy": 0.3, "ai": 0.6},
    "ো": {"o": 0, "u": 0.7, "": 0.8, "oo": 0.5},
    "ৌ": {"ou": 0, "au": 0.3, "ow": 0.4, "o": 0.8},
}
_INHERENT_AT_FIRST: Spellings = {"o": 0, "": 0.6, "a": 0.6, "u": 0.9}
_INHERENT: Spellings = {"": 0.1, "o": 0, "a": 0.6, "u": 0.9}
_INHERENT_AT_END: Spellings = {"": 0, "o": 0.35, "a": 1}
_INHERENT_AFTER_CONJUNCT: Spellings = {"o": 0, "": 0.4, "a": 0.5}
_TOGETHER: dict[str, Spellings] = {
    "ক্ষ": {"kh": 0, "kkh": 0, "ksh": 0.4, "k": 0.6, "kk": 0.3},
    "জ্ঞ": {"gg": 0, "g": 0.2, "gy": 0.1, "ggy": 0.1, "jn": 0.4},
    "হ্য": {"jjh": 0, "jj": 0.1, "jh": 0.2, "hy": 0.3, "j": 0.5},
    "ত্ম": {"tt": 0, "tm": 0, "t": 0.4, "ttm": 0.3},
    "ঙ্গ": {"ng": 0, "ngg": 0.3},
    "ঞ্চ": {"nch": 0, "nc": 0.4},
    "শ্ব": {"sh": 0.2, "shw": 0, "sw": 0, "ss": 0.1, "shsh": 0, "s": 0.4},
    "চ্ছ": {"cch": 0, "chch": 0, "chh": 0, "ch": 0.4, "ss": 0.3, "cc": 0.4, "tch": 0.5, "s": 0.8, "c": 0.7},
    "্য": {"y": 0.1, "": 0.2, "j": 0.9},
    "্যা": {"a": 0, "ya": 0, "e": 0.3, "ae": 0.1, "aa": 0.2, "ea": 0.3},
    "্ব": {"": 0, "w": 0, "b": 0.4, "v": 0.5, "o": 0.8},
    "্ম": {"m": 0, "": 0.4},
}
"""Letters that are said otherwise together than one by one."""

SKIPPED_LETTER = 1.6
"""Price of a typed letter that no sound accounts for; below, of one that only repeats or breathes on the one before."""
REPEATED_LETTER = 0.6
BREATH = 0.7
SKIPPED_SOUND = 1.8
"""Price of a sound that was not typed."""

_LATIN_SKELETON = tuple(
    (re.compile(typed), meant)
    for typed, meant in (
        ("x", "ks"),
        ("ph", "f"),
        ("c(?=[lr])", "k"),
        ("[cs]", "s"),
        ("q", "k"),
        ("v", "b"),
        ("z", "j"),
        ("ng", "n"),
        ("[aeiouhwy]", ""),
        (r"(.)\1+", r"\1"),
    )
)
_BENGALI_SKELETON = str.maketrans(
    dict(
        zip(
            "কখগঘঙচছজঝঞটঠডঢণতথদধনপফবভমযরলশষসৎংৃ\u09dc\u09dd",
            "kkggnssjjnttddnttddnpfbbmjrlssstnrrr",
            strict=True,
        )
    )
    | dict.fromkeys(_VOWELS.keys() - {"ৃ"})
    | dict.fromkeys("\u09dfহঃ\u0981\u09cd\u09bc\u200c\u200d")
)
_SAID_AS = (("ক্ষ", "ক"), ("জ্ঞ", "গ"), ("হ্য", "জ"), ("ঙ্গ", "ং"), ("্য", ""))
_MAYBE_SILENT = (("্ব", ""), ("্ম", ""), ("\u0981", "ন"))
_REPEATED = re.compile(r"([a-z])\1+")


def typed_skeleton(typed: str) -> str:
    """The consonants of a typed word, alike ones as one: korchi, korsi and krci are all "krs"."""
    for spelling, meant in _LATIN_SKELETON:
        typed = spelling.sub(meant, typed)
    return typed


def skeletons(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of a skeleton and a Bengali word that may be typed so; two or more where a letter may be silent."""
    forms = [(word, word) for word in words]
    for letter, other in _MAYBE_SILENT:
        forms += [(form.replace(letter, other), word) for form, word in forms if letter in form]
    text = _composed("\n".join(form for form, _ in forms))  # all at once is five times as fast as one by one
    for written, said in _SAID_AS:
        text = text.replace(written, said)
    lines = _REPEATED.sub(r"\1", text.translate(_BENGALI_SKELETON)).split("\n")
    yield from dict.fromkeys(zip(lines, (word for _, word in forms), strict=True))


def price(word: str, typed: str, limit: float = math.inf) -> float:
    """What it costs to read `typed` (a-z) as the Bengali `word`: 0 as it is mostly written; inf beyond the limit."""
    reached = {0: 0.0}
    for spellings in _sounds(word):
        following: dict[int, float] = {}
        for at, cost in _with_skips(reached, typed).items():
            if cost > limit:
                continue
            for spelling, extra in spellings.items():
                if typed.startswith(spelling, at):
                    end = at + len(spelling)
                    if cost + extra < following.get(end, math.inf):
                        following[end] = cost + extra
            if cost + SKIPPED_SOUND < following.get(at, math.inf):
                following[at] = cost + SKIPPED_SOUND
        reached = following
        if not reached:
            return math.inf
    cost = _with_skips(reached, typed).get(len(typed), math.inf)
    return cost if cost <= limit else math.inf


def _with_skips(reached: dict[int, float], typed: str) -> dict[int, float]:
    reached = dict(reached)
    for at in range(min(reached), len(typed)):
        if at in reached:
            cost = reached[at] + _skip(typed, at)
            if cost < reached.get(at + 1, math.inf):
                reached[at + 1] = cost
    return reached


def _skip(typed: str, at: int) -> float:
    if at and typed[at] == typed[at - 1]:
        return REPEATED_LETTER
    return BREATH if at and typed[at] in "hy" else SKIPPED_LETTER


@lru_cache(maxsize=20_000)
def _sounds(word: str) -> tuple[Spellings, ...]:
    """The sounds of a Bengali word, each with the spellings it may have."""
    word = _composed(word).replace("\u200c", "").replace("\u200d", "")
    sounds: list[Spellings] = []
    at = 0
    open_consonant = conjunct = False
    """Whether a consonant without a vowel of its own came last, and whether it was one of two."""
    while at < len(word):
        size = next((n for n in (3, 2) if word[at : at + n] in _TOGETHER and len(word[at : at + n]) == n), 1)
        piece = word[at : at + size]
        at += size
        if piece == VIRAMA:
            open_consonant, conjunct = False, True
        elif piece in _VOWELS or piece == "্যা":
            sounds.append(_TOGETHER.get(piece) or _VOWELS[piece])
            open_consonant = conjunct = False
        elif piece in ("\u0981", "ং", "ঃ", "ৎ"):
            if open_consonant:
                sounds.append(_INHERENT)
            sounds.append(_CONSONANTS[piece])
            open_consonant = False
        else:
            if open_consonant and not piece.startswith(VIRAMA):
                sounds.append(
                    _INHERENT_AFTER_CONJUNCT if conjunct else _INHERENT if len(sounds) > 1 else _INHERENT_AT_FIRST
                )
                conjunct = False
            conjunct = conjunct or size > 1
            sounds.append(_TOGETHER[piece] if size > 1 else _CONSONANTS.get(piece, {}))
            open_consonant = True
    if open_consonant:
        sounds.append(_INHERENT_AFTER_CONJUNCT if conjunct else _INHERENT_AT_END)
    return tuple(sounds)


def _composed(word: str) -> str:
    for loose, one in _COMPOSED:
        word = word.replace(loose, one)
    return word


_SPELT = tuple(
    sorted(
        {
            "kh": "খ", "gh": "ঘ", "ng": "ং", "chh": "ছ", "ch": "চ", "jh": "ঝ", "th": "থ", "dh": "ধ", "ph": "ফ",
            "bh": "ভ", "sh": "শ", "k": "ক", "q": "ক", "c": "ক", "g": "গ", "j": "জ", "z": "জ", "t": "ত", "d": "দ",
            "n": "ন", "p": "প", "f": "ফ", "b": "ব", "v": "ভ", "m": "ম", "y": "য়", "r": "র", "l": "ল", "s": "স",
            "h": "হ", "w": "ও", "x": "ক্স",
        }.items(),
        key=lambda pair: -len(pair[0]),
    )
)  # fmt: skip
_SPELT_VOWELS = {
    "aa": ("আ", "া"),
    "oo": ("উ", "ু"),
    "ee": ("ই", "ি"),
    "oi": ("ঐ", "ৈ"),
    "ou": ("ঔ", "ৌ"),
    "a": ("আ", "া"),
    "i": ("ই", "ি"),
    "u": ("উ", "ু"),
    "e": ("এ", "ে"),
    "o": ("ও", "ো"),
}


def spelt(typed: str) -> str:
    """A word that nobody knows, a name mostly, as it sounds: rakib is রাকিব, nusrat is নুসরাত."""
    out, at, after_consonant = [], 0, False
    while at < len(typed):
        for size in (2, 1):
            vowel = typed[at : at + size]
            if vowel in _SPELT_VOWELS:
                free, sign = _SPELT_VOWELS[vowel]
                inherent = vowel == "o" and after_consonant and at + size < len(typed)
                out.append("" if inherent else sign if after_consonant else free)
                at, after_consonant = at + size, False
                break
        else:
            size, letter = next(((len(latin), own) for latin, own in _SPELT if typed.startswith(latin, at)), (1, ""))
            out.append(letter)
            at, after_consonant = at + size, bool(letter)
    return "".join(out)

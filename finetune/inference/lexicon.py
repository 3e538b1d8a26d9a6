"""A lexicon of phrases, found in a text however it is typed.

A file in `assets/safety/` lists phrases by kind, in the notation that `Lexicon` explains; texts and
phrases are compared by their sound (`sound.py`). It finds what is listed, and understands nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from finetune.inference.sound import PAUSE, joined, sound

BETWEEN = 24
"""Letters and blanks that `…` lets stand between two words: three words or four. Counted in letters, not in words,
so that a word which is typed in pieces counts no more than a whole one."""

SHORTEST_HEAD = 3
"""Letters of a word that is found at the beginning of a longer run (moretechai). Many words begin with two."""

UNKNOWN = 3
"""What a word that is not in the lexicon counts when words are pieced together, one that is in it counting 1."""

SWALLOWED = 2
"""What a piece adds that is not heard in the word: less than UNKNOWN, so that kil l is kill; more than a word, so that
want to is not want."""

ONE_LETTER = "irtuad"
"""Sounds of one letter that are words: I, আর (r), to, you, a, do. Any other is a piece of a word."""

_TAKEN_OUT = " ·"


class Lexicon:
    """The phrases of one file, by kind.

    The file is YAML: a list of phrases for each kind, and `words`, spellings by name. In a phrase:

    - `a|b` are spellings of one word; `a*` may go on; `a_b` is two words; `<name>` is every spelling under that name;
    - `…` lets up to BETWEEN letters stand between two words; `,` is a pause, which only `without` sees;
    - `A & B` are two halves that may come in either order, as far apart as `…` allows;
    - a last word with `!` in front must not follow.

    The words named `tails` are also found where they are written on to another word.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def says(self, kind: str, said: str) -> bool:
        """Whether a sound form holds a phrase of a kind; commas and full stops hide none."""
        flowing = said.replace(f" {PAUSE} ", " ")
        return any(phrase.search(flowing) for phrase in self._possible(kind, flowing))

    def without(self, kind: str, said: str) -> str:
        """A sound form in which a dot stands for each phrase of a kind; none reaches across a pause."""
        for phrase in self._possible(kind, said):
            said = phrase.sub(_TAKEN_OUT, said)
        return said

    def readings(self, text: str) -> list[str]:
        """The different sound forms a text may have been meant as, words that were run together (চাইনা) taken apart.

        As it stands; and with the words of this lexicon pieced together from what was typed in pieces (ম র তে,
        sui-cide), once eagerly (নিজে কে), once only where a piece is no word by itself (কর ব, not ছাড়া আর).
        """
        words = sound(text).split()
        as_is = [part for word in words for part in self._parts(word) or [word]]
        found = [as_is, self._mended(words, eager=True), self._mended(words, eager=False)]
        return list(dict.fromkeys(f" {' '.join(one)} " for one in found))

    def _possible(self, kind: str, said: str) -> Iterator[re.Pattern]:
        """The phrases of a kind whose first word is there; all others cannot match."""
        by_word, by_beginning = self._index[kind]
        seen = set()
        for word in dict.fromkeys(said.split()):
            listed = by_word.get(word, ())
            begun = (found for start, found in by_beginning if word.startswith(start))
            for place, phrase in (*listed, *begun):
                if place not in seen:
                    seen.add(place)
                    yield phrase

    @cached_property
    def _index(self) -> dict[str, tuple[dict[str, list], list]]:
        """For each kind, its compiled phrases by first word, and by the beginning of a first word that may go on."""
        index = {}
        for kind, listed in self._phrases.items():
            by_word: dict[str, list] = {}
            by_beginning: list = []
            for place, words in enumerate(listed):
                entry = (place, _pattern(words))
                for first in {spelling.split()[0] for spelling in words[0]}:
                    if first.endswith("*"):
                        by_beginning.append((first[:-1], entry))
                    else:
                        by_word.setdefault(first, []).append(entry)
            index[kind] = by_word, by_beginning
        return index

    @cached_property
    def _phrases(self) -> dict[str, list[list[list[str]]]]:
        """For each kind its phrases: lists of words, each a list of spellings in their sound form."""
        return {
            kind: [_words(order, self._named) for phrase in listed for order in _orders(phrase)]
            for kind, listed in self._raw.items()
            if kind != "words"
        }

    @cached_property
    def _named(self) -> dict[str, list[str]]:
        """The sound forms of the spellings under each name; one name may stand in those after it."""
        named: dict[str, list[str]] = {}
        for name, spellings in self._raw["words"].items():
            named[name] = _sounds(spellings, named)
        return named

    @cached_property
    def _tails(self) -> tuple[str, ...]:
        return tuple(sorted(self._named["tails"], key=len, reverse=True))

    @cached_property
    def _raw(self) -> dict[str, Any]:
        return yaml.safe_load(self.file.read_text(encoding="utf-8"))

    @cached_property
    def _vocabulary(self) -> frozenset[str]:
        """Every word of a phrase, and the beginning of those that may go on."""
        return frozenset(
            part
            for listed in self._phrases.values()
            for words in listed
            for word in words
            for spelling in word
            for part in spelling.strip("!*").split()
            if part.isalnum() and (len(part) > 1 or part in ONE_LETTER)
        )

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._vocabulary))

    def _mended(self, words: list[str], eager: bool) -> list[str]:
        """The reading with the fewest words, where one that is not in the lexicon counts UNKNOWN."""
        count = [0] * (len(words) + 1)
        """The least that the words from each place on can count; filled in from the end."""
        chosen: list[tuple[int, list[str]]] = [(0, [])] * len(words)
        for place in reversed(range(len(words))):
            ways = [
                (self._count(parts, [w for w in words[place:end] if w != PAUSE], eager) + count[end], end, parts)
                for parts, end in self._known(words, place)
            ]
            as_is = 0 if words[place] == PAUSE else UNKNOWN
            ways.append((as_is + count[place + 1], place + 1, [words[place]]))
            # Of two readings that count the same, eagerly the one with the longer word.
            best = min(ways, key=lambda way: (way[0], -way[1] if eager else way[1]))
            count[place], *chosen[place] = best
        mended, place = [], 0
        while place < len(words):
            place, parts = chosen[place]
            mended += parts
        return mended

    def _count(self, parts: list[str], pieces: list[str], eager: bool) -> int:
        """What the words that were made of these pieces count: without eagerness more where they were words already."""
        were_words = all(len(piece) > 1 and piece in self._vocabulary for piece in pieces) and not eager
        return (len(pieces) if were_words else len(parts)) + SWALLOWED * _swallowed(pieces)

    def _known(self, words: list[str], place: int) -> Iterator[tuple[list[str], int]]:
        """What of this lexicon the words from `place` to each end make together, as its words and that end."""
        wholes, end = {words[place]} - {PAUSE}, place + 1
        while wholes:
            for whole in sorted(wholes):
                if parts := self._parts(whole):
                    yield parts, end
            while end < len(words) and words[end] == PAUSE:
                end += 1
            if end == len(words):
                return
            wholes = {one for whole in wholes for one in joined(whole, words[end]) if len(one) <= self._longest}
            end += 1

    def _parts(self, run: str) -> list[str]:
        """A run of letters as a word of the lexicon and the `tails` that were written on to it (করবনা, moretechai);
        nothing where it is no such run."""
        if run in self._vocabulary:
            return [run]
        if not run.endswith(self._tails):
            return []
        for tail in self._tails:
            head = run.removesuffix(tail)
            if head != run and len(head) >= SHORTEST_HEAD and (parts := self._parts(head)):
                return [*parts, tail]
        return []


def _swallowed(pieces: list[str]) -> int:
    """How many of these pieces are one letter that is not heard beside the next or the last one: want t, n cai."""
    return sum(1 in (len(a), len(b)) and (a[-1] == b[0] or a[-1] + b[0] == "nc") for a, b in pairwise(pieces))


def _orders(phrase: str) -> list[str]:
    """A phrase, or the two that `A & B` stands for."""
    first, joint, second = phrase.partition(" & ")
    return [f"{first} … {second}", f"{second} … {first}"] if joint else [phrase]


def _sounds(spellings: str, named: dict[str, list[str]]) -> list[str]:
    """The different sound forms of `a|b|c*|<name>`."""
    forms: dict[str, None] = {}
    for spelling in spellings.split("|"):
        if spelling.startswith("<"):
            forms |= dict.fromkeys(named[spelling[1:-1]])
        else:
            forms[sound(spelling.rstrip("*")).strip() + ("*" if spelling.endswith("*") else "")] = None
    return list(forms)


def _words(phrase: str, named: dict[str, list[str]]) -> list[list[str]]:
    """A phrase as its words, each a list of sound forms; `!` stays in front of those that must not follow."""
    words = []
    for word in phrase.split():
        if word == "…":
            words.append(["…"])
        else:
            mark = "!" if word.startswith("!") else ""
            words.append([mark + form for form in _sounds(word.removeprefix("!"), named)])
    return words


def _pattern(words: list[list[str]]) -> re.Pattern:
    parts = []
    for spellings in words:
        if spellings == ["…"]:
            parts.append(f"(?: [^·{PAUSE}]{{1,{BETWEEN - 1}}}?)??(?= )")
            continue
        forms = [re.escape(form.removeprefix("!")).replace(r"\*", r"\S*") for form in spellings]
        either = f" (?:{'|'.join(forms)})"
        parts.append(f"(?!{either} )" if spellings[0].startswith("!") else either)
    return re.compile("".join(parts) + "(?= )")

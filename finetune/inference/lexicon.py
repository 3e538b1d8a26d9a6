"""A lexicon of phrases, found in a text however it is typed.

A file in `assets/safety/` lists phrases by kind, in the notation that `Lexicon` explains; texts and
phrases are compared by their sound (`sound.py`). It finds what is listed, and understands nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from finetune.inference.pieces import Pieces
from finetune.inference.sound import PAUSE, sound

BETWEEN = 24
"""Letters and blanks that `…` lets stand between two words: three words or four. Counted in letters, not in words,
so that a word which is typed in pieces counts no more than a whole one."""

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
        """The different sound forms a text may have been meant as, as it stands first (`Pieces.readings`)."""
        return [f" {' '.join(words)} " for words in self._pieces.readings(sound(text).split())]

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
    def _raw(self) -> dict[str, Any]:
        return yaml.safe_load(self.file.read_text(encoding="utf-8"))

    @cached_property
    def _pieces(self) -> Pieces:
        """Knows every word of a phrase, and the beginning of those that may go on."""
        vocabulary = {
            part
            for listed in self._phrases.values()
            for words in listed
            for word in words
            for spelling in word
            for part in spelling.strip("!*").split()
            if part.isalnum()
        }
        return Pieces(vocabulary, self._named["tails"])


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

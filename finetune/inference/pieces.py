"""Words that were typed in pieces (ম র তে, sui-cide, c hai) or run together (চাইনা, moretechai), put right.

Works on sounds (`sound.py`) and knows the words of one vocabulary; others it leaves as they are. Where a piece is a
word as well (নিজে কে, কর ব ঠিক) it cannot know what was meant, and offers more than one reading.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from finetune.inference.sound import PAUSE, joined

SHORTEST_HEAD = 3
"""Letters of a word that is found at the beginning of a longer run (moretechai). Many words begin with two."""

UNKNOWN = 3
"""What a word that is not in the vocabulary counts when words are pieced together, one that is in it counting 1."""

SWALLOWED = 2
"""What a piece adds that is not heard in the word: less than UNKNOWN, so that kil l is kill; more than a word, so that
want to is not want."""

MOST_PIECES = 32
"""Pieces of one word. Even one typed letter by letter, some of them twice, has fewer; and a letter that goes on and on
(k k k k …), each as good as swallowed by the first, would else be followed to the end of the text from every place."""

ONE_LETTER = "irtuad"
"""Sounds of one letter that are words: I, আর (r), to, you, a, do. Any other is a piece of a word."""

Way = tuple[list[str], int]
"""Words of the vocabulary that some of the words from a place on make together, and the place after these."""


class Pieces:
    """The words of one vocabulary, and the tails that are written on to them: না, চাই, যেতে."""

    def __init__(self, vocabulary: Iterable[str], tails: Iterable[str]) -> None:
        self._vocabulary = frozenset(word for word in vocabulary if len(word) > 1 or word in ONE_LETTER)
        self._tails = tuple(sorted(tails, key=len, reverse=True))
        self._beginnings = _beginnings(self._vocabulary)
        self._tail_beginnings = _beginnings(self._tails)

    def readings(self, words: list[str]) -> list[list[str]]:
        """What these sounds may have been meant as, each once, runs of words taken apart in all.

        First as they stand; then with pieces put together, eagerly (নিজে কে), and then only where a piece
        is no word by itself (কর ব, but not ছাড়া আর).
        """
        as_is = [part for word in words for part in self._parts(word) or [word]]
        ways = [list(self._ways(words, place)) for place in range(len(words))]
        found = [as_is, self._mended(words, ways, eager=True), self._mended(words, ways, eager=False)]
        return [list(one) for one in dict.fromkeys(map(tuple, found))]

    def _mended(self, words: list[str], ways: list[list[Way]], eager: bool) -> list[str]:
        """The reading with the fewest words, where one that is not in the vocabulary counts UNKNOWN.

        ways: those from each place on.
        """
        count = [0] * (len(words) + 1)
        """The least that the words from each place on can count; filled in from the end."""
        chosen: list[tuple[int, list[str]]] = [(0, [])] * len(words)
        for place in reversed(range(len(words))):
            counted = [
                (self._count(parts, [w for w in words[place:end] if w != PAUSE], eager) + count[end], end, parts)
                for parts, end in ways[place]
            ]
            as_is = 0 if words[place] == PAUSE else UNKNOWN
            counted.append((as_is + count[place + 1], place + 1, [words[place]]))
            # Of two readings that count the same, eagerly the one with the longer word.
            best = min(counted, key=lambda way: (way[0], -way[1] if eager else way[1]))
            count[place], *chosen[place] = best
        mended, place = [], 0
        while place < len(words):
            place, parts = chosen[place]
            mended += parts
        return mended

    def _count(self, parts: list[str], pieces: list[str], eager: bool) -> int:
        """What the words that were made of these pieces count: without eagerness more where they were words already."""
        were_words = not eager and all(len(piece) > 1 and piece in self._vocabulary for piece in pieces)
        return (len(pieces) if were_words else len(parts)) + SWALLOWED * _swallowed(pieces)

    def _ways(self, words: list[str], place: int) -> Iterator[Way]:
        """Each way in which the words from `place` on begin with words of the vocabulary; stops between pieces go."""
        wholes, end = {words[place]} - {PAUSE}, place + 1
        for _ in range(MOST_PIECES):
            for whole in sorted(wholes):
                if parts := self._parts(whole):
                    yield parts, end
            while end < len(words) and words[end] == PAUSE:
                end += 1
            if end == len(words) or not wholes:
                return
            wholes = {one for whole in wholes for one in joined(whole, words[end]) if self._may_go_on(one)}
            end += 1

    def _may_go_on(self, piece: str) -> bool:
        """Whether a word of the vocabulary, with a tail or without, begins like this."""
        if piece in self._beginnings:
            return True
        heads = range(max(SHORTEST_HEAD, len(piece) - len(self._tails[0])), len(piece))
        return any(piece[:end] in self._vocabulary and piece[end:] in self._tail_beginnings for end in heads)

    def _parts(self, run: str) -> list[str]:
        """A run of letters as a word and the tails that were written on to it; nothing where it is no such run."""
        if run in self._vocabulary:
            return [run]
        if not run.endswith(self._tails):
            return []
        for tail in self._tails:
            head = run.removesuffix(tail)
            if head != run and len(head) >= SHORTEST_HEAD and (parts := self._parts(head)):
                return [*parts, tail]
        return []


def _beginnings(words: Iterable[str]) -> frozenset[str]:
    return frozenset(word[:end] for word in words for end in range(1, len(word) + 1))


def _swallowed(pieces: list[str]) -> int:
    """How many of these pieces are one letter that is not heard beside the next or the last one: want t, n cai."""
    return sum(1 in (len(a), len(b)) and (a[-1] == b[0] or a[-1] + b[0] == "nc") for a, b in pairwise(pieces))

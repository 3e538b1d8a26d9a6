"""Whether questions that a model is tested on also stood in its training rows: word for word, or nearly.

An evaluation on such rows measures memory. The search is the one by which `splits.py` keeps near-identical questions on
one side, so what `prepare` split with `data.group` should come out clean; files split elsewhere are where it finds
something. It compares words, so a paraphrase or a translation is not found, and of questions one word apart about one
in 2,000 is missed (`splits.BANDS`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from finetune import bengali
from finetune.data.splits import BAND_ROWS, BANDS, FEWEST_WORDS, NEAR_IDENTICAL

Row = Mapping[str, str]


@dataclass(frozen=True)
class Pair:
    """A question that leaked, with the training question nearest to it. Rows are counted from 1, as lines are."""

    other: int
    train: int
    similarity: float
    """Words in both among words in either, 0 to 1 (Jaccard)."""
    exact: bool
    """The same words in the same order, once both are clean (NFC) and without case and punctuation."""


@dataclass(frozen=True)
class Leakage:
    """What was found; at most one pair for each row that was looked at."""

    train: int
    """Training rows, and below the rows that were looked for among them."""
    others: int
    pairs: tuple[Pair, ...]
    replies: int
    """Rows whose reply also stands in the training rows word for word, whatever the question."""
    beside: int | None = None
    """Rows of the other split that was kept aside, in which they were looked for too; None where nobody gave one."""
    shared: int = 0
    """Questions that stand in that other split, word for word or nearly."""

    @cached_property
    def exact(self) -> int:
        """Questions that stand in the training rows word for word."""
        return sum(pair.exact for pair in self.pairs)

    @property
    def near(self) -> int:
        """Questions nearly the same as a training question, those word for word not counted."""
        return len(self.pairs) - self.exact

    def sentence(self) -> str:
        """The first line of a report, in English; `facts` has what varies in it."""
        found = self.facts()
        told_beside = self._beside() + self._replies()
        if not self.pairs:
            told = f"No leakage found: none of the {self.others:,} questions stands in the {self.train:,} training rows"
            return f"{told}, word for word or with {NEAR_IDENTICAL:.0%} of its words.{told_beside}"
        return (
            f"Leakage: {len(self.pairs):,} of {self.others:,} questions ({found['percent']}%) also stand in the"
            f" {self.train:,} training rows, {self.exact:,} word for word and {self.near:,} with {NEAR_IDENTICAL:.0%}"
            f" or more of their words, so the figures look better than the model is.{told_beside}"
        )

    def facts(self) -> dict[str, Any]:
        """What `sentence` says, for another language: counts, and `percent` of the questions as it is written."""
        percent = 100 * len(self.pairs) / self.others if self.others else 0.0
        return {
            "train": self.train,
            "others": self.others,
            "exact": self.exact,
            "near": self.near,
            "replies": self.replies,
            "beside": self.beside,
            "shared": self.shared,
            "percent": f"{percent:.1f}".removesuffix(".0"),
        }

    def to_dict(self) -> dict[str, Any]:
        """The facts, the sentence and the pairs, as results hold them."""
        return {**self.facts(), "sentence": self.sentence(), "pairs": [asdict(pair) for pair in self.pairs]}

    def _beside(self) -> str:
        if self.beside is None:
            return ""
        if not self.shared:
            return f" None stands in the {self.beside:,} rows of the other split that was kept aside."
        return (
            f" {self.shared:,} of the questions stand in the {self.beside:,} rows of the other split that was kept"
            " aside: validation and test are not apart."
        )

    def _replies(self) -> str:
        return f" Replies that stand there word for word: {self.replies:,}." if self.replies else ""


def between(train: Sequence[Row], others: Sequence[Row], beside: Sequence[Row] = ()) -> Leakage:
    """Look for the questions of `others` among those of `train`; rows as `splits.read_split` gives them.

    beside: the rows of the other split that was kept aside, where there are any; what stands there too is counted.
    A question of fewer than FEWEST_WORDS words is only found where all its words are the same in the same order.
    """
    index = _Index([row["question"] for row in train])
    pairs = [index.nearest(row["question"], number) for number, row in enumerate(others, start=1)]
    known = {_form(row["answer"]) for row in train}
    kept = _Index([row["question"] for row in beside]) if beside else None
    shared = [kept is not None and kept.nearest(row["question"], 0) is not None for row in others]
    return Leakage(
        train=len(train),
        others=len(others),
        pairs=tuple(pair for pair in pairs if pair is not None),
        replies=sum(_form(row["answer"]) in known for row in others),
        beside=len(beside) if beside else None,
        shared=sum(shared),
    )


def _form(text: str) -> tuple[str, ...]:
    """What two texts must have in common to be the same: their words, or all of a text that has none."""
    text = bengali.clean(text)
    return tuple(word.casefold() for word in bengali.words(text)) or (text,)


class _Index:
    """Training questions, ready to be searched."""

    def __init__(self, questions: Sequence[str]) -> None:
        from datasketch import MinHash, MinHashLSH

        self._blank = MinHash(num_perm=BANDS * BAND_ROWS)
        self._lsh = MinHashLSH(num_perm=BANDS * BAND_ROWS, params=(BANDS, BAND_ROWS))
        self._row: dict[tuple[str, ...], int] = {}
        self._words: dict[int, frozenset[str]] = {}
        for number, question in enumerate(questions, start=1):
            form = _form(question)
            if form in self._row:
                continue
            self._row[form] = number
            if len(form) >= FEWEST_WORDS:
                self._words[number] = frozenset(form)
                self._lsh.insert(number, self._sketch(form))

    def nearest(self, question: str, other: int) -> Pair | None:
        """The pair of row `other`, or None where its question is new."""
        form = _form(question)
        if form in self._row:
            return Pair(other, self._row[form], 1.0, True)
        if len(form) < FEWEST_WORDS:
            return None
        mine = frozenset(form)
        near = {
            number: len(mine & self._words[number]) / len(mine | self._words[number])
            for number in self._lsh.query(self._sketch(form))
        }
        if not near:
            return None
        best = min(near, key=lambda number: (-near[number], number))
        return Pair(other, best, near[best], False) if near[best] >= NEAR_IDENTICAL else None

    def _sketch(self, form: Sequence[str]):
        sketch = self._blank.copy()
        sketch.update_batch([word.encode() for word in form])
        return sketch

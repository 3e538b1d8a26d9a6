"""Whether questions that a model is tested on also stood in its training rows: word for word, or nearly.

An evaluation on such rows measures memory. The search is the one by which `splits.py` keeps near-identical questions on
one side, and two more for what a share of words cannot tell: one word changed in a question of four or five, and a
question that stands whole within a longer one. What `prepare` split with `data.group` should come out almost clean;
files split elsewhere are where it finds something. It compares words, so a paraphrase or a translation is not found,
and of questions one word apart about one in 2,000 is missed (`splits.BANDS`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from finetune import bengali
from finetune.data.splits import BAND_ROWS, BANDS, FEWEST_WORDS, NEAR_IDENTICAL

Row = Mapping[str, str]
Form = tuple[str, ...]

ONE_CHANGED = (4, 5)
"""Words of questions that are nearly the same where one word differs; of six or more the share of words tells it, and
of three, মন খারাপ লাগছে and মন ভালো লাগছে, it would be another question."""

WITHIN = 6
"""Words from which a question that stands whole in a longer one has leaked; fewer are what many people say."""


NEARLY = f"{NEAR_IDENTICAL:.0%} of both questions' words in common, one word changed, or whole within a longer one"


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
            return f"{told}, word for word or nearly ({NEARLY}).{told_beside}"
        return (
            f"Leakage: {len(self.pairs):,} of {self.others:,} questions ({found['percent']}%) also stand in the"
            f" {self.train:,} training rows, {self.exact:,} word for word and {self.near:,} nearly ({NEARLY}), so the"
            f" figures look better than the model is.{told_beside}"
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
    A question of three words or fewer is only found where all its words are the same in the same order.
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


def _form(text: str) -> Form:
    """What two texts must have in common to be the same: their words, or all of a text that has none."""
    text = bengali.clean(text)
    return tuple(word.casefold() for word in bengali.words(text)) or (text,)


class _Index:
    """Training questions, ready to be searched."""

    def __init__(self, questions: Sequence[str]) -> None:
        from datasketch import MinHash, MinHashLSH

        self._blank = MinHash(num_perm=BANDS * BAND_ROWS)
        self._lsh = MinHashLSH(num_perm=BANDS * BAND_ROWS, params=(BANDS, BAND_ROWS))
        self._row: dict[Form, int] = {}
        self._forms: dict[int, Form] = {}
        self._holding: dict[str, list[int]] = {}
        """By word, the rows of questions long enough to hold another one whole."""
        self._without_one: dict[tuple[str | None, ...], int] = {}
        """By a short question with one word taken out, its row."""
        for number, question in enumerate(questions, start=1):
            form = _form(question)
            if form in self._row:
                continue
            self._row[form], self._forms[number] = number, form
            for rest in _without_one(form):
                self._without_one.setdefault(rest, number)
            if len(form) > WITHIN:
                for word in set(form):
                    self._holding.setdefault(word, []).append(number)
            if len(form) >= FEWEST_WORDS:
                self._lsh.insert(number, self._sketch(form))

    def nearest(self, question: str, other: int) -> Pair | None:
        """The pair of row `other`, or None where its question is new."""
        form = _form(question)
        if form in self._row:
            return Pair(other, self._row[form], 1.0, True)
        near = {number: self._shared(form, number) for number in self._alike(form)}
        near = {number: shared for number, shared in near.items() if shared >= NEAR_IDENTICAL}
        near = near or {
            number: self._shared(form, number) for number in (*self._one_changed(form), *self._longer(form))
        }
        if not near:
            return None
        best = min(near, key=lambda number: (-near[number], number))
        return Pair(other, best, near[best], False)

    def _shared(self, form: Form, number: int) -> float:
        mine, theirs = set(form), set(self._forms[number])
        return len(mine & theirs) / len(mine | theirs)

    def _alike(self, form: Form) -> Sequence[int]:
        return self._lsh.query(self._sketch(form)) if len(form) >= FEWEST_WORDS else ()

    def _one_changed(self, form: Form) -> list[int]:
        return [self._without_one[rest] for rest in _without_one(form) if rest in self._without_one]

    def _longer(self, form: Form) -> list[int]:
        """The rows in which a question stands whole: those that hold its rarest word are read."""
        if len(form) < WITHIN:
            return []
        rows = min((self._holding.get(word, []) for word in form), key=len)
        asked = f" {' '.join(form)} "
        return [number for number in rows if asked in f" {' '.join(self._forms[number])} "]

    def _sketch(self, form: Form):
        sketch = self._blank.copy()
        sketch.update_batch([word.encode() for word in form])
        return sketch


def _without_one(form: Form) -> list[tuple[str | None, ...]]:
    """A short question with each of its words taken out in turn; of others nothing."""
    if len(form) not in ONE_CHANGED:
        return []
    return [(*form[:place], None, *form[place + 1 :]) for place in range(len(form))]

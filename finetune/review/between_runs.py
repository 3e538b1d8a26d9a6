"""Two runs against each other on the questions that both have answered: is the second one better than the first?

Each was evaluated beside the base (`evaluating.py`). Here their own sides stand side by side: every figure of the
second less that of the first, question by question, with the interval of that difference, which is far narrower than
what two separate intervals leave open. Compared is only what can be: the same questions and references, on the same
base, replies of the same length at most. It asks no model. An interval says what other questions would change; what the
same recipe would give if it were trained again, with another seed, it does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from finetune.errors import ReviewError
from finetune.review import bits, comparable, scores
from finetune.review.evaluation import BITS, REPLIES, Evaluation
from finetune.review.evaluation_figures import BETTER
from finetune.training.metrics import read_lines

TUNED = "tuned"
"""The side of an evaluation that is its run's own."""

TOLD = ("format", "system_prompt", "repetition_penalty")
"""Of how the two were asked what may differ, for it belongs to a recipe, and then has to be said. Which seed, or how
much of the distribution is drawn from, is nothing to greedy replies."""

LIKELIHOOD = {"bits_per_character": bits.per_character, "bits_per_byte": bits.per_byte}

FINGERPRINT = 8
"""Characters of a fingerprint that tell two evaluations of one name apart."""

Interval = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """One score of both runs; each part is `{"mean", "low", "high", "n"}`, the difference second less first."""

    name: str
    first: Interval
    second: Interval
    difference: Interval

    @property
    def better(self) -> int:
        """1 where the second run is better by it, -1 where it is worse, 0 where neither can be said."""
        low, high = self.difference["low"], self.difference["high"]
        if low is None or low <= 0 <= high:
            return 0
        return BETTER.get(self.name, 0) * (1 if low > 0 else -1)


@dataclass(frozen=True)
class Replies:
    """What both runs answered to one question. `gain`: chrF++ of the second less that of the first, -100 to 100."""

    id: str
    question: str
    references: tuple[str, ...]
    first: str
    second: str
    gain: float
    needs_care: bool
    """As `evaluation.Reply` has it, of either run."""


@dataclass(frozen=True)
class Comparison:
    """Two whole evaluations, and what lies between them."""

    first: Evaluation
    second: Evaluation
    saved: Interval
    """The share of the first run's bits that the second does without, below 0 where it needs more."""
    figures: tuple[Figure, ...]
    replies: tuple[Replies, ...]
    """All of them, those first on which the second gained most."""
    differs: Mapping[str, tuple[Any, Any]]
    """What of `TOLD` is not the same in both, first and second."""

    @property
    def names(self) -> tuple[str, str]:
        """What the two are called; where that is the same, with their weights, or if those are too, their folders."""
        pair = (self.first, self.second)
        names, weights = ([str((one.result or {})[key]) for one in pair] for key in ("name", "fingerprint"))
        if names[0] != names[1]:
            return names[0], names[1]
        folders = [one.folder.name for one in pair]
        apart = folders if weights[0] == weights[1] else [one[:FINGERPRINT] for one in weights]
        return f"{names[0]} {apart[0]}", f"{names[1]} {apart[1]}"

    def to_dict(self) -> dict[str, Any]:
        """All of it but the texts, as JSON can hold it; `leakage` says what was found for each run."""
        order, results = self.first.order, (self.first.result, self.second.result)
        return {
            **{key: order[key] for key in ("split", "prompts", "references", "resident")},
            "runs": list(self.names),
            "fingerprints": [one["fingerprint"] for one in results if one],
            "leakage": [one["first_line"] for one in results if one],
            "saved": dict(self.saved),
            "figures": {
                one.name: {"first": dict(one.first), "second": dict(one.second), "difference": dict(one.difference)}
                | {"better": one.better}
                for one in self.figures
            },
            "differs": {key: list(values) for key, values in self.differs.items()},
        }


def compare(first: Evaluation, second: Evaluation) -> Comparison:
    """What lies between two whole evaluations; ReviewError where they cannot be compared, as `comparable.check` says.

    It is refused, too, where the base itself answers otherwise in the two: then its weights were replaced between them.
    """
    comparable.check(first, second)
    seed = first.order["seed"]
    said, other_said = (_by_id(one, REPLIES) for one in (first, second))
    paid, other_paid = (_by_id(one, BITS) for one in (first, second))
    own, other_own = ({reply.id: reply for reply in one.replies} for one in (first, second))
    ids = list(said)
    if not set(ids) == set(other_said) == set(paid) == set(other_paid):
        raise ReviewError(
            f"The files of {first.folder.name} and {second.folder.name} do not hold the same questions. Make the older"
            " one again with --anew.",
            key="between.torn",
            first=first.folder.name,
            second=second.folder.name,
        )
    differs = _differs(first, second)
    if not {"format", "system_prompt"} & set(differs):  # the base is asked as the adapter is
        comparable.check_base(first, second, *(_costs(one, ids, "base") for one in (paid, other_paid)))

    texts = [text for one in ids for text in said[one]["references"]]
    groups = [said[one]["group"] for one in ids]
    of_text = [said[one]["group"] for one in ids for _ in said[one]["references"]]
    costs = [_costs(one, ids, TUNED) for one in (paid, other_paid)]
    gained = [b - a for a, b in zip(*costs, strict=True)]
    differences = {name: scores.shown(of(gained, texts, of_text, seed)) for name, of in LIKELIHOOD.items()}
    for name in _names(first, second):
        values = [[every[one].scores[TUNED][name] for one in ids] for every in (own, other_own)]
        differences[name] = scores.paired(*values, groups, seed, scores.kind(name), scores.scale(name))
    return Comparison(
        first,
        second,
        scores.shown(bits.saved(*costs, of_text, seed)),
        tuple(Figure(name, *_sides(first, second, name), one) for name, one in differences.items()),
        _replies(own.values(), other_own),
        differs,
    )


def table(found: Comparison) -> list[str]:
    """The comparison as lines for a terminal, leakage first."""
    told, names = found.to_dict(), found.names
    leaked = [f"{name}: {line}" for name, line in zip(names, told["leakage"], strict=True)]
    lines = [
        *(leaked if len(set(told["leakage"])) > 1 else told["leakage"][:1]),
        f"{told['prompts']:,} questions of the {told['split']} split, {told['references']:,} references, answered"
        f" greedily on {told['resident']}; 95 % intervals in brackets, differences question by question",
        f"{names[1]} needs {_shown(found.saved, '.1%')} fewer bits per character than {names[0]}",
        *(f"note: {key} is {values[0]} and {values[1]}" for key, values in found.differs.items()),
        f"{'':20}{names[0]:>28}{names[1]:>28}{'difference':>30}",
    ]
    for one in found.figures:
        sides = "".join(f"{_shown(side, '.3f'):>28}" for side in (one.first, one.second))
        mark = {1: "  better", -1: "  worse", 0: ""}[one.better]
        lines.append(f"{one.name:20}{sides}{_shown(one.difference, '+.3f'):>30}{mark}")
    return [
        *lines,
        "note: about one mark in twenty figures comes by chance, and training again with another seed would move them",
    ]


def _shown(figure: Interval, form: str) -> str:
    if figure["mean"] is None:
        return "–"
    value = format(figure["mean"], form)
    return value if figure["low"] is None else f"{value} [{figure['low']:{form}}, {figure['high']:{form}}]"


def _by_id(one: Evaluation, name: str) -> dict[str, dict[str, Any]]:
    return {line["id"]: line for line in read_lines(one.folder / name)[0]}


def _costs(paid: Mapping[str, Mapping[str, Any]], ids: Iterable[str], side: str) -> list[float]:
    """What a side paid for every reference, in bits, in the order of the questions."""
    return [cost for one in ids for cost in paid[one][side]]


def _names(first: Evaluation, second: Evaluation) -> list[str]:
    """Scores that both have; bits are taken from what was paid, for a mean of questions is another figure."""
    known = (first.result or {})["difference"]
    return [name for name in (second.result or {})["difference"] if name in known and name not in LIKELIHOOD]


def _sides(first: Evaluation, second: Evaluation, name: str) -> tuple[Interval, Interval]:
    one, other = ((of.result or {})["intervals"][TUNED][name] for of in (first, second))
    return one, other


def _differs(first: Evaluation, second: Evaluation) -> dict[str, tuple[Any, Any]]:
    one, other = (_how_asked(of.order) for of in (first, second))
    return {key: (one[key], other[key]) for key in TOLD if one[key] != other[key]}


def _how_asked(order: Mapping[str, Any]) -> dict[str, Any]:
    style = order["format"]
    penalty = order["settings"]["repetition_penalty"]
    return {"format": style["name"], "system_prompt": style["system_prompt"], "repetition_penalty": penalty}


def _replies(own: Iterable[Any], other: Mapping[str, Any]) -> tuple[Replies, ...]:
    found = []
    for one in own:
        beside = other[one.id]
        gain = [reply.scores[TUNED]["chrf"] for reply in (one, beside)]
        found.append(
            Replies(
                one.id, one.question, one.references, one.tuned, beside.tuned, gain[1] - gain[0],
                one.needs_care or beside.needs_care,
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda reply: (-reply.gain, reply.id)))

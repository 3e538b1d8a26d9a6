"""Whether two evaluations can be set against each other, and in one sentence why not.

They can where both are whole and the same was asked of both: the same questions and references of the same split, on
the same base, in replies that may be as long. What belongs to a recipe may differ: the format, the system prompt, how
repetition is discouraged. It compares nothing (`between_runs.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from finetune.errors import ReviewError
from finetune.review.evaluation import Evaluation

APART = 0.01
"""By how much of its bits the same base may differ between two evaluations: another machine or other batches round
differently, in the fourth digit. More is another model under the same name."""


def check(first: Evaluation, second: Evaluation) -> None:
    """ReviewError where the two cannot be compared, as far as their orders tell: one sentence, which says why."""
    for one in (first, second):
        one.check_whole()
    a, b = first.order, second.order
    if a == b:  # the same folder, or a copy: the same weights were asked the same, and answer the same
        raise ReviewError(
            f"That is the same evaluation of {a['name']} twice. Name two different ones.",
            key="between.same",
            run=a["name"],
        )
    if a["split"] != b["split"]:
        raise ReviewError(
            f"{a['name']} answered the {a['split']} split, {b['name']} the {b['split']} split. Evaluate both on one.",
            key="between.split",
            first=a["name"],
            second=b["name"],
        )
    if a["texts"] != b["texts"]:
        raise ReviewError(
            f"{a['name']} and {b['name']} were not asked the same questions ({a['prompts']:,} and {b['prompts']:,})."
            " Evaluate both on the same data, with the same --limit.",
            key="between.questions",
            first=a["name"],
            second=b["name"],
        )
    if a["resident"] != b["resident"]:
        raise ReviewError(
            f"{a['name']} was evaluated on {a['resident']}, {b['name']} on {b['resident']}. Evaluate both on one base.",
            key="between.base",
            first=a["name"],
            second=b["name"],
        )
    if a["measure"] != b["measure"]:
        raise ReviewError(
            f"{a['name']} and {b['name']} were scored by different versions of this program. Evaluate the older one"
            " with --anew.",
            key="between.measure",
            first=a["name"],
            second=b["name"],
        )
    if a["settings"]["max_new_tokens"] != b["settings"]["max_new_tokens"]:
        raise ReviewError(
            f"{a['name']} could write {a['settings']['max_new_tokens']:,} tokens a reply and {b['name']}"
            f" {b['settings']['max_new_tokens']:,}. Evaluate both with the same --new-tokens.",
            key="between.length",
            first=a["name"],
            second=b["name"],
        )


def comparable(first: Evaluation, second: Evaluation) -> bool:
    """True where `check` finds nothing against it."""
    try:
        check(first, second)
    except ReviewError:
        return False
    return True


def choose(first: Sequence[Evaluation], second: Sequence[Evaluation]) -> tuple[Evaluation, Evaluation]:
    """Of the evaluations of two runs, each the latest first, the latest two that can be compared.

    ReviewError where no two can: what is against the latest ones. Neither may be empty.
    """
    pairs = [(one, other) for one in first for other in second]
    for one, other in pairs:
        if comparable(one, other):
            return one, other
    check(*pairs[0])  # which says why not
    return pairs[0]


def check_base(first: Evaluation, second: Evaluation, one: Sequence[float], other: Sequence[float]) -> None:
    """ReviewError where the base paid otherwise for the same texts in the same format; costs in bits, in one order."""
    if abs(sum(one) - sum(other)) > APART * sum(one):
        raise ReviewError(
            f"The base answers otherwise in the evaluation of {first.order['name']} than in that of"
            f" {second.order['name']}: its weights were replaced in between. Evaluate the older one anew.",
            key="between.base_changed",
            first=first.order["name"],
            second=second.order["name"],
        )

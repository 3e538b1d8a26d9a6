"""Every score of replies, one by one and over a whole set, with intervals and paired differences.

Everything is counted on NFC text, the prompt never counts as prediction, and base and tuned get identical text and
format. What each figure is stands where it is counted: `overlap.py`, `text_scores.py`, `listener.py`; likelihood in
`bits.py`. None of these figures measures empathy: people do that, in blind review.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finetune.review import bootstrap, listener, overlap, text_scores
from finetune.review.statistics import Interval

Figures = dict[str, float | None]


@dataclass(frozen=True)
class Row:
    """One reply and what it is held against."""

    prompt: str
    references: tuple[str, ...]
    """All answers to the same question; one that the reply comes close to is enough."""
    reply: str
    ended: bool = True
    """False where the token limit cut the reply off."""
    topic: str = ""


def of_reply(row: Row) -> Figures:
    """Every figure of one reply: overlap with its references, what shows in it, the listener's intents (0 or 1).

    None where a figure is not defined, such as `chrf` without references.
    """
    return {
        **overlap.of_reply(row.reply, row.references),
        "length_ratio": overlap.length_ratio(row.reply, row.references),
        **text_scores.of_reply(row.reply, row.prompt, row.ended),
        **{f"intent_{name}": float(there) for name, there in listener.intents(row.reply).items()},
    }


def of_replies(rows: Sequence[Row], figures: Sequence[Figures] | None = None) -> dict[str, Any]:
    """Every figure over a set: means of those of its replies, but for what only the set as a whole has.

    `chrf`, `bleu`, `distinct1`, `distinct2`, `distinct` and `commonest_opener` are the whole set's
    (`overlap.of_replies`, `text_scores.of_replies`), `rows` their number, and `signatures` says by name how overlap was
    counted. Give `figures`, one of `of_reply` a row, where they are there already.
    """
    figures = [of_reply(row) for row in rows] if figures is None else figures
    replies = [row.reply for row in rows]
    means = {name: _mean([one[name] for one in figures]) for name in (figures[0] if figures else ())}
    whole = overlap.of_replies(replies, [row.references for row in rows])
    return {"rows": len(rows), **means, **whole, **text_scores.of_replies(replies)}


def intervals(values: Sequence[float | None], groups: Sequence[object] | None = None, seed: int = 0) -> Figures:
    """`{"mean", "low", "high", "n"}`: the mean of a figure over replies with its 95 % bootstrap interval.

    groups: for each value the group of near-identical questions it belongs to; each its own where not given. Values
    that are None are left out. The ends are None where nothing tells them (`bootstrap.mean`).
    """
    groups = range(len(values)) if groups is None else groups
    kept = [(value, group) for value, group in zip(values, groups, strict=True) if value is not None]
    return shown(bootstrap.mean([value for value, _ in kept], [group for _, group in kept], seed))


def paired(
    base_values: Sequence[float | None],
    tuned_values: Sequence[float | None],
    groups: Sequence[object] | None = None,
    seed: int = 0,
) -> Figures:
    """The same for tuned less base, question by question; one with a None on either side is left out."""
    groups = range(len(base_values)) if groups is None else groups
    kept = [
        (tuned - base, group)
        for base, tuned, group in zip(base_values, tuned_values, groups, strict=True)
        if base is not None and tuned is not None
    ]
    differences = [difference for difference, _ in kept]
    return shown(bootstrap.ratio(differences, [1.0] * len(kept), [group for _, group in kept], seed))


def shown(found: Interval) -> Figures:
    """An interval as results hold it: `{"mean", "low", "high", "n"}`."""
    return {"mean": found.value, "low": found.low, "high": found.high, "n": found.n}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None

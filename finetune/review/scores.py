"""Every score of replies, one by one and over a whole set, with intervals and paired differences.

Everything is counted on NFC text, the prompt never counts as prediction, and base and tuned get identical text and
format. What each figure is stands where it is counted: `overlap.py`, `text_scores.py`, `listener.py`; likelihood in
`bits.py`. None of these figures measures empathy: people do that, in blind review.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finetune.review import bootstrap, listener, overlap, paired_rates, statistics, text_scores
from finetune.review.statistics import Interval

Figures = dict[str, float | None]

FLAG, SHARE, NUMBER = "flag", "share", "number"
"""What a figure of one reply can be: 0 or 1; anything from 0 to 1; any number. By it its interval is chosen, not by the
values that happen to be there: replies that are all in Bengali letters are no coin that fell on one side each time."""

INTENT = "intent_"
DIAGNOSTIC = "what a listener does, counted by lexicon: a diagnostic, no measure of empathy"
"""Stands above the figures whose names begin with INTENT."""

FLAGS = (
    *("empty", "intruding_script", "english_drift", "broken", "truncated", "finished", "copied", "on_the_point"),
    *(f"{INTENT}{name}" for name in listener.INTENTS),
)

SHARES = ("rouge1", "rouge2", "rougeL", "distinct1", "distinct2", "repetition", "script_share")

Scale = tuple[float, float]


@dataclass(frozen=True)
class Row:
    """One reply and what it is held against."""

    prompt: str
    references: tuple[str, ...]
    """All answers to the same question; one that the reply comes close to is enough."""
    reply: str
    ended: bool = True
    """False where the token limit cut the reply off."""
    broken: bool | None = None
    """Whether what the model wrote was broken, where the reply is what people are shown of it; None: see the reply."""
    topic: str = ""


def of_reply(row: Row) -> Figures:
    """Every figure of one reply: overlap with its references, what shows in it, the listener's intents (0 or 1).

    None where a figure is not defined, such as `chrf` without references.
    """
    return {
        **overlap.of_reply(row.reply, row.references),
        "length_ratio": overlap.length_ratio(row.reply, row.references),
        **text_scores.of_reply(row.reply, row.prompt, row.ended, row.broken),
        **{f"{INTENT}{name}": float(there) for name, there in listener.intents(row.reply).items()},
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


def kind(name: str) -> str:
    """Which of FLAG, SHARE and NUMBER a figure is."""
    return FLAG if name in FLAGS else SHARE if name in SHARES else NUMBER


def scale(name: str) -> Scale:
    """The least and the most that a figure can be."""
    known = {"chrf": (0.0, 100.0), "bertscore": (-1.0, 1.0)}
    return known.get(name, (0.0, math.inf if kind(name) == NUMBER else 1.0))


def intervals(
    values: Sequence[float | None],
    groups: Sequence[object] | None = None,
    seed: int = 0,
    kind: str = NUMBER,
    scale: Scale = (0.0, math.inf),
) -> Figures:
    """`{"mean", "low", "high", "n"}`: the mean of a figure over replies with its 95 % interval.

    groups: for each value the group of near-identical questions it belongs to; each its own where not given. Values
    that are None are left out. The ends are None where nothing tells them (`bootstrap.mean`); a flag's are always told.
    None lies beyond the scale.
    """
    groups = range(len(values)) if groups is None else groups
    kept = [(value, group) for value, group in zip(values, groups, strict=True) if value is not None]
    known, of = [value for value, _ in kept], [group for _, group in kept]
    if kind == FLAG:
        return shown(statistics.rate(known, of, seed))
    return shown(bootstrap.mean(known, of, seed, share=kind == SHARE), *scale)


def paired(
    base_values: Sequence[float | None],
    tuned_values: Sequence[float | None],
    groups: Sequence[object] | None = None,
    seed: int = 0,
    kind: str = NUMBER,
    scale: Scale = (0.0, math.inf),
) -> Figures:
    """The same for tuned less base, question by question; one with a None on either side is left out."""
    groups = range(len(base_values)) if groups is None else groups
    kept = [
        (base, tuned, group)
        for base, tuned, group in zip(base_values, tuned_values, groups, strict=True)
        if base is not None and tuned is not None
    ]
    base, tuned, of = ([one[place] for one in kept] for place in range(3))
    if kind == FLAG:
        return shown(paired_rates.difference(base, tuned, of))
    differences = [b - a for a, b in zip(base, tuned, strict=True)]
    return shown(bootstrap.ratio(differences, [1.0] * len(kept), of, seed), scale[0] - scale[1], scale[1] - scale[0])


def shown(found: Interval, least: float = -math.inf, most: float = math.inf) -> Figures:
    """An interval as results hold it: `{"mean", "low", "high", "n"}`, its ends cut off where nothing can lie."""
    low, high = (None if end is None else min(most, max(least, end)) for end in (found.low, found.high))
    return {"mean": found.value, "low": low, "high": high, "n": found.n}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None

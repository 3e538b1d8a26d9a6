"""An evaluation as pictures: differences by topic, how figures lie, and bits per character against training step.

Made of the parts in `svg.py`, for phone, print, light and dark pages. It works no figure out.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from finetune.review import svg
from finetune.review.drawing import COLOURS
from finetune.review.evaluation_figures import OTHERS, SIDES
from finetune.review.spoken import Spoken
from finetune.review.svg import SMALL, WIDTH

PLOT = (136.0, 290.0)
"""Where a forest's axis begins and ends: labels stand to the left of it, figures to the right."""

STEPS = (44.0, WIDTH - 10.0, 14.0, 150.0)
"""Left, right, top and bottom of the plot of bits against step."""

BINS = 20
"""Of a figure's range, from the least to the most that either side has."""

SPREAD = (0.0, WIDTH, 30.0, 130.0)
"""Left, right, top and bottom of a plot of how figures lie."""

TICKS = 3
"""On an axis: its ends and what lies half-way."""

DECIMALS = {"bits_per_character": 2, "chrf": 1, "characters": 0}
"""Of figures; of all others two."""

Figures = Mapping[str, Any]


def topics(found: Sequence[Figures], name: str, words: Mapping[str, str], language: str) -> str:
    """The difference of one figure in each topic with its interval; hollow and grey where it may be none at all.

    found: an evaluation's `topics`; name: `bits_per_character` or `chrf`. The largest gain stands first.
    """
    spoken, decimals, row, told = Spoken(words, language), DECIMALS[name], 24, []
    ends = [abs(end) for one in found for end in (one[name]["low"], one[name]["high"], one[name]["mean"]) if end]
    reach = _round_up(max(ends, default=1.0))
    left, right = PLOT

    def x(value: float) -> float:
        return left + (value + reach) / (2 * reach) * (right - left)

    height = 26 + row * len(found)
    parts = [svg.line(x(0), 18, x(0), height)]
    parts += [
        svg.text(x(at), 12, spoken.number(at, decimals, signed=bool(at)), SMALL, "middle") for at in (-reach, 0, reach)
    ]
    gain = -1 if name == "bits_per_character" else 1
    for i, one in enumerate(sorted(found, key=lambda one: (one["topic"] == OTHERS, -gain * (one[name]["mean"] or 0)))):
        figure, y = one[name], 34 + row * i
        label = one["topic"] if one["topic"] != OTHERS else spoken.say("topics.others")
        sure = figure["low"] is not None and (figure["low"] > 0 or figure["high"] < 0)
        colour = COLOURS["tuned"] if sure else "currentColor"
        shown = spoken.number(figure["mean"], decimals, signed=True)
        parts += [svg.text(0, y + 5, svg.shortened(label, left - 12)), svg.text(WIDTH, y + 5, shown, SMALL, "end")]
        if figure["low"] is not None:
            opacity = 1 if sure else 0.5
            parts.append(svg.whisker(x(figure["low"]), x(figure["high"]), y, colour, cap=4, width=2, opacity=opacity))
        if figure["mean"] is not None:
            parts.append(svg.dot(x(figure["mean"]), y, colour, hollow=not sure))
        told.append(f"{label}: {difference(figure, decimals, spoken)}")
    return svg.picture(height, spoken.say(f"topics.{name}"), "; ".join(told), parts)


def spread(values: Mapping[str, Sequence[float | None]], name: str, words: Mapping[str, str], language: str) -> str:
    """How many replies of each side have a figure near each place of its range; None is left out.

    values: the replies' own figures, by `base` and `tuned`; name: of any figure. Base's bars are hollow, tuned's full.
    """
    spoken, (left, right, top, bottom), decimals = Spoken(words, language), SPREAD, DECIMALS.get(name, 2)
    known = {side: [value for value in values[side] if value is not None] for side in SIDES}
    every = [value for side in SIDES for value in known[side]]
    low, high = min(every, default=0.0), max(every, default=1.0)
    width = (high - low) / BINS or 1.0
    counts = {side: Counter(min(BINS - 1, int((value - low) / width)) for value in known[side]) for side in SIDES}
    most = max((count for side in SIDES for count in counts[side].values()), default=1)
    room, parts, told = (right - left) / BINS, [], []
    for place, side in enumerate(SIDES):
        colour, at = COLOURS[side], left + place * (right - left) / 2
        hollow = side != SIDES[-1]
        parts += [
            svg.bar(at, 4, 12, 12, colour, hollow=hollow),
            svg.text(at + 18, 14, spoken.say(f"side.{side}"), SMALL),
        ]
        for number, count in sorted(counts[side].items()):
            height = (bottom - top) * count / most
            x = left + room * (number + 0.06 + 0.44 * place)
            parts.append(svg.bar(x, bottom - height, room * 0.42, height, colour, hollow=hollow))
        told.append(f"{spoken.say(f'side.{side}')}: {_told(known[side], decimals, spoken)}")
    parts.append(svg.line(left, bottom, right, bottom))
    for tick in range(TICKS):
        share = tick / (TICKS - 1)
        shown = spoken.number(low + share * (high - low), decimals)
        parts.append(
            svg.text(left + share * (right - left), bottom + 18, shown, SMALL, ("start", "middle", "end")[tick])
        )
    parts += [svg.text(left, bottom + 38 + 18 * place, line, SMALL) for place, line in enumerate(told)]
    return svg.picture(bottom + 64, spoken.told(f"metric.{name}", name), "; ".join(told), parts)


def _told(known: Sequence[float], decimals: int, spoken: Spoken) -> str:
    """In words how figures lie: the middle one, and between what two half of them are."""
    middle = f"{spoken.say('spread.median')} {spoken.number(statistics.median(known) if known else None, decimals)}"
    if len(known) < 2:
        return middle
    low, _, high = (spoken.number(one, decimals) for one in statistics.quantiles(known, n=4, method="inclusive"))
    return f"{middle}, {spoken.say('spread.half', low=low, high=high)}"


def steps(points: Sequence[Figures], words: Mapping[str, str], language: str) -> str:
    """Bits per character against training step, each with its interval; points as `bits_over_steps` gives them."""
    spoken, (left, right, top, bottom) = Spoken(words, language), STEPS
    last = max([one["step"] for one in points], default=1) or 1
    ends = [end for one in points for end in (one["low"], one["high"], one["bits_per_character"]) if end is not None]
    low, high = math.floor(10 * min(ends, default=0.0)) / 10, math.ceil(10 * max(ends, default=1.0)) / 10
    span = (high - low) or 1.0

    def x(step: float) -> float:
        return left + step / last * (right - left)

    def y(value: float) -> float:
        return bottom - (value - low) / span * (bottom - top)

    parts = [svg.line(left, bottom, right, bottom), svg.line(left, top, left, bottom)]
    for tick in range(TICKS):
        share = tick / (TICKS - 1)
        value, step = low + share * span, round(share * last)
        parts.append(svg.text(left - 6, y(value) + 4, spoken.number(value, 2), SMALL, "end"))
        parts.append(svg.text(x(step), bottom + 18, spoken.number(step), SMALL, ("start", "middle", "end")[tick]))
    parts.append(svg.text((left + right) / 2, bottom + 36, spoken.say("steps.step"), SMALL, "middle"))
    for one, after in zip(points, points[1:], strict=False):
        ends = (one["step"], one["bits_per_character"], after["step"], after["bits_per_character"])
        parts.append(svg.line(x(ends[0]), y(ends[1]), x(ends[2]), y(ends[3]), COLOURS["tuned"], opacity=1))
    told = []
    for one in points:
        at, value = x(one["step"]), one["bits_per_character"]
        if one["low"] is not None:
            parts.append(svg.line(at, y(one["low"]), at, y(one["high"]), COLOURS["tuned"]))
        parts.append(svg.dot(at, y(value), COLOURS["tuned"]))
        told.append(f"{spoken.say('steps.step')} {spoken.number(one['step'])}: {spoken.number(value, 3)}")
    return svg.picture(bottom + 44, spoken.say("steps.title"), "; ".join(told), parts)


def difference(figure: Figures, decimals: int, spoken: Spoken, scale: float = 1.0, unit: str = "") -> str:
    """A difference with its interval: +0.8 (+0.5 to +1.1)."""
    mean, low, high = (None if figure[end] is None else scale * figure[end] for end in ("mean", "low", "high"))
    shown = spoken.number(mean, decimals, signed=True) + (unit if mean is not None else "")
    if low is None:
        return shown
    ends = {"low": low, "high": high}
    between = spoken.say("between", **{end: spoken.number(ends[end], decimals, signed=True) for end in ends})
    return f"{shown} ({between})"


def _round_up(value: float) -> float:
    """The next round number that an axis can end at."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if value <= step * power * (1 + 1e-9))

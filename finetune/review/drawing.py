"""The verdict as pictures: SVG that scales, reads on a phone, in print, on a light page and on a dark one.

Text and axes take the colour of the text around them (`currentColor`); the four fills are 3:1 or more against
both of our backgrounds. All pictures are 360 units wide and shown at 440 px at most, so that their letters stay
letters. Every picture says its figures in its description as well. No script, no style sheet needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from finetune.review import svg
from finetune.review.spoken import Spoken
from finetune.review.svg import SMALL, WIDTH

COLOURS = {"tuned": "#0f766e", "both_good": "#3d9c92", "both_bad": "#b45309", "base": "#7d746c"}
"""By choice, in the order in which a bar shows them: the house's green for the tuned side, stone for the base."""

COUNTS = {"tuned": "tuned_wins", "both_good": "ties", "both_bad": "both_bad", "base": "base_wins"}
"""Where a verdict keeps the number of each choice."""


FOREST = (136, 256)
"""Where 0 and 100 % are in a forest: labels stand to the left of it, figures to the right."""

LIKERT = (1, 5)
"""Ends of the scale on which replies are rated."""

Figures = Mapping[str, Any]


def win_bar(verdict: Figures, words: Mapping[str, str], language: str) -> str:
    """The win rate of the tuned side as one big bar with its interval, and the line at 50 %."""
    spoken = Spoken(words, language)
    rate, x = verdict["win_rate"], lambda share: share * WIDTH
    axis = [
        svg.line(x(0.5), 50, x(0.5), 94, dashed=True),
        *(svg.text(x(share), 112, spoken.share(share), SMALL, anchor) for share, anchor in ((0, "start"), (1, "end"))),
        svg.text(x(0.5), 112, spoken.say("plot.chance", half=spoken.share(0.5)), SMALL, "middle"),
    ]
    track = svg.bar(0, 58, WIDTH, 28, "currentColor", opacity=0.12)
    title = spoken.say("win.title", tuned=spoken.say("side.tuned"))
    if rate is None:
        return svg.picture(
            120, title, spoken.say("plot.nothing"), [track, *axis, svg.text(0, 36, spoken.say("plot.nothing"))]
        )
    shown = spoken.rate(rate, verdict["decided"])
    parts = [svg.text(0, 40, shown, 40, bold=True), track, svg.bar(0, 58, x(rate), 28, COLOURS["tuned"])]
    if _known(verdict):
        low, high = x(verdict["low"]), x(verdict["high"])
        parts += [svg.whisker(low, high, 72, "currentColor", cap=9)]
        parts += [svg.text(WIDTH, 20, spoken.say("plot.interval"), SMALL, "end")]
        parts += [svg.text(WIDTH, 40, spoken.between(verdict), 16, "end")]
    return svg.picture(
        120, title, f"{shown}; {spoken.say('plot.interval')}: {spoken.between(verdict)}", [*parts, *axis]
    )


def choices_bar(verdict: Figures, words: Mapping[str, str], language: str) -> str:
    """All votes in four parts: tuned better, both good, both bad, base better; with a legend that has the numbers."""
    spoken, rows, parts, start = Spoken(words, language), [], [], 0.0
    numbers = {choice: verdict[key] for choice, key in COUNTS.items()}
    total = sum(numbers.values())
    for i, (choice, number) in enumerate(numbers.items()):
        share = number / total if total else None
        figures = f"{spoken.number(number)} · {spoken.share(share)}"
        label, y = choice_label(choice, spoken), 56 + 24 * i
        if share:
            parts.append(svg.bar(start + 1, 0, max(share * WIDTH - 2, 1), 28, COLOURS[choice]))
            start += share * WIDTH
        parts += [
            svg.bar(0, y - 11, 12, 12, COLOURS[choice]),
            svg.text(20, y, svg.shortened(label, WIDTH - 20 - 100)),
            svg.text(WIDTH, y, figures, 14, "end"),
        ]
        rows.append(f"{label}: {figures}")
    if not total:
        parts.insert(0, svg.bar(0, 0, WIDTH, 28, "currentColor", opacity=0.12))
    return svg.picture(136, spoken.say("choices.title"), "; ".join(rows), parts)


def forest(
    dimension: str, slices: Sequence[Figures], words: Mapping[str, str], language: str, overall: float | None = None
) -> str:
    """The win rate in each slice of one dimension with its interval, grey and hollow where a slice is thin.

    The firm ones come first, each kind from the highest rate down; a thin green line marks the `overall` rate.
    """
    spoken, row, told = Spoken(words, language), 24, []
    height = 26 + row * len(slices)
    parts = [
        svg.text(WIDTH, 12, spoken.say("slice.figures"), SMALL, "end"),
        svg.line(_forest_x(0.5), 18, _forest_x(0.5), height),
    ]
    parts += [svg.text(_forest_x(share), 12, spoken.share(share), SMALL, "middle") for share in (0, 0.5, 1)]
    if overall is not None:
        parts.append(svg.line(_forest_x(overall), 18, _forest_x(overall), height, COLOURS["tuned"], opacity=1))
    for i, one in enumerate(in_order(slices)):
        label, y = slice_label(dimension, one["value"], spoken), 34 + row * i
        figures = f"{spoken.share(one['win_rate'])} · {spoken.number(one['decided'])}"
        colour = "currentColor" if one["thin"] else COLOURS["tuned"]
        parts += [
            svg.text(0, y + 5, svg.shortened(label, FOREST[0] - 12)),
            svg.text(WIDTH, y + 5, figures, SMALL, "end"),
        ]
        if _known(one):
            low, high = _forest_x(one["low"]), _forest_x(one["high"])
            parts.append(svg.whisker(low, high, y, colour, cap=4, width=2, opacity=0.5 if one["thin"] else 1))
        if one["win_rate"] is not None:
            parts.append(svg.dot(_forest_x(one["win_rate"]), y, colour, hollow=one["thin"]))
        few = f", {spoken.say('slice.thin')}" if one["thin"] else ""
        told.append(f"{label}: {figures} ({spoken.between(one)}){few}")
    return svg.picture(height, spoken.say(f"slice.{dimension}"), "; ".join(told), parts)


def ratings(verdict: Figures, words: Mapping[str, str], language: str) -> str:
    """Mean ratings of both sides on each criterion from 1 to 5: a dumbbell, and above and below it the intervals."""
    spoken, row, told = Spoken(words, language), 54, []
    given = {name: one for name, one in verdict["ratings"].items() if rated(one)}
    title = spoken.say("ratings.title")
    if not given:
        return svg.picture(44, title, spoken.say("plot.nothing"), [svg.text(0, 20, spoken.say("plot.nothing"))])
    parts = []
    for x, side in ((6, "tuned"), (WIDTH / 2 + 6, "base")):
        name = svg.shortened(spoken.say(f"side.{side}"), WIDTH / 2 - 24, SMALL)
        parts += [svg.dot(x, 10, COLOURS[side], square=side == "base"), svg.text(x + 12, 14, name, SMALL)]
    scale = range(LIKERT[0], LIKERT[1] + 1)
    parts += [svg.text(_rating_x(score), 36, spoken.number(score), SMALL, "middle") for score in scale]
    for i, (name, one) in enumerate(given.items()):
        y, label = 60 + row * i, spoken.told(f"rating.{name}", name)
        difference = rating_difference(one["difference"], spoken)
        parts += [svg.text(0, y, svg.shortened(label, 190)), svg.text(WIDTH, y, difference, SMALL, "end")]
        parts += [svg.tick(_rating_x(score), y + 19, opacity=0.25) for score in scale]
        parts += _dumbbell(one, y + 19, spoken)
        means = (f"{spoken.say(f'side.{side}')} {spoken.number(one[side]['mean'], 1)}" for side in ("tuned", "base"))
        told.append(f"{label}: {', '.join(means)}, {difference}")
    return svg.picture(44 + row * len(given), title, "; ".join(told), parts)


def choice_label(choice: str, spoken: Spoken) -> str:
    """What a choice is called, with the name of the side in it."""
    return spoken.say(f"choice.{choice}", tuned=spoken.say("side.tuned"), base=spoken.say("side.base"))


def slice_label(dimension: str, value: object, spoken: Spoken) -> str:
    """What a slice is called. Topics are words of their own; nothing named is said as such."""
    if value is None or value == "":
        return spoken.say("value.none")
    return spoken.told(f"value.{dimension}.{str(value).lower()}", str(value))


def in_order(slices: Sequence[Figures]) -> list[Figures]:
    """Slices as they are shown: the firm ones first, from the highest win rate down; unknown rates last."""
    return sorted(slices, key=lambda one: (one["thin"], one["win_rate"] is None, -(one["win_rate"] or 0.0)))


def rated(criterion: Figures) -> bool:
    """Whether both sides have a mean on a criterion."""
    return criterion["base"]["mean"] is not None and criterion["tuned"]["mean"] is not None


def rating_difference(difference: Figures, spoken: Spoken) -> str:
    """How far tuned is ahead on a criterion, with the interval: +0.8 (+0.5 to +1.1)."""
    shown = spoken.number(difference["mean"], 1, signed=True)
    if not _known(difference):
        return shown
    ends = {end: spoken.number(difference[end], 1, signed=True) for end in ("low", "high")}
    return f"{shown} ({spoken.say('between', **ends)})"


def _dumbbell(one: Figures, y: float, spoken: Spoken) -> list[str]:
    """Both means of a criterion with a rod between them, intervals beside it, figures outside."""
    parts = [svg.line(_rating_x(one["base"]["mean"]), y, _rating_x(one["tuned"]["mean"]), y, opacity=0.45)]
    ends = []
    for side, offset in (("base", -8), ("tuned", 8)):
        mean, interval = one[side]["mean"], one[side]
        reach = (interval["low"], interval["high"]) if _known(interval) else (mean, mean)
        parts.append(svg.whisker(*map(_rating_x, reach), y + offset, COLOURS[side], cap=3, width=2))
        parts.append(svg.dot(_rating_x(mean), y, COLOURS[side], square=side == "base"))
        ends.append((mean, *reach))
    below, above = sorted(ends)
    left, right = min(end[1] for end in ends), max(end[2] for end in ends)
    parts.append(svg.text(_rating_x(left) - 8, y + 4, spoken.number(below[0], 1), SMALL, "end"))
    parts.append(svg.text(_rating_x(right) + 8, y + 4, spoken.number(above[0], 1), SMALL))
    return parts


def _forest_x(share: float) -> float:
    left, right = FOREST
    return left + share * (right - left)


def _rating_x(score: float) -> float:
    low, high = LIKERT
    return 34 + (score - low) / (high - low) * (WIDTH - 68)


def _known(figures: Figures) -> bool:
    return figures["low"] is not None and figures["high"] is not None

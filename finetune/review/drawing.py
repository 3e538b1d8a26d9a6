"""The verdict as pictures: SVG that scales, reads on a phone, in print, on a light page and on a dark one.

Text and axes take the colour of the text around them (`currentColor`); the four fills are 3:1 or more against
both of our backgrounds. All pictures are 360 units wide and shown at 440 px at most, so that their letters stay
letters. Every picture says its figures in its description as well. No script, no style sheet needed.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Mapping, Sequence
from typing import Any

from finetune import bengali
from finetune.review.spoken import Spoken

WIDTH = 360
"""Units of a picture. In a card on a phone of 390 px one unit is 0.93 px: letters are 13 px there, small ones 12."""

SMALL = 13
"""Units, for axes and figures; labels have 14."""

COLOURS = {"tuned": "#0f766e", "both_good": "#3d9c92", "both_bad": "#b45309", "base": "#7d746c"}
"""By choice, in the order in which a bar shows them: the house's green for the tuned side, stone for the base."""

COUNTS = {"tuned": "tuned_wins", "both_good": "ties", "both_bad": "both_bad", "base": "base_wins"}
"""Where a verdict keeps the number of each choice."""

LETTER = {"bengali": 0.68, "other": 0.55}
"""Mean width of a grapheme in heights of the font, in Noto Sans Bengali and its Latin: SVG cannot measure its text."""

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
        _line(x(0.5), 50, x(0.5), 94, dashed=True),
        *(_text(x(share), 112, spoken.share(share), SMALL, anchor) for share, anchor in ((0, "start"), (1, "end"))),
        _text(x(0.5), 112, spoken.say("plot.chance", half=spoken.share(0.5)), SMALL, "middle"),
    ]
    track = _bar(0, 58, WIDTH, 28, "currentColor", opacity=0.12)
    title = spoken.say("win.title", tuned=spoken.say("side.tuned"))
    if rate is None:
        return _svg(120, title, spoken.say("plot.nothing"), [track, *axis, _text(0, 36, spoken.say("plot.nothing"))])
    shown = spoken.rate(rate, verdict["decided"])
    parts = [_text(0, 40, shown, 40, bold=True), track, _bar(0, 58, x(rate), 28, COLOURS["tuned"])]
    if _known(verdict):
        low, high = x(verdict["low"]), x(verdict["high"])
        parts += [_whisker(low, high, 72, "currentColor", cap=9)]
        parts += [_text(WIDTH, 20, spoken.say("plot.interval"), SMALL, "end")]
        parts += [_text(WIDTH, 40, spoken.between(verdict), 16, "end")]
    return _svg(120, title, f"{shown}; {spoken.say('plot.interval')}: {spoken.between(verdict)}", [*parts, *axis])


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
            parts.append(_bar(start + 1, 0, max(share * WIDTH - 2, 1), 28, COLOURS[choice]))
            start += share * WIDTH
        parts += [
            _bar(0, y - 11, 12, 12, COLOURS[choice]),
            _text(20, y, _short(label, WIDTH - 20 - 100)),
            _text(WIDTH, y, figures, 14, "end"),
        ]
        rows.append(f"{label}: {figures}")
    if not total:
        parts.insert(0, _bar(0, 0, WIDTH, 28, "currentColor", opacity=0.12))
    return _svg(136, spoken.say("choices.title"), "; ".join(rows), parts)


def forest(
    dimension: str, slices: Sequence[Figures], words: Mapping[str, str], language: str, overall: float | None = None
) -> str:
    """The win rate in each slice of one dimension with its interval, grey and hollow where a slice is thin.

    The firm ones come first, each kind from the highest rate down; a thin green line marks the `overall` rate.
    """
    spoken, row, told = Spoken(words, language), 24, []
    height = 26 + row * len(slices)
    parts = [
        _text(WIDTH, 12, spoken.say("slice.figures"), SMALL, "end"),
        _line(_forest_x(0.5), 18, _forest_x(0.5), height),
    ]
    parts += [_text(_forest_x(share), 12, spoken.share(share), SMALL, "middle") for share in (0, 0.5, 1)]
    if overall is not None:
        parts.append(_line(_forest_x(overall), 18, _forest_x(overall), height, COLOURS["tuned"], opacity=1))
    for i, one in enumerate(in_order(slices)):
        label, y = slice_label(dimension, one["value"], spoken), 34 + row * i
        figures = f"{spoken.share(one['win_rate'])} · {spoken.number(one['decided'])}"
        colour = "currentColor" if one["thin"] else COLOURS["tuned"]
        parts += [_text(0, y + 5, _short(label, FOREST[0] - 12)), _text(WIDTH, y + 5, figures, SMALL, "end")]
        if _known(one):
            low, high = _forest_x(one["low"]), _forest_x(one["high"])
            parts.append(_whisker(low, high, y, colour, cap=4, width=2, opacity=0.5 if one["thin"] else 1))
        if one["win_rate"] is not None:
            parts.append(_dot(_forest_x(one["win_rate"]), y, colour, hollow=one["thin"]))
        few = f", {spoken.say('slice.thin')}" if one["thin"] else ""
        told.append(f"{label}: {figures} ({spoken.between(one)}){few}")
    return _svg(height, spoken.say(f"slice.{dimension}"), "; ".join(told), parts)


def ratings(verdict: Figures, words: Mapping[str, str], language: str) -> str:
    """Mean ratings of both sides on each criterion from 1 to 5: a dumbbell, and above and below it the intervals."""
    spoken, row, told = Spoken(words, language), 54, []
    given = {name: one for name, one in verdict["ratings"].items() if rated(one)}
    title = spoken.say("ratings.title")
    if not given:
        return _svg(44, title, spoken.say("plot.nothing"), [_text(0, 20, spoken.say("plot.nothing"))])
    parts = []
    for x, side in ((6, "tuned"), (WIDTH / 2 + 6, "base")):
        name = _short(spoken.say(f"side.{side}"), WIDTH / 2 - 24, SMALL)
        parts += [_dot(x, 10, COLOURS[side], square=side == "base"), _text(x + 12, 14, name, SMALL)]
    scale = range(LIKERT[0], LIKERT[1] + 1)
    parts += [_text(_rating_x(score), 36, spoken.number(score), SMALL, "middle") for score in scale]
    for i, (name, one) in enumerate(given.items()):
        y, label = 60 + row * i, spoken.told(f"rating.{name}", name)
        difference = rating_difference(one["difference"], spoken)
        parts += [_text(0, y, _short(label, 190)), _text(WIDTH, y, difference, SMALL, "end")]
        parts += [_tick(_rating_x(score), y + 19, opacity=0.25) for score in scale]
        parts += _dumbbell(one, y + 19, spoken)
        means = (f"{spoken.say(f'side.{side}')} {spoken.number(one[side]['mean'], 1)}" for side in ("tuned", "base"))
        told.append(f"{label}: {', '.join(means)}, {difference}")
    return _svg(44 + row * len(given), title, "; ".join(told), parts)


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
    parts = [_line(_rating_x(one["base"]["mean"]), y, _rating_x(one["tuned"]["mean"]), y, opacity=0.45)]
    ends = []
    for side, offset in (("base", -8), ("tuned", 8)):
        mean, interval = one[side]["mean"], one[side]
        reach = (interval["low"], interval["high"]) if _known(interval) else (mean, mean)
        parts.append(_whisker(*map(_rating_x, reach), y + offset, COLOURS[side], cap=3, width=2))
        parts.append(_dot(_rating_x(mean), y, COLOURS[side], square=side == "base"))
        ends.append((mean, *reach))
    below, above = sorted(ends)
    left, right = min(end[1] for end in ends), max(end[2] for end in ends)
    parts.append(_text(_rating_x(left) - 8, y + 4, spoken.number(below[0], 1), SMALL, "end"))
    parts.append(_text(_rating_x(right) + 8, y + 4, spoken.number(above[0], 1), SMALL))
    return parts


def _forest_x(share: float) -> float:
    left, right = FOREST
    return left + share * (right - left)


def _rating_x(score: float) -> float:
    low, high = LIKERT
    return 34 + (score - low) / (high - low) * (WIDTH - 68)


def _known(figures: Figures) -> bool:
    return figures["low"] is not None and figures["high"] is not None


def _short(label: str, room: float, size: int = 14) -> str:
    """A label that fits into so many units, its end cut off with an ellipsis where it would not."""
    kept, width = "", 0.0
    for letter in bengali.graphemes(label):
        width += size * LETTER["bengali" if bengali.script_share(letter) else "other"]
        if width > room:
            return f"{kept.rstrip()}…"
        kept += letter
    return kept


def _svg(height: float, title: str, description: str, parts: Sequence[str]) -> str:
    # Named by their content: several pictures stand on one page, and the same one twice says the same.
    name = f"plot-{hashlib.sha256(f'{title}{description}'.encode()).hexdigest()[:10]}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" width="100%" font-size="14" role="img"'
        ' style="max-width:440px;height:auto;display:block;overflow:visible"'
        f' aria-labelledby="{name}-title" aria-describedby="{name}-desc">'
        f'<title id="{name}-title">{html.escape(title)}</title><desc id="{name}-desc">{html.escape(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def _text(x: float, y: float, text: str, size: int = 14, anchor: str = "start", *, bold: bool = False) -> str:
    weight = ' font-weight="700"' if bold else ""
    return (
        f'<text x="{x:.4g}" y="{y:.4g}" font-size="{size}" text-anchor="{anchor}"{weight} fill="currentColor">'
        f"{html.escape(text)}</text>"
    )


def _bar(x: float, y: float, width: float, height: float, fill: str, *, opacity: float = 1) -> str:
    return (
        f'<rect x="{x:.4g}" y="{y:.4g}" width="{width:.4g}" height="{height:.4g}" rx="3" fill="{fill}"'
        f' fill-opacity="{opacity:g}"/>'
    )


def _line(
    x: float,
    y: float,
    x_end: float,
    y_end: float,
    colour: str = "currentColor",
    *,
    dashed: bool = False,
    opacity: float = 0.6,
) -> str:
    dashes = ' stroke-dasharray="3 4"' if dashed else ""
    return (
        f'<line x1="{x:.4g}" y1="{y:.4g}" x2="{x_end:.4g}" y2="{y_end:.4g}" stroke="{colour}" stroke-width="1.5"'
        f' stroke-opacity="{opacity:g}"{dashes}/>'
    )


def _tick(x: float, middle: float, colour: str = "currentColor", opacity: float = 0.6) -> str:
    return _line(x, middle - 9, x, middle + 9, colour, opacity=opacity)


def _whisker(
    low: float, high: float, y: float, colour: str, *, cap: float, width: float = 3, opacity: float = 1
) -> str:
    path = f"M{low:.4g} {y - cap:.4g}v{2 * cap:g}M{low:.4g} {y:.4g}H{high:.4g}M{high:.4g} {y - cap:.4g}v{2 * cap:g}"
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}" stroke-opacity="{opacity:g}"/>'


def _dot(x: float, y: float, colour: str, *, square: bool = False, hollow: bool = False) -> str:
    """A round mark for the tuned side, a square for the base: the two differ in more than colour."""
    look = f'fill="{"none" if hollow else colour}" stroke="{colour}" stroke-width="2"'
    if square:
        return f'<rect x="{x - 5:.4g}" y="{y - 5:.4g}" width="10" height="10" {look}/>'
    return f'<circle cx="{x:.4g}" cy="{y:.4g}" r="5" {look}/>'

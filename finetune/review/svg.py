"""A picture's parts in SVG and the frame around them: 360 units wide, at most 440 px, so that letters stay letters.

Text and axes take the colour of the text around them (`currentColor`). A picture says its figures in its description
too. No script, no style sheet needed. It does not know what is drawn.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Sequence

from finetune import bengali

WIDTH = 360
"""Units of a picture. In a card on a phone of 390 px one unit is 0.93 px: letters are 13 px there, small ones 12."""

SMALL = 13
"""Units, for axes and figures; labels have 14."""

LETTER = {"bengali": 0.68, "other": 0.55}
"""Mean width of a grapheme in heights of the font, in Noto Sans Bengali and its Latin: SVG cannot measure its text."""


def shortened(label: str, room: float, size: int = 14) -> str:
    """A label that fits into so many units, its end cut off with an ellipsis where it would not."""
    kept, width = "", 0.0
    for letter in bengali.graphemes(label):
        width += size * LETTER["bengali" if bengali.script_share(letter) else "other"]
        if width > room:
            return f"{kept.rstrip()}…"
        kept += letter
    return kept


def picture(height: float, title: str, description: str, parts: Sequence[str]) -> str:
    """The frame: a title and a description for whoever cannot see it, and the parts, WIDTH by `height` units."""
    # Named by their content: several pictures stand on one page, and the same one twice says the same.
    name = f"plot-{hashlib.sha256(f'{title}{description}'.encode()).hexdigest()[:10]}"
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" width="100%" font-size="14" role="img"'
        ' style="max-width:440px;height:auto;display:block;overflow:visible"'
        f' aria-labelledby="{name}-title" aria-describedby="{name}-desc">'
        f'<title id="{name}-title">{html.escape(title)}</title><desc id="{name}-desc">{html.escape(description)}</desc>'
        f"{''.join(parts)}</svg>"
    )


def text(x: float, y: float, text: str, size: int = 14, anchor: str = "start", *, bold: bool = False) -> str:
    """A line of text, escaped; y is its base line."""
    weight = ' font-weight="700"' if bold else ""
    return (
        f'<text x="{x:.4g}" y="{y:.4g}" font-size="{size}" text-anchor="{anchor}"{weight} fill="currentColor">'
        f"{html.escape(text)}</text>"
    )


def bar(x: float, y: float, width: float, height: float, fill: str, *, opacity: float = 1, hollow: bool = False) -> str:
    """A bar with rounded corners, filled or only its outline; x and y are its upper left."""
    look = f'fill="none" stroke="{fill}" stroke-width="1.5"' if hollow else f'fill="{fill}"'
    return (
        f'<rect x="{x:.4g}" y="{y:.4g}" width="{width:.4g}" height="{height:.4g}" rx="3" {look}'
        f' fill-opacity="{opacity:g}"/>'
    )


def line(
    x: float,
    y: float,
    x_end: float,
    y_end: float,
    colour: str = "currentColor",
    *,
    dashed: bool = False,
    opacity: float = 0.6,
) -> str:
    """A line from one point to another."""
    dashes = ' stroke-dasharray="3 4"' if dashed else ""
    return (
        f'<line x1="{x:.4g}" y1="{y:.4g}" x2="{x_end:.4g}" y2="{y_end:.4g}" stroke="{colour}" stroke-width="1.5"'
        f' stroke-opacity="{opacity:g}"{dashes}/>'
    )


def tick(x: float, middle: float, colour: str = "currentColor", opacity: float = 0.6) -> str:
    """A short upright line around a middle."""
    return line(x, middle - 9, x, middle + 9, colour, opacity=opacity)


def whisker(low: float, high: float, y: float, colour: str, *, cap: float, width: float = 3, opacity: float = 1) -> str:
    """An interval from low to high, with a cap at each end."""
    path = f"M{low:.4g} {y - cap:.4g}v{2 * cap:g}M{low:.4g} {y:.4g}H{high:.4g}M{high:.4g} {y - cap:.4g}v{2 * cap:g}"
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}" stroke-opacity="{opacity:g}"/>'


def dot(x: float, y: float, colour: str, *, square: bool = False, hollow: bool = False) -> str:
    """A round mark for the tuned side, a square for the base: the two differ in more than colour."""
    look = f'fill="{"none" if hollow else colour}" stroke="{colour}" stroke-width="2"'
    if square:
        return f'<rect x="{x - 5:.4g}" y="{y - 5:.4g}" width="10" height="10" {look}/>'
    return f'<circle cx="{x:.4g}" cy="{y:.4g}" r="5" {look}/>'

"""A run's loss as a line that fits into a table's cell: as SVG, or in block characters.

Works on plain numbers. It does not know runs, and nothing about axes or hovering (`ui/plots.py`).
"""

from __future__ import annotations

import html
from collections.abc import Sequence

MOST_POINTS = 24
"""Points of a sparkline; more than a table's cell has room for."""


def means(values: Sequence[float], points: int = MOST_POINTS) -> tuple[float, ...]:
    """At most `points` values: the means over equal stretches of a longer series."""
    if len(values) <= points:
        return tuple(values)
    bounds = [len(values) * number // points for number in range(points + 1)]
    return tuple(sum(values[begin:end]) / (end - begin) for begin, end in zip(bounds[:-1], bounds[1:], strict=True))


def svg(values: Sequence[float], title: str = "") -> str:
    """A small line in the text's colour, as inline SVG; empty where there is nothing to draw.

    title: what a screen reader says; by default the first and the last value in English.
    """
    if not values:
        return ""
    title = title or f"loss from {values[0]:.2f} to {values[-1]:.2f}"
    width, height, margin = 96, 20, 2
    heights = _relative(values)
    step = (width - 2 * margin) / max(1, len(values) - 1)
    places = [(margin + number * step, margin + (1 - h) * (height - 2 * margin)) for number, h in enumerate(heights)]
    if len(places) == 1:
        places.append((width - margin, places[0][1]))
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return (
        f'<svg class="sparkline" role="img" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' xmlns="http://www.w3.org/2000/svg"><title>{html.escape(title)}</title>'
        f'<polyline points="{line}" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linejoin="round"'
        ' stroke-linecap="round"/></svg>'
    )


def text(values: Sequence[float]) -> str:
    """The same line in block characters, for terminals and plain tables."""
    blocks = "▁▂▃▄▅▆▇█"
    return "".join(blocks[min(len(blocks) - 1, int(height * len(blocks)))] for height in _relative(values))


def _relative(values: Sequence[float]) -> list[float]:
    """Values between 0 (the lowest) and 1 (the highest); half-way where all are the same."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    return [0.5 if high == low else (value - low) / (high - low) for value in values]

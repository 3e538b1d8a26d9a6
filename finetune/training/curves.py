"""What a run measured, as lines to draw: read on, put on an axis, smoothed, thinned. Numbers in, numbers out.

Knows the metrics log; nothing about colours, languages or who draws. Lines are numpy arrays of float64.
"""

from __future__ import annotations

import math
import threading
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from finetune.training import metrics

MOST_POINTS = 1500
"""Points of one line that a page is sent, as in W&B."""

VIEWPORT_SCALE = 1000.0
"""What W&B stretches the width of a chart to before it weighs gaps. They publish the formula but not this number."""

AXES = {"step": "step", "epoch": "epoch", "time": "elapsed_s"}
"""What can stand on the x axis, and the key that holds it. `elapsed_s` goes on where a run is resumed."""

TAIL_BYTES = 64


@dataclass(frozen=True)
class Curve:
    """One metric of one run: x ascending, y, and the step of each point whatever x is; all of shape (points,)."""

    x: numpy.ndarray
    y: numpy.ndarray
    step: numpy.ndarray


@dataclass(frozen=True)
class History:
    """All that a run has measured so far; `columns` are of one length, NaN where a row lacks a value."""

    columns: dict[str, numpy.ndarray]

    @classmethod
    def of(cls, lines: Iterable[dict[str, Any]] | History) -> History:
        """The history that metrics lines tell; what is one already comes back as it is."""
        if isinstance(lines, History):
            return lines
        table = _Table()
        table.extend(lines)
        return table.history()

    def __len__(self) -> int:
        return len(self.columns["step"])

    @property
    def metrics(self) -> tuple[str, ...]:
        """What was measured at least once, in the order in which it first appeared."""
        return tuple(key for key in self.columns if key not in AXES.values() and not numpy.isnan(self[key]).all())

    def __getitem__(self, key: str) -> numpy.ndarray:
        """A column; all NaN where the key was never measured."""
        return self.columns.get(key, numpy.full(len(self), numpy.nan))

    def curve(self, metric: str, kind: str = "step") -> Curve:
        """A metric over `AXES[kind]`, without the rows that lack either."""
        x, y = axis(self, kind), self[metric]
        there = ~(numpy.isnan(x) | numpy.isnan(y))
        return Curve(x[there], y[there], self["step"][there])

    def best(self) -> tuple[int, float] | None:
        """Step and value of the lowest evaluation loss, the first of equals; None before there are two to compare."""
        curve = self.curve("eval_loss")
        if len(curve.y) < 2:
            return None
        lowest = int(curve.y.argmin())
        return int(curve.step[lowest]), float(curve.y[lowest])


def axis(history: History, kind: str) -> numpy.ndarray:
    """Where each row of a history stands on the x axis: a step, an epoch or seconds since the run began."""
    return history[AXES[kind]]


def smoothed(
    values: Sequence[float] | numpy.ndarray,
    weight: float,
    x: Sequence[float] | numpy.ndarray | None = None,
    span: float | None = None,
) -> numpy.ndarray:
    """W&B's default smoothing, the time-weighted exponential moving average; weight 0 gives the values themselves.

    The plain average is `last = last * w + (1 - w) * y`, shown divided by `1 - w**n`, so that early
    values are not drawn towards 0. The time-weighted one lets a value fade with its distance on the
    x axis instead of with the number of points since (docs.wandb.ai, "Smooth line plots")::

        w = min(sqrt(weight), 0.999)
        a = w ** ((x[i] - x[i - 1]) / span * VIEWPORT_SCALE)
        last = last * a + y[i];  debias = debias * a + 1;  shown = last / debias

    With equal gaps both are the same. So a few points far apart stay almost what they are, and lines
    logged at different intervals look equally smooth. `x` counts points where it is not given, and
    `span` is the chart's width in the units of x; the line's own where it is not given.
    """
    y = numpy.asarray(values, dtype=float)
    x = numpy.arange(len(y), dtype=float) if x is None else numpy.asarray(x, dtype=float)
    if weight <= 0 or len(y) < 2:
        return y
    span = float(x[-1] - x[0]) if span is None else span
    if span <= 0:
        return y
    gaps = numpy.maximum(numpy.diff(x, prepend=x[0]), 0.0) / span * VIEWPORT_SCALE
    fades = min(weight**0.5, 0.999) ** gaps
    return _fading_sums(y, fades) / _fading_sums(numpy.ones_like(y), fades)


def _fading_sums(values: numpy.ndarray, fades: numpy.ndarray) -> numpy.ndarray:
    """`sums[i] = sums[i - 1] * fades[i] + values[i]`, ten times as fast as the loop that says so.

    The values are cut into about sqrt(n) rows, which are summed side by side; then each row takes over
    what is left of the sum of the row above. Only products of shares from 0 to 1: nothing can overflow.
    """
    width = math.isqrt(len(values)) + 1
    filling = (0, -len(values) % width)
    sums = numpy.pad(values, filling).reshape(-1, width)
    fades = numpy.pad(fades, filling).reshape(-1, width)
    for column in range(1, width):
        sums[:, column] += sums[:, column - 1] * fades[:, column]
    left = fades.cumprod(axis=1)
    for row in range(1, len(sums)):
        sums[row] += sums[row - 1, -1] * left[row]
    return sums.ravel()[: len(values)]


def clipped_range(values: Sequence[float] | numpy.ndarray, quantile: float = 0.99) -> tuple[float, float] | None:
    """The range of y without its outliers, with a margin of 5 %; None where there are none.

    A side is cut where its farthest value lies beyond the quantile by more than half the distance
    between the two quantiles: the first steps of a run and a spike are, ordinary noise is not.
    """
    y = numpy.asarray(values, dtype=float)
    if len(y) < 2:
        return None
    low, high = numpy.quantile(y, [1 - quantile, quantile])
    spread, least, most = high - low, y.min(), y.max()
    cut_low, cut_high = low - least > spread / 2, most - high > spread / 2
    if spread <= 0 or not (cut_low or cut_high):
        return None
    low, high = low if cut_low else least, high if cut_high else most
    margin = 0.05 * (high - low)
    return float(low - margin), float(high + margin)


def kept(values: Sequence[float] | numpy.ndarray, most: int = MOST_POINTS) -> numpy.ndarray:
    """Which points of a line to draw, ascending indices, at most `most`: first, last, and each bucket's extremes.

    Minimum and maximum of equal buckets, rather than largest-triangle-three-buckets: that one keeps
    one point a bucket, the one that looks best beside its neighbours, and so may drop the lower of two
    spikes. Here no spike is ever lost, and it takes one vectorised pass.
    """
    y = numpy.asarray(values, dtype=float)
    points = len(y)
    if points <= most:
        return numpy.arange(points)
    size = -(-(points - 2) // ((most - 2) // 2))
    buckets = numpy.pad(y[1:-1], (0, -(points - 2) % size), mode="edge").reshape(-1, size)
    starts = 1 + size * numpy.arange(len(buckets))
    ends = numpy.concatenate([starts + buckets.argmin(axis=1), starts + buckets.argmax(axis=1)])
    return numpy.unique(numpy.concatenate([[0], numpy.minimum(ends, points - 2), [points - 1]]))


def thinned(
    x: Sequence[float] | numpy.ndarray, y: Sequence[float] | numpy.ndarray, most: int = MOST_POINTS
) -> tuple[numpy.ndarray, numpy.ndarray]:
    """A line with at most `most` points, as `kept` chooses them."""
    chosen = kept(y, most)
    return numpy.asarray(x)[chosen], numpy.asarray(y)[chosen]


class Reader:
    """One run's metrics log, read on where it was left; may be shared by several threads.

    `history` is replaced, never changed, when there is something new: what was taken from it stays whole.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._seen: tuple[int, ...] | None = None
        self._forget()

    def refresh(self) -> bool:
        """Read what was added; True where that changed the history. A file that is as it was costs one stat.

        A file that no longer holds what was read from it (cut short, or another one) is read anew.
        """
        with self._lock:
            path = self.folder / metrics.FILE
            # Taken before the file is read: what is written meanwhile is then seen the next time.
            state = path.stat() if path.is_file() else None
            seen = state and (state.st_ino, state.st_size, state.st_mtime_ns)
            if seen == self._seen:
                return False
            changed = self._tail != self._bytes_before(self._offset)
            if changed:
                self._forget()
            lines, self._offset = metrics.read(self.folder, self._offset)
            self._tail, self._seen = self._bytes_before(self._offset), seen
            if lines:
                self._table.extend(lines)
                self.history = self._table.history()
            return bool(lines) or changed

    def _forget(self) -> None:
        self._table, self._offset, self._tail = _Table(), 0, b""
        self.history = self._table.history()

    def _bytes_before(self, offset: int) -> bytes:
        path = self.folder / metrics.FILE
        if not offset or not path.is_file():
            return b""
        with path.open("rb") as file:
            file.seek(max(0, offset - TAIL_BYTES))
            return file.read(min(offset, TAIL_BYTES))


class _Table:
    """Rows that are added one by one: steps ascend, and one step has at most one value of a metric."""

    def __init__(self) -> None:
        self.columns: dict[str, array] = {key: array("d") for key in AXES.values()}

    def extend(self, lines: Iterable[dict[str, Any]]) -> None:
        for line in lines:
            self._make_room(line)
            rows = len(self.columns["step"])
            for key, value in line.items():
                if key not in self.columns and isinstance(value, int | float):
                    self.columns[key] = array("d", [numpy.nan]) * rows
            for key, column in self.columns.items():
                value = line.get(key)
                column.append(value if isinstance(value, int | float) else numpy.nan)

    def _make_room(self, line: dict[str, Any]) -> None:
        """The later value of a step counts.

        A step below the last one means that the run was resumed from an earlier checkpoint: what it had
        measured from there on belongs to weights that it gave up, and would be a second line in the first.
        """
        steps, step = self.columns["step"], line["step"]
        if steps and step < steps[-1]:
            first = bisect_right(steps, step)
            for column in self.columns.values():
                del column[first:]
        row = len(steps) - 1
        while row >= 0 and steps[row] == step:
            for key in line.keys() & self.columns.keys() - set(AXES.values()):
                self.columns[key][row] = numpy.nan
            row -= 1

    def history(self) -> History:
        return History({key: numpy.array(column, dtype=float) for key, column in self.columns.items()})

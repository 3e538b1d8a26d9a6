"""A run's curves as Plotly figures, and as a table. Knows what a run measured; not where runs lie or how pages refresh.

A figure is what `gr.Plot` sends to the browser: the JSON is written here rather than by `plotly`, which adds its
template (7 KB) to each, costs a second of import, and cannot hand on `config`: there the buttons, the name of the
PNG and their Bengali stand. Gradio makes a new plot of every value; `assets/plots.js` keeps zoom and hidden lines.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from gradio.components.plot import PlotData

from finetune.training.curves import Curve, History, axis, clipped_range, kept, smoothed
from ui import wording
from ui.theme import FONTS

FIGURES = ("loss", "learning_rate", "grad_norm", "tokens_per_second", "gpu_memory_gb")
"""What a run's page draws, in this order; `loss` shows the evaluation loss as well."""

NOISY = ("loss", "grad_norm", "tokens_per_second")
"""What is smoothed. An evaluation is a mean over its whole set already, and a smoothed one would move the best."""

FROM_ZERO = ("learning_rate",)
"""Whose axis begins at 0: a rate that never changes would be drawn between -1 and 1."""

TRAIN, EVAL = "#0f766e", "#c2410c"

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's colours for all kinds of sight, without black and yellow, which vanish on one of our backgrounds."""

DASHES = ("solid", "dash", "dot")
"""Where there are more runs than colours."""

INK, GRID, TOOLTIP = "#857c74", "rgba(128,120,110,.22)", "rgba(38,34,31,.95)"
"""Figures do not know the theme: the ink is as far from white as from the dark page, 4 to 1."""

Lines = Iterable[dict[str, Any]] | History


@dataclass(frozen=True)
class View:
    """How a person wants to see curves: smoothing 0 to 1 as W&B's slider, x `step`, `epoch` or `time`, runs hidden."""

    smoothing: float = 0.6
    log: bool = False
    clip: bool = True
    x: str = "step"
    hidden: frozenset[str] = frozenset()


DEFAULT = View()


def figures(lines: Lines, language: str, view: View = DEFAULT, run: str = "") -> dict[str, PlotData | None]:
    """All of `FIGURES`; None where the run has measured nothing of the kind, as memory on a CPU."""
    history = History.of(lines)
    measured = {"loss" if metric == "eval_loss" else metric for metric in history.metrics}
    return {metric: _one(history, metric, language, view, run) if metric in measured else None for metric in FIGURES}


def loss(lines: Lines, language: str, view: View = DEFAULT, run: str = "") -> PlotData:
    """Train loss, raw and smoothed, and evaluation loss; the best evaluation has a star."""
    history = History.of(lines)
    canvas = _Canvas([history], language, view)
    canvas.line(history, "loss", wording.sentence("plot.train", language), TRAIN)
    canvas.line(history, "eval_loss", wording.sentence("plot.eval", language), EVAL)
    canvas.star(history, EVAL, wording.sentence("plot.eval", language), labelled=True)
    return canvas.figure("loss", run)


def single(lines: Lines, metric: str, language: str, view: View = DEFAULT, run: str = "") -> PlotData:
    """One metric of one run."""
    history = History.of(lines)
    canvas = _Canvas([history], language, view)
    canvas.line(history, metric, wording.sentence(f"plot.{metric}", language), TRAIN)
    return canvas.figure(metric, run, legend=False)


def learning_rate(lines: Lines, language: str, view: View = DEFAULT, run: str = "") -> PlotData:
    """The learning rate of one run."""
    return single(lines, "learning_rate", language, view, run)


def overlay(runs: Mapping[str, Lines], metric: str, view: View, language: str) -> PlotData:
    """One metric of several runs, one colour each; a click on a name in the legend hides its run or brings it back.

    `metric` is one of `FIGURES` or `eval_loss`, whose lowest value has a star in each run. Colours go by
    the order of `runs`, also past runs that have not measured it, so that they agree among figures.
    """
    histories = {name: History.of(lines) for name, lines in runs.items()}
    canvas = _Canvas(list(histories.values()), language, view)
    for i, (name, history) in enumerate(histories.items()):
        colour, dash = PALETTE[i % len(PALETTE)], DASHES[i // len(PALETTE) % len(DASHES)]
        canvas.line(history, metric, name, colour, dash)
        if metric == "eval_loss":
            canvas.star(history, colour, name)
    return canvas.figure(metric, next(iter(runs)) if len(runs) == 1 else "runs")


def csv_of(runs: Mapping[str, Lines], path: Path) -> Path:
    """Write run, step, epoch, elapsed_s and every metric of the runs at full resolution; returns the path.

    One row a line of the metrics log, values as measured, an empty cell where there is none. UTF-8 with a
    byte order mark, without which Excel takes Bengali for something else.
    """
    histories = {name: History.of(lines) for name, lines in runs.items()}
    measured = dict.fromkeys(metric for history in histories.values() for metric in history.metrics)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(["run", "step", "epoch", "elapsed_s", *measured])
        for name, history in histories.items():
            columns = [history[key].tolist() for key in ("epoch", "elapsed_s", *measured)]
            for step, *values in zip(history["step"].tolist(), *columns, strict=True):
                cells = ["" if math.isnan(value) else value for value in values]
                if any(cell != "" for cell in cells[2:]):  # not where a resumed run measured the step again
                    table.writerow([name, int(step), *cells])
    return path


class _Canvas:
    """One figure in the making: traces over one x axis, in one unit, smoothed over one width."""

    def __init__(self, histories: list[History], language: str, view: View) -> None:
        self.language, self.view = language, view
        self.traces: list[dict[str, Any]] = []
        self.values: list[numpy.ndarray] = []
        x = numpy.concatenate([axis(history, view.x) for history in histories] or [[]])
        x = x[~numpy.isnan(x)]
        self.span = float(numpy.ptp(x)) if len(x) else 0.0
        self.unit, self.seconds = _unit(x.max(initial=0.0)) if view.x == "time" else (view.x, 1.0)

    def line(self, history: History, metric: str, name: str, colour: str, dash: str = "solid") -> None:
        """A metric as a line with its name; faint, and once more smoothed, where it is noisy. Nothing if unmeasured."""
        curve = history.curve(metric, self.view.x)
        if not len(curve.y):
            return
        self.values.append(curve.y)
        shown = kept(curve.y)
        x = self._x(curve, shown)
        trace = {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "legendgroup": name,
            "x": x,
            "y": _rounded(curve.y[shown]),
            "line": {"color": colour, "width": 2, "dash": dash},
            "visible": "legendonly" if name in self.view.hidden else True,
        }
        if metric == "eval_loss" or len(x) == 1:  # one point makes no line
            trace |= {"mode": "lines+markers", "marker": {"color": colour, "size": 7 if len(x) <= 60 else 4}}
        if metric in NOISY and self.view.smoothing > 0 and len(x) > 1:
            raw = f"{name} ({wording.sentence('plot.raw', self.language)})"
            self.traces.append(
                trace | {"name": raw, "showlegend": False, "opacity": 0.3, "line": {"color": colour, "width": 1}}
            )
            # At the points chosen for the raw line, so that both have a value wherever a person points.
            smooth = smoothed(curve.y, self.view.smoothing, curve.x, self.span)[shown]
            trace = trace | {"y": _rounded(smooth)}
        self.traces.append(trace)

    def star(self, history: History, colour: str, group: str, labelled: bool = False) -> None:
        """A star on the lowest evaluation loss."""
        best = history.best()
        curve = history.curve("eval_loss", self.view.x)
        if best is None or not (curve.step == best[0]).any():
            return
        at = (curve.step == best[0]).nonzero()[0]
        self.values.append(numpy.array([best[1]]))  # a star is inside, whatever else is clipped
        late = curve.x[at[0]] > curve.x[0] + (curve.x[-1] - curve.x[0]) / 2
        self.traces.append(
            {
                "type": "scatter",
                "mode": "markers+text" if labelled else "markers",
                "legendgroup": group,
                "name": group,
                "showlegend": False,
                "hoverinfo": "skip",
                "cliponaxis": False,
                "x": self._x(curve, at),
                "y": _rounded([best[1]]),
                "text": [wording.sentence("plot.best", self.language, step=best[0])] if labelled else [],
                "textposition": "top left" if late else "top right",
                "marker": {"color": colour, "size": 14, "symbol": "star"},
                "visible": "legendonly" if group in self.view.hidden else True,
            }
        )

    def figure(self, metric: str, run: str, legend: bool = True) -> PlotData:
        """The figure as the browser takes it; `run` names the PNG, and whose zoom it is that outlives a refresh."""
        view, language = self.view, self.language
        title = wording.sentence(f"plot.{self.unit}", language)
        named = sum(trace.get("showlegend", True) for trace in self.traces)
        y = {"type": "log"} if view.log else {"rangemode": "tozero"} if metric in FROM_ZERO else {}
        if view.clip and (within := self._range()):
            y |= {"range": _rounded(within), "autorange": False}
        line = {"gridcolor": GRID, "zeroline": False, "automargin": True}
        layout = {
            "height": 270 + 22 * max(0, -(-named // 2) - 1),  # two names a row on a phone
            "margin": {"l": 8, "r": 8, "t": 30, "b": 8},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": ", ".join(FONTS), "size": 12, "color": INK},
            "showlegend": legend and named > 0,
            "legend": {"orientation": "h", "x": 1, "xanchor": "right", "y": 1.02, "yanchor": "bottom"},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": INK, "activecolor": TRAIN},
            "hovermode": "x unified",
            "hoverlabel": {"namelength": -1, "bgcolor": TOOLTIP, "font": {"size": 12, "color": "#f5f0e8"}},
            "uirevision": f"{run} {metric} {self.unit} {view.log}",
            "xaxis": {**line, "title": {"text": title}, "unifiedhovertitle": {"text": f"{title} %{{x}}"}},
            "yaxis": {
                **line,
                **y,
                "title": {"text": wording.sentence(f"plot.{metric}", language)},
                "exponentformat": "power",
                "hoverformat": ".4~g",
            },
        }
        config = {
            "displaylogo": False,
            "modeBarButtons": [["zoom2d", "pan2d", "resetScale2d"], ["toImage"]],
            "toImageButtonOptions": {
                "format": "png",
                "filename": f"{run}-{metric}".lstrip("-"),
                "width": 1200,
                "height": 600,
                "scale": 2,
            },
            "locale": language,
            "locales": {language: {"dictionary": _buttons(language)}},
        }
        written = {"data": self.traces, "layout": layout, "config": config}
        return PlotData(
            type="plotly", plot=json.dumps(written, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        )

    def _x(self, curve: Curve, shown: Any) -> list[float]:
        if self.view.x == "step":
            return [int(step) for step in curve.step[shown]]  # six digits are not enough for a step
        return _rounded(curve.x[shown] / self.seconds)

    def _range(self) -> tuple[float, float] | None:
        """The y axis without outliers, in powers of ten where it is logarithmic; None where there are none."""
        values = [numpy.log10(y[y > 0]) if self.view.log else y for y in self.values]
        values = [y for y in values if len(y)]
        clipped = [clipped_range(y) for y in values]
        if not any(clipped):
            return None
        ends = [within or (y.min(), y.max()) for y, within in zip(values, clipped, strict=True)]
        low, high = min(low for low, _ in ends), max(high for _, high in ends)
        margin = 0.03 * (high - low)
        return low - margin, high + margin


def _one(history: History, metric: str, language: str, view: View, run: str) -> PlotData:
    return loss(history, language, view, run) if metric == "loss" else single(history, metric, language, view, run)


def _unit(seconds: float) -> tuple[str, float]:
    """The unit in which a length of time is read most easily, and its seconds."""
    if seconds < 180:
        return "seconds", 1.0
    return ("minutes", 60.0) if seconds < 3 * 3600 else ("hours", 3600.0)


def _rounded(values: Iterable[float]) -> list[float]:
    """Six significant digits: finer than a pixel, and half as long on the wire."""
    return [float(f"{value:.6g}") for value in values]


def _buttons(language: str) -> dict[str, str]:
    """Plotly's words on the buttons, by its English ones."""
    words = {"Zoom": "plot.zoom", "Pan": "plot.pan", "Reset axes": "plot.reset", "Download plot as a PNG": "plot.png"}
    return {english: wording.sentence(key, language) for english, key in words.items()}

"""A run's curves as Plotly figures. Knows metrics lines and colours; not where runs lie or how pages refresh."""

from __future__ import annotations

from typing import Any

from finetune.training.metrics import series
from ui import wording

MOST_POINTS = 1500
"""Points sent for one line; longer ones are thinned, the last point always stays."""

TRAIN, EVAL, GRID = "#0f766e", "#c2410c", "rgba(128,120,110,.22)"


def loss(lines: list[dict[str, Any]], language: str) -> Any:
    """Train and evaluation loss by step, the best evaluation marked."""
    figure = _figure("plot.step", "plot.loss", language)
    steps, values = _thinned(*series(lines, "loss"))
    figure.add_scatter(
        x=steps,
        y=values,
        mode="lines",
        name=wording.sentence("plot.train", language),
        line={"color": TRAIN, "width": 1.6},
    )
    steps, values = series(lines, "eval_loss")
    figure.add_scatter(
        x=steps,
        y=values,
        mode="lines+markers",
        name=wording.sentence("plot.eval", language),
        line={"color": EVAL, "width": 2.2},
        marker={"size": 7},
    )
    if len(values) > 1:
        best = min(range(len(values)), key=values.__getitem__)
        figure.add_annotation(
            x=steps[best], y=values[best], text=wording.sentence("plot.best", language), arrowcolor=EVAL, ay=-34, ax=0
        )
    return figure


def learning_rate(lines: list[dict[str, Any]], language: str) -> Any:
    """The learning rate by step."""
    figure = _figure("plot.step", "plot.rate", language)
    steps, values = _thinned(*series(lines, "learning_rate"))
    figure.add_scatter(x=steps, y=values, mode="lines", line={"color": TRAIN, "width": 1.8}, showlegend=False)
    figure.update_yaxes(tickformat=".1e")
    return figure


def _thinned(steps: list[int], values: list[float]) -> tuple[list[int], list[float]]:
    every = -(-len(steps) // MOST_POINTS) or 1
    kept = range(len(steps) - 1, -1, -every)
    return [steps[i] for i in reversed(kept)], [values[i] for i in reversed(kept)]


def _figure(x: str, y: str, language: str) -> Any:
    from plotly.graph_objects import Figure

    figure = Figure()
    figure.update_layout(
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        height=270,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "Noto Sans Bengali, Hind Siliguri, Nirmala UI, system-ui, sans-serif", "color": "#8a8178"},
        legend={"orientation": "h", "y": 1.12, "x": 1, "xanchor": "right"},
        hovermode="x unified",
        uirevision="keep",  # zoom and hidden lines survive a refresh
    )
    figure.update_xaxes(title=wording.sentence(x, language), gridcolor=GRID, zeroline=False, automargin=True)
    figure.update_yaxes(title=wording.sentence(y, language), gridcolor=GRID, zeroline=False, automargin=True)
    return figure

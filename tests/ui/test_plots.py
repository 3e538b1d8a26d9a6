"""A run's curves: what was measured is drawn, long lines are thinned, the best evaluation is marked."""

import json

from ui import plots, wording

LINES = [
    {"step": 0, "eval_loss": 3.0},
    {"step": 1, "loss": 2.9, "learning_rate": 1e-4},
    {"step": 2, "loss": 2.5, "learning_rate": 2e-4},
    {"step": 2, "eval_loss": 1.5},
    {"step": 3, "loss": 2.2, "learning_rate": 1e-4},
    {"step": 3, "eval_loss": 2.0},
]


def drawn(trace):
    return list(zip(trace.x, trace.y, strict=True))


def test_train_and_evaluation_loss_are_drawn_by_step():
    train, evaluation = plots.loss(LINES, "bn").data
    assert drawn(train) == [(1, 2.9), (2, 2.5), (3, 2.2)]
    assert drawn(evaluation) == [(0, 3.0), (2, 1.5), (3, 2.0)]


def test_the_lowest_evaluation_is_marked_as_the_best():
    (mark,) = plots.loss(LINES, "bn").layout.annotations
    assert (mark.x, mark.y, mark.text) == (2, 1.5, wording.sentence("plot.best", "bn"))


def test_a_single_evaluation_is_not_called_the_best():
    assert plots.loss(LINES[:3], "bn").layout.annotations == ()


def test_axes_and_lines_are_named_in_the_pages_language():
    for language in wording.LANGUAGES:
        figure = plots.loss(LINES, language)
        assert figure.layout.xaxis.title.text == wording.sentence("plot.step", language)
        assert figure.layout.yaxis.title.text == wording.sentence("plot.loss", language)
        assert [trace.name for trace in figure.data] == [
            wording.sentence("plot.train", language),
            wording.sentence("plot.eval", language),
        ]


def test_the_learning_rate_is_drawn_by_step():
    (trace,) = plots.learning_rate(LINES, "en").data
    assert drawn(trace) == [(1, 1e-4), (2, 2e-4), (3, 1e-4)]


def test_a_long_line_is_thinned_and_keeps_its_last_point():
    lines = [{"step": step, "loss": 1 / (step + 1)} for step in range(10_000)]
    train, _ = plots.loss(lines, "en").data
    assert 0.6 * plots.MOST_POINTS < len(train.x) <= plots.MOST_POINTS
    assert train.x[-1] == 9_999
    assert list(train.x) == sorted(train.x)


def test_a_line_that_fits_is_not_thinned():
    lines = [{"step": step, "loss": 1.0} for step in range(plots.MOST_POINTS)]
    assert len(plots.loss(lines, "en").data[0].x) == plots.MOST_POINTS


def test_a_run_that_has_measured_nothing_yet_gives_empty_axes():
    assert [drawn(trace) for trace in plots.loss([], "bn").data] == [[], []]
    assert json.loads(plots.learning_rate([], "bn").to_json())["data"][0]["mode"] == "lines"


def test_zoom_survives_the_next_refresh():
    first, second = plots.loss(LINES[:3], "bn"), plots.loss(LINES, "bn")
    assert first.layout.uirevision == second.layout.uirevision is not None

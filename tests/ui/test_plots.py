"""A run's curves: what was measured is drawn, as the person asked, small on the wire, and can be taken away."""

import csv
import json
import math

import gradio as gr
import pytest

from finetune.training.curves import MOST_POINTS, History, smoothed
from ui import plots, wording
from ui.plots import View

LINES = [
    {"step": 0, "epoch": 0.0, "elapsed_s": 1.0, "eval_loss": 3.0},
    {"step": 1, "epoch": 0.5, "elapsed_s": 2.0, "loss": 2.9, "learning_rate": 1e-4, "grad_norm": 1.5},
    {"step": 2, "epoch": 1.0, "elapsed_s": 3.0, "loss": 2.5, "learning_rate": 2e-4, "grad_norm": 1.2},
    {"step": 2, "epoch": 1.0, "elapsed_s": 3.5, "eval_loss": 1.5},
    {"step": 3, "epoch": 1.5, "elapsed_s": 4.5, "loss": 2.2, "learning_rate": 1e-4, "tokens_per_second": 90.0},
    {"step": 3, "epoch": 1.5, "elapsed_s": 5.0, "eval_loss": 2.0},
]
PLAIN = View(smoothing=0)
LONG = [{"step": n, "elapsed_s": n / 3, "loss": 2 + math.sin(n), "grad_norm": 1 / n} for n in range(1, 10_001)]


def read(figure):
    assert figure.type == "plotly"
    return json.loads(figure.plot)


def drawn(trace):
    return list(zip(trace["x"], trace["y"], strict=True))


def named(figure):
    """The traces that the legend names, by name."""
    return {trace["name"]: trace for trace in read(figure)["data"] if trace.get("showlegend", True)}


def star(figure):
    return [trace for trace in read(figure)["data"] if trace.get("marker", {}).get("symbol") == "star"]


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


# one run


def test_train_and_evaluation_loss_are_drawn_together_by_step():
    train, evaluation = named(plots.loss(LINES, "en", PLAIN)).values()
    assert drawn(train) == [(1, 2.9), (2, 2.5), (3, 2.2)]
    assert drawn(evaluation) == [(0, 3.0), (2, 1.5), (3, 2.0)]
    assert "markers" in evaluation["mode"] and "markers" not in train["mode"]


def test_the_raw_line_stays_faint_behind_the_smoothed_one_in_the_same_colour_at_the_same_points():
    raw, smooth = read(plots.loss(LONG, "en", View(smoothing=0.9)))["data"]
    assert raw["line"]["color"] == smooth["line"]["color"]
    assert raw["opacity"] < 0.5 and "opacity" not in smooth
    assert raw["x"] == smooth["x"], "both can be read wherever a person points"
    assert raw["legendgroup"] == smooth["legendgroup"] and raw["name"] == "train (raw)"
    whole = smoothed([line["loss"] for line in LONG], 0.9)
    assert smooth["y"] == pytest.approx([whole[step - 1] for step in smooth["x"]], rel=1e-5), "smoothed, then thinned"


def test_without_smoothing_there_is_one_line():
    assert len(read(plots.loss(LINES[1:3], "en", PLAIN))["data"]) == 1


def test_evaluations_and_the_learning_rate_are_never_smoothed():
    strong = View(smoothing=1.0)
    assert drawn(named(plots.loss(LINES, "en", strong))["evaluation"]) == [(0, 3.0), (2, 1.5), (3, 2.0)]
    (rate,) = read(plots.learning_rate(LINES, "en", strong))["data"]
    assert drawn(rate) == [(1, 1e-4), (2, 2e-4), (3, 1e-4)]


def test_a_learning_rate_s_axis_begins_at_0_so_that_one_that_never_changes_is_seen():
    axes = [read(plots.learning_rate(LINES, "bn", View(log=log)))["layout"]["yaxis"] for log in (False, True)]
    assert [(axis.get("rangemode"), axis.get("type")) for axis in axes] == [("tozero", None), (None, "log")]
    assert "rangemode" not in read(plots.loss(LINES, "bn"))["layout"]["yaxis"]


def test_the_lowest_evaluation_has_a_star_that_names_its_step_and_hides_with_its_line():
    for language in wording.LANGUAGES:
        figure = plots.loss(LINES, language)
        (mark,) = star(figure)
        assert drawn(mark) == [(2, 1.5)]
        assert mark["text"] == [wording.sentence("plot.best", language, step=2)]
        assert mark["legendgroup"] in named(figure)


def test_a_single_evaluation_is_not_called_the_best():
    assert star(plots.loss(LINES[:3], "bn")) == []


@pytest.mark.parametrize(("best", "side"), [(10, "top right"), (90, "top left")])
def test_the_stars_words_stand_on_the_side_where_there_is_room(best, side):
    lines = [{"step": step, "eval_loss": 1.0 if step == best else 2.0} for step in range(0, 101, 10)]
    (mark,) = star(plots.loss(lines, "bn"))
    assert mark["textposition"] == side


def test_axes_lines_and_buttons_are_named_in_the_pages_language():
    for language in wording.LANGUAGES:
        figure = plots.loss(LINES, language)
        layout, config = read(figure)["layout"], read(figure)["config"]
        assert layout["xaxis"]["title"]["text"] == wording.sentence("plot.step", language)
        assert layout["yaxis"]["title"]["text"] == wording.sentence("plot.loss", language)
        assert list(named(figure)) == [wording.sentence(f"plot.{key}", language) for key in ("train", "eval")]
        words = config["locales"][config["locale"]]["dictionary"]
        assert words["Download plot as a PNG"] == wording.sentence("plot.png", language)


def test_every_figure_of_a_run_is_made_at_once_and_what_was_not_measured_is_none():
    made = plots.figures(LINES, "bn")
    assert tuple(made) == plots.FIGURES
    assert [metric for metric, figure in made.items() if figure is None] == ["gpu_memory_gb"]
    assert made["loss"] == plots.loss(LINES, "bn")
    assert made["grad_norm"] == plots.single(LINES, "grad_norm", "bn")
    assert set(plots.figures([], "bn").values()) == {None}
    assert plots.figures(LINES[:1], "bn")["loss"] is not None, "an evaluation alone is something to see"


def test_a_run_that_has_measured_nothing_yet_gives_empty_axes():
    assert read(plots.loss([], "bn"))["data"] == read(plots.learning_rate([], "bn"))["data"] == []


def test_a_single_point_can_be_seen():
    (trace,) = read(plots.loss(LINES[1:2], "en"))["data"]
    assert "markers" in trace["mode"]


# the view


@pytest.mark.parametrize(
    ("x", "title", "expected"),
    [("step", "step", [1, 2, 3]), ("epoch", "epoch", [0.5, 1, 1.5]), ("time", "time (s)", [2, 3, 4.5])],
)
def test_x_is_what_was_chosen_and_the_axis_says_so(x, title, expected):
    figure = plots.loss(LINES, "en", View(x=x, smoothing=0))
    assert named(figure)["train"]["x"] == expected
    assert read(figure)["layout"]["xaxis"]["title"]["text"] == title


@pytest.mark.parametrize(
    ("seconds", "title", "last"), [(100, "time (s)", 100), (900, "time (min)", 15), (36_000, "time (h)", 10)]
)
def test_time_is_shown_in_the_unit_that_is_read_most_easily(seconds, title, last):
    lines = [{"step": n, "elapsed_s": n * seconds / 4, "loss": 1.0} for n in range(5)]
    figure = plots.loss(lines, "en", View(x="time"))
    assert read(figure)["layout"]["xaxis"]["title"]["text"] == title
    assert named(figure)["train"]["x"][-1] == last


def test_a_log_scale_is_one():
    assert read(plots.loss(LINES, "en", View(log=True)))["layout"]["yaxis"]["type"] == "log"
    assert "type" not in read(plots.loss(LINES, "en"))["layout"]["yaxis"]


@pytest.mark.parametrize("log", [False, True])
def test_an_outlier_is_outside_the_axis_but_still_in_the_line_and_the_star_is_inside(log):
    lines = [{"step": n, "loss": 1 + n % 7 / 10, "eval_loss": 1 + n % 7 / 10} for n in range(1, 500)]
    lines += [{"step": 500, "loss": 1e9, "eval_loss": 0.001}]
    figure = plots.loss(lines, "en", View(log=log, smoothing=0))
    y = read(figure)["layout"]["yaxis"]
    low, high = (10**end for end in y["range"]) if log else y["range"]
    assert not y["autorange"]
    assert high < 10 and low <= 0.001
    assert max(named(figure)["train"]["y"]) == 1e9
    assert "range" not in read(plots.loss(lines, "en", View(clip=False)))["layout"]["yaxis"]


def test_a_line_without_outliers_keeps_the_axis_that_plotly_chooses():
    assert "range" not in read(plots.loss(LINES, "en"))["layout"]["yaxis"]


# several runs


def test_several_runs_are_told_apart_by_colour_and_then_by_dashes():
    runs = {f"demo-{n:03}": LINES for n in range(18)}
    lines = named(plots.overlay(runs, "loss", PLAIN, "bn"))
    assert list(lines) == list(runs)
    looks = {(trace["line"]["color"], trace["line"]["dash"]) for trace in lines.values()}
    assert len(looks) == 18


def test_a_run_keeps_its_colour_where_another_has_not_measured_the_metric():
    runs = {"a": LINES[:1], "b": LINES}
    loss = named(plots.overlay(runs, "loss", PLAIN, "bn"))
    assert list(loss) == ["b"]
    assert loss["b"]["line"]["color"] == plots.PALETTE[1]


def test_each_run_has_a_star_at_its_best_evaluation():
    runs = {"a": LINES, "b": [{"step": 0, "eval_loss": 4.0}, {"step": 5, "eval_loss": 1.0}]}
    figure = plots.overlay(runs, "eval_loss", View(), "bn")
    assert {mark["legendgroup"]: drawn(mark) for mark in star(figure)} == {"a": [(2, 1.5)], "b": [(5, 1.0)]}
    assert star(plots.overlay(runs, "loss", View(), "bn")) == []


def test_a_hidden_run_is_hidden_with_all_of_its_traces_and_can_be_brought_back():
    figure = plots.overlay({"a": LINES, "b": LINES}, "loss", View(hidden=frozenset({"a"})), "bn")
    visible = {(trace["legendgroup"], trace["visible"]) for trace in read(figure)["data"]}
    assert visible == {("a", "legendonly"), ("b", True)}


def test_runs_of_different_length_are_smoothed_over_one_width():
    short, long = LONG[:100], LONG
    alone = named(plots.overlay({"short": short}, "loss", View(), "en"))["short"]["y"]
    beside = named(plots.overlay({"short": short, "long": long}, "loss", View(), "en"))["short"]["y"]
    assert max(beside[20:]) - min(beside[20:]) < max(alone[20:]) - min(alone[20:])


def test_no_runs_give_empty_axes():
    assert read(plots.overlay({}, "loss", View(), "bn"))["data"] == []


# on the wire and on the page


def test_no_line_has_more_than_1500_points_and_steps_are_exact():
    lines = [{"step": 10_000_000 + n, "loss": 1 / 3 + n} for n in range(5000)]
    for trace in read(plots.loss(lines, "bn"))["data"]:
        assert len(trace["x"]) <= MOST_POINTS
        assert trace["x"][-1] == 10_004_999


def test_numbers_are_sent_with_six_digits():
    figure = plots.loss([{"step": 1, "loss": 1 / 3}, {"step": 2, "loss": 20_000 / 3}], "bn", PLAIN)
    assert read(figure)["data"][0]["y"] == [0.333333, 6666.67]


def test_plotly_knows_every_attribute():
    from plotly.graph_objects import Figure

    runs = {"a": LINES, "b": LONG}
    for figure in [*plots.figures(LINES, "bn").values(), plots.overlay(runs, "eval_loss", View(log=True), "en")]:
        if figure is not None:
            known = read(figure)
            Figure(data=known["data"], layout=known["layout"])  # raises at an attribute or a value that is none


def test_gradio_sends_the_figure_as_it_is_with_the_buttons_that_it_cannot_set_itself():
    figure = plots.loss(LINES, "bn", run="demo-001")
    sent = gr.Plot().postprocess(figure)
    config = json.loads(sent.plot)["config"]
    assert config["modeBarButtons"] == [["zoom2d", "pan2d", "resetScale2d"], ["toImage"]]
    assert config["toImageButtonOptions"]["filename"] == "demo-001-loss"
    assert config["displaylogo"] is False
    assert gr.Plot(figure).value is not None


def test_zoom_survives_the_next_refresh_but_not_another_run_metric_axis_or_scale():
    def mark(lines=LINES, view=View(), run="a", metric="loss"):  # noqa: B008
        return read(plots.single(lines, metric, "bn", view, run))["layout"]["uirevision"]

    assert mark(LINES[:3]) == mark() == mark(view=View(smoothing=0.9, clip=False))
    others = {mark(run="b"), mark(metric="grad_norm"), mark(view=View(x="epoch")), mark(view=View(log=True))}
    assert len(others | {mark()}) == 5


def test_ink_and_lines_can_be_seen_on_the_light_and_on_the_dark_page():
    for ground in ("#ffffff", "#1e1b19"):
        assert contrast(plots.INK, ground) > 4
        assert all(contrast(colour, ground) > 2.1 for colour in plots.PALETTE)
        assert all(contrast(colour, ground) > 3 for colour in (plots.TRAIN, plots.EVAL, *plots.PALETTE[:4]))
    layout = read(plots.loss(LINES, "bn"))["layout"]
    assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == "rgba(0,0,0,0)"
    assert "Noto Sans Bengali" in layout["font"]["family"]


# the table


def test_the_table_holds_every_value_at_full_resolution_and_says_that_it_is_unicode(tmp_path):
    third = 1 / 3
    long = [{"step": n, "epoch": n / 7, "elapsed_s": n * 0.1, "loss": n * third} for n in range(1, 2001)]
    path = plots.csv_of({"মন-১": long, "demo-001": LINES}, tmp_path / "runs.csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "run", "step", "epoch", "elapsed_s", "loss", "eval_loss", "learning_rate", "grad_norm", "tokens_per_second",
    ]  # fmt: skip
    assert len(rows) == len(long) + len(LINES)
    assert [float(row["loss"]) for row in rows[:2000]] == [line["loss"] for line in long]
    assert [rows[2000][key] for key in ("run", "step", "eval_loss", "loss")] == ["demo-001", "0", "3.0", ""]


def test_the_table_leaves_out_what_a_resumed_run_measured_again(tmp_path):
    lines = [{"step": 1, "loss": 3.0}, {"step": 1, "loss": 2.0}]
    path = plots.csv_of({"a": History.of(lines)}, tmp_path / "a.csv")
    assert path.read_text(encoding="utf-8-sig").splitlines() == ["run,step,epoch,elapsed_s,loss", "a,1,,,2.0"]

"""Metrics lines become lines to draw: read on, put on an axis, smoothed as W&B does, thinned without losing a spike."""

import json
import math

import numpy
import pytest

from finetune.training import metrics
from finetune.training.curves import MOST_POINTS, History, Reader, axis, clipped_range, kept, smoothed, thinned

LINES = [
    {"step": 0, "epoch": 0.0, "eval_loss": 3.0, "elapsed_s": 1.0},
    {"step": 1, "epoch": 0.5, "loss": 2.9, "learning_rate": 2e-4, "elapsed_s": 2.0},
    {"step": 2, "epoch": 1.0, "loss": 2.5, "learning_rate": 1e-4, "elapsed_s": 3.0},
    {"step": 2, "epoch": 1.0, "eval_loss": 1.5, "elapsed_s": 3.5},
]


def points(history, metric, kind="step"):
    curve = history.curve(metric, kind)
    return list(zip(curve.x.tolist(), curve.y.tolist(), strict=True))


def by_the_published_formula(values, weight, x):
    """W&B's sample code for TWEMA, statement by statement."""
    strength = min(math.sqrt(weight), 0.999)
    last = debias = 0.0
    shown = []
    for i, value in enumerate(values):
        change = (x[i] - x[max(i - 1, 0)]) / (x[-1] - x[0]) * 1000
        adjusted = strength**change
        last = last * adjusted + value
        debias = debias * adjusted + 1
        shown.append(last / debias)
    return shown


# smoothing


@pytest.mark.parametrize("points", [2, 3, 10, 1000, 1024, 1025])
@pytest.mark.parametrize("weight", [0.1, 0.6, 0.99, 1.0])
def test_values_are_smoothed_by_wandbs_formula(points, weight):
    random = numpy.random.default_rng(points)
    x = numpy.sort(random.uniform(0, 500, points))
    values = random.normal(3, 1, points)
    assert smoothed(values, weight, x) == pytest.approx(by_the_published_formula(values, weight, x), rel=1e-9)


def test_smoothing_of_nought_gives_the_values_themselves():
    assert smoothed([3.0, 1.0, 2.0], 0).tolist() == [3.0, 1.0, 2.0]


def test_a_constant_stays_what_it_is_from_the_first_point_on():
    assert smoothed([2.0] * 500, 0.9).tolist() == pytest.approx([2.0] * 500)


def test_the_first_value_is_not_drawn_towards_nought():
    assert smoothed([5.0, 1.0, 1.0], 0.9)[0] == 5.0


def test_equal_gaps_smooth_as_the_plain_debiased_average_does():
    values = [4.0, 1.0, 3.0, 2.0, 5.0]
    weight, last, shown = 0.64, 0.0, []
    w = math.sqrt(weight) ** (1000 / 4)
    for n, value in enumerate(values, start=1):
        last = last * w + (1 - w) * value
        shown.append(last / (1 - w**n))
    assert smoothed(values, weight, [0, 10, 20, 30, 40]).tolist() == pytest.approx(shown)


def test_points_far_apart_stay_almost_what_they_are_and_points_close_together_do_not():
    sparse = smoothed([3.0, 1.0, 2.0], 0.6, [0, 500, 1000])
    assert sparse.tolist() == pytest.approx([3.0, 1.0, 2.0], abs=1e-6)
    dense = smoothed([3.0, 1.0] * 1000, 0.6)
    assert numpy.ptp(dense[200:]) < 0.7


def test_a_wider_chart_smooths_the_same_points_more():
    values = [3.0, 1.0, 3.0, 1.0]
    assert abs(smoothed(values, 0.6, span=3000)[-1] - 2) < abs(smoothed(values, 0.6, span=30)[-1] - 2)


@pytest.mark.parametrize("values", [[], [2.0], [1.0, 2.0]])
def test_lines_without_a_width_are_left_as_they_are(values):
    assert smoothed(values, 0.9, [7.0] * len(values)).tolist() == values


# outliers


def test_a_spike_is_left_out_of_the_range_and_the_ordinary_values_are_all_in_it():
    values = [1.0 + 0.01 * (i % 50) for i in range(1000)] + [900.0]
    low, high = clipped_range(values)
    assert low < 1.0 and 1.49 < high < 2.0


@pytest.mark.parametrize("sign", [1, -1])
def test_only_the_side_that_has_the_outlier_is_cut(sign):
    values = sign * numpy.concatenate([numpy.linspace(1, 2, 1000), [50.0]])
    low, high = sorted((sign * numpy.array(clipped_range(values))).tolist())
    assert low <= 1.0 and 2.0 <= high < 3.0


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0], list(range(100)), [3.0, 2.0, 1.5, 1.2, 1.1]])
def test_a_line_without_outliers_needs_no_range(values):
    assert clipped_range(values) is None


# thinning


@pytest.mark.parametrize("points", [1501, 2000, 2998, 2999, 10_000, 100_001])
def test_a_long_line_has_at_most_1500_points_in_order_with_its_first_last_least_and_greatest(points):
    y = numpy.random.default_rng(points).normal(size=points)
    chosen = kept(y)
    assert 0.6 * MOST_POINTS < len(chosen) <= MOST_POINTS == 1500
    assert (numpy.diff(chosen) > 0).all()
    assert {0, points - 1, int(y.argmin()), int(y.argmax())} <= set(chosen.tolist())


def test_no_spike_is_lost_however_many_there_are():
    y = numpy.ones(50_000)
    spikes = numpy.arange(100, 50_000, 1000)
    y[spikes] = 9.0
    y[spikes + 300] = -9.0
    assert {*spikes.tolist(), *(spikes + 300).tolist()} <= set(kept(y).tolist())


def test_a_line_that_fits_is_kept_whole():
    x, y = thinned(list(range(1500)), [1.0] * 1500)
    assert x.tolist() == list(range(1500)) and len(y) == 1500
    assert [part.tolist() for part in thinned([], [])] == [[], []]


def test_thinned_keeps_each_value_at_its_x():
    x = numpy.arange(5000) * 7
    shown_x, shown_y = thinned(x, x * 2.0, most=100)
    assert len(shown_x) <= 100
    assert (shown_y == shown_x * 2.0).all()


# histories


def test_each_metric_comes_with_the_rows_that_have_it():
    history = History.of(LINES)
    assert points(history, "loss") == [(1, 2.9), (2, 2.5)]
    assert points(history, "eval_loss") == [(0, 3.0), (2, 1.5)]
    assert points(history, "grad_norm") == []
    assert set(history.metrics) == {"eval_loss", "loss", "learning_rate"}


def test_x_is_a_step_an_epoch_or_the_seconds_since_the_run_began():
    history = History.of(LINES)
    assert axis(history, "step").tolist() == [0, 1, 2, 2]
    assert points(history, "loss", "epoch") == [(0.5, 2.9), (1.0, 2.5)]
    assert points(history, "loss", "time") == [(2.0, 2.9), (3.0, 2.5)]


def test_a_point_without_the_wanted_x_is_left_out():
    assert points(History.of([{"step": 1, "loss": 2.0}, *LINES[2:]]), "loss", "time") == [(3.0, 2.5)]


def test_what_is_not_a_number_is_no_metric():
    history = History.of([{"step": 1, "loss": 2.0, "not_finite": ["grad_norm"], "note": "x"}])
    assert history.metrics == ("loss",)


def test_a_metric_that_appears_late_has_no_value_before():
    history = History.of([*LINES, {"step": 3, "grad_norm": 0.5}])
    assert points(history, "grad_norm") == [(3, 0.5)]
    assert len(history["grad_norm"]) == len(history) == 5


def test_the_later_value_of_a_step_counts():
    history = History.of([*LINES, {"step": 2, "loss": 2.4, "elapsed_s": 9.0}])
    assert points(history, "loss") == [(1, 2.9), (2, 2.4)]
    assert points(history, "eval_loss") == [(0, 3.0), (2, 1.5)], "the same step, but another metric"


def test_what_a_run_measured_after_the_checkpoint_it_was_resumed_from_is_given_up():
    before = [{"step": step, "loss": 5.0, "elapsed_s": step} for step in range(1, 8)]
    after = [{"step": step, "loss": 4.0, "elapsed_s": step + 100} for step in (5, 6)]
    history = History.of([*before, {"step": 7, "eval_loss": 0.1, "elapsed_s": 8}, *after])
    assert points(history, "loss") == [(1, 5.0), (2, 5.0), (3, 5.0), (4, 5.0), (5, 4.0), (6, 4.0)]
    assert points(history, "eval_loss") == []
    assert (numpy.diff(axis(history, "time")) > 0).all()


def test_the_best_evaluation_is_the_first_of_the_lowest_and_needs_another_to_compare_with():
    lines = [{"step": step, "eval_loss": value} for step, value in [(0, 3.0), (10, 1.5), (20, 2.0), (30, 1.5)]]
    assert History.of(lines).best() == (10, 1.5)
    assert History.of(lines[:1]).best() is None
    assert History.of([]).best() is None


def test_a_history_is_taken_as_it_is_where_lines_are_expected():
    history = History.of(LINES)
    assert History.of(history) is history


# the reader


def write(folder, lines):
    (folder / metrics.FILE).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def test_a_reader_takes_what_was_added_and_leaves_what_it_gave_out_as_it_was(tmp_path):
    reader = Reader(tmp_path)
    metrics.append(tmp_path, LINES[0])
    assert reader.refresh()
    first = reader.history
    for line in LINES[1:]:
        metrics.append(tmp_path, line)
    assert reader.refresh()
    assert len(first) == 1
    assert points(reader.history, "loss") == points(History.of(LINES), "loss")


def test_only_the_added_bytes_are_read(tmp_path, monkeypatch):
    offsets, read = [], metrics.read
    monkeypatch.setattr(metrics, "read", lambda folder, offset: offsets.append(offset) or read(folder, offset))
    reader = Reader(tmp_path)
    write(tmp_path, LINES)
    size = (tmp_path / metrics.FILE).stat().st_size
    reader.refresh()
    metrics.append(tmp_path, {"step": 3, "loss": 2.0})
    reader.refresh()
    assert offsets == [0, size]


def test_a_refresh_that_finds_nothing_new_reads_nothing_and_keeps_the_history(tmp_path, monkeypatch):
    reader = Reader(tmp_path)
    write(tmp_path, LINES)
    reader.refresh()
    history = reader.history
    monkeypatch.setattr(metrics, "read", lambda *_: pytest.fail("the file was opened"))
    assert not reader.refresh()
    assert reader.history is history


def test_a_run_without_a_log_has_an_empty_history(tmp_path):
    reader = Reader(tmp_path / "missing")
    assert not reader.refresh()
    assert len(reader.history) == 0 and reader.history.metrics == ()


def test_a_half_written_line_waits_and_is_not_lost(tmp_path):
    reader = Reader(tmp_path)
    write(tmp_path, LINES[:1])
    reader.refresh()
    text = json.dumps(LINES[1]) + "\n"
    for part in (text[:20], text[20:]):
        with (tmp_path / metrics.FILE).open("a", encoding="utf-8") as file:
            file.write(part)
        changed = reader.refresh()
    assert changed
    assert points(reader.history, "loss") == [(1, 2.9)]


@pytest.mark.parametrize("lines", [[], LINES[:1], [{"step": n, "loss": 0.5} for n in range(1, 40)]], ids=len)
def test_a_file_cut_short_or_replaced_is_read_anew_even_where_it_is_longer_than_before(tmp_path, lines):
    reader = Reader(tmp_path)
    write(tmp_path, LINES)
    reader.refresh()
    write(tmp_path, lines)
    assert reader.refresh()
    assert points(reader.history, "loss") == points(History.of(lines), "loss")
    assert len(reader.history) == len(lines)


def test_a_log_that_is_gone_leaves_nothing_and_a_new_one_is_found(tmp_path):
    reader = Reader(tmp_path)
    write(tmp_path, LINES)
    reader.refresh()
    (tmp_path / metrics.FILE).unlink()
    assert reader.refresh()
    assert len(reader.history) == 0
    write(tmp_path, LINES)
    assert reader.refresh()
    assert len(reader.history) == len(LINES)


def test_a_run_that_is_resumed_between_two_refreshes_goes_on_from_its_checkpoint(tmp_path):
    reader = Reader(tmp_path)
    write(tmp_path, [{"step": step, "loss": 5.0} for step in range(1, 6)])
    reader.refresh()
    metrics.append(tmp_path, {"step": 3, "loss": 4.0})
    reader.refresh()
    assert points(reader.history, "loss") == [(1, 5.0), (2, 5.0), (3, 4.0)]

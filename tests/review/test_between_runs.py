"""finetune/review/between_runs.py: differences worked by hand, and two adapters that the demo's base really had."""

import json
import math
import shutil

import pytest

from finetune import models
from finetune.errors import ReviewError
from finetune.inference.backends import LocalBackend
from finetune.review import between_runs, evaluating
from finetune.review.evaluation import BITS, REPLIES, ROWS, Evaluation
from finetune.review.evaluation_figures import BETTER
from finetune.training.metrics import read_lines
from tests.conftest import make_adapter
from tests.review import evaluations
from tests.rows import ROWS as TEXTS

LENGTHS = [len(answer) for _, _, _, answer in TEXTS[:24]]


def laid_out(folder, name="run-a", **changes):
    return Evaluation.open(evaluations.lay_out(folder, name=name, **changes))


def rewritten(folder, name, change):
    """The lines of an evaluation's file, each changed in place by its number and itself."""
    lines = read_lines(folder / name)[0]
    for number, line in enumerate(lines):
        change(number, line)
    (folder / name).write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), "utf-8")


def figure(found, name):
    return next(one for one in found.figures if one.name == name)


@pytest.fixture
def pair(tmp_path):
    """Two runs, of which the second pays a quarter of a bit less for each character."""
    return laid_out(tmp_path / "a", gain=0.5), laid_out(tmp_path / "b", "run-b", gain=0.75)


def test_bits_are_the_second_runs_less_the_firsts_on_the_same_characters(pair):
    found = between_runs.compare(*pair)
    assert found.names == ("run-a", "run-b")
    bits = figure(found, "bits_per_character").difference
    assert bits["mean"] == pytest.approx(-0.25) and bits["n"] == 24
    assert bits["low"] is None, "a quarter of a bit at each question: no spread, so nothing to tell a range by"
    first = sum((1.5 + 0.01 * number) * length for number, length in enumerate(LENGTHS))
    assert found.saved["mean"] == pytest.approx(0.25 * sum(LENGTHS) / first)


def test_a_difference_has_the_interval_of_the_differences_and_not_of_two_scores_that_lie_wide_apart(pair):
    """Scores from 0 to 92, the second run's 1 or 3 higher in turn: 2 ± t(23) × s/√24 = 2 ± 2.069 × 1.0215/4.899."""
    for one, more in zip(pair, (lambda number: 0, lambda number: 1 + 2 * (number % 2)), strict=True):
        rewritten(one.folder, ROWS, lambda n, line, more=more: line["tuned"].update(chrf=4.0 * n + more(n)))
    difference = figure(between_runs.compare(*pair), "chrf").difference
    half = 2.069 * 1.0215 / math.sqrt(24)
    assert difference["mean"] == pytest.approx(2.0)
    assert difference["high"] - 2 == pytest.approx(2 - difference["low"]) == pytest.approx(half, rel=0.1)
    assert figure(between_runs.compare(*pair), "chrf").better == 1


def test_a_flag_that_is_up_for_six_of_24_in_the_second_run_only_has_newcombes_interval(tmp_path):
    """Both 0, first only 0, second only 6, neither 18: Wilson 0 to 0.138 and 0.120 to 0.449, no correlation to speak
    of: 0.25 - √(0.130² + 0.138²) = 0.060 and 0.25 + √(0.199² + 0²) = 0.449."""
    first = laid_out(tmp_path / "a")
    second = laid_out(tmp_path / "b", "run-b", said_at=dict.fromkeys(range(6), ""))
    empty = figure(between_runs.compare(first, second), "empty")
    assert (empty.first["mean"], empty.second["mean"], empty.difference["mean"]) == (0.0, 0.25, 0.25)
    assert empty.difference["low"] == pytest.approx(0.060, abs=0.001)
    assert empty.difference["high"] == pytest.approx(0.449, abs=0.001)
    assert empty.better == -1


def test_exchanged_runs_give_the_same_differences_with_the_opposite_sign(tmp_path):
    first = laid_out(tmp_path / "a", said_at={3: "হ্যাঁ।", 8: "না।"})
    second = laid_out(tmp_path / "b", "run-b", said_at=dict.fromkeys(range(10), "কী হয়েছে বলুন।"))
    there, back = between_runs.compare(first, second), between_runs.compare(second, first)
    assert {one.better for one in there.figures} >= {-1, 0}
    for one, other in zip(there.figures, back.figures, strict=True):
        assert one.name == other.name and one.better == -other.better
        for end, opposite in (("mean", "mean"), ("low", "high"), ("high", "low")):
            mirrored = other.difference[opposite]
            assert one.difference[end] == (None if mirrored is None else pytest.approx(-mirrored, abs=1e-9))
    assert [one.gain for one in there.replies] == [-one.gain for one in reversed(back.replies)]


def test_questions_are_matched_by_their_id_and_not_by_their_place(pair):
    expected = between_runs.compare(*pair).to_dict()
    for name in (BITS, REPLIES, ROWS):
        lines = (pair[1].folder / name).read_text("utf-8").splitlines(keepends=True)
        (pair[1].folder / name).write_text("".join(reversed(lines)), "utf-8")
    assert between_runs.compare(pair[0], Evaluation.open(pair[1].folder)).to_dict() == expected


def test_nearly_identical_questions_are_drawn_together_and_widen_the_interval(pair):
    for one, more in zip(pair, (lambda number: 0, lambda number: number // 6), strict=True):
        rewritten(one.folder, ROWS, lambda n, line, more=more: line["tuned"].update(chrf=50.0 + more(n)))
    apart = figure(between_runs.compare(*pair), "chrf").difference
    for one in pair:
        rewritten(one.folder, REPLIES, lambda n, line: line.update(group=n // 6))
    together = figure(between_runs.compare(*pair), "chrf").difference
    assert together["high"] - together["low"] > 1.5 * (apart["high"] - apart["low"])


def test_only_a_figure_with_a_good_direction_and_an_interval_beside_0_is_called_better(pair):
    nothing, there = {"mean": 1.0, "low": None, "high": None}, {"mean": 1.0, "low": 0.5, "high": 1.5}
    across = {**there, "low": -0.5}
    better = {
        (name, case): between_runs.Figure(name, {}, {}, difference).better
        for name in ("chrf", "truncated", "characters")
        for case, difference in (("none", nothing), ("beside", there), ("across", across))
    }
    assert "characters" not in BETTER
    assert {key: value for key, value in better.items() if value} == {
        ("chrf", "beside"): 1,
        ("truncated", "beside"): -1,
    }


def test_a_base_whose_weights_were_replaced_in_between_is_refused(pair):
    rewritten(pair[1].folder, BITS, lambda n, line: line.update(base=[1.05 * cost for cost in line["base"]]))
    with pytest.raises(ReviewError) as caught:
        between_runs.compare(*pair)
    assert caught.value.key == "between.base_changed"


def test_another_system_prompt_is_told_and_the_base_may_then_answer_otherwise(tmp_path):
    style = {**evaluations.DESCRIBED["format"], "system_prompt": "You are kind."}
    pair = laid_out(tmp_path / "a"), laid_out(tmp_path / "b", "run-b", format=style)
    rewritten(pair[1].folder, BITS, lambda n, line: line.update(base=[1.05 * cost for cost in line["base"]]))
    found = between_runs.compare(*pair)
    assert found.differs == {"system_prompt": ("You listen.", "You are kind.")}
    assert any("You are kind." in line for line in between_runs.table(found))


def test_two_evaluations_of_one_name_are_told_apart_by_their_weights(tmp_path):
    pair = laid_out(tmp_path / "a"), laid_out(tmp_path / "b", fingerprint="cd34" * 16)
    assert between_runs.compare(*pair).names == ("run-a ab12ab12", "run-a cd34cd34")


def test_the_same_weights_asked_otherwise_are_told_apart_by_their_folders(tmp_path):
    settings = {**evaluations.DESCRIBED["settings"], "repetition_penalty": 1.2}
    pair = laid_out(tmp_path / "plain"), laid_out(tmp_path / "penalised", settings=settings)
    assert between_runs.compare(*pair).names == ("run-a plain", "run-a penalised")


def test_files_that_hold_other_questions_than_their_order_says_are_refused(pair):
    rewritten(pair[1].folder, BITS, lambda n, line: line.update(id=f"other-{n}"))
    with pytest.raises(ReviewError) as caught:
        between_runs.compare(*pair)
    assert caught.value.key == "between.torn"


def test_the_table_says_which_figures_are_better_and_how_far_to_trust_that(tmp_path):
    first = laid_out(tmp_path / "a", said_at=dict.fromkeys(range(12), "হ্যাঁ।"))
    lines = between_runs.table(between_runs.compare(first, laid_out(tmp_path / "b", "run-b")))
    assert lines[0].startswith("No leakage found")
    (chrf,) = (line for line in lines if line.startswith("chrf "))
    assert chrf.endswith("  better") and "[+" in chrf
    assert "by chance" in lines[-1] and "another seed" in lines[-1]


def test_two_adapters_on_the_demo_base_differ_by_what_their_own_files_say(tmp_path):
    """A real small evaluation of each: the demo's adapter, and one of random weights, which knows no Bengali."""
    demo = LocalBackend(str(models.DEMO_BASE))
    random = make_adapter(models.DEMO_BASE, tmp_path / "random")
    shutil.copy(models.DEMO_ADAPTER / "prompt_format.json", random)
    orders = [
        evaluations.order(demo, 12, adapter=adapter, name=name)
        for name, adapter in (("random", random), ("demo", models.DEMO_ADAPTER))
    ]
    pair = [evaluating.run(tmp_path / order.name, order, demo) for order in orders]
    found = between_runs.compare(*pair)
    paid = [sum(cost for line in read_lines(one.folder / BITS)[0] for cost in line["tuned"]) for one in pair]
    assert found.saved["mean"] == pytest.approx(1 - paid[1] / paid[0])
    assert found.saved["low"] > 0, "trained weights are better than random ones"
    assert figure(found, "bits_per_character").better == 1
    assert found.to_dict()["runs"] == ["random", "demo"] and found.to_dict()["prompts"] == 12
    assert {one.second for one in found.replies} == {one.tuned for one in pair[1].replies}

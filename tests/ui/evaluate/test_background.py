"""One evaluation at a time, in the background, with the demo model: begun, stopped, taken up, told when it fails."""

import json
import threading
import time
from dataclasses import replace

import pytest

from finetune import models
from finetune.errors import ReviewError
from finetune.inference.backends import LocalBackend, ScriptedBackend
from finetune.models import DEMO
from finetune.recipe import Recipe
from finetune.review import bits_over_steps, evaluating, evaluation, evaluation_order, unfinished
from finetune.review.evaluating import Progress
from finetune.training import runs
from tests.review import evaluations
from ui.evaluate.background import EVALUATION, JUDGE, Background


@pytest.fixture(scope="module")
def backend():
    return LocalBackend(str(models.DEMO_BASE))


@pytest.fixture
def background(tmp_path, backend, monkeypatch):
    """It evaluates eight short questions instead of a whole split."""
    monkeypatch.setattr(
        evaluation_order, "of_demo", lambda one, split, limit, tokens: evaluations.order(one, split=split)
    )
    return Background(tmp_path, backend)


@pytest.fixture
def run_with(background, monkeypatch):
    """A run with the demo's adapter for its own and three validation rows; asked the same eight questions."""
    run = runs.create(background.home, Recipe.read("demo"))
    run.adapter.symlink_to(models.DEMO_ADAPTER)
    run.data.mkdir(exist_ok=True)
    rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in evaluations.KEPT[:3])
    (run.data / "validation.jsonl").write_text(rows, encoding="utf-8")
    monkeypatch.setattr(
        evaluation_order,
        "of_run",
        lambda run, one, split, limit, tokens: evaluations.order(one, split=split, name=run.name),
    )
    return run


def finished(job):
    """Wait until a job is over; fails where it never is."""
    end = time.monotonic() + 120
    while not job.over and time.monotonic() < end:
        time.sleep(0.02)
    assert job.over
    return job


def test_an_evaluation_is_made_and_the_second_time_it_is_there_already(background):
    job = finished(background.evaluate([DEMO], "test", None, over_steps=False))
    assert job.error is None and not job.stopped
    assert (job.name, job.progress.stage, job.progress.done) == (DEMO, "scores", 8)
    assert job.kind == EVALUATION and job.pace.share == 1.0
    scores = job.made / "scores.json"
    before = scores.stat().st_mtime_ns
    assert job.made.parent == background.home / "evaluations"
    assert finished(background.evaluate([DEMO], "test", None, over_steps=False)).made == job.made
    assert scores.stat().st_mtime_ns == before


def test_while_one_goes_on_another_is_refused_and_a_stop_keeps_what_is_done(background):
    going, may_end = threading.Event(), threading.Event()

    def work(job):
        going.set()
        may_end.wait(30)
        return False

    job = background.begin(EVALUATION, [DEMO], work)
    going.wait(30)
    with pytest.raises(ReviewError) as caught:
        background.evaluate([DEMO], "test", None, over_steps=False)
    assert caught.value.key == "evaluation.under_way" and background.busy
    background.end(JUDGE)
    assert not job.stopping  # the judge's page does not stop an evaluation
    background.end(EVALUATION)
    assert job.stopping and not job.stopped
    may_end.set()
    assert finished(job).stopped and not job.stopping and not background.busy


def test_a_stop_that_came_too_late_is_not_called_stopped(background):
    def work(job):
        job.stop.set()
        return True

    job = finished(background.begin(EVALUATION, [DEMO], work))
    assert job.whole and not job.stopped


def test_what_is_stopped_before_it_is_whole_is_no_evaluation_and_can_be_taken_up(background, monkeypatch):
    real = evaluating.run

    def stopped_at_once(folder, order, backend, stop, report):
        stop.set()
        return real(folder, order, backend, stop, report)

    monkeypatch.setattr(evaluating, "run", stopped_at_once)
    job = finished(background.evaluate([DEMO], "test", None, over_steps=False))
    assert job.stopped and job.made is None
    monkeypatch.setattr(evaluating, "run", real)
    assert finished(background.evaluate([DEMO], "test", None, over_steps=False)).made is not None


def test_what_a_killed_app_left_is_taken_up_as_it_was_begun(tmp_path, backend):
    """Not as the form is filled in: another split, so many questions, replies as long as they were to be."""
    order = evaluation_order.of_demo(backend, "validation", 4, new_tokens=7)
    folder, stop = evaluation_order.place(tmp_path, None, order), threading.Event()
    evaluating.run(folder, order, backend, stop, lambda at: stop.set() if at.stage == "replies" else None)
    (left,) = unfinished.listed(tmp_path, backend)
    assert (left.read, left.answered) == (4, 0)
    background = Background(tmp_path, backend)
    job = finished(background.go_on(left))
    assert job.error is None and job.whole and (job.name, job.made) == (DEMO, folder)
    assert unfinished.listed(tmp_path, backend) == []
    moved = finished(background.go_on(replace(left, questions=3)))
    assert moved.error.key == "evaluation.moved_on"


def test_checkpoints_are_measured_on_validation_whichever_split_is_evaluated(
    background, backend, run_with, monkeypatch
):
    run, measured = run_with, []

    def over_steps(one, _backend, split=bits_over_steps.SPLIT, **how):
        measured.append((one.name, split))
        how["report"](Progress("steps", 1, 2))  # it was stopped on the way

    monkeypatch.setattr(bits_over_steps, "over_steps", over_steps)
    job = finished(background.evaluate([run.name], "test", None, over_steps=True))
    assert job.error is None and measured == [(run.name, "validation")]
    assert job.made is not None and job.stopped  # the figures are whole, the checkpoints are not


def test_one_that_was_damaged_is_made_anew(background):
    made = finished(background.evaluate([DEMO], "test", None, over_steps=False)).made
    (made / "order.json").write_text("{", encoding="utf-8")
    job = finished(background.evaluate([DEMO], "test", None, over_steps=False))
    assert job.error is None and job.made == made and evaluation.within(background.home)[0].folder == made


def test_a_run_that_does_not_exist_ends_the_job_with_a_sentence(background):
    job = finished(background.evaluate(["nobody-001"], "test", None, over_steps=False))
    assert job.error.key == "run.unknown" and not job.stopped


def test_something_unforeseen_is_one_sentence_and_the_next_job_can_begin(background):
    def fails(job):
        raise ZeroDivisionError

    assert finished(background.begin(EVALUATION, [DEMO], fails)).error.key == "busy"
    assert finished(background.begin(EVALUATION, [DEMO], lambda job: True)).error is None


@pytest.mark.parametrize(
    ("names", "split", "key"), [([], "test", "evaluation.nothing"), ([DEMO], "train", "evaluation.split")]
)
def test_nothing_chosen_and_the_training_split_are_refused(background, names, split, key):
    with pytest.raises(ReviewError) as caught:
        background.evaluate(names, split, None, over_steps=False)
    assert caught.value.key == key and background.job is None


def test_a_model_on_another_machine_is_not_evaluated_from_here(tmp_path):
    with pytest.raises(ReviewError) as caught:
        Background(tmp_path, ScriptedBackend("ক")).evaluate([DEMO], "test", None, over_steps=False)
    assert caught.value.key == "evaluation.remote"

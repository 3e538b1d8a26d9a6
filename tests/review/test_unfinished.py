"""finetune/review/unfinished.py: what stopped on the way is found, and only where it can be taken up."""

import json
import os

import pytest

from finetune import models
from finetune.errors import ReviewError
from finetune.inference.backends import LocalBackend, ScriptedBackend
from finetune.recipe import Recipe
from finetune.review import evaluating, evaluation_order, unfinished
from finetune.review.evaluation import BITS, ORDER, REPLIES, SCORES
from finetune.training import runs


@pytest.fixture(scope="module")
def backend():
    return LocalBackend(str(models.DEMO_BASE))


@pytest.fixture(scope="module")
def order(backend):
    """Four questions of the demo's own validation split, short replies."""
    return evaluation_order.of_demo(backend, "validation", 4, new_tokens=7)


def begun(home, order, *, read=0, answered=0, written=1000, run=None, **changes):
    """What a process leaves that was killed after so many lines."""
    folder = evaluation_order.place(home, run, order)
    folder = folder.with_name(f"{folder.name}{len(list(home.rglob(ORDER))) or ''}")
    folder.mkdir(parents=True)
    (folder / ORDER).write_text(json.dumps({**order.described(), **changes}), encoding="utf-8")
    (folder / BITS).write_text("{}\n" * read, encoding="utf-8")
    (folder / REPLIES).write_text("{}\n" * answered + '{"id": ', encoding="utf-8")
    for name in (ORDER, BITS, REPLIES):
        os.utime(folder / name, (written, written))
    return folder


@pytest.fixture
def run(tmp_path):
    """A run with the demo's adapter for its own."""
    run = runs.create(tmp_path, Recipe.read("demo"))
    run.adapter.symlink_to(models.DEMO_ADAPTER)
    return run


def test_what_stopped_on_the_way_says_whose_it_is_and_how_far_it_came(tmp_path, backend, order):
    folder = begun(tmp_path, order, read=4, answered=2)
    (one,) = unfinished.listed(tmp_path, backend)
    assert (one.folder, one.name, one.split, one.new_tokens) == (folder, "demo", "validation", 7)
    assert (one.questions, one.read, one.answered) == (4, 4, 2)


def test_the_newest_comes_first_of_runs_and_the_demo(tmp_path, backend, order, run):
    begun(tmp_path, order, written=1000)
    begun(tmp_path, order, written=3000)
    begun(tmp_path, order, run=run, written=2000, name=run.name, adapter=f"run:{run.name}")
    assert [one.written for one in unfinished.listed(tmp_path, backend)] == [3000, 2000, 1000]
    assert [one.name for one in unfinished.listed(tmp_path, backend)] == ["demo", run.name, "demo"]


@pytest.mark.parametrize(
    "changes",
    [
        {"fingerprint": "ab12" * 16},
        {"resident": "another base"},
        {"name": "another run"},
        {"measure": 1},
        {"format": {"name": "reference", "system_prompt": "You listen."}},
        {"settings": {"max_new_tokens": 7, "repetition_penalty": 9.0}},
        {"split": "train"},
    ],
)
def test_what_would_be_asked_otherwise_now_cannot_be_taken_up(tmp_path, backend, order, changes):
    begun(tmp_path, order, **changes)
    assert unfinished.listed(tmp_path, backend) == []


def test_neither_whole_nor_damaged_ones_are_listed_and_do_not_hide_the_others(tmp_path, backend, order, run):
    left = begun(tmp_path, order)
    (begun(tmp_path, order) / SCORES).write_text("{}", encoding="utf-8")
    (begun(tmp_path, order) / ORDER).write_text("{}", encoding="utf-8")
    run.adapter.unlink()
    begun(tmp_path, order, run=run, name=run.name, adapter=f"run:{run.name}")
    assert [one.folder for one in unfinished.listed(tmp_path, backend)] == [left]


def test_what_another_process_is_at_is_not_called_unfinished(tmp_path, backend, order):
    with evaluating.alone(begun(tmp_path, order)):
        assert unfinished.listed(tmp_path, backend) == []
    assert len(unfinished.listed(tmp_path, backend)) == 1


def test_without_a_model_on_this_machine_nothing_can_be_taken_up(tmp_path, order):
    begun(tmp_path, order)
    assert unfinished.listed(tmp_path, ScriptedBackend("ক")) == []


def test_other_questions_are_refused(tmp_path, backend, order):
    begun(tmp_path, order)
    (one,) = unfinished.listed(tmp_path, backend)
    unfinished.check_same(one, order)
    with pytest.raises(ReviewError) as caught:
        unfinished.check_same(one, evaluation_order.of_demo(backend, "validation", 5, new_tokens=7))
    assert caught.value.key == "evaluation.moved_on"

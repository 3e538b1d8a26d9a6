"""finetune/review/comparable.py: what cannot be compared is refused in one sentence that names both runs."""

import shutil

import pytest

from finetune.errors import ReviewError
from finetune.review import comparable
from finetune.review.evaluation import SCORES, Evaluation
from tests.review import evaluations

SETTINGS = evaluations.DESCRIBED["settings"]


def laid_out(folder, name, **changes):
    return Evaluation.open(evaluations.lay_out(folder / name, name=name, **changes))


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    return laid_out(tmp_path_factory.mktemp("first"), "run-a")


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("between.split", {"split": "validation"}),
        ("between.questions", {"texts": "another sum"}),
        ("between.base", {"resident": "base, 16-bit"}),
        ("between.measure", {"measure": 1}),
        ("between.length", {"settings": {**SETTINGS, "max_new_tokens": 300}}),
    ],
)
def test_what_was_not_asked_alike_is_refused_and_both_runs_are_named(first, tmp_path, key, changes):
    other = laid_out(tmp_path, "run-b", **changes)
    assert not comparable.comparable(first, other)
    with pytest.raises(ReviewError) as caught:
        comparable.check(first, other)
    assert caught.value.key == key
    assert "run-a" in str(caught.value) and "run-b" in str(caught.value)


def test_an_evaluation_that_is_not_finished_is_refused(first, tmp_path):
    folder = evaluations.lay_out(tmp_path / "half", name="run-b")
    (folder / SCORES).unlink()
    with pytest.raises(ReviewError, match="run-b .*not finished") as caught:
        comparable.check(first, Evaluation.open(folder))
    assert caught.value.key == "evaluation.unfinished"


def test_an_evaluation_is_not_compared_with_itself_or_with_a_copy_of_itself(first, tmp_path):
    copy = shutil.copytree(first.folder, tmp_path / "copy")
    for folder in (first.folder, copy):
        with pytest.raises(ReviewError, match="twice"):
            comparable.check(first, Evaluation.open(folder))


@pytest.mark.parametrize(
    "changes",
    [{"format": {"name": "reference", "system_prompt": ""}}, {"settings": {**SETTINGS, "repetition_penalty": 1.2}}],
    ids=["the format", "the repetition penalty"],
)
def test_what_belongs_to_a_recipe_may_differ(first, tmp_path, changes):
    comparable.check(first, laid_out(tmp_path, "run-b", **changes))


def test_the_latest_two_that_can_be_compared_are_chosen(first, tmp_path):
    quick = laid_out(tmp_path, "quick", texts="fewer questions")
    fitting, older = laid_out(tmp_path, "fitting"), laid_out(tmp_path, "older")
    assert comparable.choose([first], [quick, fitting, older]) == (first, fitting)
    with pytest.raises(ReviewError) as caught:
        comparable.choose([first], [quick])
    assert caught.value.key == "between.questions"


def test_rounding_of_another_machine_is_the_same_base_and_new_weights_are_not(first, tmp_path):
    other = laid_out(tmp_path, "run-b")
    comparable.check_base(first, other, [100.0, 50.0], [100.9, 50.5])
    with pytest.raises(ReviewError) as caught:
        comparable.check_base(first, other, [100.0, 50.0], [97.0, 51.0])
    assert caught.value.key == "between.base_changed"

"""finetune/training/evaluated.py: a run's folder tells its history and its card what an evaluation came to."""

import json
import shutil

import pytest

from finetune.errors import RunError
from finetune.recipe import Recipe
from finetune.review.contestants import Contestant
from finetune.training import evaluated, runs
from tests.review import evaluations


def result_of(run, **changes):
    """The result by hand, of the run's adapter."""
    fingerprint = Contestant(run.name, run.adapter).fingerprint()
    return {**evaluations.figures()[0], "fingerprint": fingerprint, **changes}


@pytest.fixture
def run(tmp_path):
    """A run with an adapter's file, evaluated since."""
    made = runs.create(tmp_path, Recipe.read("demo"))
    made.adapter.mkdir()
    (made.adapter / "adapter_model.safetensors").touch()
    evaluated.keep(made, result_of(made))
    return made


def test_what_is_kept_is_read_back_with_its_intervals(run):
    (kept,), result = evaluated.read(run), evaluations.figures()[0]
    assert kept["bits_saved"] == result["bits_saved"]
    assert kept["figures"]["chrf"]["difference"] == result["difference"]["chrf"]


def test_a_run_that_nobody_evaluated_says_nothing(tmp_path):
    assert evaluated.read(runs.create(tmp_path, Recipe.read("demo"))) == []


def test_a_quick_look_at_validation_does_not_stand_in_for_the_whole_test(run):
    evaluated.keep(run, result_of(run, split="validation", prompts=4))
    assert [(one["split"], one["prompts"]) for one in evaluated.read(run)] == [("test", 24), ("validation", 4)]
    told = evaluated.card(evaluated.read(run))
    assert [line.split()[4] for line in told if " questions of the " in line] == ["test", "validation"]


def test_of_one_split_the_evaluation_with_more_questions_is_kept(run):
    evaluated.keep(run, result_of(run, prompts=20))
    assert evaluated.read(run)[0]["prompts"] == 24
    evaluated.keep(run, result_of(run, prompts=25))
    assert evaluated.read(run)[0]["prompts"] == 25


def test_an_adapter_that_was_written_again_is_not_the_one_that_was_evaluated(run):
    (run.adapter / "adapter_model.safetensors").write_bytes(b"other weights")
    assert evaluated.read(run) == []
    evaluated.keep(run, result_of(run, prompts=5))  # of the new one five are more than none
    assert evaluated.read(run)[0]["prompts"] == 5


def test_a_copy_of_a_run_whose_files_got_new_times_keeps_its_evaluation(run, tmp_path):
    copy = runs.Run(shutil.copytree(run.folder, tmp_path / "copy", copy_function=shutil.copyfile))
    (copy.adapter / "adapter_model.safetensors").touch()  # later than the evaluation's file
    assert len(evaluated.read(copy)) == 1


def test_a_file_of_one_evaluation_as_it_once_was_is_still_read(run):
    one = evaluated.headline(result_of(run))
    (run.folder / evaluated.FILE).write_text(json.dumps(one), encoding="utf-8")
    assert evaluated.read(run) == [one]


def test_a_damaged_file_is_told_in_words(run):
    (run.folder / evaluated.FILE).write_text("[", encoding="utf-8")
    with pytest.raises(RunError) as caught:
        evaluated.read(run)
    assert caught.value.key == "run.damaged_evaluation"
    evaluated.keep(run, result_of(run))  # as the sentence says, evaluating again mends it
    assert len(evaluated.read(run)) == 1


def test_a_card_gets_leakage_first_and_a_table_with_intervals(run):
    told = evaluated.card(evaluated.read(run))
    assert told[0].startswith("No leakage found")
    table = [line for line in told if line.startswith("| ")]
    assert len(table) == 1 + len(evaluated.FIGURES)
    assert "[" in table[1] and table[1].count("|") == 5
    assert any("No figure here measures empathy" in line for line in told)

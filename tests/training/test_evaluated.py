"""finetune/training/evaluated.py: a run's folder tells its history and its card what an evaluation came to."""

import os

import pytest

from finetune.errors import RunError
from finetune.recipe import Recipe
from finetune.training import evaluated, runs
from tests.review import evaluations


@pytest.fixture
def run(tmp_path):
    """A run with an adapter's file, evaluated since."""
    made = runs.create(tmp_path, Recipe.read("demo"))
    made.adapter.mkdir()
    (made.adapter / "adapter_model.safetensors").touch()
    evaluated.keep(made, evaluations.figures()[0])
    return made


def test_what_is_kept_is_read_back_with_its_intervals(run):
    kept, result = evaluated.read(run), evaluations.figures()[0]
    assert kept["bits_saved"] == result["bits_saved"]
    assert kept["figures"]["chrf"]["difference"] == result["difference"]["chrf"]


def test_a_run_that_nobody_evaluated_says_nothing(tmp_path):
    assert evaluated.read(runs.create(tmp_path, Recipe.read("demo"))) is None


def test_an_adapter_that_was_written_again_is_not_the_one_that_was_evaluated(run):
    later = (run.folder / evaluated.FILE).stat().st_mtime_ns + 1_000_000
    os.utime(run.adapter / "adapter_model.safetensors", ns=(later, later))
    assert evaluated.read(run) is None


def test_a_damaged_file_is_told_in_words(run):
    (run.folder / evaluated.FILE).write_text("[", encoding="utf-8")
    with pytest.raises(RunError) as caught:
        evaluated.read(run)
    assert caught.value.key == "run.damaged_evaluation"


def test_a_card_gets_leakage_first_and_a_table_with_intervals(run):
    told = evaluated.lines(evaluated.read(run))
    assert told[0].startswith("No leakage found")
    table = [line for line in told if line.startswith("| ")]
    assert len(table) == 1 + len(evaluated.FIGURES)
    assert "[" in table[1] and table[1].count("|") == 5
    assert any("No figure here measures empathy" in line for line in told)

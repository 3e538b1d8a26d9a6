"""Which engine trains, why, and what is told where the one that was asked for cannot."""

import importlib
import sys
from dataclasses import replace

import pytest

from finetune.errors import FinetuneError
from finetune.recipe import Recipe
from finetune.training import engine
from tests.training.test_batching import A100, H200, LAPTOP, T4, changed
from ui import wording


def named(recipe: Recipe, machine, *, installed: bool = True) -> str:
    return engine.chosen(recipe, machine, installed).name


DPO = {"training__objective": "dpo", "data__source": "dpo.jsonl"}


@pytest.mark.parametrize(
    ("settings", "machine", "installed", "name", "why"),
    [
        ({}, LAPTOP, True, "transformers", "needs a GPU"),
        ({}, H200, True, "transformers", "NVIDIA H200 needs no padding"),
        ({"training__plan": "as_written"}, A100, True, "transformers", "needs no padding"),
        ({}, T4, True, "unsloth", "compute capability 8.0 and this card has 7.5"),
        ({}, T4, False, "transformers", "`pip install -r requirements-gpu.txt` brings it"),
        ({}, replace(T4, cards=2), True, "transformers", "spread over 2 cards"),
        ({"base__load_in_4bit": True}, replace(T4, cards=2), True, "unsloth", "compute capability 8.0"),
        ({"adapter__lora_dropout": 0.1}, H200, True, "unsloth", "dropout"),
        ({"adapter__bias": "all"}, H200, True, "unsloth", "biases"),
        ({"base__dtype": "float16"}, H200, True, "unsloth", "float16"),
        (DPO, H200, True, "transformers", "not dpo"),
        (DPO, T4, True, "transformers", "not dpo"),
        ({"base__dtype": "float32"}, H200, True, "transformers", "cannot compute in float32"),
        ({"base__dtype": "bfloat16"}, T4, True, "transformers", "cannot compute in bfloat16"),
        ({"training__engine": "transformers"}, T4, True, "transformers", "the recipe says so"),
        ({"training__engine": "unsloth"}, H200, True, "unsloth", "the recipe says so"),
        ({"training__engine": "unsloth", "base__load_in_4bit": True}, T4, True, "unsloth", "the recipe says so"),
    ],
)
def test_the_engine_goes_by_card_recipe_and_what_is_installed_and_says_why(settings, machine, installed, name, why):
    found = engine.chosen(changed(**settings), machine, installed)
    assert found.name == name
    assert found.why.startswith(f"{name}, because ") and why in found.why and "\n" not in found.why


@pytest.mark.parametrize(
    ("settings", "machine", "installed", "key", "advice"),
    [
        ({}, LAPTOP, True, "run.unsloth_no_gpu", "auto or transformers"),
        ({}, LAPTOP, False, "run.unsloth_no_gpu", "auto or transformers"),
        ({}, T4, False, "run.unsloth_missing", "pip install -r requirements-gpu.txt"),
        ({"base__dtype": "bfloat16"}, T4, True, "run.unsloth_dtype", "base.dtype to auto"),
    ],
)
def test_unsloth_that_was_asked_for_and_cannot_be_is_told_with_what_to_do(settings, machine, installed, key, advice):
    asked = changed(training__engine="unsloth", **settings)
    with pytest.raises(FinetuneError, match=advice) as told:
        engine.chosen(asked, machine, installed)
    assert told.value.key == key
    assert engine.expected(asked, machine, installed) == asked, "an estimate is shown all the same"


@pytest.mark.parametrize("installed", [True, False])
def test_unsloth_is_refused_where_several_processes_train_together_and_auto_does_without_it(installed):
    asked = changed(training__engine="unsloth")
    with pytest.raises(FinetuneError, match="one process here, and 2 were started.*transformers") as told:
        engine.chosen(asked, T4, installed, processes=2)
    assert told.value.key == "run.unsloth_processes"
    assert "transformers" in wording.error(told.value, "bn") and "২টা" in wording.error(told.value, "bn")
    assert engine.chosen(changed(), T4, installed, processes=2).name == "transformers"


def test_what_was_chosen_is_written_into_the_recipe_and_chosen_again_when_the_run_is_resumed():
    for machine in (H200, T4, LAPTOP):
        first = engine.chosen(changed(), machine, True)
        kept = engine.settled(changed(), first)
        assert kept.training.engine == first.name
        assert named(kept, machine) == first.name
        assert engine.settled(kept, first) is kept
    assert named(engine.settled(changed(), engine.chosen(changed(), T4, False)), T4) == "transformers"


def test_unsloth_is_looked_for_and_not_imported(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert not engine.unsloth_installed()
    (tmp_path / "unsloth").mkdir()
    (tmp_path / "unsloth" / "__init__.py").write_text("raise AssertionError('imported')", encoding="utf-8")
    importlib.invalidate_caches()
    assert engine.unsloth_installed()
    assert engine.expected(changed(), T4, engine.unsloth_installed()).training.engine == "unsloth"
    assert "unsloth" not in sys.modules


def test_a_card_that_computes_in_bfloat16_takes_unsloth_in_it():
    assert (
        named(changed(training__engine="unsloth", base__dtype="bfloat16"), replace(T4, capability=(8, 0))) == "unsloth"
    )

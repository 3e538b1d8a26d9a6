"""A run through Unsloth's place in the house, with a stand-in for Unsloth that loads by transformers and PEFT.

What Unsloth's own kernels do is for tests/gpu. Here: when it is imported, what it is asked for, and that everything
around it, from examples to callbacks, is as for any other run.
"""

import json
import os
import subprocess
import sys

import pytest

from finetune.errors import RunError
from finetune.recipe import ROOT, Recipe
from finetune.training import metrics, runs, unsloth_model
from tests.conftest import kept_environment, write_csv

STAND_IN = """
import os, sys

EARLY = sorted({"transformers", "trl", "peft"} & set(sys.modules))
ENVIRONMENT = {name: os.environ.get(name) for name in ("UNSLOTH_DISABLE_STATISTICS", "TRANSFORMERS_OFFLINE")}


class FastLanguageModel:
    loaded, adapted, trained = {}, {}, 0

    @classmethod
    def from_pretrained(cls, model_name, dtype, **settings):
        from transformers import AutoModelForCausalLM

        cls.loaded = settings
        return AutoModelForCausalLM.from_pretrained(model_name, dtype=dtype, attn_implementation="eager"), None

    @classmethod
    def get_peft_model(cls, model, use_gradient_checkpointing, random_state, **settings):
        from peft import LoraConfig, get_peft_model

        cls.adapted = {"use_gradient_checkpointing": use_gradient_checkpointing, **settings}
        return get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **settings))

    @classmethod
    def for_training(cls, model):
        cls.trained += 1
"""

PROGRAM = """
import json, sys
from dataclasses import replace
from pathlib import Path
from finetune.training import runs, trainer

by_unsloth, plain = (runs.at(Path(folder)) for folder in sys.argv[1:])
here = trainer.machine_now
trainer.machine_now = lambda home: replace(here(home), kind="cuda", name="Tesla T4", cards=1, capability=(7, 5))
trainer.train(by_unsloth)
trainer.machine_now = here
trainer.train(plain)

import unsloth
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling
from unsloth import FastLanguageModel as fast

print(json.dumps({
    "early": unsloth.EARLY, "environment": unsloth.ENVIRONMENT, "loaded": fast.loaded, "adapted": fast.adapted,
    "trained": fast.trained,
}))
"""


@pytest.fixture(scope="module")
def trained(tiny_base, tiny_adapter, tmp_path_factory):
    """A run that goes on from an adapter by the stand-in and its like by transformers; what was seen and printed."""
    home = tmp_path_factory.mktemp("unsloth")
    (home / "site" / "unsloth").mkdir(parents=True)
    (home / "site" / "unsloth" / "__init__.py").write_text(STAND_IN, encoding="utf-8")
    recipe = Recipe.from_dict(
        {
            "base": {"model": str(tiny_base)},
            "data": {"source": str(write_csv(home / "corpus.csv"))},
            "adapter": {"r": 4, "lora_alpha": 8, "start_from": str(tiny_adapter)},
            "training": {
                "max_length": 4096,
                "per_device_train_batch_size": 4,
                "per_device_eval_batch_size": 32,
                "gradient_accumulation_steps": 2,
                "learning_rate": 0.001,
                "warmup_steps": 0,
                "max_steps": 2,
                "eval_steps": 2,
                "save_steps": 2,
            },
            "generation": {"max_new_tokens": 4},
        }
    )
    made = [runs.create(home, recipe), runs.create(home, recipe.with_settings({"training.engine": "transformers"}))]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *(str(run.folder) for run in made)],
        cwd=home,
        env={**os.environ, "PYTHONPATH": f"{home / 'site'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return *made, json.loads(done.stdout.splitlines()[-1]), done.stdout


def test_unsloth_is_imported_before_what_it_changes_and_asks_no_network(trained):
    _, _, seen, _ = trained
    assert seen["early"] == []
    assert seen["environment"] == {"UNSLOTH_DISABLE_STATISTICS": "1", "TRANSFORMERS_OFFLINE": "1"}


def test_auto_takes_it_where_the_card_needs_padding_and_the_run_s_recipe_and_log_say_so(trained):
    run, plain, _, output = trained
    assert run.recipe().training.engine == "unsloth" and plain.recipe().training.engine == "transformers"
    assert "engine: unsloth, because with padding it takes less memory, and attention" in output
    assert "batches: padded batches, because Unsloth is given whole batches" in output


def test_unsloth_is_asked_for_what_the_recipe_says_and_for_the_very_base(trained):
    _, _, seen, _ = trained
    assert seen["loaded"] == {
        "max_seq_length": 2048,  # of the base: the recipe's 4096 would stretch its positions
        "load_in_4bit": False,
        "device_map": {"": 0},
        "use_exact_model_name": True,
        "use_gradient_checkpointing": False,
        "random_state": 3407,
    }
    assert seen["adapted"] == {
        "use_gradient_checkpointing": False,
        "r": 4,
        "lora_alpha": 8,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    }


def test_the_same_is_learnt_from_the_same_adapter_as_without_it(trained):
    run, plain, _, _ = trained
    assert run.status().state == plain.status().state == "finished"
    logs = [metrics.read(each.folder)[0] for each in (run, plain)]
    for key in ("loss", "eval_loss", "tokens"):
        found, expected = (metrics.series(log, key)[1] for log in logs)
        assert len(expected) == 2 and found == pytest.approx(expected, rel=2e-2), key
    assert (run.folder / "samples.jsonl").is_file()


def test_after_every_evaluation_the_model_is_told_again_how_it_trains(trained):
    assert trained[2]["trained"] == 2  # before the first update, and after the second


def test_unsloth_that_cannot_be_imported_is_told_with_what_to_do_and_the_log_says_more(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "unsloth", None)
    with kept_environment(), pytest.raises(RunError, match="training.engine to transformers") as told:
        unsloth_model.begin(tmp_path)
    assert (told.value.key, told.value.facts) == ("run.unsloth_broken", {"kind": "ModuleNotFoundError"})
    assert "Traceback" in capsys.readouterr().err


def test_a_variable_that_somebody_set_says_where_unsloth_writes(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "unsloth", object())
    with kept_environment():
        os.environ.pop("UNSLOTH_COMPILE_LOCATION", None)
        unsloth_model.begin(tmp_path)
        assert os.environ["UNSLOTH_COMPILE_LOCATION"] == str(tmp_path / "unsloth")
        os.environ["UNSLOTH_COMPILE_LOCATION"] = "elsewhere"
        unsloth_model.begin(tmp_path)
        assert os.environ["UNSLOTH_COMPILE_LOCATION"] == "elsewhere"

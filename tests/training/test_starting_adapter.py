"""finetune/training/starting_adapter.py: found by every spelling, refused where it does not fit, kept with the run."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from finetune import models
from finetune.data.prompts import PromptFormat
from finetune.errors import FinetuneError, ModelError, RunError
from finetune.recipe import ROOT, Recipe
from finetune.training import checkpoints, runs, starting_adapter, trainer
from tests.conftest import kept_environment, make_adapter, write_csv
from tests.training.taken import trained_run
from tests.training.test_trainer import files, recipe, series, tensors


@pytest.fixture
def fitting(tiny_base, tiny_adapter):
    """A recipe that can go on from the tiny adapter, with some settings changed."""

    def fitting(**settings) -> Recipe:
        wanted = starting_adapter.settings(tiny_adapter) | {"adapter.start_from": str(tiny_adapter)}
        return Recipe().with_settings(wanted | {name.replace("__", "."): value for name, value in settings.items()})

    return fitting


def with_checkpoint(run: runs.Run, adapter: Path) -> Path:
    """Give a run a whole checkpoint of step 2 as the trainer writes one, without the prompt format."""
    folder = run.checkpoints / "checkpoint-2"
    folder.mkdir(parents=True)
    for name in starting_adapter.FILES:
        shutil.copy(adapter / name, folder / name)
    for name in checkpoints.PARTS[1:]:
        (folder / name).touch()
    (folder / checkpoints.STATE).write_text("{}", encoding="utf-8")
    return folder


# where it lies


def test_an_adapter_is_found_by_a_run_s_name_a_checkpoint_s_a_folder_s_and_as_the_demo(tmp_path, tiny_adapter):
    run = trained_run(tmp_path, Path("base"), tiny_adapter)
    checkpoint = with_checkpoint(run, tiny_adapter)
    found = {spelling: starting_adapter.find(spelling, tmp_path) for spelling in (
        run.name, f"run:{run.name}", f"{run.name}/checkpoint-2", f"run:{run.name}/checkpoint-2", str(run.folder),
        str(tiny_adapter), "demo", "assets/demo/adapter",
    )}  # fmt: skip
    assert [folder.resolve() for folder in found.values()] == [
        run.adapter, run.adapter, checkpoint, checkpoint, run.adapter, tiny_adapter, models.DEMO_ADAPTER,
        models.DEMO_ADAPTER,
    ]  # fmt: skip


@pytest.mark.parametrize("spelling", ["nowhere-001", "/nowhere/adapter", "./nowhere", "a/b/c", "খুব " * 300, "run:"])
def test_what_is_nowhere_is_told_in_one_sentence(tmp_path, spelling):
    with pytest.raises(FinetuneError) as told:
        starting_adapter.find(spelling, tmp_path)
    assert told.value.key in ("run.unknown", "model.no_adapter")


def test_a_run_without_an_adapter_and_a_checkpoint_that_is_not_there_are_told(tmp_path, tiny_adapter):
    run = trained_run(tmp_path, Path("base"), tiny_adapter)
    shutil.rmtree(run.adapter)
    with pytest.raises(ModelError, match="no adapter"):
        starting_adapter.find(run.name, tmp_path)
    with pytest.raises(RunError, match="no checkpoint"):
        starting_adapter.find(f"{run.name}/checkpoint-7", tmp_path)


# whether it fits


def test_its_settings_make_the_dpo_preset_fit_the_demo_adapter_as_it_does_by_itself():
    preset = Recipe.read("demo-dpo")
    starting_adapter.check(preset, models.DEMO_ADAPTER)
    found = starting_adapter.settings(models.DEMO_ADAPTER)
    assert found["base.model"] == "assets/demo/base" and (found["adapter.r"], found["adapter.lora_alpha"]) == (16, 32)
    assert preset.with_settings(found).to_dict()["adapter"]["r"] == 16


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"adapter__r": 8}, "adapter.r=4"),
        ({"adapter__lora_alpha": 16}, "adapter.lora_alpha=8"),
        ({"adapter__target_modules": "q_proj"}, "adapter.target_modules=down_proj,gate_proj,k_proj"),
        ({"base__model": "assets/demo/base"}, "base.model="),
        ({"base__model": "unsloth/Llama-3.2-1B-Instruct"}, "base.model="),
        ({"data__prompt_format": "official"}, "data.prompt_format=shohomormi"),
        ({"data__system_prompt": "Be brief."}, "data.system_prompt=You are a sympathetic"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_recipe_that_does_not_fit_is_refused_with_the_setting_that_would(fitting, tiny_adapter, changed, said):
    starting_adapter.check(fitting(), tiny_adapter)
    with pytest.raises(ModelError, match="set ") as told:
        starting_adapter.check(fitting(**changed), tiny_adapter)
    assert told.value.key == "model.start_differs"
    assert told.value.facts["settings"].startswith(said) and ", " not in told.value.facts["settings"].split("model=")[0]


def test_everything_that_does_not_fit_is_told_at_once(fitting, tiny_adapter):
    with pytest.raises(ModelError, match="adapter.r=4, adapter.lora_alpha=8"):
        starting_adapter.check(fitting(adapter__r=2, adapter__lora_alpha=2, adapter__lora_dropout=0.3), tiny_adapter)


def test_a_base_is_the_same_however_its_folder_is_written(tmp_path):
    preset = Recipe.read("demo-dpo").with_settings({"base.model": str(ROOT / "assets" / "demo" / "base")})
    starting_adapter.check(preset, models.DEMO_ADAPTER)


def test_a_checkpoint_takes_base_and_format_from_its_run(tmp_path, tiny_adapter):
    made = Recipe("tiny").with_settings({"base.model": "owner/base", "data.system_prompt": "অল্প কথায়।"})
    folder = with_checkpoint(trained_run(tmp_path, None, tiny_adapter, made), tiny_adapter)
    found = starting_adapter.settings(folder)
    assert (found["base.model"], found["data.system_prompt"]) == ("owner/base", "অল্প কথায়।")


# the run's own copy


def test_a_run_keeps_a_copy_once_and_no_longer_asks_for_the_original(fitting, tmp_path, tiny_adapter):
    reviewed = Path(shutil.copytree(tiny_adapter, tmp_path / "reviewed"))
    made = fitting(adapter__start_from=str(reviewed))
    run = runs.create(tmp_path, made)
    (run.folder / "start.part").mkdir()  # as a killed process leaves it
    copy = starting_adapter.kept(run, made)
    assert files(copy) == {"adapter_config.json", "adapter_model.safetensors", "prompt_format.json"}
    shutil.rmtree(reviewed)
    assert starting_adapter.kept(run, made) == copy
    assert "start.part" not in files(run.folder)


def test_the_copy_of_a_checkpoint_gets_its_run_s_format(fitting, tmp_path, tiny_adapter):
    style = PromptFormat("official", "অল্প কথায়।")
    settings = {"data.prompt_format": style.name, "data.system_prompt": style.system_prompt}
    other = trained_run(tmp_path, None, tiny_adapter, fitting(adapter__start_from="").with_settings(settings))
    with_checkpoint(other, tiny_adapter)
    made = fitting(adapter__start_from=f"{other.name}/checkpoint-2").with_settings(settings)
    assert PromptFormat.load(starting_adapter.kept(runs.create(tmp_path, made), made)) == style


def test_a_fresh_adapter_needs_no_copy(tmp_path):
    run = runs.create(tmp_path, Recipe())
    assert starting_adapter.kept(run, Recipe()) is None
    assert "start" not in files(run.folder)


def test_a_damaged_adapter_is_told_before_anything_is_copied(fitting, tmp_path, tiny_adapter):
    broken = Path(shutil.copytree(tiny_adapter, tmp_path / "broken"))
    (broken / "adapter_model.safetensors").write_bytes(b"\x08")
    made = fitting(adapter__start_from=str(broken))
    run = runs.create(tmp_path, made)
    with pytest.raises(ModelError, match="damaged"):
        starting_adapter.kept(run, made)
    assert "start" not in files(run.folder)


def test_an_adapter_on_another_base_ends_the_run_before_its_data_are_read(tmp_path, tiny_adapter):
    made = Recipe("x").with_settings({"adapter.start_from": str(tiny_adapter), "data.source": "/nowhere.csv"})
    run = runs.create(tmp_path, made)
    with pytest.raises(ModelError, match="other settings"):
        trainer.train(run)
    assert (run.status().state, run.status().error_key) == ("failed", "model.start_differs")


# learning on


def test_learning_on_begins_with_every_weight_as_it_was_and_the_recipe_s_dropout(tiny_base, tiny_adapter, fitting):
    base, _ = models.load_base(str(tiny_base), four_bit=False, dtype="bfloat16")
    model = starting_adapter.load(base, tiny_adapter, fitting(adapter__lora_dropout=0.25))
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    kept = tensors(tiny_adapter)
    assert {name.replace(".default", "") for name in learning} == set(kept)
    for name, parameter in learning.items():
        assert parameter.dtype == torch.float32 and torch.equal(parameter, kept[name.replace(".default", "")])
    assert model.peft_config["default"].lora_dropout == 0.25


def test_a_fresh_adapter_is_filled_with_another_s_weights_and_told_what_a_recipe_cannot_say(tiny_base, tmp_path):
    from peft import LoraConfig, get_peft_model

    start = make_adapter(tiny_base, tmp_path / "start", use_rslora=True, rank_pattern={"q_proj": 2})
    beyond = starting_adapter.beyond_a_recipe(start)
    assert beyond == {"use_rslora": True, "rank_pattern": {"q_proj": 2}}
    assert starting_adapter.beyond_a_recipe(make_adapter(tiny_base, tmp_path / "plain")) == {}
    base, _ = models.load_base(str(tiny_base), four_bit=False, dtype="float32")
    modules = starting_adapter.settings(start)["adapter.target_modules"]
    config = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules=modules, **beyond)
    model = get_peft_model(base, config)
    starting_adapter.fill(model, start)
    kept = tensors(start)
    learning = {name.replace(".default", ""): p for name, p in model.named_parameters() if p.requires_grad}
    assert set(learning) == set(kept)
    assert all(torch.equal(parameter, kept[name]) for name, parameter in learning.items())


def test_supervised_training_goes_on_from_an_adapter_too(tiny_base, tmp_path):
    start = make_adapter(tiny_base, tmp_path / "start")
    made = recipe(tiny_base, write_csv(tmp_path / "corpus.csv"), max_steps=2, sample_prompts=[])
    fresh = runs.create(tmp_path, made, "fresh")
    on = runs.create(tmp_path, made.with_settings({"adapter.start_from": str(start)}), "on")
    with kept_environment():
        for run in (fresh, on):
            trainer.train(run)
    first, began = series(fresh, "eval_loss")[1][0], series(on, "eval_loss")[1][0]
    assert abs(first - began) > 0.01, "the adapter speaks from the first evaluation on"
    config = json.loads((on.adapter / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["r"], config["base_model_name_or_path"]) == (4, str(tiny_base))

"""The adapter that a run goes on from: where it lies, whether the recipe fits it, and the run's own copy of it.

The copy stays in the run's folder (`start/`): it is what dpo measures against, and a resume needs the very same one,
though the run that made it may have been deleted since. It does not train, and asks no network.
"""

from __future__ import annotations

import os
import shutil
import textwrap
from pathlib import Path
from typing import Any

from finetune import models
from finetune.data.prompts import PromptFormat
from finetune.errors import ModelError
from finetune.recipe import ROOT, Recipe
from finetune.training import checkpoints, runs
from finetune.training.runs import Run

FOLDER = "start"
FILES = ("adapter_config.json", "adapter_model.safetensors")


def find(spelling: str, home: Path) -> Path:
    """The folder of an adapter, as `adapter.start_from` and the Compare tab spell it.

    `demo`; a folder with an adapter, or with a run; `NAME` of a run of this home or `NAME/checkpoint-50`, each also
    with `run:` before it. RunError or ModelError where there is none.
    """
    if spelling == models.DEMO:
        return models.DEMO_ADAPTER
    for path in (Path(spelling), ROOT / spelling):
        for folder in (path, path / "adapter"):
            if os.path.isfile(folder / FILES[0]):  # Path.is_file would raise where a long text was pasted
                return folder
    if os.path.isabs(spelling) or spelling.startswith("."):
        models.read_adapter_config(Path(spelling))  # says that there is none
    name, _, part = spelling.removeprefix("run:").partition("/")
    run = runs.find(home, name)
    step = part.removeprefix("checkpoint-")
    if ".." in Path(part).parts:
        raise ModelError(
            f"{spelling[:80]} leads out of the run's folder. Write NAME or NAME/checkpoint-50.",
            key="model.start_outside",
            adapter=spelling[:80],
        )
    folder = checkpoints.chosen(run, int(step)).folder if step.isdecimal() else run.folder / (part or "adapter")
    models.read_adapter_config(folder)
    return folder


def settings(folder: Path) -> dict[str, Any]:
    """What a recipe has to say to go on from an adapter, as `Recipe.with_settings` takes it; its dropout is free."""
    config, run, style = models.read_adapter_config(folder), _run_of(folder), _style(folder)
    modules = config.get("target_modules")
    return {
        "base.model": run.recipe().base.model if run else config["base_model_name_or_path"],
        "adapter.r": config.get("r"),
        "adapter.lora_alpha": config["lora_alpha"],
        "adapter.bias": config.get("bias", "none"),
        "adapter.target_modules": sorted(modules) if isinstance(modules, list) else [str(modules)],
        "data.prompt_format": style.name,
        "data.system_prompt": style.system_prompt,
    }


def check(recipe: Recipe, folder: Path) -> None:
    """Raises ModelError with the settings to change where a recipe cannot go on from an adapter."""
    raw = recipe.to_dict()
    differing = []
    for name, wanted in settings(folder).items():
        section, key = name.split(".")
        if not _same(name, raw[section][key], wanted):
            shown = ",".join(wanted) if isinstance(wanted, list) else str(wanted)
            differing.append(f"{name}={textwrap.shorten(shown, 120, placeholder=' …')}")
    if differing:
        spoken = ", ".join(differing)
        raise ModelError(
            f"The adapter {recipe.adapter.start_from} was trained with other settings than this recipe has. To go on"
            f" from it, set {spoken}.",
            key="model.start_differs",
            adapter=recipe.adapter.start_from,
            settings=spoken,
        )


def kept(run: Run, recipe: Recipe) -> Path | None:
    """The run's own copy of the adapter that its recipe names, made where it is missing; None for a fresh adapter.

    Raises ModelError or RunError where there is none, or it is damaged, no plain LoRA, or does not fit the recipe.
    """
    if not recipe.adapter.start_from:
        return None
    copy = run.folder / FOLDER
    if copy.is_dir():
        return copy
    import torch

    from finetune.inference import adapters
    from finetune.terminal import home

    source = find(recipe.adapter.start_from, run.home if run.in_home else home())
    check(recipe, source)
    adapters.read(source, torch.float32, "cpu")  # every tensor, for PEFT passes over what is missing
    part = copy.with_name(f"{FOLDER}.part")
    shutil.rmtree(part, ignore_errors=True)  # a process was killed while it copied
    part.mkdir()
    for name in FILES:
        shutil.copyfile(source / name, part / name)
    _style(source).save(part)
    part.rename(copy)
    return copy


def load(base: Any, folder: Path, recipe: Recipe) -> Any:
    """The base with an adapter that goes on learning, as PEFT's model; the recipe's dropout replaces the adapter's."""
    from peft import LoraConfig, PeftModel

    config = LoraConfig.from_pretrained(str(folder))
    config.lora_dropout = recipe.adapter.lora_dropout
    return PeftModel.from_pretrained(base, str(folder), config=config, is_trainable=True)


def beyond_a_recipe(folder: Path) -> dict[str, Any]:
    """What an adapter's LoraConfig may say that a recipe cannot, and its weights depend on; empty for most."""
    config = models.read_adapter_config(folder)
    return {name: config[name] for name in ("use_rslora", "rank_pattern") if config.get(name)}


def fill(model: Any, folder: Path) -> None:
    """Give the fresh adapter of PEFT's `model` another one's weights; settings are the same, as `check` has seen."""
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    set_peft_model_state_dict(model, load_file(folder / FILES[1]))


def _same(name: str, one: Any, other: Any) -> bool:
    if name == "adapter.target_modules":
        return set(one) == set(other)
    if name != "base.model" or one == other:
        return one == other
    try:
        return Path(models.resolve(one)).resolve() == Path(models.resolve(other)).resolve()
    except ModelError:  # one of them is a folder that is gone
        return False


def _run_of(folder: Path) -> Run | None:
    """The run whose checkpoint a folder is: the trainer names the base there as this machine does, and no format."""
    run = folder.resolve().parent.parent
    return runs.at(run) if folder.resolve().parent == Run(run).checkpoints else None


def _style(folder: Path) -> PromptFormat:
    run = _run_of(folder)
    return PromptFormat.of(run.recipe().data) if run else PromptFormat.load(folder)

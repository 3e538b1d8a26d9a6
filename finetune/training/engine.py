"""Which engine trains a run: transformers and PEFT with our batches without padding, or Unsloth under the same trainer.

`training.engine: auto` has it decided here, by the card, the recipe and what is installed. Pure but for the look at
what is installed and how large a base is; Unsloth is looked for and never imported, for that is `unsloth_model.py`'s.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

from finetune.errors import RunError
from finetune.recipe import Recipe
from finetune.training import attention, batching, memory, placement
from finetune.training.machine import Machine

TRANSFORMERS, UNSLOTH = "transformers", "unsloth"

INSTALL = "pip install -r requirements-gpu.txt"


@dataclass(frozen=True)
class Engine:
    """What trains a run, and why that."""

    name: str
    """TRANSFORMERS or UNSLOTH."""
    why: str
    """One sentence for the log."""


def unsloth_installed() -> bool:
    """Whether this Python could import Unsloth; it is not imported."""
    return importlib.util.find_spec("unsloth") is not None


def chosen(recipe: Recipe, machine: Machine, installed: bool, processes: int = 1) -> Engine:
    """The engine for a recipe on a machine; `installed`: whether Unsloth is, `processes`: that train it together.

    Where batches can do without padding it is `transformers`: on an H200, with random weights in the shape of Llama
    3.1 8B, it trains 17,311 real tokens a second where Unsloth comes to 9,246 in batches of 16 and TRL + PEFT to 3,429
    in batches of 8 (BENCHMARKS.md). With padding it is Unsloth, by the same figures, and in less memory: 18.5 GB to
    25.2. What needs padding is mostly a small card, and a T4 has not been measured.
    RunError where a recipe names an engine that cannot work here.
    """
    wanted = recipe.training.engine
    if wanted == UNSLOTH:
        _check(recipe, machine, installed, processes)
    if wanted != "auto":
        return Engine(wanted, f"{wanted}, because the recipe says so (training.engine)")
    if machine.kind == "cpu":
        return Engine(TRANSFORMERS, "transformers, because Unsloth needs a GPU")
    padded = batching.padded_because(recipe, machine)
    if padded is None:
        return Engine(TRANSFORMERS, f"transformers, because {machine.name} needs no padding and it is quicker then")
    if processes > 1:
        return Engine(TRANSFORMERS, f"transformers, because {processes} processes train together")
    if placement.spread(recipe, machine, memory.shape(recipe.base.model)):
        why = f"the base is spread over {machine.cards} cards, on which Unsloth was not tried"
        return Engine(TRANSFORMERS, f"transformers, because {why}")
    if recipe.training.objective != "sft":
        return Engine(TRANSFORMERS, f"transformers, because Unsloth trains sft here, not {recipe.training.objective}")
    if not _computes(recipe, machine):
        return Engine(TRANSFORMERS, f"transformers, because Unsloth cannot compute in {recipe.base.dtype} here")
    if not installed:
        why = f"with padding it takes less memory, and {padded}; `{INSTALL}` brings it"
        return Engine(TRANSFORMERS, f"transformers, because Unsloth is not installed: {why}")
    return Engine(UNSLOTH, f"unsloth, because with padding it takes less memory, and {padded}")


def settled(recipe: Recipe, engine: Engine) -> Recipe:
    """The recipe with its engine written into it, so that a resume goes on with the same one."""
    if recipe.training.engine == engine.name:
        return recipe
    return recipe.with_settings({"training.engine": engine.name})


def expected(recipe: Recipe, machine: Machine, installed: bool) -> Recipe:
    """The recipe as it would be trained, for estimates; as it is where nothing can, which a start tells."""
    try:
        return settled(recipe, chosen(recipe, machine, installed))
    except RunError:
        return recipe


def _check(recipe: Recipe, machine: Machine, installed: bool, processes: int) -> None:
    """What stands between Unsloth and this machine; what the recipe alone rules out is for `checks.py`."""
    if machine.kind == "cpu":
        raise RunError(
            "Unsloth needs an NVIDIA GPU, and there is none here. Set training.engine to auto or transformers, or train"
            " on a machine with a card.",
            key="run.unsloth_no_gpu",
        )
    if processes > 1:
        raise RunError(
            f"Unsloth trains in one process here, and {processes} were started. Set training.engine to transformers, or"
            " start it without accelerate or torchrun.",
            key="run.unsloth_processes",
            processes=processes,
        )
    if not installed:
        raise RunError(
            f"Unsloth is not installed here. Run `{INSTALL}`, or set training.engine to auto or transformers.",
            key="run.unsloth_missing",
            command=INSTALL,
        )
    if not _computes(recipe, machine):
        raise RunError(
            f"{machine.name} cannot compute in {recipe.base.dtype}, so Unsloth would silently take float16. Set"
            " base.dtype to auto, or training.engine to transformers.",
            key="run.unsloth_dtype",
            card=machine.name,
            dtype=recipe.base.dtype,
        )


def _computes(recipe: Recipe, machine: Machine) -> bool:
    """Whether Unsloth's kernels take the base's number format: 16 bits, and bfloat16 where the card has it."""
    dtype = recipe.base.dtype
    return dtype in ("auto", "float16") or (dtype == "bfloat16" and machine.capability >= attention.CAPABILITY)

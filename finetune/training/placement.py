"""On which cards a run's base lies, as transformers' `device_map` says it.

Pure, estimates only: nothing is loaded. The app gives each run one card (`queue.py`), so that a base is spread only
where a run was started by hand with several cards in sight.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from finetune.recipe import Recipe
from finetune.training.machine import GB, Machine
from finetune.training.memory import PROCESS, WIDTHS, Shape

LOCAL_RANK = "LOCAL_RANK"
"""What torchrun and `accelerate launch` tell each process: the number of its card."""


def device_map(
    recipe: Recipe, machine: Machine, shape: Shape | None, environment: Mapping[str, str] = os.environ
) -> str | dict[str, str | int]:
    """The whole base on one card, a distributed run's process on its own; "auto" where it has to be spread.

    Never "balanced", on which the reference author's run ended in a TypeError: in a distributed run each process would
    lay its base over the cards of all the others.
    """
    if machine.kind == "cpu":
        return {"": "cpu"}
    if LOCAL_RANK in environment:
        return {"": int(environment[LOCAL_RANK])}
    return "auto" if spread(recipe, machine, shape, environment) else {"": 0}


def spread(recipe: Recipe, machine: Machine, shape: Shape | None, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether one process has to lay a base over several cards: in 16 bits its weights do not fit into one.

    A base of unknown dimensions is taken to fit, and one in 4 bits does or is too large altogether.
    """
    if machine.cards < 2 or shape is None or recipe.base.load_in_4bit or LOCAL_RANK in environment:
        return False
    width = WIDTHS[machine.dtype if recipe.base.dtype == "auto" else recipe.base.dtype]
    return shape.parameters * width + PROCESS * GB > machine.memory_gb * GB

"""Training and chat in one memory: whether both fit, and which run has it to itself.

Pure functions on estimates (`batching.py`) and statuses. Who unloads what, and when, is for those who hold it
(`ui/services.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from finetune.errors import BackendError
from finetune.recipe import Recipe
from finetune.training import batching, memory
from finetune.training.machine import Machine
from finetune.training.memory import Shape
from finetune.training.runs import Status


def both_fit(recipe: Recipe, machine: Machine, shape: Shape | None, to_come_gb: float = 0.0) -> bool:
    """Whether a run's peak fits beside what is in memory now, the chat's base for one, and what is still to come there.

    machine: as it is now (`machine_now`). The examples are taken to be as long as the recipe lets them. A base of
    unknown dimensions gets a card to itself; on a CPU, where memory gives way, both are let try.
    """
    if shape is None:
        return machine.kind == "cpu"
    machine = replace(machine, cards=min(machine.cards, 1))  # the queue gives a run one of them
    peak = batching.peak_gb(recipe, machine, shape, recipe.training.max_length)
    return peak + to_come_gb <= batching.USABLE * machine.available_gb


def chat_gb(model: str, four_bit: bool, machine: Machine, shape: Shape | None) -> float:
    """What the chat's base takes once it is loaded, in GB; more than any machine has where it is not known."""
    if shape is None:
        return float("inf")
    recipe = Recipe().with_settings({"base.model": model, "base.load_in_4bit": four_bit})
    return memory.base_gb(recipe, machine, shape)


def same_card(card: str, visible: str | None) -> bool:
    """Whether a run on `card` meets a process there that sees `visible` (CUDA_VISIBLE_DEVICES) and uses the first.

    An empty card is no choice: the CPU, or whatever there is.
    """
    return card in ("", (visible or "0").split(",")[0].strip())


def holder(known: Sequence[tuple[str, Status]], before: str) -> str:
    """The run that keeps the chat out of memory: one that has it alone, else the next that waits; or none, "".

    known: every run's name and status. before: the answer until now. Waiting keeps out only a chat that is out
    already, which would else be loaded and unloaded between two runs.
    """
    alone = [name for name, status in known if status.active and status.pid and status.alone]
    waiting = sorted((status.queued, name) for name, status in known if status.waiting)
    return next(iter(alone), waiting[0][1] if before and waiting else "")


def busy(run: str) -> BackendError:
    """What to tell whoever wants a reply while a run has the memory."""
    return BackendError(
        f"{run} is being trained and needs this computer's memory. Replies come again when that has ended; send your"
        " message then.",
        key="backend.training",
        run=run,
    )

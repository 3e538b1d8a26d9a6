"""The processes that train one run together: which of them this is, what is its share, and how they keep in step.

`accelerate launch` and `torchrun` start one for each card and say so in its environment. Alone is the ordinary case:
then everything here answers at once, and nothing heavy is imported. The first process writes the run's folder, which
all of them see; what it made and what any of them found out reaches the others through here, and only where all of them
ask. This module does not know what is trained.
"""

from __future__ import annotations

import contextlib
import datetime
import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from finetune.errors import RunError
from finetune.training.delayed import Delayed

T = TypeVar("T")

PATIENCE = datetime.timedelta(hours=2)
"""How long the others wait for one of them: the first may have to download and clean a large corpus, and answers the
sample prompts alone. Where a process has ended, the launcher ends the others within seconds."""

LAUNCHER = (
    "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE", "ROLE_RANK", "ROLE_NAME",
    "ROLE_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
)  # fmt: skip
LAUNCHER_FAMILIES = ("TORCHELASTIC_", "ACCELERATE_", "FSDP_")
"""What torchrun and accelerate say in the environment; the second are beginnings of names."""


class EndedElsewhere(SystemExit):
    """Another process has ended the run and told why; this one ends without a word."""

    def __init__(self) -> None:
        super().__init__(2)


def count() -> int:
    """How many processes train this run; 1 where nobody has launched several."""
    return int(os.environ.get("WORLD_SIZE", 1))


def here() -> int:
    """How many of them run on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1))


def first() -> bool:
    """True for the process that writes the run's folder."""
    return int(os.environ.get("RANK", 0)) == 0


def sharded() -> bool:
    """True where no process holds the whole model, but each a part of every layer (FSDP)."""
    return count() > 1 and os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"


def share(batch: int, accumulation: int) -> tuple[int, int]:
    """This process' part of an update: its batch, no larger than the recipe's, and how many of them.

    A recipe's `batch * accumulation` examples are those of all processes together, so that the same is learnt whatever
    their number. RunError where they cannot be divided evenly.
    """
    examples, processes = batch * accumulation, count()
    if examples % processes:
        fitting = max(n for n in range(1, processes) if examples % n == 0)
        whole = math.lcm(batch, processes) // batch
        steps = max(whole, round(accumulation / whole) * whole)
        raise RunError(
            f"{processes} processes cannot share an update of {examples} examples evenly. Start {fitting} of them, or"
            f" set training.gradient_accumulation_steps to {steps}.",
            key="run.uneven",
            processes=processes,
            examples=examples,
            fitting=fitting,
            steps=steps,
        )
    own = examples // processes
    smaller = next(n for n in range(min(batch, own), 0, -1) if own % n == 0)
    return smaller, own // smaller


def alone(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment as it was before processes were launched together: what a process of another run is given."""
    if count() == 1:
        return dict(environment)
    return {
        name: value
        for name, value in environment.items()
        if name not in LAUNCHER and not name.startswith(LAUNCHER_FAMILIES)
    }


@contextlib.contextmanager
def joined() -> Iterator[None]:
    """While it lasts the processes can hear each other; at its end they wait until all have come so far."""
    if count() == 1:
        yield
        return
    import torch
    from accelerate import PartialState

    # The one state that accelerate has in a process; transformers' trainer is told to take it (`trainer.py`).
    state = PartialState(cpu=not torch.cuda.is_available(), timeout=PATIENCE)
    if state.device.type == "cpu":
        state.device = torch.device("cpu")  # accelerate numbers it, and no checkpoint can be loaded to "cpu:1"
    yield
    anywhere(False)
    torch.distributed.destroy_process_group()


def anywhere(here: bool) -> bool:
    """True in all processes where it is true in any of them; all of them have to ask."""
    return Asked()(here)[0]


def summed(numbers: Any) -> Any:
    """A tensor of whole numbers with its sum over all processes, which nobody waits for; all of them have to ask.

    On the device that a process trains on, and in the given tensor's place where it lies there already.
    """
    if count() == 1:
        return numbers
    import torch

    device = _device()
    if device.type == "cuda" and not numbers.is_cuda:
        numbers = numbers.pin_memory()  # else the host would wait for the card to have come so far
    numbers = numbers.to(device, non_blocking=True)
    torch.distributed.all_reduce(numbers)
    return numbers


class Asked:
    """What is asked for in any process, heard in all of them in the same step.

    late: heard in the next step, so that no host waits for its card: the answers are asked for by all.
    """

    def __init__(self, *, late: bool = False) -> None:
        self.late = late
        self._before: Delayed | None = None

    def __call__(self, *here: bool) -> list[bool]:
        """By each kind of request whether any process has it; all of them have to ask, for the same kinds."""
        if count() == 1:
            return list(here)
        import torch

        now = Delayed(summed(torch.tensor(here, dtype=torch.int32)))
        before, self._before = self._before, now
        if not self.late:
            before = now
        return [False] * len(here) if before is None else [many > 0 for many in before.read()]


def from_first(make: Callable[[], T]) -> T:
    """What `make` returns in the first process, in all of them; it is called there alone.

    Where it raises, it raises there, and EndedElsewhere in the others. What it returns is pickled.
    """
    if count() == 1:
        return make()
    import torch

    made: list[Any] = [False, None]
    try:
        if first():
            made = [True, make()]
    finally:
        torch.distributed.broadcast_object_list(made, src=0, device=_device())
    if not made[0]:
        raise EndedElsewhere
    return made[1]


def _device() -> Any:
    from accelerate import PartialState

    return PartialState().device

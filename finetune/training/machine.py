"""What this machine has to train with: its cards or cores, memory and disk, in gigabytes of 10^9 bytes.

It looks and judges nothing: what fits is for `plan.py`.
"""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from finetune import models, processors
from finetune.training import processes

GB = 1e9


@dataclass(frozen=True)
class Machine:
    """The device a run would use, and what is around it."""

    kind: Literal["cuda", "cpu"]
    name: str
    memory_gb: float
    """Of one card; on a CPU, the memory that this process may use."""
    cards: int
    """Alike to the first; 0 on a CPU."""
    cores: int
    free_ram_gb: float
    """In all; of several processes that train here together, each one's part (`machine_now`)."""
    free_disk_gb: float
    """Where runs live."""
    dtype: str
    """The number format that a recipe's `auto` stands for here."""
    capability: tuple[int, int] = (0, 0)
    """NVIDIA's compute capability; a CPU has none."""
    held_gb: float = 0.0
    """Of the card, what is not to be had: a chat's base that is resident beside the run, for one."""

    @property
    def available_gb(self) -> float:
        """What a run may fill: a card without what is held there, or the memory that is free now."""
        return self.memory_gb - self.held_gb if self.kind == "cuda" else self.free_ram_gb


def machine_now(home: Path = Path()) -> Machine:
    """This machine with what all processes hold on its card, this one's CUDA context among them.

    Where a launcher has started several processes here, its free memory is divided among them.
    """
    import torch

    found = machine(home)
    found = replace(found, free_ram_gb=round(found.free_ram_gb / processes.here(), 2))
    if found.kind == "cpu":
        return found
    free, total = torch.cuda.mem_get_info(0)
    return replace(found, held_gb=round((total - free) / GB, 2))


def machine(home: Path = Path()) -> Machine:
    """This machine, its card as if it were empty: what a run gets when its turn comes. `home` is where runs live."""
    import psutil
    import torch

    cuda = models.device() == "cuda"
    memory = psutil.virtual_memory()
    limit, used = _number("memory.max"), _number("memory.current")
    total = min(memory.total, limit or memory.total)
    free = min(memory.available, limit - used) if limit and used is not None else memory.available
    there = next(folder for folder in (home.resolve(), *home.resolve().parents) if folder.is_dir())
    card = torch.cuda.get_device_properties(0) if cuda else None
    return Machine(
        kind="cuda" if card else "cpu",
        name=card.name if card else _processor(),
        memory_gb=round((card.total_memory if card else total) / GB, 2),
        cards=torch.cuda.device_count() if card else 0,
        cores=processors.cores(psutil.cpu_count(logical=False)),
        free_ram_gb=round(max(0, free) / GB, 2),
        free_disk_gb=round(shutil.disk_usage(there).free / GB, 2),
        dtype=str(models.compute_dtype()).removeprefix("torch."),
        capability=(card.major, card.minor) if card else (0, 0),
    )


def _number(file: str) -> int | None:
    """A limit in bytes; None where there is none, which the file calls "max"."""
    text = processors.limit(file)
    return int(text) if text.isdigit() else None


def _processor() -> str:
    """The processor's name as Linux knows it."""
    path = Path("/proc/cpuinfo")
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()

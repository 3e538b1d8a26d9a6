"""How many tokens a second a run learns: what earlier runs here measured, else what such a device ought to do.

Tokens are real ones, padding not counted, as in metrics.jsonl. It does not know how long a run is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from finetune.errors import RecipeError
from finetune.recipe import Recipe
from finetune.training import metrics, runs
from finetune.training.machine import Machine
from finetune.training.memory import Shape

PEAKS = {
    "B200": 2250, "H200": 989, "H100 PCIe": 756, "H100": 989, "A100": 312, "L40S": 362, "L40": 181, "L4": 121,
    "A10G": 70, "A10": 125, "A6000": 155, "A5000": 111, "A4000": 77, "V100": 125, "T4": 65, "P100": 19,
    "RTX 6000": 364, "RTX 5090": 210, "RTX 4090": 165, "RTX 4080": 97, "RTX 4070": 58, "RTX 4060": 30,
    "RTX 3090": 71, "RTX 3080": 60, "RTX 3070": 41, "RTX 3060": 25,
}  # fmt: skip
"""TFLOP/s in dense 16-bit products with float32 sums, from NVIDIA's data sheets; the first name that occurs counts."""

UNKNOWN_PEAK = 50
"""TFLOP/s of a card that is not listed."""

UTILISATION = 0.52
LAUNCHES = 0.0049
"""Share of its peak that a card computes at, and seconds that a host takes to launch a layer's kernels, once through.

Both from TRL + PEFT with checkpointing, measured before on another H200: batch 2, 1,737 tokens a second, and batch 16,
3,941 (8,328 with padding). Passes over mean lengths of 518 tokens then take 0.60 and 2.1 s."""

UTILISATION_PADDING_FREE = 0.55
"""The same without padding, launches and all: 17,311 tokens a second on an H200, 16 examples a pass (BENCHMARKS.md)."""

SPREAD = 0.28
"""How much longer than the mean the longest of a batch is, for each doubling of the batch: 2.1 times at 16 in those
rows; for two log-normal lengths (sigma 0.55) it is 1.3 times exactly."""

CORE = {"bfloat16": 105e9, "float16": 40e9, "float32": 40e9}
"""FLOP/s of one core. bfloat16: the demo's 2,900 tokens a second on two cores of an EPYC with AVX512-BF16; the others
are not measured but half of what AVX2 could do."""

FOUR_BIT_ON_CPU = 0.5
"""Share of its speed that a CPU keeps where every pass unpacks the weights; not measured."""

LATEST_RUNS = 20
"""Runs of a base that are looked at, the newest."""

TAIL = 65_536
"""Bytes of a metrics log that are read: some three hundred lines, enough for a median."""

FEWEST = 3
"""Measurements that make a median."""


@dataclass(frozen=True)
class PastRun:
    """What a run measured, and the settings on which its speed depends most."""

    name: str
    kind: str
    """cuda or cpu."""
    load_in_4bit: bool
    gradient_checkpointing: bool
    batch: int
    """Examples a forward pass."""
    tokens_per_second: float
    """The median of its last measurements."""
    objective: str = "sft"
    padding_free: bool = False
    engine: str = "transformers"


def past_runs(home: Path, base_model: str) -> list[PastRun]:
    """What the newest runs of a base under a home measured, whatever became of them; the newest first.

    A home stands for the machine it lies on. Runs that measured too little or have no sound recipe say nothing.
    """
    found = []
    for run in runs.all_runs(home):
        try:
            recipe = run.recipe()
        except RecipeError:  # the history shows what is wrong with it
            continue
        if recipe.base.model == base_model:
            measured = _measured(run.folder, recipe)
            found += [measured] if measured else []
        if len(found) == LATEST_RUNS:
            break
    return found


def _measured(folder: Path, recipe: Recipe) -> PastRun | None:
    file = folder / metrics.FILE
    if not file.is_file():
        return None
    lines, _ = metrics.read(folder, max(0, file.stat().st_size - TAIL))  # half a line at its head is passed over
    rates = [line["tokens_per_second"] for line in lines if line.get("tokens_per_second")]
    if len(rates) < FEWEST:
        return None
    return PastRun(
        name=folder.name,
        kind="cuda" if any("gpu_memory_gb" in line for line in lines) else "cpu",
        load_in_4bit=recipe.base.load_in_4bit,
        gradient_checkpointing=recipe.training.gradient_checkpointing,
        batch=recipe.training.per_device_train_batch_size,
        tokens_per_second=median(rates),
        objective=recipe.training.objective,
        padding_free=recipe.training.padding_free,
        engine=_engine(recipe),
    )


def measured(recipe: Recipe, machine: Machine, past: Sequence[PastRun]) -> float | None:
    """The median rate of the runs that trained as this recipe would, taken as it is; None where there is none."""
    t = recipe.training
    wanted = PastRun(
        name="",
        kind=machine.kind,
        load_in_4bit=recipe.base.load_in_4bit,
        gradient_checkpointing=t.gradient_checkpointing,
        batch=t.per_device_train_batch_size,
        tokens_per_second=0,
        objective=t.objective,
        padding_free=t.padding_free,
        engine=_engine(recipe),
    )
    rates = [run.tokens_per_second for run in past if replace(run, name="", tokens_per_second=0) == wanted]
    return median(rates) if rates else None


def _engine(recipe: Recipe) -> str:
    """The engine a run trained with: one from before there was a choice says auto, and trained with transformers."""
    return "unsloth" if recipe.training.engine == "unsloth" else "transformers"


def expected(recipe: Recipe, machine: Machine, shape: Shape, mean_tokens: float, longest: int) -> float:
    """The rate such a device ought to reach, within a factor of about two."""
    batch = recipe.training.per_device_train_batch_size
    padding = 1 if recipe.training.padding_free else min(1 + SPREAD * math.log2(batch), longest / mean_tokens)
    weights = shape.linear + shape.vocabulary * shape.hidden
    work = 2 * weights * batch * mean_tokens * padding  # FLOPs of a pass
    if machine.kind == "cuda":
        card = next((peak for name, peak in PEAKS.items() if re.search(rf"\b{name}\b", machine.name)), UNKNOWN_PEAK)
        if recipe.training.padding_free:
            seconds = work / (card * 1e12 * UTILISATION_PADDING_FREE)
        else:
            seconds = shape.layers * LAUNCHES + work / (card * 1e12 * UTILISATION)
    else:
        dtype = machine.dtype if recipe.base.dtype == "auto" else recipe.base.dtype
        seconds = work / (machine.cores * CORE[dtype] * (FOUR_BIT_ON_CPU if recipe.base.load_in_4bit else 1))
    return batch * mean_tokens / (passes(recipe) * seconds)


def passes(recipe: Recipe) -> float:
    """Forward and back, which costs the same again as the base is frozen; recomputing adds one, ours half of one."""
    if not recipe.training.gradient_checkpointing:
        return 2
    return 2.5 if recipe.training.padding_free else 3

"""What a recipe would take on this machine: steps, time, memory, disk; and which settings make it fit.

Estimates, for the page to show while a recipe is edited: nothing is loaded and no data is read. Memory is reckoned in
`memory.py`, speed in `speed.py`. It never forbids a run: an estimate may be wrong.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from finetune.data.findings import Finding, planned_updates
from finetune.recipe import SECTIONS, Recipe, describe
from finetune.training import batching, fitting, memory, speed
from finetune.training.machine import GB, Machine, machine
from finetune.training.memory import Shape, shape
from finetune.training.samples import LONGEST_REPLY
from finetune.training.speed import PastRun, past_runs

__all__ = [
    "Machine", "PastRun", "Plan", "Shape", "equivalent_command", "estimate", "machine", "past_runs", "shape",
]  # fmt: skip

STARTUP = 12.0
"""Seconds from the start of the process to the first step on the demo, most of them for imports."""

READING = 1e9
"""Bytes a second at which weights come from a disk."""

DECODING = 0.002
"""Seconds a layer takes for one token of a reply while training: 10 to 15 tokens a second on 32 layers (NF4 with
adapter, BENCHMARKS.md), bound by the host. On a small CPU base it is less, and the replies are short."""

UNSURE, SURE = 2.0, 1.2
"""Factors each way: of a device's expected rate, and of a rate that runs here have measured."""

TOKENIZER = 134
"""Bytes a token takes in tokenizer.json, which each checkpoint holds (17.2 MB for Llama 3's 128,256)."""

LARGE_ON_CPU = 1e9
"""Parameters from which a CPU takes days for what a card does in an hour."""

DAY = 86_400

FOUR_BIT = ("plan.four_bit", "plan.four_bit_chosen")
"""The advice by which a run leaves the 16-bit base, which several cards together might hold."""


@dataclass(frozen=True)
class Plan:
    """What a run would take. None stands for what a base of unknown dimensions does not tell."""

    steps: int
    updates_per_epoch: int
    epochs: float
    seconds_low: float | None
    seconds_high: float | None
    peak_gb: float | None
    disk_gb: float | None
    """What checkpoints and adapter take at most."""
    fits: bool | None
    advice: tuple[Finding, ...]
    measured: bool
    """Whether the time rests on runs on this machine."""


def estimate(
    recipe: Recipe,
    machine: Machine,
    shape: Shape | None,
    *,
    rows: int,
    mean_tokens: float,
    longest: int,
    past: Sequence[PastRun] = (),
    to_fetch_gb: float = 0.0,
) -> Plan:
    """The plan for `rows` training rows, at least one, of `mean_tokens` on average and at most `longest` tokens.

    Of a preference the lengths are those of its longer side. Both may be those before max_length cuts. Steps are those
    of transformers' Trainer on one device; time covers loading, evaluations and sample replies. `shape` is None where
    the base's dimensions are not known. The batches are those that `batching.py` chooses for one card, which is what
    the queue gives a run. to_fetch_gb: what of the base has still to come to the disk where runs live.
    """
    cards, machine = machine.cards, replace(machine, cards=min(machine.cards, 1))
    settled = batching.chosen(recipe, machine, shape).recipe
    steps = planned_updates(recipe, rows)
    per_epoch = max(1, math.ceil(rows / recipe.effective_batch))
    longest = min(longest, recipe.training.max_length)
    mean_tokens = min(mean_tokens, longest)
    rate = speed.measured(settled, machine, past)
    low = high = peak = disk = fits = None
    if shape or rate:
        unsure = SURE if rate else UNSURE
        seconds = _seconds(settled, machine, shape, rate, steps, rows, mean_tokens, longest)
        low, high = seconds / unsure, seconds * unsure
    if shape:
        peak = batching.peak_gb(recipe, machine, shape, longest)
        fits = _fits(recipe, machine, shape, longest)
        disk = _disk(recipe, machine, shape, steps)
    plan = Plan(steps, per_epoch, steps / per_epoch, low, high, peak, disk, fits, (), measured=rate is not None)
    advice = [*_advice(recipe, settled, machine, shape, plan, longest), *_disk_advice(plan, machine, to_fetch_gb)]
    if cards > 1 and any(one.key in FOUR_BIT for one in advice):
        advice.append(
            Finding(
                "plan.one_card",
                {"cards": cards},
                f"A run that is started from this page uses one of the {cards} cards. Started in a terminal with all of"
                " them in sight, it splits the layers of a 16-bit base between them.",
            )
        )
    return replace(plan, advice=tuple(advice))


def equivalent_command(recipe: Recipe, preset: str) -> str:
    """The shortest command that trains by this recipe: the preset, and what differs from it. Names are the preset's."""
    words = ["python", "-m", "finetune", "train", preset]
    before, after = Recipe.read(preset).to_dict(), recipe.to_dict()
    for section in SECTIONS:
        for key, value in after[section].items():
            if value != before[section][key]:
                words += ["--set", f"{section}.{key}={_as_text(f'{section}.{key}', value)}"]
    return shlex.join(words)


def _as_text(name: str, value: Any) -> str:
    """A setting as `Recipe.with_settings` reads it."""
    if isinstance(value, list):
        return ",".join(value) if describe(name)["choices"] else json.dumps(value, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _seconds(
    recipe: Recipe,
    machine: Machine,
    shape: Shape | None,
    rate: float | None,
    steps: int,
    rows: int,
    mean_tokens: float,
    longest: int,
) -> float:
    """Seconds from start to end; rate: measured tokens a second, or None for the device's expected one.

    dpo learns from two sequences a pair, and the reference reads both as well.
    """
    t = recipe.training
    reference = 1 if t.objective == "dpo" else 0  # one more pass forward, of what the model was before
    passes = speed.passes(recipe) + reference
    if not rate:
        rate = speed.expected(recipe, machine, shape, mean_tokens, longest) * speed.passes(recipe) / passes
    example = memory.SEQUENCES[t.objective] * mean_tokens
    training = steps * min(rows, recipe.effective_batch) * example / rate
    evaluations = 1 + steps // t.eval_steps
    held_out = min(t.eval_rows or rows, rows / 8)  # of 80/10/10
    evaluating = held_out * example * (1 + reference) / (rate * passes)
    loading = sampling = 0.0
    if shape:
        loading = memory.base_gb(recipe, machine, shape) * GB / READING
        reply = min(recipe.generation.max_new_tokens, LONGEST_REPLY) if t.sample_prompts else 0
        sampling = reply * shape.layers * DECODING  # all prompts in one batch
    return STARTUP + loading + training + evaluations * (evaluating + sampling)


def _disk(recipe: Recipe, machine: Machine, shape: Shape, steps: int) -> float:
    """A new checkpoint is whole before an old one goes; each holds adapter, optimizer and tokenizer."""
    t = recipe.training
    trained = shape.trained(recipe.adapter)
    optimizer = memory.OPTIMIZER[t.optim if machine.kind == "cuda" else "adamw_torch"]
    kept = min(math.ceil(steps / t.save_steps), t.save_total_limit + 1)
    return (kept * (trained * (4 + optimizer) + shape.vocabulary * TOKENIZER) + trained * 4) / GB


def _fits(recipe: Recipe, machine: Machine, shape: Shape, longest: int) -> bool:
    return batching.peak_gb(recipe, machine, shape, longest) <= batching.USABLE * machine.available_gb


def _fitting(recipe: Recipe, machine: Machine, shape: Shape, longest: int) -> dict[str, Any] | None:
    """The settings with which the run fits, none where it does already; None where nothing helps."""
    return fitting.fewest(recipe, fitting.every(recipe, longest), lambda one: _fits(one, machine, shape, longest))


def _advice(
    recipe: Recipe, settled: Recipe, machine: Machine, shape: Shape | None, plan: Plan, longest: int
) -> Iterator[Finding]:
    if shape is None:
        yield Finding(
            "plan.unknown_base",
            {"model": recipe.base.model},
            f"How large {recipe.base.model} is, is not known before a first run has downloaded it, so there is no"
            " estimate of memory. Look again once that run has begun.",
        )
        return
    if settled.base.load_in_4bit and not recipe.base.load_in_4bit:
        facts = {
            "base": _tenths(memory.base_gb(recipe, machine, shape)),
            "available": _tenths(machine.memory_gb),
            "then": _tenths(plan.peak_gb),
        }
        yield Finding(
            "plan.four_bit_chosen",
            facts,
            f"In 16 bits the base alone takes {facts['base']} GB of the card's {facts['available']} GB, so the run will"
            f" train on the 4-bit base and need about {facts['then']} GB (training.plan: auto).",
        )
    if not plan.fits:
        yield from _too_large(recipe, machine, shape, plan, longest)
    if machine.kind == "cpu":
        yield from _on_cpu(recipe, machine, shape, plan, longest)


def _disk_advice(plan: Plan, machine: Machine, to_fetch_gb: float) -> Iterator[Finding]:
    if plan.disk_gb is None or plan.disk_gb + to_fetch_gb <= machine.free_disk_gb:
        return
    needed, free, fetched = _tenths(plan.disk_gb), _tenths(machine.free_disk_gb), _tenths(to_fetch_gb)
    if to_fetch_gb:
        yield Finding(
            "plan.disk_with_base",
            {"fetched": fetched, "needed": needed, "free": free},
            f"The base is fetched first, {fetched} GB, checkpoints and adapter may take {needed} GB, and {free} GB are"
            " free on the disk. Free some space, or set HF_HOME to a folder on another disk.",
        )
        return
    yield Finding(
        "plan.disk",
        {"needed": needed, "free": free},
        f"Checkpoints and adapter may take {needed} GB, and {free} GB are free on the disk. Free some space, or"
        " lower training.save_total_limit.",
    )


def _too_large(recipe: Recipe, machine: Machine, shape: Shape, plan: Plan, longest: int) -> Iterator[Finding]:
    """What would make it fit, and why the 4-bit base where that is so."""
    available, needed = _tenths(machine.available_gb), _tenths(plan.peak_gb)
    settings = _fitting(recipe, machine, shape, longest)
    if settings is None:
        yield Finding(
            "plan.no_fit",
            {"needed": needed, "available": available},
            f"The run needs about {needed} GB and there are {available} GB; no setting saves enough. Choose a smaller"
            " base, or a larger card.",
        )
        return
    spoken = ", ".join(f"{name}={_as_text(name, value)}" for name, value in settings.items())
    then = _tenths(batching.peak_gb(recipe.with_settings(settings), machine, shape, longest))
    facts = {"needed": needed, "available": available, "settings": spoken, "then": then}
    base = memory.base_gb(recipe, machine, shape)
    if "base.load_in_4bit" in settings and base > batching.USABLE * machine.available_gb:
        yield Finding(
            "plan.four_bit",
            {"base": _tenths(base), "available": available, "settings": spoken, "then": then},
            f"The base alone takes {_tenths(base)} GB and there are {available} GB, so train on the 4-bit base."
            f" Set {spoken}: then the run needs about {then} GB.",
        )
        return
    yield Finding(
        "plan.too_large",
        facts,
        f"The run needs about {needed} GB and there are {available} GB. Set {spoken}: then it needs about {then} GB.",
    )


def _on_cpu(recipe: Recipe, machine: Machine, shape: Shape, plan: Plan, longest: int) -> Iterator[Finding]:
    days = round((plan.seconds_low * plan.seconds_high) ** 0.5 / DAY)
    if shape.parameters > LARGE_ON_CPU and days >= 1:
        billions = _tenths(shape.parameters / 1e9)
        yield Finding(
            "plan.cpu_days",
            {"billions": billions, "days": days},
            f"On this CPU a base of {billions} billion parameters takes about {days:,} days for this run. Use a machine"
            " with a card, a smaller base, or far fewer steps.",
        )
    dense = recipe.with_settings({"base.load_in_4bit": False})
    if recipe.base.load_in_4bit and _fits(dense, machine, shape, longest):
        yield Finding(
            "plan.cpu_four_bit",
            {},
            "On a CPU the 4-bit base trains slower, and memory suffices without it. Set base.load_in_4bit=false.",
        )


def _tenths(value: float) -> str:
    """A figure with one decimal, as text: facts are shown as they are."""
    return f"{value:,.1f}"

"""How a run's batches go through the model on this machine: padded or not, how many tokens at once, what is recomputed.

`training.plan: auto` has it decided here, from the card's memory and always at the recipe's effective batch, so that
the same is learnt, and on the 4-bit base where a card is too small for the 16-bit one; `as_written` keeps what the
recipe says. Either way a sentence says why. Estimates only: nothing is loaded, and what really ran is for the run's log
to tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from finetune.recipe import Recipe, describe
from finetune.training import attention, fitting, lora_precision, memory, memory_unpadded, placement
from finetune.training.machine import GB, Machine
from finetune.training.memory import Shape

USABLE = 0.95
"""Share of the memory that the peak may take: PyTorch's allocator never gets by without gaps."""

ENOUGH = 8192
"""Tokens a pass from which on a card has more to do than its host has kernels to launch: 6,094 a pass where layers of
the 4-bit base are recomputed, which a slow host gives out at about 45 µs each, as the padded recipe's (BENCHMARKS.md).
Below it, recomputing is the better bargain."""

HOST = 0.4
"""Share of the host's free memory that a pass may take where what it keeps waits there; `host_memory.py` leaves up to a
fifth of it empty on top. Page-locked, it is taken from everybody else."""


@dataclass(frozen=True)
class Batching:
    """A recipe as it is trained here."""

    recipe: Recipe
    """With what was decided written into it; its `plan` is as_written then, so that a resume keeps all of it."""
    why: str
    """What was decided, and why: a sentence for the log."""

    @property
    def most_tokens(self) -> int | None:
        """Tokens a pass may have without padding; None where a batch is one pass."""
        return self.recipe.training.most_tokens or None if self.recipe.training.padding_free else None

    @property
    def recompute_mlps(self) -> int:
        """In how many layers the MLP is recomputed, as in `lora_precision.gated`."""
        return self.recipe.training.recompute_mlps if self.recipe.training.padding_free else 0


def chosen(recipe: Recipe, machine: Machine, shape: Shape | None, *, sharded: bool = False) -> Batching:
    """How to train this recipe on this machine; `shape` is None where the base's dimensions are not known.

    sharded: each layer is spread over several cards (FSDP), which have to pass through it equally often.
    """
    t = recipe.training
    auto = t.plan == "auto"
    spread = placement.spread(recipe, machine, shape)
    reason = "the base is spread over several cards" if sharded else padded_because(recipe, machine)
    if reason is None and not auto and not t.padding_free:
        reason = "the recipe says so (training.plan is as_written, training.padding_free false)"
    if reason is None and spread:
        reason = "attention without padding was not tried on a base that is spread"
    if reason is None and auto and shape is None:
        reason = f"how large {recipe.base.model} is, is not known yet"
    if reason is not None:
        settled = recipe.with_settings({"training.padding_free": False}) if t.padding_free else recipe
        why = f"padded batches, because {reason}"
        if spread:
            why += f"; the base's layers lie on {machine.cards} cards, in 16 bits"
        if auto and machine.kind == "cuda" and shape is not None and not (sharded or spread):
            return _padded(settled, why, machine, shape)
        return Batching(settled, why)
    if shape is None:
        return _told(recipe, machine)
    if auto and not recipe.base.load_in_4bit:
        # By the card alone, as if it were empty: what is learnt does not go by what else a machine does just now.
        options = _options(recipe, _empty(machine), shape)
        if max(room for settled, room in options if not settled.training.activation_offloading) < t.max_length:
            found = _without_padding(recipe.with_settings({"base.load_in_4bit": True}), machine, shape)
            return Batching(found.recipe, f"{found.why}; {_four_bit_because(recipe, machine, shape)}")
    return _without_padding(recipe, machine, shape)


def _without_padding(recipe: Recipe, machine: Machine, shape: Shape) -> Batching:
    """The quickest way whose passes have room for enough tokens, or else the one that has room for the most."""
    t = recipe.training
    needed = max(t.max_length, min(ENOUGH, recipe.effective_batch * t.max_length))
    options = list(_options(recipe, machine, shape))
    enough = (one for one in options if one[1] >= needed)
    settled, room = next(enough, max(options, key=lambda one: one[1]))
    most = t.most_tokens or room
    if t.plan == "auto":
        most = min(most, room)
    return _told(settled.with_settings({"training.most_tokens": most}), machine)


def _told(recipe: Recipe, machine: Machine) -> Batching:
    """A run without padding, with its sentence."""
    found = Batching(recipe, "")
    recomputed = f"the MLPs of {found.recompute_mlps} layers" if found.recompute_mlps else "nothing"
    if recipe.training.gradient_checkpointing:
        recomputed = f"{recomputed} and the other layers" if found.recompute_mlps else "layers"
    if recipe.training.activation_offloading:
        recomputed += ", what is kept for it in the host's memory"
    limit = f"at most {found.most_tokens:,} tokens" if found.most_tokens else "one batch"
    why = (
        f"no padding, {recipe.effective_batch} examples an update in passes of {limit}, recomputing {recomputed}:"
        f" {machine.name} with {machine.available_gb:,.0f} GB"
        + (f" and compute capability {machine.capability[0]}.{machine.capability[1]}" if machine.kind == "cuda" else "")
    )
    return replace(found, why=why)


def _padded(recipe: Recipe, why: str, machine: Machine, shape: Shape) -> Batching:
    """A padded run with the fewest changes to its batches with which it fits the card, all that there are at most.

    What changes what is learnt, the 4-bit base, goes by the card as if it were empty: not by who happens to be there.
    """
    settled = recipe.with_settings({"training.plan": "as_written"})
    said = [why]

    def fits(one: Recipe, card: Machine = machine) -> bool:
        return memory.peak(one, card, shape, one.training.max_length).total <= USABLE * card.available_gb

    smallest = fitting.all_of(fitting.same_learning(settled))
    if not recipe.base.load_in_4bit and not fits(settled.with_settings(smallest), _empty(machine)):
        settled = settled.with_settings({"base.load_in_4bit": True})
        said.append(_four_bit_because(recipe, machine, shape))
    settings = fitting.fewest(settled, fitting.same_learning(settled), fits)
    for name, value in (smallest if settings is None else settings).items():
        before = settled.to_dict()["training"][name.removeprefix("training.")]
        if value != before:
            said.append(f"{name} {value} instead of {before} to fit {machine.available_gb:,.1f} GB")
    if settings is None:
        said.append("even so it may not fit")
    return Batching(settled.with_settings(smallest if settings is None else settings), "; ".join(said))


def _four_bit_because(recipe: Recipe, machine: Machine, shape: Shape) -> str:
    base = memory.base_gb(recipe, machine, shape)
    return (
        f"base.load_in_4bit true instead of false, because in 16 bits the base alone takes {base:,.1f} GB of the"
        f" {machine.memory_gb:,.1f} GB of {machine.name}"
    )


def _empty(machine: Machine) -> Machine:
    """The machine as if nothing else held its card."""
    return replace(machine, held_gb=0.0)


def padded_because(recipe: Recipe, machine: Machine) -> str | None:
    """What keeps a run from doing without padding; None where nothing does."""
    t, capability = recipe.training, ".".join(map(str, machine.capability))
    dtype = machine.dtype if recipe.base.dtype == "auto" else recipe.base.dtype
    if t.engine == "unsloth":
        return "Unsloth is given whole batches"
    if t.objective != "sft":
        return f"{t.objective} compares the two sides of a pair in one batch"
    if not lora_precision.supported(recipe.adapter):
        return "the fused adapter knows neither dropout nor trained biases"
    if machine.kind == "cpu":
        return "on a CPU the recipe is kept as it is" if t.plan == "auto" else None
    if machine.capability < attention.CAPABILITY:
        return f"attention without padding needs compute capability 8.0 and this card has {capability}"
    if dtype != "bfloat16":
        return f"without autocast only bfloat16 is safe and the base is in {dtype}"
    return None


def _options(recipe: Recipe, machine: Machine, shape: Shape) -> Iterator[tuple[Recipe, int]]:
    """Ways to pass an update through, the quickest first, each with the tokens of a pass that memory has room for.

    What the recipe says of tokens and MLPs stands where its plan is as_written; 0 and 0 leave both to this machine.
    """
    t = recipe.training
    ways = [(False, shape.layers * quarters // 4, False) for quarters in range(5)]
    settings: dict[str, Any] = {}
    if t.plan == "auto":
        most = min(recipe.effective_batch, describe("training.per_device_train_batch_size")["high"])
        batch = next(size for size in range(most, 0, -1) if recipe.effective_batch % size == 0)
        settings = {
            "training.plan": "as_written",
            "training.padding_free": True,
            "training.per_device_train_batch_size": batch,
            "training.gradient_accumulation_steps": recipe.effective_batch // batch,
        }
        ways += [(True, 0, False), (True, 0, True)]
    elif t.gradient_checkpointing:
        ways = [(True, t.recompute_mlps, t.activation_offloading)]
    elif t.most_tokens or t.recompute_mlps or t.activation_offloading:
        ways = [(False, t.recompute_mlps, t.activation_offloading)]
    for checkpointing, recompute_mlps, offloading in ways:
        settings |= {
            "training.gradient_checkpointing": checkpointing,
            "training.recompute_mlps": recompute_mlps,
            "training.activation_offloading": offloading,
        }
        settled = recipe.with_settings(settings)
        yield settled, _room(settled, machine, shape)


def _room(recipe: Recipe, machine: Machine, shape: Shape) -> int:
    """Tokens that a pass without padding has room for in memory; at least one, and no more than a recipe may say."""
    room = USABLE * machine.available_gb * GB - memory_unpadded.fixed_bytes(recipe, machine, shape)
    most = int(room / memory_unpadded.token_bytes(recipe, machine, shape))
    if recipe.training.activation_offloading and machine.kind == "cuda":
        most = min(most, int(HOST * machine.free_ram_gb * GB / memory_unpadded.kept_bytes(recipe, machine, shape)))
    return min(max(1, most), describe("training.most_tokens")["high"])


def peak_gb(recipe: Recipe, machine: Machine, shape: Shape, longest: int) -> float:
    """A run's peak, in GB; `longest`: tokens of the longest example, before it is cut to max_length."""
    batching = chosen(recipe, machine, shape)
    t = batching.recipe.training
    if not t.padding_free:
        return memory.peak(batching.recipe, machine, shape, longest).total
    longest = min(longest, t.max_length)
    tokens = max(longest, min(batching.most_tokens or longest, t.per_device_train_batch_size * longest))
    return memory_unpadded.peak(batching.recipe, machine, shape, tokens) / GB

"""A run's memory without padding, term by term: what stays whatever a pass holds, and what each of its tokens takes.

Estimates of fused Llama layers (`llama_layers.py`), held against what the bench measured. Padded runs are in
`memory.py`. It does not know what fits or how an update is divided into passes.
"""

from __future__ import annotations

from finetune.recipe import Adapter, Recipe
from finetune.training import fused_loss, memory
from finetune.training.machine import GB, Machine
from finetune.training.memory import Shape

KEPT = 3
"""Tensors as wide as the residual stream that a recomputed layer keeps (`llama_layers.fuse`)."""

IN_FLIGHT = 6
"""Of these on the card at once where they wait in the host's memory (`host_memory.py`): those that leave, or those
that are used and those that come."""


def peak(recipe: Recipe, machine: Machine, shape: Shape, tokens: int) -> float:
    """Bytes at the peak, of a run whose longest pass has so many tokens."""
    return fixed_bytes(recipe, machine, shape) + tokens * token_bytes(recipe, machine, shape)


def fixed_bytes(recipe: Recipe, machine: Machine, shape: Shape) -> float:
    """Without padding, what a run takes whatever a pass holds: base, adapter, optimizer, a chunk of logits."""
    width = _width(recipe, machine)
    optimizer = memory.OPTIMIZER[recipe.training.optim if machine.kind == "cuda" else "adamw_torch"]
    adapter = shape.trained(recipe.adapter) * (4 + 4 + optimizer + width)
    logits = fused_loss.CHUNK * shape.vocabulary * 2 * (width + 4)
    base, unpacked = shape.parameters * width, 0
    if recipe.base.load_in_4bit:
        # As in memory.py, but what stays out of the 4 bits keeps its 16; a projection at a time is unpacked.
        scale = 1 + 4 / 256 if machine.kind == "cuda" else 4
        base = shape.linear * (0.5 + scale / 64) + shape.other * width
        unpacked = shape.hidden * shape.intermediate * width
    return base + unpacked + adapter + logits + memory.PROCESS * GB


def token_bytes(recipe: Recipe, machine: Machine, shape: Shape) -> float:
    """Without padding, what a pass takes for each of its tokens, on the card if there is one.

    Besides what layers keep, at the peak one MLP on its way back has the product, gate and up once more, and the
    gradients of all three, and one that is recomputed gate and up; the loss has the last states and their gradient.
    """
    width = _width(recipe, machine)
    way_back = width * 6 * shape.intermediate
    ends = (4 + 4 * width) * shape.hidden
    kept = kept_bytes(recipe, machine, shape)
    if not recipe.training.gradient_checkpointing:
        return kept + way_back + ends
    if recipe.training.activation_offloading:
        wide = width * shape.hidden
        whole = shape.layers - min(recipe.training.recompute_mlps, shape.layers)
        kept += wide * (IN_FLIGHT - KEPT * whole)
    return kept + width * 2 * shape.intermediate + way_back + ends


def kept_bytes(recipe: Recipe, machine: Machine, shape: Shape) -> float:
    """What all layers keep of a token for the backward pass.

    A layer keeps what `_layer_bytes` says, gate and up; neither these nor what the second norm made where its MLP is
    recomputed, and KEPT tensors and the adapters' thin products where the whole layer is.
    """
    width, by_mlp = _width(recipe, machine), min(recipe.training.recompute_mlps, shape.layers)
    layer, gates, wide = _layer_bytes(recipe, machine, shape), width * 2 * shape.intermediate, width * shape.hidden
    copies = _norms_in_float32(machine, width) * 2 * shape.hidden
    rest = shape.layers - by_mlp
    if recipe.training.gradient_checkpointing:
        rest *= KEPT * wide + copies + width * _ranks(recipe.adapter) + 4 * shape.heads
    else:
        rest *= layer + gates
    return rest + by_mlp * (layer - (0 if copies else wide))


def _layer_bytes(recipe: Recipe, machine: Machine, shape: Shape) -> float:
    """Of a token in a layer: two norms' inputs and what they make of them, queries, keys, values, the result, the
    adapters' thin products; not gate and up."""
    width = _width(recipe, machine)
    norms = (width + (_norms_in_float32(machine, width) or width)) * 2 * shape.hidden
    attention_width, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return norms + width * (2 * attention_width + 2 * kv + _ranks(recipe.adapter))


def _norms_in_float32(machine: Machine, width: int) -> int:
    """Bytes of the copy that transformers' norms keep of each number of their input, in its place; our kernels keep
    the input."""
    return 4 if machine.kind == "cpu" and width < 4 else 0


def _width(recipe: Recipe, machine: Machine) -> int:
    return memory.WIDTHS[machine.dtype if recipe.base.dtype == "auto" else recipe.base.dtype]


def _ranks(adapter: Adapter) -> int:
    return adapter.r * len(adapter.target_modules)

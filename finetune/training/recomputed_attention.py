"""Attention as one step of autograd that keeps two tensors: the residual stream it reads, and what its heads give.

Queries, keys and values are made again from the stream for the backward pass, which a product of their width costs
(a ninth of a layer's forward pass in Llama 3.1 8B); what the heads give is kept, because the output projection keeps it
anyway, and attention itself is not made twice. It does not know projections or positions: it is told how to make them.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from finetune.training import attention, residual_norm
from finetune.training.lora_precision import LowRank


@dataclass(frozen=True, eq=False)
class Block:
    """How an attention block makes queries, keys and values, and what they see."""

    norm: Any
    """The norm that makes of the stream what is projected."""
    inward: Callable[[Any, LowRank], tuple[Any, Any, Any]]
    """From what the norm made (…, width), and the adapters, to query, key and value: (tokens, heads, head width)."""
    boundaries: Any
    longest: int
    scaling: float


def attended(states: Any, stream: Any, adapters: LowRank, block: Block) -> Any:
    """What the heads give, (tokens, heads, head width), of `states`, which `block.norm` has made of `stream`.

    The gradient goes back to `states` and the adapters; through the norm it is led by whoever called it.
    """
    return _function().apply(states, stream.detach(), block, adapters.a, *adapters.bs)


@functools.cache
def _function() -> type:
    import torch

    class Attended(torch.autograd.Function):
        """Keeps the stream, the result and, of each head and token, the logarithm of a sum."""

        @staticmethod
        def forward(ctx: Any, states: Any, stream: Any, block: Block, a: Any, *bs: Any) -> Any:
            parts = block.inward(states, LowRank(a, bs))
            result, sums = attention.forward(*parts, block.boundaries, block.longest, block.scaling)
            ctx.save_for_backward(stream, result, sums, a, *bs)
            ctx.block = block
            return result

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> tuple[Any, ...]:
            stream, result, sums, *adapters = ctx.saved_tensors
            block = ctx.block
            states = residual_norm.again(block.norm, stream)
            inputs = [None if one is None else one.detach().requires_grad_() for one in (states, *adapters)]
            with torch.enable_grad():
                parts = block.inward(inputs[0], LowRank(inputs[1], tuple(inputs[2:])))
            values = [part.detach() for part in parts]
            by_parts = attention.backward(
                gradient, values, result, sums, block.boundaries, block.longest, block.scaling
            )
            learning = [one for one in inputs if one is not None]
            found = iter(torch.autograd.grad(parts, learning, by_parts))
            by_states, *by_adapters = (None if one is None else next(found) for one in inputs)
            return by_states, None, None, *by_adapters

    return Attended

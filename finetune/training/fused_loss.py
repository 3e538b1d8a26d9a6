"""Cross-entropy straight from hidden states: logits over a large vocabulary exist for a few hundred tokens at a time.

The output matrix is frozen, so the gradient by the hidden states is all there is, and it is made in the same sweep as
the loss: two products a token, where recomputing the logits in the backward pass (TRL's `chunked_nll`) takes three. It
does not know which tokens count; masked ones are not given to it.
"""

from __future__ import annotations

import functools
from typing import Any

from finetune.training import layer_arithmetic

CHUNK = 512
"""Tokens whose logits exist at once: at Llama 3's 128,256 twice in 16 bits and twice in float32, 0.8 GB;
on a card once in 16 bits, for the gradient is written over them."""


def cross_entropy(hidden: Any, weight: Any, labels: Any, *, chunk: int = CHUNK) -> Any:
    """The summed cross-entropy, float32, of `hidden @ weight.T` against labels; differentiable by `hidden`.

    `hidden` (tokens, width), `weight` (vocabulary, width), frozen, `labels` (tokens), each in the vocabulary. Divide it
    by the number of tokens that an update learns from.
    """
    import torch

    if not torch.is_grad_enabled():
        hidden = hidden.detach()  # else autograd would have the gradient made all the same
    return _function().apply(hidden, weight, labels, chunk)


@functools.cache
def _function() -> type:
    import torch
    import torch.nn.functional as F

    class ChunkedCrossEntropy(torch.autograd.Function):
        """Keeps the gradient by the hidden states, (tokens, width), and no logits."""

        @staticmethod
        def forward(ctx: Any, hidden: Any, weight: Any, labels: Any, chunk: int) -> Any:
            gradient = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
            total = hidden.new_zeros((), dtype=torch.float32)
            for begin in range(0, len(hidden), chunk):
                part = slice(begin, begin + chunk)
                logits = F.linear(hidden[part], weight)
                loss, by_logits = layer_arithmetic.cross_entropy(logits, labels[part], gradient=gradient is not None)
                total += loss
                if by_logits is not None:
                    torch.mm(by_logits, weight, out=gradient[part])
            ctx.gradient = gradient
            return total

        @staticmethod
        def backward(ctx: Any, by_loss: Any) -> tuple[Any, None, None, None]:
            return ctx.gradient * by_loss.to(ctx.gradient.dtype), None, None, None

    return ChunkedCrossEntropy

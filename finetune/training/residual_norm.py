"""Root mean square norm with the addition in front of it, as one step of autograd, its weights frozen.

A residual stream is read by a norm and goes on beside it. Taken together, the addition is made by the kernel that
norms, and the two gradients meet in the kernel that leads back: by itself each would be a pass over the whole stream.
It knows transformers' norms and no layers.
"""

from __future__ import annotations

import functools
from typing import Any

from finetune.training import layer_arithmetic


def normed(module: Any, stream: Any, added: Any = None, *, way: Any = None) -> tuple[Any, Any]:
    """The stream, with `added` to it where it is given, and what a norm (transformers' LlamaRMSNorm) makes of it.

    Both (…, width). Off a card, and where the norm learns, it is PyTorch's own addition and `way`, by default the
    module itself.
    """
    if not _by_kernel(module, stream):
        stream = stream if added is None else stream + added
        return stream, (way or module)(stream)
    return _function().apply(stream, added, module.weight, module.variance_epsilon)


def again(module: Any, stream: Any) -> Any:
    """What a norm made of a stream, once more and without autograd, to the last bit."""
    import torch

    with torch.no_grad():
        if not _by_kernel(module, stream):
            return module(stream)
        return layer_arithmetic.norm(stream, None, module.weight, module.variance_epsilon)[1]


def _by_kernel(module: Any, stream: Any) -> bool:
    return layer_arithmetic.on_card(stream) and not module.weight.requires_grad


@functools.cache
def _function() -> type:
    import torch

    class Normed(torch.autograd.Function):
        """Keeps the stream, and the scale of each of its rows."""

        @staticmethod
        def forward(ctx: Any, stream: Any, added: Any, weight: Any, epsilon: float) -> tuple[Any, Any]:
            total, result, scales = layer_arithmetic.norm(stream, added, weight, epsilon)
            ctx.save_for_backward(total, weight, scales)
            ctx.adds = added is not None
            return total, result

        @staticmethod
        def backward(ctx: Any, by_total: Any, by_result: Any) -> tuple[Any, ...]:
            by = layer_arithmetic.norm_backward(by_total, by_result, *ctx.saved_tensors)
            return by, by if ctx.adds else None, None, None

    return Normed

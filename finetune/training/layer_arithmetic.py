"""What training does to large tensors between its products: on a card by kernels that read and write them once.

Elsewhere PyTorch's own operators do the same; `layer_kernels.py` has the kernels. It knows no modules and no autograd.
"""

from __future__ import annotations

from typing import Any

from finetune.training import layer_kernels as kernels

ELEMENTS = (4096, 8)
"""Numbers of the MLP's middle that are looked at together, and the warps that do it."""

LOGITS = (8192, 16)
"""The same of a row's logits."""

NORM_WARPS = 8
"""That make a row's norm."""


def on_card(x: Any) -> bool:
    """Whether there is a card, and Triton, which comes with PyTorch for cards."""
    return x.is_cuda and kernels.tl is not None


def middle(gate: Any, up: Any) -> Any:
    """silu(gate) * up."""
    import torch
    import torch.nn.functional as F

    if not on_card(gate):
        return F.silu(gate) * up
    product = torch.empty_like(gate)
    block, warps = ELEMENTS
    kernels.middle[(-(-gate.numel() // block),)](gate, up, product, gate.numel(), BLOCK=block, num_warps=warps)
    return product


def middle_backward(gradient: Any, gate: Any, up: Any) -> tuple[Any, Any, Any]:
    """silu(gate) * up again, and the gradients by gate and up, from the one by it; all three are lost by it."""
    import torch
    import torch.nn.functional as F

    if not on_card(gate):
        silu = F.silu(gate)
        return silu * up, torch.ops.aten.silu_backward(gradient * up, gate), gradient * silu
    block, warps = ELEMENTS
    kernels.middle_backward[(-(-gate.numel() // block),)](
        gradient, gate, up, gate.numel(), BLOCK=block, num_warps=warps
    )
    return gradient, gate, up


def norm(stream: Any, added: Any, weight: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """The stream with `added` to it (None: itself), its root mean square norm, and each row's scale; on a card only."""
    import torch

    width = stream.shape[-1]
    rows = stream.numel() // width
    stream = stream.contiguous()
    total = stream if added is None else torch.empty_like(stream)
    result, scales = torch.empty_like(stream), torch.empty(rows, dtype=torch.float32, device=stream.device)
    kernels.norm[(rows,)](
        stream, stream if added is None else added.contiguous(), weight, total, result, scales, width, epsilon,
        ADDS=added is not None, BLOCK=_wide(width), num_warps=NORM_WARPS,
    )  # fmt: skip
    return total, result, scales


def norm_backward(by_total: Any, by_result: Any, total: Any, weight: Any, scales: Any) -> Any:
    """The gradient by the stream, from those by what `norm` gave first and second."""
    import torch

    by, width = torch.empty_like(total), total.shape[-1]
    kernels.norm_backward[(len(scales),)](
        by_total.contiguous(), by_result.contiguous(), total, weight, scales, by, width,
        BLOCK=_wide(width), num_warps=NORM_WARPS,
    )  # fmt: skip
    return by


def cross_entropy(logits: Any, labels: Any, *, gradient: bool) -> tuple[Any, Any]:
    """The summed loss of rows of logits, float32, and the gradient by them, for which they are lost; None unasked."""
    import torch
    import torch.nn.functional as F

    rows, columns = logits.shape
    if on_card(logits):
        losses = torch.empty(rows, dtype=torch.float32, device=logits.device)
        block, warps = LOGITS
        kernels.cross_entropy[(rows,)](
            logits, labels, losses, columns, GRADIENT=gradient, BLOCK=min(block, _wide(columns)), num_warps=warps
        )
        return losses.sum(), logits if gradient else None
    target = labels[:, None]
    logs = F.log_softmax(logits, dim=-1, dtype=torch.float32)
    loss = -logs.gather(1, target).sum()
    if not gradient:
        return loss, None
    # By the logits it is the probabilities, less 1 at the target.
    return loss, logs.exp_().scatter_add_(1, target, logs.new_full(target.shape, -1.0)).to(logits.dtype)


def _wide(size: int) -> int:
    """The next power of two, which Triton's blocks must be."""
    return 1 << (size - 1).bit_length()

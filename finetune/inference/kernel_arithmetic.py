"""A layer's arithmetic for one token a row on a GPU: nine launches a layer, NF4 weights read once and never unpacked.

The parts of `static_cache.Plain`, with another layout of vectors and of what adapters see (`step_kernels.py`); both
agree to the rounding of the 16-bit format. It launches; it does not know what is captured or when.
"""

from __future__ import annotations

from typing import Any

from finetune.inference import step_kernels as kernels
from finetune.inference.adapter_slots import Share
from finetune.inference.decoding import FUSED, Decoder
from finetune.inference.projection import Projection

PIECE = 512
"""Numbers of a vector that one program normalises."""

ATTENTION_STEP = 32
"""Cached tokens that a program looks at together."""

PROGRAMS = 128
"""Programs that fill a large GPU: attention is split into shares until there are about so many."""

MOST_SHARES = 16

FEW = (4, 16, 2)
"""For one and two rows: outputs a program, blocks of 64 weights together, warps; of `bench_step.py`'s tiles the best on
an H200."""

MANY = (32, 4, 4)
"""The same for more rows, on tensor cores."""


def usable(decoder: Decoder) -> str:
    """Why these kernels cannot run this model here; empty where they can."""
    import importlib.util

    import torch

    if decoder.device.type != "cuda":
        return "there is no GPU"
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed"
    if torch.cuda.get_device_capability(decoder.device) < (8, 0):
        return "the GPU is older than compute capability 8.0"
    if decoder.head_dim < 16 or decoder.head_dim & (decoder.head_dim - 1):
        return f"heads of {decoder.head_dim} numbers are not a power of two"
    for layer in decoder.layers:
        for key in FUSED:
            if not layer[key].four_bit:
                return "the weights are not in 4 bits"
            if layer[key].state.quant_type != "nf4":
                return f"the 4-bit weights are {layer[key].state.quant_type}, not NF4"
            if layer[key].state.blocksize != kernels.BLOCK or layer[key].inputs % kernels.BLOCK:
                return f"the 4-bit weights are not in blocks of {kernels.BLOCK}"
    return ""


class Fused:
    """What `Plain` does for one token a row, in few launches.

    h is (rows, width) evens first, low (rows, pieces, ranks).
    """

    def norm(self, x: Any, weight: Any, epsilon: float, share: Share) -> tuple[Any, Any]:
        """Root mean square norm."""
        rows, width = x.shape
        pieces, ranks = _cdiv(width, PIECE), share.down.shape[0]
        h, low = x.new_empty(rows, width), _floats(x, rows, pieces, ranks)
        kernels.norm[(rows, pieces, ranks // 16)](
            x, weight, share.down, share.gate, h, low, ranks, epsilon, width, _wide(width), PIECE
        )
        return h, low

    def gated(self, both: Any, share: Share) -> tuple[Any, Any]:
        """The MLP's middle: SiLU of the first half times the second."""
        rows, width = both.shape[0], both.shape[1] // 2
        pieces, ranks = _cdiv(width, PIECE), share.down.shape[0]
        h, low = both.new_empty(rows, width), _floats(both, rows, pieces, ranks)
        kernels.gated[(rows, pieces, ranks // 16)](both, share.down, share.gate, h, low, ranks, width, PIECE)
        return h, low

    def project(self, h: Any, low: Any, projection: Projection, share: Share, residual: Any = None) -> Any:
        """h times the NF4 matrix, the adapters' part, bias and residual."""
        rows, ranks, width = h.shape[0], share.up.shape[0], share.up.shape[1]
        out, blocks, warps = FEW if rows <= 2 else MANY
        y = h.new_empty(rows, width)
        state, unused = projection.state, y
        given = (
            h, projection.weight, state.absmax, state.code, low, share.up,
            unused if residual is None else residual, unused if projection.bias is None else projection.bias, y,
            width, ranks,
        )  # fmt: skip
        flags = {"RESIDUAL": residual is not None, "BIAS": projection.bias is not None, "EXACT": exact(h)}
        sizes = {"K": projection.inputs, "PIECES": low.shape[1], "RANKS": _wide(ranks), "OUT": out, "BLOCKS": blocks}
        grid = (_cdiv(width, out),)
        if rows <= 2:
            kernels.product[grid](
                *given, ROWS=rows, PIECES_WIDE=_wide(low.shape[1]), **sizes, **flags, num_warps=warps, num_stages=1
            )
        else:
            kernels.product_of_many[grid](
                *given, rows, ROWS=max(16, _wide(rows)), **sizes, **flags, num_warps=warps, num_stages=1
            )
        return y

    def attend(
        self, qkv: Any, keys: Any, values: Any, lengths: Any, cos: Any, sin: Any, share: Share
    ) -> tuple[Any, Any]:
        """See `Plain.attend`."""
        rows, kv_heads, room, head_dim = keys.shape
        heads = qkv.shape[1] // head_dim - 2 * kv_heads
        group, ranks = heads // kv_heads, share.down.shape[0]
        shares = min(MOST_SHARES, _wide(_cdiv(PROGRAMS, rows * kv_heads)))
        parts, sums = _floats(qkv, rows, heads, shares, head_dim), _floats(qkv, rows, heads, shares, 2)
        kernels.attend[(rows, kv_heads, shares)](
            qkv, keys, values, lengths, cos, sin, parts, sums, room, head_dim**-0.5,
            kv_heads, group, max(16, _wide(group)), head_dim, ATTENTION_STEP, num_stages=2,
        )  # fmt: skip
        h, low = qkv.new_empty(rows, heads * head_dim), _floats(qkv, rows, heads, ranks)
        kernels.attended[(rows, heads, ranks // 16)](
            parts, sums, share.down, share.gate, h, low, ranks, heads, head_dim, shares
        )
        return h, low


def exact(h: Any) -> bool:
    """Whether codes are looked up in float32: for bfloat16, which rounds as coarsely as they would be, in registers."""
    import torch

    return h.dtype is not torch.bfloat16 or h.device.type != "cuda"  # Triton's interpreter knows no PTX


def _floats(like: Any, *shape: int) -> Any:
    import torch

    return torch.empty(shape, dtype=torch.float32, device=like.device)


def _cdiv(a: int, b: int) -> int:
    return -(-a // b)


def _wide(size: int) -> int:
    """The next power of two, which Triton's blocks must be."""
    return 1 << (size - 1).bit_length()

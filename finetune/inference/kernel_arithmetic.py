"""A layer's arithmetic for one token a row on a GPU: nine launches a layer for up to 32 rows, NF4 weights read once.

The parts of `static_cache.Plain`, with another layout of what adapters see (`step_kernels.py`); both agree to the
rounding of the 16-bit format. More rows than 32 are worth unpacking a matrix for. It launches; it does not know what is
captured or when.
"""

from __future__ import annotations

from typing import Any

from finetune.inference import step_kernels as kernels
from finetune.inference import tile_kernels, tiled_weights
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

TILINGS = {8: (1, 8, 4, 3), 16: (1, 8, 4, 3), 32: (1, 4, 4, 3)}
"""For up to so many rows: tiles of 16 outputs a program, blocks of 64 weights together, warps, and how many loads are
under way; of `bench_step.py`'s the best on an H200."""


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
            if layer[key].state.blocksize != tiled_weights.BLOCK or layer[key].inputs % tiled_weights.BLOCK:
                return f"the 4-bit weights are not in blocks of {tiled_weights.BLOCK}"
    return ""


class Fused:
    """What `Plain` does for one token a row, in few launches, on projections in tiles; low is (rows, pieces, ranks)."""

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
        wide = next((size for size in TILINGS if rows <= size), None)
        if wide is None:
            y = projection(h).add_(low.sum(1).to(h.dtype) @ share.up)
            return y if residual is None else y.add_(residual)
        tiles, blocks, warps, stages = TILINGS[wide]
        y = h.new_empty(rows, width)
        held, unused = projection.tiles, y
        tile_kernels.product[(_cdiv(width, tiles * tiled_weights.OUTPUTS),)](
            h, held.weight, held.absmax, held.table, held.code, low, share.up,
            unused if residual is None else residual, unused if projection.bias is None else projection.bias, y,
            width, ranks, rows,
            K=held.inputs, ROWS=wide, PIECES=low.shape[1], PIECES_WIDE=_wide(low.shape[1]), RANKS=_wide(ranks),
            RESIDUAL=residual is not None, BIAS=projection.bias is not None, EXACT=tiled_weights.exact(h),
            TILES=tiles, BLOCKS=blocks, WARPS=warps, num_warps=warps, num_stages=stages,
        )  # fmt: skip
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


def _floats(like: Any, *shape: int) -> Any:
    import torch

    return torch.empty(shape, dtype=torch.float32, device=like.device)


def _cdiv(a: int, b: int) -> int:
    return -(-a // b)


def _wide(size: int) -> int:
    """The next power of two, which Triton's blocks must be."""
    return 1 << (size - 1).bit_length()

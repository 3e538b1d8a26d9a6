"""NF4 weights in the order in which a GPU's tensor cores take them: 16 outputs by 64 inputs at a time.

bitsandbytes packs two neighbouring inputs of an output into a byte and stores one output behind the other. A tile has
its 512 bytes behind one another, so that 32 threads read 16 bytes each, and what each has read is, after the lookup of
its codes, already what it has to give to `mma.m16n8k16` (PTX, matrix fragments): nothing passes through shared memory.
Only the order differs; `natural` undoes it. `tile_kernels.py` reads what is laid out here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from finetune.inference import tile_kernels

OUTPUTS = 16
"""Outputs of a tile: rows of a tensor core's left matrix."""

FILLED = 64
"""What the outputs are filled up to a multiple of: tiles that one program may take."""

BLOCK = 64
"""Inputs of a tile, which are the weights that share a scale in bitsandbytes' NF4."""

TILE = OUTPUTS * BLOCK // 2
"""Bytes of a tile."""

UNPACKED = 8
"""Tiles that a program of `dense` unpacks."""

AT_ONCE = 128
"""Tiles of outputs that are reordered together: a few times 100 MB while it lasts, on Llama's widest matrices."""


@dataclass(frozen=True)
class Tiles:
    """A matrix of `outputs` by `inputs` in tiles; outputs are filled up with zeros to a multiple of 64."""

    weight: Any
    """uint8 (tiles of outputs, blocks of inputs, 512). In a tile the bytes lie as [8, 4, 2, 2, 4], g, t, c, h and j:
    byte (g, t, c, h, j) holds output h * 8 + g and, high and low, inputs c * 32 + t * 8 + j and 4 behind it."""
    absmax: Any
    """float32 (tiles of outputs, blocks of inputs, 16), the outputs as [8, 2], g and h."""
    code: Any
    """float32 (16): what the codes stand for."""
    table: Any
    """int32 (8): the same as bfloat16, as `tile_kernels.lookup` wants it."""
    outputs: int
    inputs: int


def tiled(weight: Any, absmax: Any, code: Any, outputs: int, inputs: int) -> Tiles:
    """Tiles of what bitsandbytes holds: `weight` with outputs * inputs / 2 bytes, a scale for every 64 weights.

    inputs: a multiple of 64; code: the sixteen values, float32.
    """
    import torch
    import torch.nn.functional as F

    blocks, filled = inputs // BLOCK, -outputs % FILLED
    rows, scales = weight.reshape(outputs, inputs // 2), absmax.reshape(outputs, blocks)
    if filled:
        rows, scales = F.pad(rows, (0, 0, 0, filled)), F.pad(scales, (0, 0, 0, filled))
    made = torch.empty(rows.shape[0] // OUTPUTS, blocks, TILE, dtype=torch.uint8, device=rows.device)
    for begin in range(0, made.shape[0], AT_ONCE):
        some = rows[begin * OUTPUTS : (begin + AT_ONCE) * OUTPUTS]
        codes = torch.stack([some >> 4, some & 15], dim=-1).view(-1, 2, 8, blocks, 2, 4, 2, 4)  # t h g b c t half j
        packed = codes[:, :, :, :, :, :, 0] << 4 | codes[:, :, :, :, :, :, 1]
        made[begin : begin + AT_ONCE] = packed.permute(0, 3, 2, 5, 4, 1, 6).reshape(-1, blocks, TILE)
    scales = scales.view(-1, 2, 8, blocks).permute(0, 3, 2, 1).reshape(-1, blocks, OUTPUTS)
    table = torch.tensor(tile_kernels.tables(), device=rows.device).to(torch.int32)  # wraps what is over 2**31
    return Tiles(made, scales.contiguous(), code.float(), table, outputs, inputs)


def natural(tiles: Tiles) -> tuple[Any, Any]:
    """bitsandbytes' weight (outputs * inputs / 2, 1) and scales (outputs * inputs / 64) again."""
    import torch

    blocks, rows = tiles.inputs // BLOCK, []
    for some in tiles.weight.split(AT_ONCE):
        packed = some.view(-1, blocks, 8, 4, 2, 2, 4).permute(0, 5, 2, 1, 4, 3, 6)  # tile h g block c t j
        codes = torch.stack([packed >> 4, packed & 15], dim=-2).reshape(-1, tiles.inputs)
        rows.append(codes[:, ::2] << 4 | codes[:, 1::2])
    scales = tiles.absmax.view(-1, blocks, 8, 2).permute(0, 3, 2, 1).reshape(-1, blocks)
    return torch.cat(rows)[: tiles.outputs].reshape(-1, 1), scales[: tiles.outputs].reshape(-1)


def dense(tiles: Tiles, dtype: Any) -> Any:
    """The matrix itself, (outputs, inputs) in a number format, by a kernel."""
    import torch

    made = torch.empty(tiles.outputs, tiles.inputs, dtype=dtype, device=tiles.weight.device)
    many, blocks, _ = tiles.weight.shape
    tile_kernels.unpack[(many, -(-blocks // UNPACKED))](
        tiles.weight, tiles.absmax, tiles.table, tiles.code, made, tiles.outputs, tiles.inputs, UNPACKED, exact(made)
    )
    return made


def exact(like: Any) -> bool:
    """Whether codes are looked up in float32: for bfloat16, which rounds as coarsely as they would be, in registers."""
    import torch

    return like.dtype is not torch.bfloat16 or like.device.type != "cuda"  # Triton's interpreter knows no PTX

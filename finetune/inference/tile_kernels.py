"""Triton kernels over NF4 weights in tiles (`tiled_weights.py`): a few rows times a matrix, and the matrix unpacked.

A product looks its codes up in registers and gives them to the tensor cores at once. Whatever it costs to look up and
read a weight is paid once for up to 32 rows: a pair of replies takes what one takes. The reshapes and permutations say
where each number belongs and move none: they are written so that what a thread loads is, for Triton's layouts, what it
has to give (should another Triton choose other layouts, it is as right and slower).
"""

from __future__ import annotations

import struct

try:
    import triton.language as tl
    from triton import jit
except ImportError:  # it comes with PyTorch for GPUs alone, and only there is anything launched
    tl = None

    def jit(function):  # noqa: ANN001, ANN201
        """A kernel that nobody can launch."""
        return function


NF4 = (
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
)  # fmt: skip
"""What the sixteen codes stand for (Dettmers et al. 2023, https://arxiv.org/abs/2305.14314, appendix E)."""


def _bfloat16(value: float) -> int:
    """A number's 16 bits as bfloat16, rounded to the nearest."""
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


def tables() -> list[int]:
    """The sixteen values as bfloat16: four words of their low bytes, then four of their high ones."""
    words = [_bfloat16(value) for value in NF4]
    return [
        sum((word >> shift & 255) << 8 * at for at, word in enumerate(words[begin : begin + 4]))
        for shift in (0, 8)
        for begin in (0, 4, 8, 12)
    ]


def lookup() -> str:
    """PTX that turns four bytes, $4, into their high codes' values as bfloat16, $0, $1, and their low codes', $2, $3.

    `prmt` picks bytes out of eight by three bits each: two of them and a third for the fourth bit look up a code's
    byte, one time each for the low and the high half of bfloat16, four codes at once and no memory asked. The words of
    `tables` come as $5, $9, …, $33 (each four times, for Triton hands over four numbers): constants would be moved
    into registers again for every use.
    """
    lines = [
        ".reg .b32 which, half, a, b, low, high;",
        "and.b32 which, $4, 0x77777777;",
        "shr.u32 half, $4, 1;",
        "and.b32 half, half, 0x44444444;",
        "or.b32 half, half, 0x32103210;",
    ]
    for first in (0, 1):
        for name, table in (("low", 5), ("high", 21)):
            lines += [
                f"prmt.b32 a, ${table}, ${table + 4}, which;",
                f"prmt.b32 b, ${table + 8}, ${table + 12}, which;",
                f"prmt.b32 {name}, a, b, half;",
            ]
        lines += [f"prmt.b32 ${first}, low, high, 0x7351;", f"prmt.b32 ${first + 2}, low, high, 0x6240;"]
        lines += ["shr.u32 which, which, 16;", "shr.u32 half, half, 16;"] * (first == 0)
    return "{ " + " ".join(lines) + " }"


LOOKUP = tl and tl.constexpr(lookup())
OPERANDS = tl and tl.constexpr("=r,=r,=r,=r,r," + ",".join("r" * 32))


@jit
def values(packed, table, code, EXACT: tl.constexpr):
    """What the high and the low codes of bytes stand for; EXACT: in float32, else as bfloat16 has them, faster."""
    if EXACT:
        wide = packed.to(tl.int32)
        high, low = tl.load(code + (wide >> 4)), tl.load(code + (wide & 15))
    else:
        a, b, c, d = tl.load(table), tl.load(table + 1), tl.load(table + 2), tl.load(table + 3)
        e, f, g, h = tl.load(table + 4), tl.load(table + 5), tl.load(table + 6), tl.load(table + 7)
        high, low = tl.inline_asm_elementwise(
            LOOKUP, OPERANDS, [packed, a, b, c, d, e, f, g, h], dtype=(tl.bfloat16, tl.bfloat16), is_pure=True, pack=4
        )
    return high, low


@jit
def seen_by_adapters(
    low, m, r, many, ranks, PIECES: tl.constexpr, PIECES_WIDE: tl.constexpr, RANKS: tl.constexpr, ROWS: tl.constexpr
):
    """What the adapters see of every row, its pieces added up: (RANKS, ROWS)."""
    seen = tl.zeros([RANKS, ROWS], tl.float32)
    if ROWS == 8:  # one or two of them, mostly: row by row
        p = tl.arange(0, PIECES_WIDE)
        there = (r < ranks)[:, None] & (p < PIECES)[None, :]
        for row in range(many):
            pieces = tl.load(low + (row * PIECES + p[None, :]) * ranks + r[:, None], mask=there, other=0.0)
            seen = tl.where((m == row)[None, :], tl.sum(pieces, axis=1)[:, None], seen)
    else:
        there = (m < many)[None, :] & (r < ranks)[:, None]
        for piece in tl.static_range(PIECES):
            seen += tl.load(low + (m[None, :] * PIECES + piece) * ranks + r[:, None], mask=there, other=0.0)
    return seen


@jit
def product(
    x, weight, absmax, table, code, low, up, residual, bias, y, N, ranks, many,
    K: tl.constexpr, ROWS: tl.constexpr, PIECES: tl.constexpr, PIECES_WIDE: tl.constexpr, RANKS: tl.constexpr,
    RESIDUAL: tl.constexpr, BIAS: tl.constexpr, EXACT: tl.constexpr,
    TILES: tl.constexpr, BLOCKS: tl.constexpr, WARPS: tl.constexpr,
):  # fmt: skip
    """y = x Wᵀ + adapters + residual for `many` of up to ROWS rows: TILES tiles of outputs a program.

    Each warp takes every WARPS-th block of 64 inputs and multiplies it by itself, as a batch of its own (a block is two
    chunks of 32 inputs, and each of these two products of 16); the warps' sums are added at the end.
    """
    EACH: tl.constexpr = BLOCKS // WARPS
    OUT: tl.constexpr = 16 * TILES
    # In a load's index lie, from the right: a tile's 512 bytes [g t c h j], warp, each, tile.
    w = tl.arange(0, TILES * BLOCKS * 512)
    w_block = w % (512 * BLOCKS) // 512
    w_at = w // (512 * BLOCKS) * (K * 8) + w % (512 * BLOCKS)
    # A tile's 16 scales, [g h], each for four threads: [g t h], warp, each, tile.
    s = tl.arange(0, TILES * BLOCKS * 64)
    s_block = s % (64 * BLOCKS) // 64
    s_at = s // (64 * BLOCKS) * (K // 4) + s_block * 16 + s // 8 % 8 * 2 + s % 2
    # A line has 32 inputs of a row: row, warp, half c of the block, each.
    line = tl.arange(0, 2 * BLOCKS * ROWS)
    row, half = line % ROWS, line // (ROWS * WARPS) % 2
    x_block = line // (2 * ROWS * WARPS) * WARPS + line // ROWS % WARPS
    x_at = (row * K + x_block * 64 + half * 32)[:, None] + tl.arange(0, 32)[None, :]
    m, r = tl.arange(0, ROWS), tl.arange(0, RANKS)
    n = tl.program_id(0) * OUT + tl.arange(0, OUT)
    u = tl.load(up + r[None, :] * N + n[:, None], mask=(r < ranks)[None, :] & (n < N)[:, None], other=0.0)
    here = tl.program_id(0).to(tl.int64) * TILES
    weight += here * (K * 8) + w_at
    absmax += here * (K // 4) + s_at
    x += x_at
    total = tl.zeros([BLOCKS, OUT, ROWS], tl.float32)
    for begin in range(0, K // 64, BLOCKS):
        if K // 64 % BLOCKS == 0:
            packed = tl.load(weight + begin * 512)
            scale = tl.load(absmax + begin * 16)
            part = tl.load(x + begin * 64, mask=(row < many)[:, None], other=0.0)
        else:
            left = K // 64 - begin
            packed = tl.load(weight + begin * 512, mask=w_block < left, other=0)
            scale = tl.load(absmax + begin * 16, mask=s_block < left, other=0.0)
            part = tl.load(x + begin * 64, mask=((row < many) & (x_block < left))[:, None], other=0.0)
        high, low_ones = values(packed, table, code, EXACT)
        high = tl.reshape(high.to(y.dtype.element_ty), [TILES, EACH, WARPS, 8, 4, 2, 2, 4])
        low_ones = tl.reshape(low_ones.to(y.dtype.element_ty), [TILES, EACH, WARPS, 8, 4, 2, 2, 4])
        high = tl.reshape(tl.permute(high, (1, 2, 0, 6, 3, 5, 4, 7)), [BLOCKS, OUT, 32])
        low_ones = tl.reshape(tl.permute(low_ones, (1, 2, 0, 6, 3, 5, 4, 7)), [BLOCKS, OUT, 32])
        part = tl.permute(tl.reshape(part, [EACH, 2, WARPS, ROWS, 4, 2, 4]), (0, 2, 3, 1, 4, 6, 5))
        first, second = tl.split(part)
        first = tl.permute(tl.reshape(first, [BLOCKS, ROWS, 32]), (0, 2, 1))
        second = tl.permute(tl.reshape(second, [BLOCKS, ROWS, 32]), (0, 2, 1))
        both = tl.dot(low_ones, second, tl.dot(high, first, input_precision="ieee"), input_precision="ieee")
        scale = tl.reshape(scale, [TILES, EACH, WARPS, 8, 4, 2])
        scale = tl.reshape(tl.permute(scale, (1, 2, 0, 5, 3, 4)), [BLOCKS, OUT, 4, 1])
        total += both * tl.reshape(tl.broadcast_to(scale, [BLOCKS, OUT, 4, ROWS // 4]), [BLOCKS, OUT, ROWS])
    seen = seen_by_adapters(low, m, r, many, ranks, PIECES, PIECES_WIDE, RANKS, ROWS)
    whole = tl.sum(total, axis=0) + tl.dot(u, seen.to(u.dtype), input_precision="ieee")
    cell, there = m[None, :] * N + n[:, None], (m < many)[None, :] & (n < N)[:, None]
    if BIAS:
        whole += tl.load(bias + n, mask=n < N, other=0.0).to(tl.float32)[:, None]
    if RESIDUAL:
        whole += tl.load(residual + cell, mask=there, other=0.0).to(tl.float32)
    tl.store(y + cell, whole.to(y.dtype.element_ty), mask=there)


@jit
def unpack(weight, absmax, table, code, y, N, K: tl.constexpr, BLOCKS: tl.constexpr, EXACT: tl.constexpr):
    """The matrix (N, K) itself: BLOCKS tiles of 16 outputs a program."""
    tile = tl.program_id(0).to(tl.int64)
    begin = tl.program_id(1) * BLOCKS
    w = tl.arange(0, BLOCKS * 512)
    packed = tl.load(weight + (tile * (K // 64) + begin) * 512 + w, mask=begin + w // 512 < K // 64, other=0)
    s = tl.arange(0, BLOCKS * 16)
    scale = tl.load(absmax + (tile * (K // 64) + begin) * 16 + s, mask=begin + s // 16 < K // 64, other=0.0)
    both = tl.join(*values(packed, table, code, EXACT))  # [block g t c h j half] to [h g, block, c t half j]
    both = tl.permute(tl.reshape(both, [BLOCKS, 8, 4, 2, 2, 4, 2]), (4, 1, 0, 3, 2, 6, 5))
    scale = tl.reshape(tl.permute(tl.reshape(scale, [BLOCKS, 8, 2]), (2, 1, 0)), [16, BLOCKS, 1])
    dense = tl.reshape(both, [16, BLOCKS, 64]).to(tl.float32) * scale
    n, k = tile * 16 + tl.arange(0, 16), begin * 64 + tl.arange(0, BLOCKS * 64)
    there = (n < N)[:, None] & (k < K)[None, :]
    tl.store(y + n[:, None] * K + k[None, :], tl.reshape(dense, [16, BLOCKS * 64]).to(y.dtype.element_ty), mask=there)

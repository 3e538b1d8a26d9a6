"""Triton kernels for one token of a few rows: NF4 products with LoRA in them, norm, SiLU, attention.

Every matrix is read once, its NF4 codes looked up on the way and never written back as 16-bit weights.
`kernel_arithmetic.py` launches them. They know nothing of models or graphs, and they are not differentiable.

Two conventions. A vector that an NF4 product reads is stored evens first, then odds, because bitsandbytes packs two
neighbours into a byte: both halves are then read in one piece. `low`, what the adapters see of a vector, is stored as
sums over pieces of it, (rows, pieces, ranks), which the product adds up: so no launch waits for another.
"""

from __future__ import annotations

import struct

try:
    import triton.language as tl
    from triton import jit
except ImportError:  # it comes with PyTorch for GPUs alone, and only there is anything launched

    def jit(function):  # noqa: ANN001, ANN201
        """A kernel that nobody can launch."""
        return function


BLOCK = 64
"""Weights that share a scale in bitsandbytes' NF4."""

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


def _lookup() -> str:
    """PTX that turns four bytes, $8, into their high codes' values, $0 to $3, and their low codes', $4 to $7.

    `prmt` picks bytes out of eight by three bits each: two of them and a third for the fourth bit look up a code's
    byte, one time each for the high and the low half of bfloat16, four codes at once and no memory asked.
    """
    words = [_bfloat16(value) for value in NF4]
    low, high = (
        [
            sum((word >> shift & 255) << 8 * at for at, word in enumerate(words[begin : begin + 4]))
            for begin in (0, 4, 8, 12)
        ]
        for shift in (0, 8)
    )
    lines = [
        ".reg .b32 which, half, a, b, low, high, two;",
        "and.b32 which, $8, 0x77777777;",
        "shr.u32 half, $8, 1;",
        "and.b32 half, half, 0x44444444;",
        "or.b32 half, half, 0x32103210;",
    ]
    for first in (0, 2):
        for name, table in (("low", low), ("high", high)):
            lines += [
                f"prmt.b32 a, {table[0]:#x}, {table[1]:#x}, which;",
                f"prmt.b32 b, {table[2]:#x}, {table[3]:#x}, which;",
                f"prmt.b32 {name}, a, b, half;",
            ]
        for at, pick in ((first, "0x5140"), (first + 1, "0x7362")):
            lines += [
                f"prmt.b32 two, low, high, {pick};",
                f"shl.b32 ${at + 4}, two, 16;",
                f"and.b32 ${at}, two, 0xffff0000;",
            ]
        lines += ["shr.u32 which, which, 16;", "shr.u32 half, half, 16;"]
    return "{ " + " ".join(lines[:-2]) + " }"


try:
    LOOKUP = tl.constexpr(_lookup())
except NameError:
    LOOKUP = None


@jit
def codes(packed, code, EXACT: tl.constexpr):
    """The values of the high and of the low codes of bytes; EXACT: in float32, else as bfloat16 has them, faster."""
    if EXACT:
        wide = packed.to(tl.int32)
        return tl.load(code + (wide >> 4)), tl.load(code + (wide & 15))
    return tl.inline_asm_elementwise(
        LOOKUP, "=r,=r,=r,=r,=r,=r,=r,=r,r", [packed], dtype=(tl.float32, tl.float32), is_pure=True, pack=4
    )


@jit
def store_with_low(value, k, there, row, piece, pieces, down, gate, h, low, ranks, WIDTH: tl.constexpr):
    """Store a piece of a vector evens first, and what a block of 16 ranks sees of it."""
    value = value.to(h.dtype.element_ty)
    block = tl.program_id(2)
    if block == 0:
        tl.store(h + row * WIDTH + (k % 2) * (WIDTH // 2) + k // 2, value, mask=there)
    r = block * 16 + tl.arange(0, 16)
    a = tl.load(down + r[:, None] * WIDTH + k[None, :], mask=there[None, :], other=0.0).to(tl.float32)
    seen = tl.sum(a * value.to(tl.float32)[None, :], axis=1) * tl.load(gate + row * ranks + r).to(tl.float32)
    tl.store(low + (row * pieces + piece) * ranks + r, seen)


@jit
def norm(x, weight, down, gate, h, low, ranks, epsilon, WIDTH: tl.constexpr, WIDE: tl.constexpr, PIECE: tl.constexpr):
    row, piece = tl.program_id(0), tl.program_id(1)
    every = tl.arange(0, WIDE)
    whole = tl.load(x + row * WIDTH + every, mask=every < WIDTH, other=0.0).to(tl.float32)
    scale = tl.rsqrt(tl.sum(whole * whole) / WIDTH + epsilon)
    k = piece * PIECE + tl.arange(0, PIECE)
    there = k < WIDTH
    part = tl.load(x + row * WIDTH + k, mask=there, other=0.0).to(tl.float32) * scale
    part *= tl.load(weight + k, mask=there, other=0.0).to(tl.float32)
    store_with_low(part, k, there, row, piece, tl.num_programs(1), down, gate, h, low, ranks, WIDTH)


@jit
def gated(both, down, gate, h, low, ranks, WIDTH: tl.constexpr, PIECE: tl.constexpr):
    row, piece = tl.program_id(0), tl.program_id(1)
    k = piece * PIECE + tl.arange(0, PIECE)
    there = k < WIDTH
    left = tl.load(both + row * 2 * WIDTH + k, mask=there, other=0.0).to(tl.float32)
    right = tl.load(both + row * 2 * WIDTH + WIDTH + k, mask=there, other=0.0).to(tl.float32)
    part = left * tl.sigmoid(left) * right
    store_with_low(part, k, there, row, piece, tl.num_programs(1), down, gate, h, low, ranks, WIDTH)


@jit
def lora(low, up, row, n, inside, N, ranks, PIECES: tl.constexpr, PIECES_WIDE: tl.constexpr, RANKS: tl.constexpr):
    """The adapters' part in outputs n of a row."""
    p, r = tl.arange(0, PIECES_WIDE), tl.arange(0, RANKS)
    which = (p < PIECES)[:, None] & (r < ranks)[None, :]
    seen = tl.sum(tl.load(low + (row * PIECES + p[:, None]) * ranks + r[None, :], mask=which, other=0.0), axis=0)
    u = tl.load(up + r[:, None] * N + n[None, :], mask=(r < ranks)[:, None] & inside[None, :], other=0.0)
    return tl.sum(u.to(tl.float32) * seen[:, None], axis=0)


@jit
def finish(total, y, residual, bias, row, n, inside, N, RESIDUAL: tl.constexpr, BIAS: tl.constexpr):
    if BIAS:
        total += tl.load(bias + n, mask=inside, other=0.0).to(tl.float32)
    if RESIDUAL:
        total += tl.load(residual + row * N + n, mask=inside, other=0.0).to(tl.float32)
    tl.store(y + row * N + n, total.to(y.dtype.element_ty), mask=inside)


@jit
def product(
    x, weight, absmax, code, low, up, residual, bias, y, N, ranks,
    K: tl.constexpr, ROWS: tl.constexpr, PIECES: tl.constexpr, PIECES_WIDE: tl.constexpr, RANKS: tl.constexpr,
    RESIDUAL: tl.constexpr, BIAS: tl.constexpr, EXACT: tl.constexpr, OUT: tl.constexpr, BLOCKS: tl.constexpr,
):  # fmt: skip
    """y = x Wᵀ + adapters + residual for one or two rows, by multiplying and adding: OUT outputs a program."""
    n = tl.program_id(0) * OUT + tl.arange(0, OUT)
    inside = n < N
    i = tl.arange(0, 32)
    first = tl.zeros([OUT, BLOCKS], tl.float32)
    second = tl.zeros([OUT, BLOCKS], tl.float32)
    rows = n.to(tl.int64)
    for begin in range(0, K // 64, BLOCKS):
        b = begin + tl.arange(0, BLOCKS)
        known = b < K // 64
        both = inside[:, None] & known[None, :]
        place = b[:, None] * 32 + i[None, :]
        packed = tl.load(weight + rows[:, None, None] * (K // 2) + place[None, :, :], mask=both[:, :, None], other=0)
        scale = tl.load(absmax + rows[:, None] * (K // 64) + b[None, :], mask=both, other=0.0)
        even, odd = codes(packed, code, EXACT)
        there = known[:, None] & (i < 32)[None, :]
        e = tl.load(x + place, mask=there, other=0.0).to(tl.float32)
        o = tl.load(x + K // 2 + place, mask=there, other=0.0).to(tl.float32)
        first += tl.sum(even * e[None, :, :] + odd * o[None, :, :], axis=2) * scale
        if ROWS == 2:
            e = tl.load(x + K + place, mask=there, other=0.0).to(tl.float32)
            o = tl.load(x + K + K // 2 + place, mask=there, other=0.0).to(tl.float32)
            second += tl.sum(even * e[None, :, :] + odd * o[None, :, :], axis=2) * scale
    total = tl.sum(first, axis=1) + lora(low, up, 0, n, inside, N, ranks, PIECES, PIECES_WIDE, RANKS)
    finish(total, y, residual, bias, 0, n, inside, N, RESIDUAL, BIAS)
    if ROWS == 2:
        total = tl.sum(second, axis=1) + lora(low, up, 1, n, inside, N, ranks, PIECES, PIECES_WIDE, RANKS)
        finish(total, y, residual, bias, 1, n, inside, N, RESIDUAL, BIAS)


@jit
def product_of_many(
    x, weight, absmax, code, low, up, residual, bias, y, N, ranks, many,
    K: tl.constexpr, ROWS: tl.constexpr, PIECES: tl.constexpr, RANKS: tl.constexpr,
    RESIDUAL: tl.constexpr, BIAS: tl.constexpr, EXACT: tl.constexpr, OUT: tl.constexpr, BLOCKS: tl.constexpr,
):  # fmt: skip
    """The same for up to ROWS rows, 16 or more, by tensor cores over weights in x's format."""
    n = tl.program_id(0) * OUT + tl.arange(0, OUT)
    inside = n < N
    i, m = tl.arange(0, 32), tl.arange(0, ROWS)
    k = tl.arange(0, BLOCKS * 32)
    total = tl.zeros([ROWS, OUT], tl.float32)
    rows = n.to(tl.int64)
    for begin in range(0, K // 64, BLOCKS):
        b = begin + tl.arange(0, BLOCKS)
        known = b < K // 64
        both = inside[:, None] & known[None, :]
        place = b[:, None] * 32 + i[None, :]
        packed = tl.load(weight + rows[:, None, None] * (K // 2) + place[None, :, :], mask=both[:, :, None], other=0)
        scale = tl.load(absmax + rows[:, None] * (K // 64) + b[None, :], mask=both, other=0.0)[:, :, None]
        even, odd = codes(packed, code, EXACT)
        even, odd = (even * scale).to(x.dtype.element_ty), (odd * scale).to(x.dtype.element_ty)
        at = begin * 32 + k
        there = (m < many)[:, None] & (at < K // 2)[None, :]
        e = tl.load(x + m[:, None] * K + at[None, :], mask=there, other=0.0)
        o = tl.load(x + m[:, None] * K + K // 2 + at[None, :], mask=there, other=0.0)
        total += tl.dot(e, tl.trans(tl.reshape(even, [OUT, BLOCKS * 32])), input_precision="ieee")
        total += tl.dot(o, tl.trans(tl.reshape(odd, [OUT, BLOCKS * 32])), input_precision="ieee")
    r = tl.arange(0, RANKS)
    seen = tl.zeros([ROWS, RANKS], tl.float32)
    for piece in range(PIECES):
        where = (m[:, None] * PIECES + piece) * ranks + r[None, :]
        seen += tl.load(low + where, mask=(m < many)[:, None] & (r < ranks)[None, :], other=0.0)
    u = tl.load(up + r[:, None] * N + n[None, :], mask=(r < ranks)[:, None] & inside[None, :], other=0.0)
    total += tl.dot(seen.to(u.dtype), u, input_precision="ieee")
    cell, there = m[:, None] * N + n[None, :], (m < many)[:, None] & inside[None, :]
    if BIAS:
        total += tl.load(bias + n, mask=inside, other=0.0).to(tl.float32)[None, :]
    if RESIDUAL:
        total += tl.load(residual + cell, mask=there, other=0.0).to(tl.float32)
    tl.store(y + cell, total.to(y.dtype.element_ty), mask=there)


@jit
def turned(x, place, cosine, sine, D: tl.constexpr):
    """A head's numbers at `place` in x, turned by its position's angles (Llama's order of halves)."""
    d = place % D
    other = tl.where(d < D // 2, place + D // 2, place - D // 2)
    sign = tl.where(d < D // 2, -1.0, 1.0)
    return tl.load(x + place).to(tl.float32) * cosine + sign * tl.load(x + other).to(tl.float32) * sine


@jit
def attend(
    qkv, keys, values, lengths, cos, sin, parts, sums, room, scaling,
    KV: tl.constexpr, G: tl.constexpr, GROUP: tl.constexpr, D: tl.constexpr, STEP: tl.constexpr,
):  # fmt: skip
    """One share of one row's and one key head's attention; the last share also takes in the new token."""
    row, head, share = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    shares = tl.num_programs(2)
    length = tl.load(lengths + row).to(tl.int32)
    d, g, s = tl.arange(0, D), tl.arange(0, GROUP), tl.arange(0, STEP)
    cosine = tl.load(cos + length * D + d).to(tl.float32)
    sine = tl.load(sin + length * D + d).to(tl.float32)
    mine = qkv + row * (KV * G + 2 * KV) * D
    real = (g < G)[:, None]
    place = (head * G + tl.minimum(g, G - 1))[:, None] * D + d[None, :]
    q = turned(mine, place, cosine[None, :], sine[None, :], D)
    q = tl.where(real, q, 0.0).to(keys.dtype.element_ty)
    cache = (row * KV + head).to(tl.int64) * room * D
    each = (tl.cdiv(length, shares) + STEP - 1) // STEP * STEP
    begin, end = share * each, tl.minimum(share * each + each, length)
    best = tl.full([GROUP], -1e30, tl.float32)
    weight = tl.zeros([GROUP], tl.float32)
    total = tl.zeros([GROUP, D], tl.float32)
    for at in range(begin, end, STEP):
        there = at + s < end
        where = cache + (at + s)[:, None] * D + d[None, :]
        k = tl.load(keys + where, mask=there[:, None], other=0.0)
        score = tl.dot(q, tl.trans(k), input_precision="ieee") * scaling
        score = tl.where(there[None, :], score, -1e30)
        now = tl.maximum(best, tl.max(score, axis=1))
        p = tl.exp(score - now[:, None])
        fade = tl.exp(best - now)
        v = tl.load(values + where, mask=there[:, None], other=0.0)
        total = total * fade[:, None] + tl.dot(p.to(v.dtype), v, input_precision="ieee")
        weight = weight * fade + tl.sum(p, axis=1)
        best = now
    if share == shares - 1:
        k = turned(mine, (KV * G + head) * D + d, cosine, sine, D).to(keys.dtype.element_ty)
        v = tl.load(mine + (KV * G + KV + head) * D + d)
        tl.store(keys + cache + length * D + d, k)
        tl.store(values + cache + length * D + d, v)
        score = tl.sum(q.to(tl.float32) * k.to(tl.float32)[None, :], axis=1) * scaling
        now = tl.maximum(best, score)
        p, fade = tl.exp(score - now), tl.exp(best - now)
        total = total * fade[:, None] + p[:, None] * v.to(tl.float32)[None, :]
        weight = weight * fade + p
        best = now
    slot = ((row * KV + head) * G + g) * shares + share
    tl.store(parts + slot[:, None] * D + d[None, :], total, mask=real)
    tl.store(sums + slot * 2, best, mask=g < G)
    tl.store(sums + slot * 2 + 1, weight, mask=g < G)


@jit
def attended(parts, sums, down, gate, h, low, ranks, HEADS: tl.constexpr, D: tl.constexpr, SHARES: tl.constexpr):
    """Put a head's shares together; a head is a piece."""
    row, head = tl.program_id(0), tl.program_id(1)
    s, d = tl.arange(0, SHARES), tl.arange(0, D)
    slot = (row * HEADS + head) * SHARES + s
    best, weight = tl.load(sums + slot * 2), tl.load(sums + slot * 2 + 1)
    fade = tl.exp(best - tl.max(best))
    part = tl.sum(tl.load(parts + slot[:, None] * D + d[None, :]) * fade[:, None], axis=0) / tl.sum(weight * fade)
    k = head * D + d
    store_with_low(part, k, k >= 0, row, head, HEADS, down, gate, h, low, ranks, HEADS * D)

"""Triton kernels for one token of some rows, all but the products (`tile_kernels.py`): norm, SiLU, attention.

`kernel_arithmetic.py` launches them. They know nothing of models or graphs, and they are not differentiable. `low`,
what the adapters see of a vector, is stored as sums over pieces of it, (rows, pieces, ranks), which the product adds
up: so no launch waits for another.
"""

from __future__ import annotations

from finetune.inference.tile_kernels import jit, tl


@jit
def store_with_low(value, k, there, row, piece, pieces, down, gate, h, low, ranks, WIDTH: tl.constexpr):
    """Store a piece of a vector, and what a block of 16 ranks sees of it."""
    value = value.to(h.dtype.element_ty)
    block = tl.program_id(2)
    if block == 0:
        tl.store(h + row * WIDTH + k, value, mask=there)
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

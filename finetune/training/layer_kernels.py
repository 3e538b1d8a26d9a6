"""Triton kernels of training that read and write large tensors once: the MLP's middle, norms, the loss of some logits.

`layer_arithmetic.py` launches them. Sums are float32. They know no modules and no autograd.
"""

from __future__ import annotations

from finetune.inference.tile_kernels import jit, tl


@jit
def middle(gate, up, product, numbers, BLOCK: tl.constexpr):
    """product = silu(gate) * up."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = at < numbers
    g = tl.load(gate + at, mask=there, other=0.0).to(tl.float32)
    u = tl.load(up + at, mask=there, other=0.0).to(tl.float32)
    tl.store(product + at, (g * tl.sigmoid(g) * u).to(product.dtype.element_ty), mask=there)


@jit
def middle_backward(gradient, gate, up, numbers, BLOCK: tl.constexpr):
    """Over gate and up the gradients by them, over the gradient by the product the product itself."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = at < numbers
    by = tl.load(gradient + at, mask=there, other=0.0).to(tl.float32)
    g = tl.load(gate + at, mask=there, other=0.0).to(tl.float32)
    u = tl.load(up + at, mask=there, other=0.0).to(tl.float32)
    s = tl.sigmoid(g)
    kind = gate.dtype.element_ty
    tl.store(gradient + at, (g * s * u).to(kind), mask=there)
    tl.store(gate + at, (by * u * s * (1 + g * (1 - s))).to(kind), mask=there)
    tl.store(up + at, (by * g * s).to(kind), mask=there)


@jit
def cross_entropy(logits, labels, losses, columns, GRADIENT: tl.constexpr, BLOCK: tl.constexpr):
    """Each row's loss, and over its logits the gradient by them: their softmax, less 1 at the label."""
    row = tl.program_id(0)
    logits += row.to(tl.int64) * columns
    k = tl.arange(0, BLOCK)
    most, total = -float("inf"), 0.0
    for begin in range(0, columns, BLOCK):
        x = tl.load(logits + begin + k, mask=begin + k < columns, other=-float("inf")).to(tl.float32)
        higher = tl.maximum(most, tl.max(x))
        total = total * tl.exp(most - higher) + tl.sum(tl.exp(x - higher))
        most = higher
    label = tl.load(labels + row)
    tl.store(losses + row, tl.log(total) + most - tl.load(logits + label).to(tl.float32))
    if GRADIENT:
        for begin in range(0, columns, BLOCK):
            there = begin + k < columns
            x = tl.load(logits + begin + k, mask=there, other=0.0).to(tl.float32)
            by = tl.exp(x - most) / total - tl.where(begin + k == label, 1.0, 0.0)
            tl.store(logits + begin + k, by.to(logits.dtype.element_ty), mask=there)


@jit
def norm(stream, added, weight, total, result, scales, width, epsilon, ADDS: tl.constexpr, BLOCK: tl.constexpr):
    """A row of the stream with what is added to it, its root mean square norm, and the scale that this took."""
    row, k = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    there = k < width
    at = row * width + k
    kind = result.dtype.element_ty
    x = tl.load(stream + at, mask=there, other=0.0).to(tl.float32)
    if ADDS:
        x = (x + tl.load(added + at, mask=there, other=0.0).to(tl.float32)).to(kind).to(tl.float32)
        tl.store(total + at, x.to(kind), mask=there)
    scale = 1 / tl.sqrt(tl.sum(x * x) / width + epsilon)
    tl.store(scales + row, scale)
    w = tl.load(weight + k, mask=there, other=0.0).to(tl.float32)
    tl.store(result + at, (x * scale * w).to(kind), mask=there)


@jit
def norm_backward(by_total, by_result, total, weight, scales, by, width, BLOCK: tl.constexpr):
    """The gradient by the stream from those by what goes on beside the norm and by what the norm made."""
    row, k = tl.program_id(0).to(tl.int64), tl.arange(0, BLOCK)
    there = k < width
    at = row * width + k
    scale = tl.load(scales + row)
    x = tl.load(total + at, mask=there, other=0.0).to(tl.float32) * scale
    w = tl.load(weight + k, mask=there, other=0.0).to(tl.float32)
    g = tl.load(by_result + at, mask=there, other=0.0).to(tl.float32) * w
    back = scale * (g - x * (tl.sum(g * x) / width)) + tl.load(by_total + at, mask=there, other=0.0).to(tl.float32)
    tl.store(by + at, back.to(by.dtype.element_ty), mask=there)

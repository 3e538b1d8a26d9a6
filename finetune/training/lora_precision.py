"""LoRA computed in the base's number format over float32 master weights, several projections of one input at a time.

PEFT under autocast casts each projection's input to float32 and back (17 % of an H200's time) and passes over every
output and every input's gradient several times more. Here the adapters of projections that read the same input are one
thin product, their results are added by the product that makes them, and so are gradients. The optimizer's weights stay
float32: they are cast when used, and their gradients are float32 again.

It knows PEFT's plain LoRA (`base + scaling * B A`, Hu et al. 2021, https://arxiv.org/abs/2106.09685) without dropout
and without trained biases, on dense and on bitsandbytes' 4-bit layers. It does not know what is projected.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from finetune.recipe import Adapter


def supported(adapter: Adapter) -> bool:
    """Whether an adapter of a recipe is one that these products compute."""
    return adapter.lora_dropout == 0 and adapter.bias == "none"


def project(x: Any, layers: Sequence[Any]) -> tuple[Any, ...]:
    """What each layer makes of `x` (…, width in), as PEFT's layers would: (…, width out) each.

    `layers`: linear layers of the same input, PEFT's with one active adapter, or plain ones.
    """
    a, bs = low_rank(layers, x.dtype)
    flat = x.reshape(-1, x.shape[-1])
    results = _functions()["project"].apply(flat, a, [frozen(layer) for layer in layers], *bs)
    return tuple(result.view(*x.shape[:-1], -1) for result in results)


def gated(x: Any, gate: Any, up: Any, down: Any, *, recompute: bool = False) -> Any:
    """Llama's MLP, `down(silu(gate(x)) * up(x))`, (…, width) to (…, width).

    Of what lies between only gate and up are kept for the backward pass; with `recompute` not even those, which is
    more than half of what a layer keeps, for about half of a layer's forward pass more.
    """
    a_in, bs = low_rank((gate, up), x.dtype)
    a_out, (b_out,) = low_rank((down,), x.dtype)
    flat = x.reshape(-1, x.shape[-1])
    bases = [frozen(layer) for layer in (gate, up, down)]
    return _functions()["gated"].apply(flat, recompute, bases, a_in, *bs, a_out, b_out).view(x.shape)


def frozen(layer: Any) -> Any:
    """The layer under an adapter, or the layer itself."""
    return layer.get_base_layer() if hasattr(layer, "get_base_layer") else layer


def low_rank(layers: Sequence[Any], dtype: Any) -> tuple[Any, list[Any]]:
    """All A matrices, one under the other (ranks, width in), and each layer's B times its scaling, in a number format.

    A layer whose adapter is off, merged or missing has None for its B; A is None where no layer has one. Autograd leads
    their gradients back to the float32 weights, and the scaling is applied before anything is rounded.
    """
    import torch

    tops, bottoms = [], []
    for layer in layers:
        if not hasattr(layer, "lora_A") or layer.disable_adapters or layer.merged:
            bottoms.append(None)
            continue
        (name,) = layer.active_adapters
        tops.append(layer.lora_A[name].weight)
        scaling, b = layer.scaling[name], layer.lora_B[name].weight
        bottoms.append((b if scaling == 1 else b * scaling).to(dtype))
    return torch.cat(tops).to(dtype) if tops else None, bottoms


def dense(layer: Any, dtype: Any) -> Any:
    """A frozen layer's weights (width out, width in) in a number format; 4-bit ones are unpacked for this use only."""
    state = getattr(layer.weight, "quant_state", None)
    if state is None:
        return layer.weight.to(dtype)
    import bitsandbytes.functional as bnb

    return bnb.dequantize_4bit(layer.weight.data, state).to(dtype)


def forward(x: Any, a: Any, layers: Sequence[Any], bs: Sequence[Any]) -> tuple[list[Any], Any]:
    """The results, and x A^T (tokens, ranks) for `backward`; x is (tokens, width in)."""
    import torch.nn.functional as F

    thin = None if a is None else F.linear(x, a)
    results, begin = [], 0
    for layer, b in zip(layers, bs, strict=True):
        result = F.linear(x, dense(layer, x.dtype), None if layer.bias is None else layer.bias.to(x.dtype))
        if b is not None:
            result.addmm_(thin[:, begin : begin + b.shape[1]], b.t())
            begin += b.shape[1]
        results.append(result)
    return results, thin


def backward(
    gradients: Sequence[Any], x: Any, thin: Any, a: Any, layers: Sequence[Any], bs: Sequence[Any], *, by_input: bool
) -> tuple[Any, Any, list[Any]]:
    """Gradients by x (None unless `by_input`), by A and by each B, from those by the results."""
    import torch

    by_bs, by_thins, by_x, begin = [], [], None, 0
    for gradient, layer, b in zip(gradients, layers, bs, strict=True):
        if b is None:
            by_bs.append(None)
        else:
            by_bs.append(gradient.t() @ thin[:, begin : begin + b.shape[1]])
            by_thins.append(gradient @ b)
            begin += b.shape[1]
        if by_input:
            weight = dense(layer, x.dtype)
            by_x = gradient @ weight if by_x is None else by_x.addmm_(gradient, weight)
    if a is None:
        return by_x, None, by_bs
    by_thin = torch.cat(by_thins, dim=1)
    if by_input:
        by_x.addmm_(by_thin, a)
    return by_x, by_thin.t() @ x, by_bs


def _gate(gate: Any, up: Any) -> Any:
    """silu(gate) * up, by Liger's kernel where it is installed and the numbers lie on a card."""
    import torch.nn.functional as F

    if gate.is_cuda and has_liger():
        from liger_kernel.ops.swiglu import swiglu_forward

        return swiglu_forward(gate, up)[2]
    return F.silu(gate) * up


def _gate_backward(gradient: Any, gate: Any, up: Any) -> tuple[Any, Any]:
    """Gradients by gate and up; Liger's kernel writes them over gate and up, which nothing reads any more."""
    import torch
    import torch.nn.functional as F

    if gate.is_cuda and has_liger():
        from liger_kernel.ops.swiglu import swiglu_backward

        return swiglu_backward(gate, up, gradient)
    return torch.ops.aten.silu_backward(gradient * up, gate), gradient * F.silu(gate)


@functools.cache
def has_liger() -> bool:
    """Whether Liger's kernels are installed (requirements-gpu.txt); everything works without them, slower."""
    from transformers.utils import is_liger_kernel_available

    return bool(is_liger_kernel_available())


@functools.cache
def _functions() -> dict[str, type]:
    import torch

    class Project(torch.autograd.Function):
        """`forward` and `backward` above, as one step of autograd."""

        @staticmethod
        def forward(ctx: Any, x: Any, a: Any, layers: list[Any], *bs: Any) -> tuple[Any, ...]:
            results, thin = forward(x, a, layers, bs)
            ctx.save_for_backward(x, thin, a, *bs)
            ctx.layers = layers
            return tuple(results)

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
            x, thin, a, *bs = ctx.saved_tensors
            by_x, by_a, by_bs = backward(gradients, x, thin, a, ctx.layers, bs, by_input=ctx.needs_input_grad[0])
            return by_x, by_a, None, *by_bs

    class Gated(torch.autograd.Function):
        """The MLP as one step: the product of gate and up is made again, and with `recompute` gate and up, too."""

        @staticmethod
        def forward(
            ctx: Any, x: Any, recompute: bool, layers: list[Any], a: Any, b_gate: Any, b_up: Any, a_out: Any, b_out: Any
        ) -> Any:
            (gate, up), thin = forward(x, a, layers[:2], (b_gate, b_up))
            (result,), thin_out = forward(_gate(gate, up), a_out, layers[2:], (b_out,))
            kept = (None, None) if recompute else (gate, up)
            ctx.save_for_backward(x, a, b_gate, b_up, a_out, b_out, thin, thin_out, *kept)
            ctx.layers = layers
            return result

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> tuple[Any, ...]:
            x, a, b_gate, b_up, a_out, b_out, thin, thin_out, gate, up = ctx.saved_tensors
            first, last = ctx.layers[:2], ctx.layers[2:]
            if gate is None:
                (gate, up), _ = forward(x, a, first, (b_gate, b_up))
            by_product, by_a_out, (by_b_out,) = backward(
                (gradient,), _gate(gate, up), thin_out, a_out, last, (b_out,), by_input=True
            )
            by_both = _gate_backward(by_product, gate, up)
            del by_product, gate, up  # on a long batch each is hundreds of megabytes
            by_x, by_a, by_bs = backward(by_both, x, thin, a, first, (b_gate, b_up), by_input=ctx.needs_input_grad[0])
            return by_x, None, None, by_a, *by_bs, by_a_out, by_b_out

    return {"project": Project, "gated": Gated}

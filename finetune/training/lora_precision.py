"""LoRA computed in the base's number format over float32 master weights, several projections of one input at a time.

PEFT under autocast casts each projection's input to float32 and back (17 % of an H200's time) and passes over every
output and every input's gradient several times more. Here the adapters of projections that read the same input are one
thin product, the large products add to what they give, and so it is with gradients. The optimizer's weights stay
float32: all of them are cast together when a pass begins, and their gradients are float32 again.

It knows PEFT's plain LoRA (`base + scaling * B A`, Hu et al. 2021, https://arxiv.org/abs/2106.09685) without dropout
and without trained biases, on dense and on bitsandbytes' 4-bit layers. It does not know what is projected; a norm it
only asks to make that again.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finetune.recipe import Adapter
from finetune.training import layer_arithmetic, residual_norm


def supported(adapter: Adapter) -> bool:
    """Whether an adapter of a recipe is one that these products compute."""
    return adapter.lora_dropout == 0 and adapter.bias == "none"


@dataclass(frozen=True, eq=False)
class LowRank:
    """The adapters of layers that read the same input, in the number format that they are computed in."""

    a: Any
    """All A matrices, one under the other, (ranks, width in); None where no layer has one."""
    bs: tuple[Any, ...]
    """Each layer's B times its scaling, (width out, ranks); None where its adapter is off, merged or missing."""


def low_rank(groups: Sequence[Sequence[Any]], dtype: Any) -> list[LowRank]:
    """The adapters of each group of layers in a number format, all of them laid behind one another in a few launches.

    Autograd leads their gradients back to the float32 weights, and scalings are applied before anything is rounded.
    """
    weights, scalings, shapes = [], [], []
    plan: list[tuple[bool, list[bool]]] = []
    for layers in groups:
        found = [_adapter(layer) for layer in layers]
        tops = [a for a, _, _ in filter(None, found)]
        if tops:
            weights += tops
            scalings += [1.0] * len(tops)
            shapes.append((sum(len(a) for a in tops), tops[0].shape[1]))
        for _, b, scaling in filter(None, found):
            weights.append(b)
            scalings.append(scaling)
            shapes.append(tuple(b.shape))
        plan.append((bool(tops), [one is not None for one in found]))
    cast = iter(_functions()["together"].apply(dtype, scalings, shapes, *weights) if weights else ())
    return [
        LowRank(next(cast) if any_top else None, tuple(next(cast) if has else None for has in bottoms))
        for any_top, bottoms in plan
    ]


def _adapter(layer: Any) -> tuple[Any, Any, float] | None:
    """A layer's A, B and scaling; None where its adapter is off, merged or missing."""
    if not hasattr(layer, "lora_A") or layer.disable_adapters or layer.merged:
        return None
    (name,) = layer.active_adapters
    return layer.lora_A[name].weight, layer.lora_B[name].weight, layer.scaling[name]


def project(x: Any, layers: Sequence[Any], adapters: LowRank | None = None) -> tuple[Any, ...]:
    """What each layer makes of `x` (…, width in), as PEFT's layers would: (…, width out) each.

    `layers`: linear layers of the same input, PEFT's with one active adapter, or plain ones. `adapters`: theirs, where
    they are at hand.
    """
    if adapters is None:
        (adapters,) = low_rank([layers], x.dtype)
    flat = x.reshape(-1, x.shape[-1])
    results = _functions()["project"].apply(flat, adapters.a, [frozen(layer) for layer in layers], *adapters.bs)
    return tuple(result.view(*x.shape[:-1], -1) for result in results)


def gated(
    x: Any,
    gate: Any,
    up: Any,
    down: Any,
    adapters: Sequence[LowRank] | None = None,
    *,
    recompute: bool = False,
    made_of: tuple[Any, Any] | None = None,
) -> Any:
    """Llama's MLP, `down(silu(gate(x)) * up(x))`, (…, width) to (…, width).

    Of what lies between only gate and up are kept for the backward pass; with `recompute` not even those, which is
    more than half of what a layer keeps, for about half of a layer's forward pass more. `adapters`: of gate and up
    together, and of down, where they are at hand. `made_of`: the norm and the residual stream that x was made of,
    which is kept anyway: with `recompute` x is not, either.
    """
    into, out = adapters or low_rank([(gate, up), (down,)], x.dtype)
    norm, stream = made_of if made_of and recompute else (None, None)
    flat, stream = (None if one is None else one.reshape(-1, one.shape[-1]) for one in (x, stream))
    bases = [frozen(layer) for layer in (gate, up, down)]
    mlp = MLP(bases, recompute, norm)
    given = None if stream is None else stream.detach()
    return _functions()["gated"].apply(flat, given, mlp, into.a, *into.bs, out.a, *out.bs).view(x.shape)


@dataclass(frozen=True, eq=False)
class MLP:
    """How `gated` computes: its frozen gate, up and down, and what of it is made again for the backward pass."""

    layers: list[Any]
    recompute: bool
    norm: Any
    """That makes x of a stream again; None where x is kept."""


def frozen(layer: Any) -> Any:
    """The layer under an adapter, or the layer itself."""
    return layer.get_base_layer() if hasattr(layer, "get_base_layer") else layer


def dense(layer: Any, dtype: Any) -> Any:
    """A frozen layer's weights (width out, width in) in a number format; 4-bit ones are unpacked for this use only."""
    state = getattr(layer.weight, "quant_state", None)
    if state is None:
        return layer.weight.to(dtype)
    import bitsandbytes.functional as bnb

    return bnb.dequantize_4bit(layer.weight.data, state).to(dtype)


def forward(x: Any, a: Any, layers: Sequence[Any], bs: Sequence[Any]) -> tuple[list[Any], Any]:
    """The results, and x A^T (tokens, ranks) for `backward`; x is (tokens, width in).

    What an adapter adds is written first: a large product adds to what is there at no cost, and a thin one does not.
    """
    import torch.nn.functional as F

    thin = None if a is None else F.linear(x, a)
    results, begin = [], 0
    for layer, b in zip(layers, bs, strict=True):
        weight, bias = dense(layer, x.dtype), None if layer.bias is None else layer.bias.to(x.dtype)
        if b is None:
            results.append(F.linear(x, weight, bias))
            continue
        result = (thin[:, begin : begin + b.shape[1]] @ b.t()).addmm_(x, weight.t())
        results.append(result if bias is None else result.add_(bias))
        begin += b.shape[1]
    return results, thin


def by_input(
    gradients: Sequence[Any], a: Any, layers: Sequence[Any], bs: Sequence[Any], *, wanted: bool = True
) -> tuple[Any, Any]:
    """The gradients by the input (tokens, width in) and by x A^T (tokens, ranks), from those by the results.

    The first is None unless `wanted`, the second where no layer has an adapter.
    """
    import torch

    by_thins = [gradient @ b for gradient, b in zip(gradients, bs, strict=True) if b is not None]
    by_thin = torch.cat(by_thins, dim=1) if len(by_thins) > 1 else next(iter(by_thins), None)
    if not wanted:
        return None, by_thin
    by_x = None if by_thin is None else by_thin @ a
    for gradient, layer in zip(gradients, layers, strict=True):
        weight = dense(layer, gradient.dtype)
        by_x = gradient @ weight if by_x is None else by_x.addmm_(gradient, weight)
    return by_x, by_thin


def by_adapters(
    gradients: Sequence[Any], by_thin: Any, x: Any, thin: Any, bs: Sequence[Any]
) -> tuple[Any, tuple[Any, ...]]:
    """The gradients by A and by each B, from those by the results and by x A^T."""
    by_bs, begin = [], 0
    for gradient, b in zip(gradients, bs, strict=True):
        if b is None:
            by_bs.append(None)
            continue
        by_bs.append(gradient.t() @ thin[:, begin : begin + b.shape[1]])
        begin += b.shape[1]
    return None if by_thin is None else by_thin.t() @ x, tuple(by_bs)


@functools.cache
def _functions() -> dict[str, type]:
    import torch

    class Together(torch.autograd.Function):
        """Weights one behind the other in a number format, cut into tensors of these shapes."""

        @staticmethod
        def forward(ctx: Any, dtype: Any, scalings: list[float], shapes: list[tuple[int, int]], *weights: Any) -> Any:
            ctx.scalings, ctx.shapes, ctx.dtype = scalings, [weight.shape for weight in weights], weights[0].dtype
            scaled = [w if s == 1 else w * s for w, s in zip(weights, scalings, strict=True)]
            flat = torch.cat([weight.reshape(-1) for weight in scaled]).to(dtype)
            parts = flat.split([rows * columns for rows, columns in shapes])
            return tuple(part.view(shape) for part, shape in zip(parts, shapes, strict=True))

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
            flat = torch.cat([gradient.reshape(-1) for gradient in gradients]).to(ctx.dtype)
            parts = flat.split([shape.numel() for shape in ctx.shapes])
            found = [part.view(shape) for part, shape in zip(parts, ctx.shapes, strict=True)]
            for part, scaling in zip(found, ctx.scalings, strict=True):
                if scaling != 1:
                    part.mul_(scaling)
            return None, None, None, *found

    class Project(torch.autograd.Function):
        """`forward` above and what leads back, as one step of autograd."""

        @staticmethod
        def forward(ctx: Any, x: Any, a: Any, layers: list[Any], *bs: Any) -> tuple[Any, ...]:
            results, thin = forward(x, a, layers, bs)
            ctx.save_for_backward(x, thin, a, *bs)
            ctx.layers = layers
            return tuple(results)

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> tuple[Any, ...]:
            x, thin, a, *bs = ctx.saved_tensors
            by_x, by_thin = by_input(gradients, a, ctx.layers, bs, wanted=ctx.needs_input_grad[0])
            by_a, by_bs = by_adapters(gradients, by_thin, x, thin, bs)
            return by_x, by_a, None, *by_bs

    class Gated(torch.autograd.Function):
        """The MLP as one step: the product of gate and up is made again, and with `recompute` gate and up, too."""

        @staticmethod
        def forward(
            ctx: Any, x: Any, stream: Any, mlp: MLP, a: Any, b_gate: Any, b_up: Any, a_out: Any, b_out: Any
        ) -> Any:
            (gate, up), thin = forward(x, a, mlp.layers[:2], (b_gate, b_up))
            (result,), thin_out = forward(layer_arithmetic.middle(gate, up), a_out, mlp.layers[2:], (b_out,))
            kept = (None, None) if mlp.recompute else (gate, up)
            source = x if mlp.norm is None else stream
            ctx.save_for_backward(source, a, b_gate, b_up, a_out, b_out, thin, thin_out, *kept)
            ctx.mlp = mlp
            return result

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> tuple[Any, ...]:
            x, a, b_gate, b_up, a_out, b_out, thin, thin_out, gate, up = ctx.saved_tensors
            mlp = ctx.mlp
            first, last = mlp.layers[:2], mlp.layers[2:]
            if mlp.norm is not None:
                x = residual_norm.again(mlp.norm, x)
            if gate is None:
                (gate, up), _ = forward(x, a, first, (b_gate, b_up))
            by_product, by_thin = by_input((gradient,), a_out, last, (b_out,))
            product, *by_both = layer_arithmetic.middle_backward(by_product, gate, up)
            by_a_out, by_b_out = by_adapters((gradient,), by_thin, product, thin_out, (b_out,))
            del by_product, product, gate, up  # on a long batch each is hundreds of megabytes
            by_x, by_thin = by_input(by_both, a, first, (b_gate, b_up), wanted=ctx.needs_input_grad[0])
            by_a, by_bs = by_adapters(by_both, by_thin, x, thin, (b_gate, b_up))
            return by_x, None, None, by_a, *by_bs, by_a_out, *by_b_out

    return {"together": Together, "project": Project, "gated": Gated}

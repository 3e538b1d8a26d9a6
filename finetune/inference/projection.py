"""One product for several frozen linear layers of the same input, in NF4 or dense.

Knows how bitsandbytes lays out its weights. It knows nothing about adapters, attention or tokens.
"""

from __future__ import annotations

import copy
from typing import Any

from finetune.inference import tiled_weights


class Projection:
    """A frozen matrix product, several linear layers of the same input fused; NF4 or dense."""

    def __init__(self, layers: list[Any], names: tuple[str, ...]) -> None:
        import torch

        self.inputs = layers[0].in_features
        self.parts = [(name, layer.out_features) for name, layer in zip(names, layers, strict=True)]
        self.bias = torch.cat([x.bias for x in layers]) if layers[0].bias is not None else None
        state = getattr(layers[0].weight, "quant_state", None)
        self.four_bit = state is not None
        self.tiles: tiled_weights.Tiles | None = None
        """What `tile` has made of the 4-bit weights, which then are nowhere else."""
        if not self.four_bit:
            self.weight = layers[0].weight if len(layers) == 1 else torch.cat([layer.weight for layer in layers])
            return
        self._fuse_four_bit(layers)

    def _fuse_four_bit(self, layers: list[Any]) -> None:
        # NF4 blocks run along the flattened rows, so stacking whole rows is stacking bytes and scales.
        import bitsandbytes.functional as bnb
        import torch

        stored = [_plain_four_bit(layer) for layer in layers]
        states = [state for _, state in stored]
        absmax = [bnb.dequantize_blockwise(s.absmax, s.state2) + s.offset if s.nested else _by_row(s) for s in states]
        rows, columns = sum(size for _, size in self.parts), self.inputs
        self.weight = torch.cat([data.reshape(-1, 1) for data, _ in stored])
        self.state = bnb.QuantState(
            absmax=torch.cat([a.reshape(-1) for a in absmax]).float(),
            shape=torch.Size((rows, columns)),
            code=states[0].code,
            blocksize=states[0].blocksize,
            quant_type=states[0].quant_type,
            dtype=states[0].dtype,
        )
        self.packed = None
        if self.weight.device.type == "cpu" and bnb.has_avx512bf16() and rows % 32 == 0:
            self.packed = bnb._convert_weight_packed_for_cpu(self.weight.clone(), copy.copy(self.state))

    def tile(self) -> None:
        """Lay 4-bit weights on a GPU out for its tensor cores, from now on."""
        outputs = sum(size for _, size in self.parts)
        self.tiles = tiled_weights.tiled(self.weight, self.state.absmax, self.state.code, outputs, self.inputs)
        self.weight = self.state.absmax = None

    def untile(self) -> None:
        """Lay them out again as bitsandbytes reads them."""
        if self.tiles is not None:
            self.weight, self.state.absmax = tiled_weights.natural(self.tiles)
            self.tiles = None

    def __call__(self, x: Any) -> Any:
        import torch.nn.functional as F

        if not self.four_bit:
            return F.linear(x, self.weight, self.bias)
        y = self._four_bit(x)
        return y if self.bias is None else y + self.bias

    def _four_bit(self, x: Any) -> Any:
        import bitsandbytes.functional as bnb
        import torch
        import torch.nn.functional as F

        if self.tiles is not None:
            return F.linear(x, tiled_weights.dense(self.tiles, x.dtype))
        few_rows = x.numel() // x.shape[-1] <= 8
        if few_rows and self.packed is not None:
            data, state = self.packed
            return torch.ops.bitsandbytes.gemv_4bit.default(
                x, data, state.shape, state.absmax, state.code, state.blocksize
            )
        if few_rows and x.is_cuda and x.numel() == x.shape[-1]:
            return bnb.gemv_4bit(x, self.weight.t(), state=self.state)
        return F.linear(x, bnb.dequantize_4bit(self.weight, self.state).to(x.dtype))


def _plain_four_bit(layer: Any) -> tuple[Any, Any]:
    """A layer's NF4 bytes and state in row order; a forward on a CPU repacks them in place, this undoes it."""
    import bitsandbytes.functional as bnb

    data, state = layer.weight.data, copy.copy(layer.weight.quant_state)
    if getattr(state, "packing_format_for_cpu", False):
        return bnb._convert_weight_packed_for_cpu_inverse(data, state)
    return data, state


def _by_row(state: Any) -> Any:
    # The repacked form keeps its scales transposed, and the way back leaves them so.
    absmax = state.absmax.float()
    return absmax.t() if absmax.dim() == 2 else absmax

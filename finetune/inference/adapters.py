"""LoRA adapters for inference: read from disk, and applied with a gate per row.

Every row of a batch names its adapter or none, so base and tuned replies come out of one pass and
switching an adapter never touches the base. A row without adapter adds exactly zero: base is base.
Reads what PEFT writes (LoRA, also rank-stabilised). It knows nothing about attention or tokens.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.data.prompts import PromptFormat
from finetune.errors import BackendError, ModelError
from finetune.models import read_adapter_config

_MATRIX = re.compile(r"\.layers\.(\d+)\.(?:self_attn|mlp)\.((?:[qkvo]|gate|up|down)_proj)\.lora_([AB])\.weight$")
"""The name of one matrix of the seven projections; whatever else an adapter holds cannot be applied here."""


@dataclass(frozen=True)
class Adapter:
    """One adapter's matrices by layer and projection: A is (r, in), B is (out, r) with the scaling in it."""

    folder: Path
    base: str
    style: PromptFormat
    matrices: dict[tuple[int, str], tuple[Any, Any]]


def read(folder: Path, dtype: Any, device: str) -> Adapter:
    """An adapter from its folder; ModelError where it is missing, damaged or not plain LoRA."""
    config = read_adapter_config(folder)
    for feature in ("use_dora", "modules_to_save", "layer_replication", "alpha_pattern"):
        if config.get(feature):
            raise _not_plain(folder, feature)
    from safetensors.torch import load_file

    try:
        tensors = load_file(folder / "adapter_model.safetensors")
    except Exception as error:  # safetensors raises its own SafetensorError for every kind of damage
        raise _damaged(folder, str(error)) from error
    halves: dict[tuple[int, str], dict[str, Any]] = {}
    for name, tensor in tensors.items():
        found = _MATRIX.search(name)
        if found is None:
            raise _not_plain(folder, name)
        halves.setdefault((int(found[1]), found[2]), {})[found[3]] = tensor
    matrices = {}
    for place, pair in halves.items():
        if set(pair) != {"A", "B"} or pair["A"].shape[0] != pair["B"].shape[1]:
            raise _damaged(folder, f"half of layer {place[0]}'s {place[1]} is missing")
        rank = pair["A"].shape[0]  # each projection's own, for rank_pattern may set some apart
        scaling = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
        matrices[place] = (pair["A"].to(device, dtype), (pair["B"].float() * scaling).to(device, dtype))
    return Adapter(folder, config.get("base_model_name_or_path", ""), PromptFormat.load(folder), matrices)


def check_fits(adapter: Adapter, decoder: Any, resident: str) -> None:
    """BackendError where an adapter's matrices have other shapes than the projections of the base in memory."""
    for (layer, projection), (a, b) in adapter.matrices.items():
        if layer >= len(decoder.layers) or decoder.sizes[projection] != (a.shape[1], b.shape[0]):
            raise other_base(adapter.folder.name, adapter.base, resident)


def other_base(adapter: str, base: str, resident: str) -> BackendError:
    """What is said of an adapter whose base is not the one in memory."""
    return BackendError(
        f"The adapter {adapter} was trained on {base}, not on the base in memory ({resident}). Start the app with that"
        " base, or choose another adapter.",
        key="backend.other_base",
        adapter=adapter,
        base=base,
        resident=resident,
    )


def _not_plain(folder: Path, feature: str) -> ModelError:
    return ModelError(
        f"{folder} uses {feature}, which chat and compare cannot apply. Train a plain LoRA adapter.",
        key="model.not_plain_lora",
        folder=str(folder),
    )


def _damaged(folder: Path, reason: str) -> ModelError:
    return ModelError(
        f"{folder} is damaged ({reason}). Copy the adapter again from its run.",
        key="model.damaged_adapter",
        folder=str(folder),
    )


class Gate:
    """Adds the adapters' share to one fused projection, for the rows that asked for it.

    parts: `(projection, out_features)` of the projections computed as one matrix product.
    """

    def __init__(self, adapters: list[Adapter], layer: int, parts: list[tuple[str, int]], rows: list[int | None]):
        import torch

        self.down = self.up = self.mask = None
        downs, ups, owners, offset = [], [], [], 0
        width = sum(size for _, size in parts)
        for projection, size in parts:
            for number, adapter in enumerate(adapters):
                if (layer, projection) in adapter.matrices:
                    a, b = adapter.matrices[layer, projection]
                    placed = b.new_zeros(width, b.shape[1])
                    placed[offset : offset + size] = b
                    downs.append(a)
                    ups.append(placed)
                    owners += [number] * a.shape[0]
            offset += size
        if downs:
            self.down = torch.cat(downs).t().contiguous()
            self.up = torch.cat(ups, dim=1).t().contiguous()
            mask = torch.tensor([[owner == row for owner in owners] for row in rows], dtype=self.down.dtype)
            if not bool(mask.all()):
                self.mask = mask[:, None, :].to(self.down.device)

    def add(self, x: Any, y: Any) -> Any:
        """y + (x A) B for the rows whose gate is open; x is (rows, tokens, in), y (rows, tokens, out)."""
        if self.down is None:
            return y
        low = x @ self.down
        if self.mask is not None:
            low = low * self.mask
        return y + low @ self.up

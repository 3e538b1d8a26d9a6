"""LoRA adapters for inference: read from disk, and applied with a gate per row.

Every row of a batch names its adapter or none, so base and tuned replies come out of one pass and
switching an adapter never touches the base. A row without adapter adds exactly zero: base is base.
Reads what PEFT writes (LoRA, also rank-stabilised). It knows nothing about attention or tokens.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.data.prompts import PromptFormat
from finetune.errors import ModelError
from finetune.models import read_adapter_config


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
    for feature in ("use_dora", "modules_to_save", "layer_replication"):
        if config.get(feature):
            raise ModelError(
                f"{folder} uses {feature}, which chat and compare cannot apply. Train a plain LoRA adapter.",
                key="model.not_plain_lora",
                folder=str(folder),
            )
    from safetensors.torch import load_file

    try:
        tensors = load_file(folder / "adapter_model.safetensors")
    except Exception as error:  # safetensors raises its own SafetensorError for every kind of damage
        raise ModelError(
            f"{folder} is damaged ({error}). Copy the adapter again from its run.",
            key="model.damaged_adapter",
            folder=str(folder),
        ) from error
    matrices = {}
    for name, a in tensors.items():
        if ".lora_A." not in name:
            continue
        parts = name.split(".")
        layer, projection = int(parts[parts.index("layers") + 1]), parts[parts.index("lora_A") - 1]
        b = tensors[name.replace(".lora_A.", ".lora_B.")]
        rank = a.shape[0]
        scaling = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
        matrices[layer, projection] = (a.to(device, dtype), (b.float() * scaling).to(device, dtype))
    return Adapter(folder, config.get("base_model_name_or_path", ""), PromptFormat.load(folder), matrices)


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

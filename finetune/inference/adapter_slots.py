"""Fixed places in memory for the adapters that a batch may use, so that changing them changes no address.

A captured graph reads the same buffers for ever. An adapter is copied into a slot when it is first asked for, and each
row's gate says which slot it listens to; a row whose gate is shut adds exactly zero. It reads no files (`adapters.py`)
and does no arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finetune.inference.adapters import Adapter
from finetune.inference.decoding import FUSED, Decoder

LEAST_RANK = 16


@dataclass(frozen=True)
class Share:
    """The adapters' part in one fused projection: down (ranks, in), up (ranks, out), gate (rows, ranks).

    What is added to the product is `(h downᵀ * gate) up`. Ranks run slot by slot, and in a slot projection by
    projection.
    """

    down: Any
    up: Any
    gate: Any


class AdapterSlots:
    """Room for several adapters up to a rank on every projection of a decoder."""

    def __init__(self, decoder: Decoder, slots: int, rank: int) -> None:
        import torch

        self.slots, self.rank = slots, rank
        self.device, self.dtype = decoder.device, decoder.dtype
        self.held: list[Adapter | None] = [None] * slots
        self._used = [0] * slots
        """When each slot was last asked for, counted in calls of `load`."""
        self._clock = 0
        self.ranks = {key: slots * len(names) * rank for key, names in FUSED.items()}
        self.layers: list[dict[str, tuple[Any, Any]]] = []
        """For each layer and fused projection down (ranks, in) and up (ranks, out), all slots together."""
        for layer in decoder.layers:
            made = {}
            for key, ranks in self.ranks.items():
                width = sum(size for _, size in layer[key].parts)
                shapes = (ranks, layer[key].inputs), (ranks, width)
                made[key] = tuple(torch.zeros(shape, dtype=self.dtype, device=self.device) for shape in shapes)
            self.layers.append(made)
        self._offsets = {}
        for key, names in FUSED.items():
            at = 0
            for place, (name, size) in enumerate(decoder.layers[0][key].parts):
                self._offsets[name] = (key, place * rank, at, size, len(names) * rank)
                at += size

    @staticmethod
    def needed(adapters: Sequence[Adapter]) -> tuple[int, int]:
        """How many slots these adapters take, and the rank that the slots must have, a power of two."""
        most = max((a.shape[0] for adapter in adapters for a, _ in adapter.matrices.values()), default=1)
        return len(adapters), max(LEAST_RANK, 1 << (most - 1).bit_length())

    def load(self, adapters: Sequence[Adapter]) -> list[int]:
        """Have adapters in memory, and say in which slot each is; those longest unused make room."""
        self._clock += 1
        found: dict[int, int] = {}
        for number, adapter in enumerate(adapters):
            for slot, there in enumerate(self.held):
                if there is adapter:
                    found[number], self._used[slot] = slot, self._clock
        for number, adapter in enumerate(adapters):
            if number not in found:
                slot = min((s for s in range(self.slots) if s not in found.values()), key=lambda s: self._used[s])
                self._fill(slot, adapter)
                found[number], self._used[slot] = slot, self._clock
        return [found[number] for number in range(len(adapters))]

    def gates(self, rows: int) -> dict[str, Any]:
        """A gate for each fused projection, all shut, (rows, ranks)."""
        import torch

        return {
            key: torch.zeros(rows, ranks, dtype=self.dtype, device=self.device) for key, ranks in self.ranks.items()
        }

    def open(self, gates: dict[str, Any], listening: Sequence[int | None]) -> None:
        """Set gates made by `gates` so that each row listens to a slot or to none; rows left over listen to none."""
        import torch

        for key, gate in gates.items():
            which = torch.zeros(gate.shape[0], self.slots)
            for row, slot in enumerate(listening):
                if slot is not None:
                    which[row, slot] = 1
            gate.copy_(which.repeat_interleave(self.ranks[key] // self.slots, dim=1))

    def _fill(self, slot: int, adapter: Adapter) -> None:
        import torch

        self.held[slot] = None  # should copying fail, the slot must not be taken for the adapter it held
        old, targets, sources = [], [], []
        for layer in self.layers:
            for key, (down, up) in layer.items():
                size = self.ranks[key] // self.slots
                old += [down[slot * size : (slot + 1) * size], up[slot * size : (slot + 1) * size]]
        for (number, projection), (a, b) in adapter.matrices.items():
            key, first, at, width, size = self._offsets[projection]
            down, up = self.layers[number][key]
            begin = slot * size + first
            targets += [down[begin : begin + a.shape[0]], up[begin : begin + b.shape[1], at : at + width]]
            sources += [a, b.t()]
        torch._foreach_zero_(old)
        torch._foreach_copy_(targets, sources)  # one launch for hundreds of small matrices
        self.held[slot] = adapter

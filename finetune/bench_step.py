"""What a captured step of decoding is made of: each NF4 product by each tiling, and the kernels that take most time.

For whoever tunes `inference/kernel_arithmetic.py` to a card: the fastest tilings go into its constants.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from finetune.bench_weights import RANK
from finetune.inference import tiled_weights
from finetune.inference.decoding import FUSED, Decoder

TILINGS = {
    8: ((1, 8, 4, 2), (1, 8, 4, 3), (1, 16, 4, 2), (1, 16, 8, 3), (1, 32, 8, 3)),
    16: ((1, 8, 4, 3), (1, 8, 8, 3), (2, 8, 4, 2)),
    32: ((1, 4, 4, 3), (1, 8, 8, 3), (2, 4, 4, 2)),
}
"""What is tried for up to so many rows, as in `kernel_arithmetic.TILINGS`."""

ROWS = (1, 2, 8, 16, 32)
"""Rows that each product is measured with."""

KERNELS = 15
"""How many of the kernels that take the most time are told."""


def products(decoder: Decoder) -> list[dict[str, Any]]:
    """Each NF4 product of a layer by each tile, in microseconds and gigabytes a second; bitsandbytes' beside."""
    import torch

    from finetune.inference import kernel_arithmetic
    from finetune.inference.adapter_slots import AdapterSlots, Share

    slots, fused, found = AdapterSlots(decoder, 2, RANK), kernel_arithmetic.Fused(), []
    kept = dict(kernel_arithmetic.TILINGS)
    try:
        for key in FUSED:
            matrices = [layer[key] for layer in decoder.layers]  # in turn, or the cache would hold the weights
            size = matrices[0].weight.numel() + 4 * matrices[0].state.absmax.numel()
            rows_of = {
                rows: torch.randn(rows, matrices[0].inputs, device=decoder.device).to(decoder.dtype) for rows in ROWS
            }
            theirs = {rows: _timed([partial(matrix, h) for matrix in matrices], size) for rows, h in rows_of.items()}
            for matrix in matrices:
                matrix.tile()
            for rows, h in rows_of.items():
                gate = slots.gates(rows)[key]
                shares = [Share(*held[key], gate) for held in slots.layers]
                low = torch.zeros(rows, 1, slots.ranks[key], device=decoder.device)
                row: dict[str, Any] = {"product": key, "rows": rows}
                wide = next(size for size in TILINGS if rows <= size)
                for tiling in TILINGS[wide]:
                    kernel_arithmetic.TILINGS[wide] = tiling
                    calls = [partial(fused.project, h, low, m, s) for m, s in zip(matrices, shares, strict=True)]
                    row[str(tiling)] = _timed(calls, size)
                found.append(row | {"bitsandbytes": theirs[rows]})
            unpacked = _timed([partial(tiled_weights.dense, m.tiles, decoder.dtype) for m in matrices], size)
            found.append({"product": key, "rows": 0, "unpacked": unpacked})
            for matrix in matrices:
                matrix.untile()
    finally:
        kernel_arithmetic.TILINGS.update(kept)
    return found


def _timed(calls: list[Callable[[], Any]], size: int) -> dict[str, float] | str:
    """What one of these calls takes in a captured graph of all of them, or why it does not work."""
    import torch

    try:
        for call in calls[:2]:
            call()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            for call in calls:
                call()
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        graph.replay()
        begin.record()
        for _ in range(10):
            graph.replay()
        end.record()
        torch.cuda.synchronize()
    except Exception as error:  # a tile that does not fit this card
        return f"{type(error).__name__}: {error}"[:200]
    seconds = begin.elapsed_time(end) / 1000 / 10 / len(calls)
    return {"us": seconds * 1e6, "gb_per_s": size / seconds / 1e9}


def profiled(reply: Callable[[], int]) -> list[dict[str, Any]]:
    """The kernels that take the most time, a token; `reply` writes a reply and says how many tokens it has."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        tokens = reply()
    events = sorted(seen.key_averages(), key=lambda one: -one.self_device_time_total)
    return [
        {"kernel": one.key[:80], "us": one.self_device_time_total / tokens, "calls": one.count / tokens}
        for one in events[:KERNELS]
    ]

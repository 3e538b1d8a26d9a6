"""Measure decoding on this machine: ours beside transformers' generate and Unsloth's, on NF4 weights, in one run.

    python -m finetune.bench_decoding llama-3.1-8b > decoding.json

Random weights in the exact shape of a model stand in for it: speed does not depend on their values. They are made on
the device and quantised there, with nothing on disk. A prompt of 200 tokens is answered with 128, first alone and then
as a pair of base and tuned. Each part is measured by itself, and one that fails leaves its traceback in its place; each
is also told on standard error as it is there, so that a run cut short loses nothing. It does not judge what is written.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from finetune import bench_step, models
from finetune.bench_generate import TEMPERATURE, TOP_P, USUAL, Load, forget_peak, generate, pair, peak, prompt, rate
from finetune.bench_training import child
from finetune.bench_weights import build, random_adapter, with_peft, without_peft
from finetune.errors import RunError
from finetune.inference.adapters import Adapter
from finetune.inference.decoding import Decoder, Request
from finetune.recipe import Generation
from finetune.training import memory
from finetune.training.machine import machine

PEERS = {"transformers": "transformers generate, NF4 + adapter", "unsloth": "Unsloth for_inference, NF4 + adapter"}
"""Names of peers, and of the parts that measure them."""

BARE = "transformers generate, NF4"
"""transformers without an adapter: how much of its time the adapter takes."""


def name_of_ours() -> str:
    """The part that stands for ours on this machine: captured graphs where there is a card."""
    return "ours, graphs" if models.device() == "cuda" else "ours, launch by launch"


def decode(
    shape: str | None = None,
    load: Load = USUAL,
    tell: Callable[[str], None] = lambda line: None,
    peers: Sequence[str] | None = None,
    only: Collection[str] | None = None,
) -> dict[str, Any]:
    """Tokens a second, first token and pair over reply, of ours and of its peers.

    `peers` are keys of PEERS; None takes all that are installed. `only`: of ours these parts and no others.
    `shape` names a base whose dimensions are known (`llama-3.1-8b`); None takes the demo's. `ours` is the tokens a
    second of captured graphs, `peer` those of the fastest peer with an adapter, `ratio` one over the other; None where
    a part failed. RunError where the shape is not known.
    """
    dimensions = memory.shape(shape or str(models.DEMO_BASE))
    if dimensions is None:
        raise RunError(f"The dimensions of {shape} are not known. Choose llama-3.1-8b.", key="bench.shape", shape=shape)
    asked = [name for name in PEERS if name != "unsloth" or find_spec("unsloth")] if peers is None else peers
    theirs = [PEERS[name] for name in asked]
    model = build(dimensions)
    parts: dict[str, Any] = {}
    for name, measured in (
        (BARE, lambda: generate(model, load)),
        (PEERS["transformers"], lambda: _as_peft_runs(model, load)),
        (PEERS["unsloth"], lambda: _unsloth(dimensions, load)),
        ("ours, launch by launch", lambda: _replies(Decoder(without_peft(model)), load)),
        ("ours, graphs of PyTorch's operators", lambda: _replies(_captured(model, fused=False), load)),
        ("ours, graphs", lambda: _replies(_captured(model), load)),
        ("ours, graphs, many rows", lambda: _many(_captured(model), load)),
        ("ours, an adapter changed", lambda: _changed(_captured(model), load)),
        ("products", lambda: bench_step.products(Decoder(without_peft(model)))),
        ("kernels of a step", lambda: _profiled(_captured(model), load)),
        ("kernels of a pair's step", lambda: _profiled(_captured(model), load, pair=True)),
    ):
        of_peers = name in PEERS.values() or (
            name == BARE and (only is not None or PEERS["transformers"] not in theirs)
        )
        if name not in theirs and (of_peers or (only is not None and name not in only)):
            continue
        forget_peak()
        try:
            parts[name] = measured()
        except Exception:  # whatever it is belongs into the result, and the other parts go on
            parts[name] = {"failed": traceback.format_exc()}
        tell(json.dumps({name: parts[name]}))
        gc.collect()
    ours = parts.get("ours, graphs", {}).get("tokens_per_second")
    best = max((parts[name].get("tokens_per_second", 0) for name in theirs), default=0) or None
    return {
        "ours": ours,
        "peer": best,
        "ratio": ours / best if ours and best else None,
        "prompt_tokens": load.prompt,
        "tokens": load.tokens,
        "parts": parts,
        "machine": machine().name,
        "versions": _versions(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _captured(model: Any, fused: bool = True) -> Decoder:
    from finetune.inference.captured import CapturedDecoder

    return CapturedDecoder(without_peft(model), fused=fused)


def _requests(decoder: Decoder, load: Load, adapters: list[Adapter | None]) -> list[Request]:
    settings = Generation(max_new_tokens=load.tokens, temperature=TEMPERATURE, top_p=TOP_P)
    return [Request(prompt(load), adapter, settings) for adapter in adapters]


def _times(steps: Iterator[Any]) -> list[float]:
    """Seconds until each step was there, from now."""
    began = time.perf_counter()
    return [time.perf_counter() - began for _ in steps]


def _replies(decoder: Decoder, load: Load) -> dict[str, Any]:
    """First token, rate and what a pair costs, medians after a warm-up; `warm_up_s` is what the first reply took."""
    adapter = random_adapter(decoder)
    times: dict[str, list[list[float]]] = {"tuned": [], "base": [], "pair": []}
    sides: dict[str, list[Adapter | None]] = {"tuned": [adapter], "base": [None], "pair": [None, adapter]}
    warm_up = {}
    for number in range(load.repeats + 1):
        for name, which in sides.items():
            found = _times(decoder.generate(_requests(decoder, load, which), set()))
            if number:
                times[name].append(found)
            else:
                warm_up[name] = found[-1]
    whole = {name: statistics.median(each[-1] for each in found) for name, found in times.items()}
    return {
        "tokens_per_second": statistics.median(rate(found) for found in times["tuned"]),
        "first_token_ms": statistics.median(found[0] for found in times["tuned"]) * 1000,
        "base_tokens_per_second": statistics.median(rate(found) for found in times["base"]),
        "pair": whole["pair"] / whole["tuned"],
        "pair_s": whole["pair"],
        "reply_s": whole["tuned"],
        "warm_up_s": warm_up,
        **peak(),
    }


def _many(decoder: Decoder, load: Load) -> dict[str, Any]:
    """Tokens a second of all rows together, half of them tuned."""
    adapter = random_adapter(decoder)
    found = {}
    for rows in (4, 8, 16, 32):
        requests = _requests(decoder, load, [None, adapter] * (rows // 2))
        for _ in range(2):
            times = _times(decoder.generate(requests, set()))
        found[rows] = {"tokens_per_second": rows * rate(times), "first_token_ms": times[0] * 1000}
    return {"rows": found, **peak()}


def _changed(decoder: Decoder, load: Load) -> dict[str, Any]:
    """First token where another adapter answers than before, and where the same one does, in milliseconds."""
    short = Load(load.prompt, 4, load.repeats)
    adapters = [random_adapter(decoder, seed) for seed in range(3)]  # one more than there are slots
    for adapter in adapters:
        _times(decoder.generate(_requests(decoder, short, [adapter]), set()))
    found: dict[str, list[float]] = {"another": [], "same": []}
    for adapter in adapters:
        for kind in found:
            found[kind].append(1000 * _times(decoder.generate(_requests(decoder, short, [adapter]), set()))[0])
    return {f"{kind}_first_token_ms": statistics.median(times) for kind, times in found.items()}


def _as_peft_runs(model: Any, load: Load) -> dict[str, Any]:
    adapted = with_peft(model)
    return generate(adapted, load) | pair(adapted, load)


def _unsloth(shape: memory.Shape, load: Load) -> dict[str, Any]:
    """The same from Unsloth in a process of its own, which reads 16-bit weights from a disk (16 GB for 8B)."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        base = str(Path(folder) / "base")
        child("finetune.bench_measure", "build", json.dumps(asdict(shape)), base)
        return child("finetune.bench_unsloth", "decode", base, json.dumps(asdict(load)))


def _profiled(decoder: Decoder, load: Load, *, pair: bool = False) -> list[dict[str, Any]]:
    adapter = random_adapter(decoder)
    requests = _requests(decoder, load, [None, adapter] if pair else [adapter])

    def reply() -> int:
        return len(_times(decoder.generate(requests, set())))

    for _ in range(2):
        reply()
    return bench_step.profiled(reply)


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("torch", "triton", "transformers", "peft", "bitsandbytes", "unsloth"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # Triton and Unsloth, where there is no GPU
            continue
    return found


def lines(found: dict[str, Any]) -> list[str]:
    """The result of `decode` for people: a line a part that was measured as a reply, and where."""
    told = []
    for name, part in found["parts"].items():
        if "failed" in part:
            told.append(f"{name}: failed ({part['failed'].strip().splitlines()[-1]})")
        elif "tokens_per_second" in part:
            pair = f", a pair takes {part['pair']:.2f} of a reply" if "pair" in part else ""
            told.append(
                f"{name}: {part['tokens_per_second']:,.1f} tokens/s, first token {part['first_token_ms']:.0f} ms{pair}"
            )
    ratio = [f"ratio: {found['ratio']:.2f}"] if found["ratio"] else []
    return [*told, *ratio, f"{found['machine']}, {found['date']}"]


if __name__ == "__main__":  # without the command line's own libraries, which a bare GPU machine may lack
    print(json.dumps(decode(*sys.argv[1:2], tell=lambda row: print(row, file=sys.stderr, flush=True)), indent=1))

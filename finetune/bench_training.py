"""Measure training on this machine: ours beside TRL + PEFT as they come, on the same examples, in one run.

    python -m finetune bench train [--shape llama-3.1-8b]

Random weights in the exact shape of a model stand in for it: speed and memory do not depend on their values. Lengths
are drawn like the corpus', every token is learnt from, and tokens are real ones, padding
not counted. Each way runs in a process of its own, so that neither memory nor kernels of one reach another. It needs
the model's 16-bit weights once on disk (16 GB for 8B, in TMPDIR), and does not judge what is learnt.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from finetune import models
from finetune.bench_measure import EXAMPLES, Way
from finetune.errors import RunError
from finetune.recipe import ROOT
from finetune.training import memory
from finetune.training.machine import machine

PEER = Way("TRL + PEFT, the reference recipe, padded", 2, padding_free=False, checkpointing=True)
OURS = Way("ours", EXAMPLES)
WAYS = (
    OURS,
    Way("ours, the optimizer in 32 bits and fused", EXAMPLES, optim="adamw_torch_fused"),
    Way("ours, each MLP recomputed", EXAMPLES, recompute_mlp=True),
    Way("ours, layers recomputed", EXAMPLES, checkpointing=True),
    Way("ours on the 4-bit base, layers recomputed", EXAMPLES, four_bit=True, checkpointing=True),
)


def train(
    shape: str | None = None, peer: bool = True, tell: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Real tokens a second, peak memory and share of the measured matrix rate of every way.

    `shape` names a base whose dimensions are known (`llama-3.1-8b`); None takes the demo base as it is. `ours` and
    `peer` are tokens a second of the first way and the peer, `ratio` one over the other. RunError where the shape is
    not known; a way that fails says so in its row, and the others go on. `tell` hears of each row as it is there.
    """
    dimensions = memory.shape(shape or str(models.DEMO_BASE))
    if dimensions is None:
        raise RunError(f"The dimensions of {shape} are not known. Choose llama-3.1-8b.", key="bench.shape", shape=shape)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        base = models.DEMO_BASE
        if shape:
            base = Path(folder) / "base"
            _child("build", json.dumps(asdict(dimensions)), str(base))
        rate = _child("matrix")["tflops"]
        rows = []
        for way in (*WAYS, PEER) if peer else WAYS:
            try:
                row = _child("measure", json.dumps(asdict(way)), str(base), "corpus" if shape else "demo")
            except RunError as error:
                rows.append({"way": way.name, "failed": error.facts["text"]})
                tell(json.dumps(rows[-1]))
                continue
            # Forward and back past frozen weights: 4 FLOPs a weight and token.
            share = 4 * dimensions.parameters * row["tokens_per_second"] / (rate * 1e12)
            rows.append({"way": way.name, "matrix_share": share, **row})
            tell(json.dumps(rows[-1]))
    ours = rows[0].get("tokens_per_second")
    theirs = rows[-1].get("tokens_per_second") if peer else None
    return {
        "ours": ours,
        "peer": theirs,
        "ratio": ours / theirs if ours and theirs else None,
        "matrix_tflops": rate,
        "ways": rows,
        **_surroundings(),
    }


def _surroundings() -> dict[str, Any]:
    from importlib.metadata import version

    from transformers.utils import is_liger_kernel_available

    names = ["torch", "transformers", "trl", "peft", "bitsandbytes"]
    names += ["liger-kernel"] if is_liger_kernel_available() else []
    return {
        "machine": machine().name,
        "versions": {name: version(name) for name in names},
        "date": time.strftime("%Y-%m-%d"),
    }


def _child(*words: str) -> dict[str, Any]:
    """What a process of `bench_measure.py` prints last, as JSON; RunError with the end of its complaint if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "finetune.bench_measure", *words], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        text = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise RunError(
            f"The bench failed at {words[0]}: {text}. Free memory and disk space, then try again.",
            key="bench.failed",
            part=words[0],
            text=text,
        )
    return json.loads(done.stdout.strip().splitlines()[-1])


def lines(found: dict[str, Any]) -> list[str]:
    """The result of `train` for people: a line a way, and where it was measured."""
    told = []
    for row in found["ways"]:
        if "failed" in row:
            told.append(f"{row['way']}: failed ({row['failed']})")
            continue
        memory_gb = f", {row['peak_gb']:.1f} GB" if "peak_gb" in row else ""
        told.append(
            f"{row['way']} ({row['settings']}): {row['tokens_per_second']:,.0f} tokens/s{memory_gb},"
            f" {row['matrix_share']:.0%} of the matrix rate"
        )
    ratio = [f"ratio: {found['ratio']:.2f}"] if found["ratio"] else []
    return [*told, *ratio, f"{found['machine']}, {found['matrix_tflops']:,.1f} TFLOP/s measured, {found['date']}"]


if __name__ == "__main__":  # without the command line's own libraries, which a bare GPU machine may lack
    print(json.dumps(train(*sys.argv[1:2], tell=lambda row: print(row, file=sys.stderr, flush=True)), indent=1))

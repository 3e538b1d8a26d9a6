"""Measure training on this machine: ours beside its peers as they come, on the same examples, in one run.

    python -m finetune bench train [--shape llama-3.1-8b]

Random weights in the exact shape of a model stand in for it: speed and memory do not depend on their values. Lengths
are drawn like the corpus', every token is learnt from, and tokens are real ones, padding not counted; every way makes
equally many updates of the same examples. Each runs in a process of its own, so that neither memory nor kernels of one
reach another. It needs the model's 16-bit weights once on disk (16 GB for 8B, in TMPDIR), and does not judge what is
learnt.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from finetune import models
from finetune.bench_measure import EXAMPLES, Way
from finetune.errors import RunError
from finetune.recipe import ROOT
from finetune.training import memory
from finetune.training.machine import machine

OURS = (
    Way("ours", EXAMPLES),
    Way("ours, half of the MLPs recomputed", EXAMPLES, recompute_mlps=16),
    Way("ours, each MLP recomputed", EXAMPLES, recompute_mlps=32),
    Way("ours, layers recomputed", EXAMPLES, checkpointing=True),
    Way(
        "ours on the 4-bit base, layers recomputed, inputs in host memory",
        EXAMPLES,
        four_bit=True,
        checkpointing=True,
        offloading=True,
    ),
)
PEERS = {
    name: tuple(
        Way(told, batch, padding_free=False, checkpointing=True, unsloth=name == "unsloth") for batch in (2, 8, 16)
    )
    for name, told in {"transformers": "TRL + PEFT, padded", "unsloth": "Unsloth"}.items()
}
"""As they come, recomputing layers as each does it; the first batch is the reference recipe's, 2 x 8."""


def train(
    shape: str | None = None,
    peers: Sequence[str] = ("transformers",),
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Real tokens a second, peak memory and share of the measured matrix rate of every way.

    `shape` names a base whose dimensions are known (`llama-3.1-8b`); None takes the demo base as it is. `peers` are
    keys of PEERS. `ours` is the tokens a second of the first way, `peer` those of the first peer on the reference
    recipe, `ratio` one over the other, `ratio_to_best` ours over the fastest way of any peer. RunError where the shape
    is not known; a way that fails says so in its row, and the others go on. `tell` hears of each row as it is there.
    """
    dimensions = memory.shape(shape or str(models.DEMO_BASE))
    if dimensions is None:
        raise RunError(f"The dimensions of {shape} are not known. Choose llama-3.1-8b.", key="bench.shape", shape=shape)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        base = models.DEMO_BASE
        if shape:
            base = Path(folder) / "base"
            child("finetune.bench_measure", "build", json.dumps(asdict(dimensions)), str(base))
        rate = child("finetune.bench_measure", "matrix")["tflops"]
        theirs = [way for peer in peers for way in PEERS[peer]]
        rows = [measured(way, base, dimensions, rate, tell) for way in (*OURS, *theirs)]
    return {**summary(rows), "matrix_tflops": rate, "ways": rows, **_surroundings()}


def measured(
    way: Way, base: Path, dimensions: memory.Shape, rate: float, tell: Callable[[str], None]
) -> dict[str, Any]:
    """A way's row; `rate`: the card's TFLOP/s."""
    like = "demo" if base == models.DEMO_BASE else "corpus"
    try:
        row = child("finetune.bench_measure", "measure", json.dumps(asdict(way)), str(base), like)
    except RunError as error:
        row = {"way": way.name, "batch": way.batch, "failed": error.facts["text"]}
    else:
        # Forward and back past frozen weights: 4 FLOPs a weight and token.
        share = 4 * dimensions.parameters * row["tokens_per_second"] / (rate * 1e12)
        row = {"way": way.name, "batch": way.batch, "matrix_share": share, **row}
    tell(json.dumps(row))
    return row


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """What `train` tells first, from its rows; None where there is no such figure."""
    theirs = [row.get("tokens_per_second") for row in rows[len(OURS) :]]
    ours, peer = rows[0].get("tokens_per_second"), theirs[0] if theirs else None
    best = max((found for found in theirs if found), default=None)
    return {
        "ours": ours,
        "peer": peer,
        "ratio": ours / peer if ours and peer else None,
        "ratio_to_best": ours / best if ours and best else None,
    }


def _surroundings() -> dict[str, Any]:
    from importlib.metadata import version
    from importlib.util import find_spec

    from transformers.utils import is_liger_kernel_available

    names = ["torch", "transformers", "trl", "peft", "bitsandbytes"]
    names += ["liger-kernel"] if is_liger_kernel_available() else []
    names += ["unsloth"] if find_spec("unsloth") else []
    return {
        "machine": machine().name,
        "versions": {name: version(name) for name in names},
        "date": time.strftime("%Y-%m-%d"),
    }


def child(module: str, *words: str) -> dict[str, Any]:
    """What a module run as a process prints last, as JSON; RunError with the end of its complaint if it fails."""
    done = subprocess.run([sys.executable, "-m", module, *words], cwd=ROOT, capture_output=True, text=True)
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
            told.append(f"{row['way']} (batch {row['batch']}): failed ({row['failed']})")
            continue
        memory_gb = f", {row['peak_gb']:.1f} GB" if "peak_gb" in row else ""
        told.append(
            f"{row['way']} ({row['settings']}): {row['tokens_per_second']:,.0f} tokens/s{memory_gb},"
            f" {row['matrix_share']:.0%} of the matrix rate"
        )
    names = {"ratio": "times the peer", "ratio_to_best": "times the peers' fastest"}
    ratios = [f"{found[key]:.2f} {name}" for key, name in names.items() if found[key]]
    return [*told, *ratios, f"{found['machine']}, {found['matrix_tflops']:,.1f} TFLOP/s measured, {found['date']}"]


if __name__ == "__main__":  # without the command line's own libraries, which a bare GPU machine may lack
    shape, *peers = sys.argv[1:]
    print(json.dumps(train(shape, peers, tell=lambda row: print(row, file=sys.stderr, flush=True)), indent=1))

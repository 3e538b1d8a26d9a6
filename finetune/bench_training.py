"""Measure training on this machine: ours beside its peers as they come, on the same examples, in one run.

    python -m finetune bench train [--shape llama-3.1-8b] [--folder FOLDER]

Random weights in the exact shape of a model stand in for it: speed and memory do not depend on their values. Lengths
are drawn like the corpus', every token is learnt from, and tokens are real ones, padding not counted; every way makes
equally many updates of the same examples, all of them once before they are measured. Each runs in a process of its own,
so that neither memory nor kernels of one reach another. It needs the model's 16-bit weights once on disk (16 GB for 8B,
in TMPDIR or FOLDER), and does not judge what is learnt.

A card may be lent for minutes and a comparison take longer: FOLDER keeps each row as soon as it is there, and the same
command goes on with those that are missing or failed. It is one comparison only on one machine with one set of
versions, so that anything else is refused; that nothing else runs on the machine is not known.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from finetune import models
from finetune.bench_measure import EXAMPLES, WARM_UP, Way
from finetune.errors import RunError
from finetune.recipe import ROOT
from finetune.review import durable
from finetune.training import memory
from finetune.training.machine import machine

OURS = (
    Way("ours", EXAMPLES),
    Way("ours, half of the MLPs recomputed", EXAMPLES, recompute_mlps=16),
    Way("ours, each MLP recomputed", EXAMPLES, recompute_mlps=32),
    Way("ours, layers recomputed", EXAMPLES, checkpointing=True),
    Way(
        "ours on the 4-bit base, layers recomputed, kept in host memory",
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

OPTIONAL = ("liger-kernel", "unsloth", "xformers", "flash-attn")
"""Packages that may not be installed, and whose versions are told where they are: ours and Unsloth's, and what Unsloth
may take for attention."""

KEPT = "training.json"
"""What a folder keeps of a comparison: where and of what it is, the matrix rate, and a row for each way."""


def train(
    shape: str | None = None,
    peers: Sequence[str] = ("transformers",),
    tell: Callable[[str], None] = lambda line: None,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Real tokens a second, peak memory and share of the measured matrix rate of every way.

    `shape` names a base whose dimensions are known (`llama-3.1-8b`); None takes the demo base as it is. `peers` are
    keys of PEERS. `ours` is the tokens a second of the first way, `peer` those of the first peer on the reference
    recipe, `ratio` one over the other, `ratio_to_best` ours over the fastest way of any peer. `folder` keeps base and
    rows; None keeps nothing. RunError where the shape is not known, or `folder` holds another comparison or is in use;
    a way that fails says so in its row, and the others go on. `tell` hears of each row as it is there.
    """
    dimensions = known(shape)
    ways = {json.dumps(asdict(way)): way for way in (*OURS, *(way for peer in peers for way in PEERS[peer]))}
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        busy = RunError(
            f"Another bench is measuring into {folder}. Wait for it, or choose another folder.",
            key="bench.busy",
            folder=folder,
        )
        stack.enter_context(durable.alone(folder, busy))
        kept = taken_up(folder, shape)
        base = base_in(folder, shape)
        kept["matrix_tflops"] = rate = kept["matrix_tflops"] or child("finetune.bench_measure", "matrix")["tflops"]
        rows = kept["rows"]
        for key, way in ways.items():
            if key in rows and "failed" not in rows[key]:
                continue
            rows[key] = measured(way, base, dimensions, rate)
            durable.replace(folder / KEPT, json.dumps(kept))
            tell(line(rows[key]))
    found = [rows[key] for key in ways]
    told = {key: kept["where"][key] for key in ("machine", "versions")}
    return {**summary(found), "matrix_tflops": rate, "warm_up": WARM_UP, "ways": found, **told, "date": kept["date"]}


def known(shape: str | None) -> memory.Shape:
    """The dimensions of a base, None being the demo's; RunError where nobody knows them."""
    dimensions = memory.shape(shape or str(models.DEMO_BASE))
    if dimensions is None:
        raise RunError(f"The dimensions of {shape} are not known. Choose llama-3.1-8b.", key="bench.shape", shape=shape)
    return dimensions


def base_in(folder: Path, shape: str | None) -> Path:
    """Random weights in a known shape, written into the folder where they are not there yet; for None the demo's."""
    base = folder / "base" if shape else models.DEMO_BASE
    if not base.exists():
        child("finetune.bench_measure", "build", json.dumps(asdict(known(shape))), str(base))
    return base


def taken_up(folder: Path, shape: str | None) -> dict[str, Any]:
    """What a folder keeps, or the beginning of a new comparison; RunError where it is one from elsewhere."""
    where = {"shape": shape, "boot": boot(), **_surroundings()}
    file = folder / KEPT
    if not file.is_file():
        return {"where": where, "date": time.strftime("%Y-%m-%d"), "matrix_tflops": None, "rows": {}}
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        other = ", ".join(key for key in where if kept["where"][key] != where[key])
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{file} is damaged. Delete it to measure anew, or choose another folder.", key="bench.damaged", file=file
        ) from error
    if other:
        raise RunError(
            f"{folder} holds a comparison with another {other}. Choose another folder.",
            key="bench.other",
            folder=folder,
            other=other,
        )
    return kept


def boot() -> str:
    """What this machine is known by until it is started again: lent ones of a kind have the same name."""
    known = Path("/proc/sys/kernel/random/boot_id")
    return known.read_text(encoding="utf-8").strip() if known.is_file() else platform.node()


def measured(way: Way, base: Path, dimensions: memory.Shape, rate: float) -> dict[str, Any]:
    """A way's row; `rate`: the card's TFLOP/s."""
    like = "demo" if base == models.DEMO_BASE else "corpus"
    try:
        row = child("finetune.bench_measure", "measure", json.dumps(asdict(way)), str(base), like)
    except RunError as error:
        return {"way": way.name, "batch": way.batch, "failed": error.facts["text"]}
    # Forward and back past frozen weights: 4 FLOPs a weight and token. The table of embeddings multiplies nothing.
    weights = dimensions.linear + dimensions.vocabulary * dimensions.hidden
    share = 4 * weights * row["tokens_per_second"] / (rate * 1e12)
    return {"way": way.name, "batch": way.batch, "matrix_share": share, **row}


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
    """The card or processor, and the versions of what is measured; of Unsloth also what it may take for attention."""
    found = {name: _version(name) for name in ("torch", "transformers", "trl", "peft", "bitsandbytes", *OPTIONAL)}
    return {"machine": machine().name, "versions": {name: version for name, version in found.items() if version}}


def _version(name: str) -> str | None:
    """A package's, as it was installed; None where it was not, whatever folder of its name can be imported."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


PRCTL = getattr(ctypes.CDLL(None), "prctl", None)
"""Linux' own; elsewhere a bench that is killed leaves its process behind."""


def _end_with_parent() -> None:
    PRCTL(1, signal.SIGKILL)  # PR_SET_PDEATHSIG of linux/prctl.h


def child(module: str, *words: str) -> dict[str, Any]:
    """What a module run as a process prints last, as JSON; RunError with the end of its complaint if it fails.

    It ends with this process: what nobody waits for would be measured beside whatever is begun next.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=ROOT, capture_output=True, text=True, preexec_fn=_end_with_parent if PRCTL else None,
    )  # fmt: skip
    if done.returncode:
        text = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise RunError(
            f"The bench failed at {words[0]}: {text}. Free memory and disk space, then try again.",
            key="bench.failed",
            part=words[0],
            text=text,
        )
    return json.loads(done.stdout.strip().splitlines()[-1])


def line(row: dict[str, Any]) -> str:
    """A way's row for people."""
    if "failed" in row:
        return f"{row['way']} (batch {row['batch']}): failed ({row['failed']})"
    memory_gb = f", {row['peak_gb']:.1f} GB" if "peak_gb" in row else ""
    return (
        f"{row['way']} ({row['settings']}): {row['tokens_per_second']:,.0f} tokens/s{memory_gb},"
        f" {row['matrix_share']:.0%} of the matrix rate"
    )


def lines(found: dict[str, Any]) -> list[str]:
    """The result of `train` for people: a line a way, and where it was measured."""
    told = [line(row) for row in found["ways"]]
    names = {"ratio": "times the peer", "ratio_to_best": "times the peers' fastest"}
    ratios = [f"{found[key]:.2f} {name}" for key, name in names.items() if found[key]]
    return [*told, *ratios, f"{found['machine']}, {found['matrix_tflops']:,.1f} TFLOP/s measured, {found['date']}"]


def main(words: list[str]) -> None:
    """`train` without the command line's own libraries, which a bare GPU machine may lack; see the module."""
    parser = argparse.ArgumentParser(prog="python -m finetune.bench_training")
    parser.add_argument("shape", nargs="?")
    parser.add_argument("--peer", action="append", choices=PEERS, default=[])
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args(words)
    found = train(given.shape, given.peer, lambda told: print(told, file=sys.stderr, flush=True), given.folder)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])

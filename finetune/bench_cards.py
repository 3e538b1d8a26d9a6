"""How much faster several cards train: the same updates by one process, and by one for each card.

    python -m finetune.bench_cards FOLDER [llama-3.1-8b] [--processes 2] [--steps 24]

Ordinary runs of the reference recipe, on random weights in a known shape (or the demo's base), over conversations as
long as the reference corpus' (made by joining the demo's): alone and shared (DDP) in 16 bits, alone and spread over the
cards (FSDP) in 4. FOLDER keeps base, rows and runs; a run that ended is not made again, only read. It does not know
how the cards are joined, and speed is told as the runs' own metrics tell it.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from finetune import models
from finetune.bench_training import base_in
from finetune.data import sources
from finetune.recipe import ROOT, Recipe
from finetune.review import durable
from finetune.training import metrics, runs

JOINED = 8
"""Conversations of the demo in a row: about 540 tokens, an update about 8,600, as with the reference corpus."""


@dataclass(frozen=True)
class Way:
    """One way to spend the cards."""

    name: str
    launcher: tuple[str, ...] = ()
    """Words for `accelerate launch`; none for a process without it."""
    four_bit: bool = False


def ways(processes: int) -> list[Way]:
    """Alone and together, in 16 bits and in 4."""
    number = ("--num_processes", str(processes))
    sharded = ("--config_file", str(ROOT / "assets" / "accelerate" / "fsdp-qlora.yaml"), *number)
    return [
        Way("one process"),
        Way(f"{processes} processes (DDP)", ("--multi_gpu", *number)),
        Way("one process, 4 bits", four_bit=True),
        Way(f"{processes} processes (FSDP), 4 bits", sharded, four_bit=True),
    ]


def compare(folder: Path, shape: str | None, processes: int, steps: int) -> dict[str, Any]:
    """Each way's figures, and how far its losses and its speed are from those of one process.

    shape: a base whose dimensions are known; None takes the demo's as it is.
    """
    base = base_in(folder, shape)
    rows = folder / "rows.csv"
    if not rows.exists():
        join_rows(rows)
    found: list[dict[str, Any]] = []
    for number, way in enumerate(ways(processes), 1):
        run = runs.Run(folder / f"run-{number}")
        words = command(way, settings(base, rows, steps, four_bit=way.four_bit), run.folder)
        ended = folder / f"run-{number}.json"  # there only once the run has ended, however it did
        if not ended.exists():
            shutil.rmtree(run.folder, ignore_errors=True)
            durable.replace(ended, json.dumps(train(words, folder / f"run-{number}.txt")))
        begun = json.loads(ended.read_text(encoding="utf-8"))
        found.append({"way": way.name, "command": " ".join(words[1:]), **begun, **facts(run)})
        print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    for alone, shared in ((found[0], found[1]), (found[2], found[3])):
        shared.update(against(alone, shared))
    return {"date": time.strftime("%Y-%m-%d"), "ways": found}


def join_rows(file: Path) -> None:
    """Write the demo's conversations, several to a row and each once, under the corpus' own headings."""
    data = Recipe.read(models.DEMO).data
    rows = list(sources.read_rows(data))
    count = len(rows) // JOINED
    with file.open("w", newline="", encoding="utf-8") as out:
        table = csv.DictWriter(out, [data.topic, data.title, data.question, data.answer])
        table.writeheader()
        for first in range(count):
            parts = rows[first : count * JOINED : count]
            joined = {column: " ".join(row[column] for row in parts) for column in (data.question, data.answer)}
            table.writerow({data.topic: parts[0][data.topic], data.title: parts[0][data.title], **joined})


def settings(base: Path, rows: Path, steps: int, *, four_bit: bool) -> dict[str, Any]:
    """What differs from the reference recipe: few updates, a checkpoint at the last, no replies in between.

    Questions that are joined from others resemble each other; kept together they would all fall into one split.
    """
    return {
        "base.model": base, "base.load_in_4bit": four_bit, "data.source": rows, "data.group": False,
        "training.max_steps": steps, "training.warmup_steps": steps // 6, "training.eval_steps": steps,
        "training.save_steps": steps, "training.eval_rows": 32, "training.sample_prompts": "",
    }  # fmt: skip


def command(way: Way, chosen: dict[str, Any], folder: Path) -> list[str]:
    """A run's command line, as a person would give it."""
    begin = [sys.executable, "-m"]
    if way.launcher:
        begin += ["accelerate.commands.launch", *way.launcher, "-m"]
    words = [*begin, "finetune", "train", "llama-3.1-8b", "--run-dir", str(folder)]
    for name, value in chosen.items():
        words += ["--set", f"{name}={str(value).lower() if isinstance(value, bool) else value}"]
    return words


def train(words: list[str], log: Path) -> dict[str, Any]:
    """Run it: the exit code and the seconds, starting and loading included. What it says goes to `log`."""
    began = time.perf_counter()
    with log.open("w", encoding="utf-8") as out:
        code = subprocess.run(words, cwd=ROOT, stdout=out, stderr=out).returncode
    return {"exit_code": code, "seconds": round(time.perf_counter() - began, 1)}


def facts(run: runs.Run) -> dict[str, Any]:
    """What a run's folder tells; tokens a second are the median of its later half, when sizes have been met."""
    if not run.folder.exists():  # it failed before it began, and its log says why
        return {"state": "failed", "loss": [], "eval_loss": [], "tokens_per_second": None}
    lines = metrics.as_it_went(metrics.read(run.folder)[0])
    counted = [line for line in lines if "tokens" in line]
    losses, evaluated, rates, used = (
        [line[key] for line in lines if key in line]
        for key in ("loss", "eval_loss", "tokens_per_second", "gpu_memory_gb")
    )
    t = run.recipe().training
    return {
        "state": run.status().state, "adapter_saved": run.adapter.exists(), "loss": losses, "eval_loss": evaluated,
        "tokens_per_second": median(rates[len(rates) // 2 :]) if rates else None,
        "tokens_an_update": round(counted[-1]["tokens"] / counted[-1]["step"]) if counted else None,
        "first_card_gb": max(used, default=None), "padding_free": t.padding_free,
        "batch": [t.per_device_train_batch_size, t.gradient_accumulation_steps],
    }  # fmt: skip


def against(alone: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """The largest relative distance of losses met in both, and how many times as fast the second is."""

    def apart(key: str) -> float | None:
        pairs = list(zip(alone[key], shared[key], strict=False))
        return max((abs(one - other) / one for one, other in pairs), default=None)

    speeds = alone["tokens_per_second"], shared["tokens_per_second"]
    return {
        "loss_apart": apart("loss"),
        "eval_loss_apart": apart("eval_loss"),
        "times_as_fast": speeds[1] / speeds[0] if all(speeds) else None,
    }


def main(words: list[str]) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m finetune.bench_cards")
    parser.add_argument("folder", type=Path)
    parser.add_argument("shape", nargs="?")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--steps", type=int, default=24)
    given = parser.parse_args(words)
    given.folder.mkdir(parents=True, exist_ok=True)
    print(json.dumps(compare(given.folder.resolve(), given.shape, given.processes, given.steps)))


if __name__ == "__main__":
    main(sys.argv[1:])

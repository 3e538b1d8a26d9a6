"""A run's whole way with random weights: trained, stopped, resumed, merged in 16 bits, read in 4, compared by logits.

    python -m finetune.bench_roundtrip FOLDER [llama-3.1-8b] [--steps 200]

The run is an ordinary one, by the reference recipe on the demo's corpus, stopped half-way and taken up again by another
process. Then a few questions are read by four models: base and adapter in 4 and in 16 bits, and the merged model in
both. What quantisation changes in base and adapter is the measure: merging may not change more. FOLDER keeps all of it,
and what is there already is not made again (48 GB for 8B). It does not judge what is learnt.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from finetune import models
from finetune.bench_training import child
from finetune.data import sources
from finetune.data.prompts import PromptFormat, conversation
from finetune.inference.backends import LocalBackend, Side
from finetune.recipe import Recipe
from finetune.training import memory, merging, metrics, runs

QUESTIONS = 16
"""Read by all four models."""


def roundtrip(folder: Path, shape: str | None = None, steps: int = 200) -> dict[str, Any]:
    """Every stage's seconds, the run's figures, and how far apart the logits are, relative to their size.

    shape: a base whose dimensions are known; None takes the demo's as it is.
    """
    base = folder / "base" if shape else models.DEMO_BASE
    seconds: dict[str, float] = {}

    def timed(name: str, make: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        made = make()
        seconds[name] = round(time.perf_counter() - began, 1)
        print(f"{name}: {seconds[name]} s", file=sys.stderr, flush=True)
        return made

    if not base.exists():
        dimensions = json.dumps(asdict(memory.shape(shape)))
        timed("weights", lambda: child("finetune.bench_measure", "build", dimensions, str(base)))
    run = runs.at(folder / "run") if (folder / "run").exists() else runs.adopt(folder / "run", recipe(base, steps))
    if not run.adapter.exists():
        timed("first half", lambda: child("finetune.bench_roundtrip", "train", str(run.folder), str(steps // 2)))
        stopped = run.status()
        timed("second half", lambda: child("finetune.bench_roundtrip", "train", str(run.folder), "0"))
        print(f"stopped at {stopped.step}, ended at {run.status().step}", file=sys.stderr, flush=True)
    if not (folder / "merged").exists():
        part = folder / "merged.part"
        part.mkdir(exist_ok=True)
        timed("merge", lambda: merging.merge_into(part, str(base), run.adapter, run.recipe().generation, told))
        part.replace(folder / "merged")
    return {"run": facts(run), "logits": timed("logits", lambda: distances(base, folder / "merged", run.adapter)),
            "seconds": seconds, "date": time.strftime("%Y-%m-%d")}  # fmt: skip


def recipe(base: Path, steps: int) -> Recipe:
    """The reference recipe on the demo's corpus, with a checkpoint half-way."""
    return Recipe.read("llama-3.1-8b").with_settings(
        {
            "base.model": str(base),
            "data.source": Recipe.read(models.DEMO).data.source,
            "training.max_steps": steps,
            "training.warmup_steps": steps // 10,
            "training.eval_steps": steps // 2,
            "training.save_steps": steps // 2,
            "training.eval_rows": 64,
            "training.sample_prompts": (),
        }
    )


def train(folder: Path, stop_at: int) -> dict[str, Any]:
    """Begin a run and stop it once it has made so many steps; with 0 take it up again and end it."""
    from finetune.training import trainer

    run, stop = runs.at(folder), threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            if run.status().step >= stop_at:
                run.stop_request.touch()
                return

    resume = not stop_at
    if stop_at:
        threading.Thread(target=watch, daemon=True).start()
    try:
        trainer.train(run, resume=resume)
    finally:
        stop.set()
    return {"step": run.status().step}


def facts(run: runs.Run) -> dict[str, Any]:
    """Steps, losses at both ends and the settings that ran, of a run that has ended."""
    lines = metrics.as_it_went(metrics.read(run.folder)[0])
    losses, evaluated = ([line[key] for line in lines if key in line] for key in ("loss", "eval_loss"))
    ran, t = run.status(), run.recipe().training
    return {
        "state": ran.state, "steps": ran.step, "losses": len(losses), "first_loss": losses[0], "last_loss": losses[-1],
        "first_eval_loss": evaluated[0], "last_eval_loss": evaluated[-1],
        "padding_free": t.padding_free, "batch": [t.per_device_train_batch_size, t.gradient_accumulation_steps],
    }  # fmt: skip


def distances(base: Path, merged: Path, adapter: Path) -> dict[str, float]:
    """How far apart the four models' logits are: the norm of the difference over the norm of the second's.

    `quantisation`: base and adapter in 4 bits from the same in 16; `merged_quantisation`: the merged model in 4 bits
    from those; `merge`: the merged model in 16 bits from them; `merged_from_adapter`: both in 4 bits.
    """
    four, sixteen = (read(base, adapter, four_bit) for four_bit in (True, False))
    merged_four, merged_sixteen = (read(merged, None, four_bit) for four_bit in (True, False))
    alone = read(base, None, False)

    def apart(one: Any, other: Any) -> float:
        return float((one - other).norm() / other.norm())

    return {
        "quantisation": apart(four, sixteen),
        "merged_quantisation": apart(merged_four, sixteen),
        "merge": apart(merged_sixteen, sixteen),
        "merged_from_adapter": apart(merged_four, four),
        "adapter": apart(sixteen, alone),
    }


def read(model: Path, adapter: Path | None, four_bit: bool) -> Any:
    """The logits behind each question, (questions, vocabulary), in float32 on the CPU."""
    import torch

    backend = LocalBackend(str(model), four_bit=four_bit)
    sides = [Side(conversation(text), adapter) for text in questions()]
    logits = [one.float().cpu() for side in sides for one in backend.first_logits([side], PromptFormat())]
    backend.unload()
    return torch.stack(logits)


def questions() -> list[str]:
    """The first questions of the demo's corpus."""
    data = Recipe.read(models.DEMO).data
    return [row[data.question] for row in itertools.islice(sources.read_rows(data), QUESTIONS)]


def told(line: str) -> None:
    """To standard error, for standard output holds the result."""
    print(line, file=sys.stderr, flush=True)


def main(words: list[str]) -> None:
    """See the module; `train FOLDER STOP_AT` is what its processes are told."""
    if words[:1] == ["train"]:
        found = train(Path(words[1]), int(words[2]))
    else:
        parser = argparse.ArgumentParser(prog="python -m finetune.bench_roundtrip")
        parser.add_argument("folder", type=Path)
        parser.add_argument("shape", nargs="?")
        parser.add_argument("--steps", type=int, default=200)
        given = parser.parse_args(words)
        given.folder.mkdir(parents=True, exist_ok=True)
        found = roundtrip(given.folder, given.shape, given.steps)
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])

"""A run's checkpoints: which there are, which of them are whole, and which one to go on from.

transformers' trainer writes and rotates them; this module only looks, removes what a resume makes obsolete, and sees to
it that the batches that follow come as they did before.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any

from finetune.errors import RunError
from finetune.training.runs import Run

STATE = "trainer_state.json"
"""Written last, so that a checkpoint with a whole one was whole once."""

PARTS = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt")
"""What a resume needs besides; a process that was killed while removing a checkpoint leaves some of it."""

OF_SEVERAL_CARDS = {"optimizer.pt": "optimizer.bin"}
"""What a part is called where the model was spread over several cards (FSDP)."""


@dataclass(frozen=True)
class Checkpoint:
    """One saved state of a run. `eval_loss` in nats a token, None where it was not evaluated at this step."""

    folder: Path
    step: int
    eval_loss: float | None
    complete: bool
    """True where a run can go on from it."""


def of(run: Run) -> tuple[Checkpoint, ...]:
    """Every checkpoint of a run by step, those included that a killed process left half written."""
    found = []
    for folder in run.checkpoints.glob("checkpoint-*"):
        number = folder.name.rpartition("-")[2]
        if number.isdecimal():
            evaluated = _evaluated(folder)
            whole = evaluated is not None and all(_there(folder, part) for part in PARTS)
            found.append(Checkpoint(folder, int(number), (evaluated or {}).get(int(number)), whole))
    return tuple(sorted(found, key=lambda checkpoint: checkpoint.step))


def chosen(run: Run, step: int | None = None) -> Checkpoint:
    """The whole checkpoint of that step, by default the last; RunError where there is none."""
    whole = [checkpoint for checkpoint in of(run) if checkpoint.complete]
    if not whole:
        raise RunError(
            f"{run.name} has no checkpoint to resume from. Start it anew.", key="run.no_checkpoint", run=run.name
        )
    if step is None:
        return whole[-1]
    for checkpoint in whole:
        if checkpoint.step == step:
            return checkpoint
    known = ", ".join(str(checkpoint.step) for checkpoint in whole)
    raise RunError(
        f"{run.name} has no whole checkpoint of step {step}. Choose one of {known}.",
        key="run.unknown_checkpoint",
        run=run.name,
        step=step,
        known=known,
    )


def forget_later(run: Run, step: int) -> None:
    """Remove the checkpoints after a step from which the run goes on.

    Else they would count towards `save_total_limit` and be taken for the newest by the next resume.
    """
    for checkpoint in of(run):
        if checkpoint.step > step:
            (checkpoint.folder / STATE).unlink(missing_ok=True)  # first: what is left after a kill is not whole
            shutil.rmtree(checkpoint.folder)


def _there(folder: Path, part: str) -> bool:
    return (folder / part).is_file() or (folder / OF_SEVERAL_CARDS.get(part, part)).is_file()


def _evaluated(folder: Path) -> dict[int, float] | None:
    """Evaluation losses by step as a checkpoint's state tells them; None where that is missing or half written."""
    file = folder / STATE
    try:
        return _read(file, file.stat().st_mtime_ns)
    except (FileNotFoundError, ValueError):  # still being written, removed by the rotation, or cut off by a kill
        return None


@lru_cache(maxsize=64)
def _read(file: Path, modified: int) -> dict[int, float]:
    """`modified` is part of the key: a state of 100,000 steps takes a quarter of a second to read."""
    state = json.loads(file.read_text(encoding="utf-8"))
    log = state.get("log_history", [])
    return {entry["step"]: entry["eval_loss"] for entry in log if "eval_loss" in entry}


def skip_without_waiting() -> None:
    """Let transformers' trainer skip the batches before a checkpoint and still hand on the others without waiting.

    The loader that accelerate's `skip_first_batches` makes forgets `non_blocking`: for the rest of its epoch the host
    would wait for the card at every update.
    """
    from transformers import trainer

    skip = getattr(trainer.skip_first_batches, "__wrapped__", trainer.skip_first_batches)

    @wraps(skip)
    def skipped(loader: Any, batches: int = 0) -> Any:
        rest = skip(loader, batches)
        rest._non_blocking = loader._non_blocking
        return rest

    trainer.skip_first_batches = skipped

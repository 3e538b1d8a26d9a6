"""What a person does with runs: start, resume, stop, cancel, delete.

Everything is left in the run's folder, for whichever process works on it to obey; which one gets a process when is
`queue.py`'s. This module does not read metrics and does not train.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from finetune.errors import FinetuneError, RunError
from finetune.recipe import Recipe
from finetune.training import checkpoints, engine, queue, runs, starting_adapter
from finetune.training.machine import machine
from finetune.training.runs import Run

UPLOADS = "uploads"
"""The folder of a home where the page keeps files that people gave it, each in a folder of its own."""

DELETED = ".deleted"
"""Where a run goes before it is removed, so that a kill in the middle leaves no half run in the list."""


def start(home: Path, recipe: Recipe, *, name: str = "", environment: Mapping[str, str] | None = None) -> Run:
    """Create a run and start it, or let it wait for its turn; `environment` carries secrets such as WANDB_API_KEY."""
    if recipe.adapter.start_from:
        starting_adapter.check(recipe, starting_adapter.find(recipe.adapter.start_from, home))
    if recipe.training.engine == engine.UNSLOTH:
        engine.chosen(recipe, machine(home), engine.unsloth_installed())  # what is missing is told at once
    with queue.locked(home):
        run = runs.create(home, recipe, name, queued=time.time())
        queue.entrust(run, environment)
        queue.start_waiting(home)
    return run


def resume(run: Run, checkpoint: int | None = None, *, environment: Mapping[str, str] | None = None) -> None:
    """Go on with an ended run from the checkpoint of a step, by default its last one, when its turn comes.

    Checkpoints after that one are removed when it goes on; in the metrics log the lines that it then writes
    supersede the earlier ones of the same steps (`metrics.series`). RunError where there is no such checkpoint.
    """
    with queue.locked(run.home):
        if run.status().active:
            raise RunError(f"{run.name} is running; there is nothing to resume.", key="run.running", run=run.name)
        step = checkpoints.chosen(run, checkpoint).step
        run.set_status(
            state="queued", queued=time.time(), checkpoint=step, pid=0, pid_created=0.0, cancelled=False, error="",
            error_key="", error_facts={},
        )  # fmt: skip
        run.stop_request.unlink(missing_ok=True)
        run.cancel_request.unlink(missing_ok=True)
        queue.entrust(run, environment)
        queue.start_waiting(run.home)


def stop(run: Run) -> None:
    """Ask the run to save what it has and stop; it does so after the update in hand. A waiting run has nothing yet."""
    if not _ended_while_waiting(run):
        run.stop_request.touch()


def cancel(run: Run) -> None:
    """Ask the run to end at once, without saving: `stopped`, with `cancelled` set.

    Its process obeys between two steps or phases. Where it does not within CANCEL_GRACE_SECONDS, `queue.advance`
    terminates it and at last kills it, whoever calls that.
    """
    if not _ended_while_waiting(run):
        run.cancel_request.touch()


def delete(run: Run) -> None:
    """Remove an ended run, and the uploaded file that it alone has used; RunError while it trains or waits."""
    with queue.locked(run.home):
        if _active(run):
            raise RunError(
                f"{run.name} is training or waits for its turn. Cancel it first, then delete it.",
                key="run.delete_active",
                run=run.name,
            )
        upload = _upload(run)
        trash = run.folder.parent / DELETED
        gone = trash / run.name
        if gone.exists():  # a process was killed while it deleted a run of that name
            shutil.rmtree(gone)
        trash.mkdir(exist_ok=True)
        run.folder.rename(gone)
        if upload and upload.is_dir() and not _used(upload, run.home):
            shutil.rmtree(upload)
        shutil.rmtree(trash)


def _active(run: Run) -> bool:
    try:
        return run.status().active
    except RunError:  # damaged: to delete it is what its sentence advises
        return False


def _ended_while_waiting(run: Run) -> bool:
    """End a run that has no process yet; False where it has one. RunError where it has ended already."""
    with queue.locked(run.home):
        status = run.status()
        if not status.active:
            raise RunError(f"{run.name} is not running.", key="run.not_running", run=run.name)
        if status.waiting:
            run.set_status(state="stopped", cancelled=True)
            queue.forget(run)
        return status.waiting


def _upload(run: Run) -> Path | None:
    """The folder of the uploaded file that a run learns from; None where it learns from something else."""
    try:
        source = Path(run.recipe().data.source).resolve()
    except FinetuneError:  # a recipe that cannot be read names nothing
        return None
    uploads = (run.home / UPLOADS).resolve()
    inside = source.relative_to(uploads).parts if source.is_relative_to(uploads) else ()
    return uploads / inside[0] if len(inside) > 1 else None


def _used(upload: Path, home: Path) -> bool:
    """True where a run learns from an upload, or might: nobody knows where a recipe cannot be read."""
    for run in runs.all_runs(home):
        try:
            run.recipe()
        except FinetuneError:
            return True
        if _upload(run) == upload:
            return True
    return False

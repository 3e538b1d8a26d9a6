"""Start a training run in a child process of its own, and ask it to stop.

The child writes to the run's folder only and lives in its own session: closing the browser or
ending the app changes nothing for it. This module does not read metrics and does not train.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from finetune.errors import RunError
from finetune.recipe import ROOT, Recipe
from finetune.training import runs


def start(home: Path, recipe: Recipe, *, name: str = "", environment: dict[str, str] | None = None) -> runs.Run:
    """Create a run and start its child process; `environment` carries secrets such as WANDB_API_KEY."""
    busy = [run for run in runs.all_runs(home) if run.status().active]
    if busy:
        raise RunError(
            f"{busy[0].name} is still training, and this machine trains one run at a time. Stop it or wait for it.",
            key="run.busy",
            run=busy[0].name,
        )
    run = runs.create(home, recipe, name)
    _spawn(run, ["--run-dir", str(run.folder)], environment)
    return run


def resume(run: runs.Run, environment: dict[str, str] | None = None) -> None:
    """Go on with a stopped or failed run from its last checkpoint."""
    status = run.status()
    if status.active:
        raise RunError(f"{run.name} is running; there is nothing to resume.", key="run.running", run=run.name)
    _spawn(run, ["--run-dir", str(run.folder), "--resume"], environment)


def stop(run: runs.Run) -> None:
    """Ask the run to save what it has and stop; it does so after the update in hand."""
    if not run.status().active:
        raise RunError(f"{run.name} is not running.", key="run.not_running", run=run.name)
    run.stop_request.touch()


def _spawn(run: runs.Run, arguments: list[str], environment: dict[str, str] | None) -> None:
    run.stop_request.unlink(missing_ok=True)
    command = [sys.executable, "-u", "-m", "finetune", "train", str(run.folder / "recipe.yaml"), *arguments]
    try:
        with run.log.open("ab") as log:
            child = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {}), "PYTHONUNBUFFERED": "1"},
                start_new_session=True,
            )
    except OSError as error:
        told = RunError(
            f"The training process cannot be started ({error}). Check free memory and disk space, then resume"
            f" {run.name} or start it anew.",
            key="run.cannot_start",
            run=run.name,
            text=str(error),
        )
        run.set_status(state="failed", error=str(told), error_key=told.key, error_facts=told.facts)
        raise told from error
    import psutil

    run.set_status(state="queued", pid=child.pid, pid_created=psutil.Process(child.pid).create_time(), error="")
    _children.append(child)


_children: list[subprocess.Popen] = []
"""Kept only so that ended children can be collected; the run's folder is what counts."""


def collect() -> None:
    """Take note of ended children, so that none stays behind as a zombie."""
    _children[:] = [child for child in _children if child.poll() is None]

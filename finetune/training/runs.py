"""A run's folder: what is in it, its status, and the list of all runs.

    recipe.yaml      the resolved recipe, no secrets       log.txt       what training printed
    command.txt      how to do it again                    checkpoints/  to resume from
    data/            splits and report.json                adapter/      the result, with its prompt format
    metrics.jsonl    one line a measurement                status.json   replaced atomically

The folder is the only truth: any process can read it, and nothing else remembers a run. This module
does not start processes (`jobs.py`) and does not train (`trainer.py`).
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import regex

from finetune.errors import RunError
from finetune.recipe import Recipe

ACTIVE = ("queued", "preparing", "loading", "training", "saving")
ENDED = ("finished", "stopped", "failed")

LONGEST_STEM = 200
"""Bytes of a run's name before its number; file systems allow 255 for the whole, and a Bengali letter takes three."""


@dataclass(frozen=True)
class Status:
    """Where a run stands; `error` is a sentence for people, `error_key` and `error_facts` its translation."""

    state: str = "queued"
    step: int = 0
    total_steps: int = 0
    pid: int = 0
    pid_created: float = 0.0
    error: str = ""
    error_key: str = ""
    error_facts: dict[str, Any] = field(default_factory=dict)
    started: float = 0.0
    updated: float = 0.0

    @property
    def active(self) -> bool:
        """True while a process works on the run or should."""
        return self.state in ACTIVE


@dataclass(frozen=True)
class Run:
    """One run's folder."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name, which is how people and the API call the run."""
        return self.folder.name

    @property
    def adapter(self) -> Path:
        """Where the trained adapter is saved."""
        return self.folder / "adapter"

    @property
    def checkpoints(self) -> Path:
        """Where the trainer keeps its checkpoints."""
        return self.folder / "checkpoints"

    @property
    def data(self) -> Path:
        """Splits and cleaning report."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """Everything the training process printed."""
        return self.folder / "log.txt"

    @property
    def stop_request(self) -> Path:
        """A file that asks the training process to save and stop; a file outlives every process."""
        return self.folder / "stop"

    def recipe(self) -> Recipe:
        """The recipe the run was started with."""
        return Recipe.read(self.folder / "recipe.yaml")

    def status(self) -> Status:
        """The status on disk, corrected where the process has died without a word."""
        status = self._status_on_disk()
        if status.active and status.pid and not process_runs(status.pid, status.pid_created):
            status = self._status_on_disk()  # it may have ended between the two looks
            if status.active and not process_runs(status.pid, status.pid_created):
                last = " ".join(self.log_tail(3).split())
                status = Status(
                    **{
                        **asdict(status),
                        "state": "failed",
                        "error": "The training process ended without finishing. Resume it from its last checkpoint;"
                        f" the last it said was: {last or 'nothing'}",
                        "error_key": "run.died",
                        "error_facts": {"last": last},
                    }
                )
        return status

    def _status_on_disk(self) -> Status:
        try:
            raw = json.loads((self.folder / "status.json").read_text(encoding="utf-8"))
            return Status(**raw)
        except FileNotFoundError:
            return Status(state="queued")
        except (json.JSONDecodeError, TypeError) as error:
            raise RunError(
                f"{self.folder / 'status.json'} is damaged. Delete the run, or restore the file.",
                key="run.damaged_status",
                run=self.name,
            ) from error

    def set_status(self, **changes: Any) -> Status:
        """Change some fields of the status; readers see the old file or the new one, never half of it."""
        status = Status(**{**asdict(self._status_on_disk()), **changes, "updated": round(time.time(), 3)})
        part = self.folder / f"status.json.{os.getpid()}"
        part.write_text(json.dumps(asdict(status), ensure_ascii=False), encoding="utf-8")
        part.replace(self.folder / "status.json")
        return status

    def log_tail(self, lines: int = 40) -> str:
        """The last lines of the log, progress bars reduced to their last state."""
        if not self.log.is_file():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - 64_000))
            text = file.read().decode("utf-8", "replace")
        shown = [line.rsplit("\r", 1)[-1] for line in text.rstrip().split("\n")]
        return "\n".join(shown[-lines:])


def create(home: Path, recipe: Recipe, name: str = "") -> Run:
    """A new run folder under `home/runs` with the recipe in it; names count up, nothing is overwritten."""
    runs = home / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    # \w knows no vowel signs, which are marks: it would tear Bengali words apart.
    stem = regex.sub(r"[^\p{L}\p{M}\p{N}_.-]+", "-", name or recipe.name).strip("-.")
    stem = stem.encode()[:LONGEST_STEM].decode(errors="ignore").rstrip("-.") or "run"
    number = 1
    while True:
        folder = runs / f"{stem}-{number:03d}"
        try:
            folder.mkdir()
            break
        except FileExistsError:
            number += 1
    return adopt(folder, recipe)


def adopt(folder: Path, recipe: Recipe) -> Run:
    """Make a given folder a run's folder; RunError where another run already lives there."""
    if (folder / "status.json").exists():
        raise _exists(folder)
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(folder.resolve())
    run.data.mkdir(exist_ok=True)
    (run.folder / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    (run.folder / "command.txt").write_text(
        f"python -m finetune train {run.folder / 'recipe.yaml'}\n", encoding="utf-8"
    )
    run.set_status(state="queued", started=round(time.time(), 3))
    return run


def find(home: Path, name: str) -> Run:
    """The run of that name; RunError lists what there is."""
    folder = home / "runs" / name
    possible = Path(name).name == name and 0 < len(os.fsencode(name)) < 256  # file systems refuse longer ones
    if not possible or not (folder / "recipe.yaml").is_file():
        known = ", ".join(run.name for run in all_runs(home)[:8]) or "none yet"
        raise RunError(f"There is no run {name!r}. Runs: {known}.", key="run.unknown", run=name, known=known)
    return Run(folder)


def at(folder: Path) -> Run:
    """The run in a folder anywhere on disk."""
    if not (folder / "recipe.yaml").is_file():
        raise RunError(
            f"{folder} is not a run's folder (no recipe.yaml). Give the folder that `train` printed.",
            key="run.no_folder",
            run=str(folder),
        )
    return Run(folder.resolve())


def laid_out(folder: Path) -> Run:
    """The run that `create` laid out in a folder and nobody has begun to train; RunError where somebody has."""
    run = at(folder)
    if run.status().state != "queued":
        raise _exists(run.folder)
    _refuse_second_process(run)
    return run


def to_resume(folder: Path) -> Run:
    """The run in a folder, for this process to go on with; RunError where another one works on it."""
    run = at(folder)
    _refuse_second_process(run)
    if run.status().pid != os.getpid():
        # Left by a process that was killed. `jobs` has removed it before it started this one: a request that is
        # there now would be news.
        run.stop_request.unlink(missing_ok=True)
    return run


def _refuse_second_process(run: Run) -> None:
    status = run.status()
    if status.active and status.pid not in (0, os.getpid()):
        raise RunError(
            f"{run.name} is running; another process works on it. Stop it or wait for it.",
            key="run.running",
            run=run.name,
        )


def _exists(folder: Path) -> RunError:
    return RunError(
        f"{folder} already holds a run. Choose another folder, or add --resume to go on with it.",
        key="run.exists",
        run=folder.name,
    )


def all_runs(home: Path) -> list[Run]:
    """Every run under a home, the newest first."""
    folders = [path.parent for path in (home / "runs").glob("*/recipe.yaml")]
    return [Run(f) for f in sorted(folders, key=lambda f: (f / "recipe.yaml").stat().st_mtime, reverse=True)]


def this_process() -> dict[str, Any]:
    """The status fields that name the process which works on a run."""
    import psutil

    return {"pid": os.getpid(), "pid_created": psutil.Process().create_time()}


def process_runs(pid: int, created: float) -> bool:
    """True where that very process is alive: the number alone may have been given to another since."""
    import psutil

    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - created) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False

"""A run's folder: what is in it, its status, and the list of all runs.

    recipe.yaml      the resolved recipe, no secrets       log.txt       what training printed
    command.txt      how to do it again                    checkpoints/  to resume from
    data/            splits and report.json                adapter/      the result, with its prompt format
    metrics.jsonl    one line a measurement                status.json   replaced atomically
    samples.jsonl    one line a reply while it learns      exports/      ZIP, merged model, GGUF
    start/           the adapter it went on from           notes.json    what a person noted
    tracker.json, wandb/   what a tracker was told

The folder is the only truth: any process can read it, and nothing else remembers a run. This module
does not start processes (`queue.py`) and does not train (`trainer.py`).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import regex

from finetune.errors import FinetuneError, RunError
from finetune.recipe import Recipe
from finetune.training import failures

ACTIVE = ("queued", "preparing", "loading", "training", "saving")
ENDED = ("finished", "stopped", "failed")

RUNS = "runs"
"""The folder of a home's runs."""

LONGEST_STEM = 200
"""Bytes of a run's name before its number; file systems allow 255 for the whole, and a Bengali letter takes three."""


@dataclass(frozen=True)
class Status:
    """Where a run stands; `error` is a sentence for people, `error_key` and `error_facts` its translation.

    Times are seconds since the epoch. `queued`: when it joined the queue, 0 where no queue may start it.
    `checkpoint`: the step to go on from when its turn comes, 0 for the beginning. `device`: the card it uses as
    CUDA_VISIBLE_DEVICES names it, empty where none was chosen. `cancelled`: it was ended without saving. `keeper`: the
    process that holds secrets typed for the run while it waits, or the chat's base, and alone may start it. `alone`:
    there is no room for the chat's base beside it. `second_try`: what became smaller where memory ran out, once.
    """

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
    queued: float = 0.0
    checkpoint: int = 0
    device: str = ""
    cancelled: bool = False
    keeper: int = 0
    keeper_created: float = 0.0
    alone: bool = False
    second_try: dict[str, Any] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """True while a process works on the run or should."""
        return self.state in ACTIVE

    @property
    def waiting(self) -> bool:
        """True while the run waits in the queue for a process."""
        return self.state == "queued" and self.queued > 0 and self.pid == 0


@dataclass(frozen=True)
class Run:
    """One run's folder."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name, which is how people and the API call the run."""
        return self.folder.name

    @property
    def home(self) -> Path:
        """The home whose queue the run belongs to; only a run that `create` made has one."""
        return self.folder.parent.parent

    @property
    def in_home(self) -> bool:
        """True for a run among a home's runs, False for one in a folder that somebody chose."""
        return self.folder.parent.name == RUNS

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

    @property
    def cancel_request(self) -> Path:
        """A file that asks the training process to end at once, without saving."""
        return self.folder / "cancel"

    def recipe(self) -> Recipe:
        """The recipe the run was started with."""
        return Recipe.read(self.folder / "recipe.yaml")

    def resolve(self, recipe: Recipe) -> None:
        """Put in the recipe's place what it comes to on this machine; the run stays where it was among others."""
        file, part = self.folder / "recipe.yaml", self.folder / "recipe.yaml.part"
        part.write_text(recipe.to_yaml(), encoding="utf-8")
        began = file.stat().st_mtime_ns  # runs are in the order of this
        os.utime(part, ns=(began, began))
        part.replace(file)

    def status(self) -> Status:
        """The status on disk, corrected where the process has died without a word."""
        status = self._status_on_disk()
        if status.active and status.pid and not process_runs(status.pid, status.pid_created):
            status = self._status_on_disk()  # it may have ended between the two looks
            if status.active and not process_runs(status.pid, status.pid_created):
                return replace(status, **self._end_of_the_dead())
        return status

    def settle(self, exit_code: int) -> None:
        """Write down how a run ended whose process died without a word; where it left its word, that stays."""
        before = self._status_on_disk()
        if before.active and not self.status().active:
            ended = self._end_of_the_dead()
            if ended.get("error_key") == "run.died" and exit_code == -signal.SIGKILL:
                ended |= told(failures.killed(self.recipe(), loading=before.state == "loading"))
            self.set_status(**ended)

    def _end_of_the_dead(self) -> dict[str, Any]:
        if self.cancel_request.exists():
            return {"state": "stopped", "cancelled": True}
        last = " ".join(self.log_tail(3).split())
        return {"state": "failed", **told(failures.died(last, self.folder))}

    def _status_on_disk(self) -> Status:
        try:
            raw = json.loads((self.folder / "status.json").read_text(encoding="utf-8"))
            return Status(**raw)
        except FileNotFoundError:
            return Status(state="queued")
        except (ValueError, TypeError) as error:  # no JSON, no UTF-8, another version's fields
            raise RunError(
                f"{self.folder / 'status.json'} is damaged. Delete the run, or restore the file.",
                key="run.damaged_status",
                run=self.name,
            ) from error

    def set_status(self, **changes: Any) -> Status:
        """Change some fields of the status; readers see the old file or the new one, never half of it."""
        with self._changing():
            return self._change(changes)

    def fail(self, error: FinetuneError) -> bool:
        """Write down why the run failed; False where it had ended before, and how it ended then stays."""
        with self._changing():
            if not self._status_on_disk().active:
                return False
            self._change({"state": "failed", **told(error)})
            return True

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """While it lasts no other process changes the status: a step that is noted must not undo a failure."""
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _change(self, changes: dict[str, Any]) -> Status:
        status = replace(self._status_on_disk(), **changes, updated=round(time.time(), 3))
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


def create(home: Path, recipe: Recipe, name: str = "", **status: Any) -> Run:
    """A new run folder under `home/runs` with the recipe in it; names count up, nothing is overwritten."""
    runs = home / RUNS
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
    return adopt(folder, recipe, **status)


def adopt(folder: Path, recipe: Recipe, **status: Any) -> Run:
    """Make a given folder a run's folder; RunError where another run already lives there.

    `status` sets fields of its status beside those that every new run has.
    """
    if (folder / "status.json").exists():
        raise exists(folder)
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(folder.resolve())
    run.data.mkdir(exist_ok=True)
    (run.folder / "command.txt").write_text(
        f"python -m finetune train {run.folder / 'recipe.yaml'}\n", encoding="utf-8"
    )
    run.set_status(**{"state": "queued", "started": round(time.time(), 3), **status})
    part = run.folder / "recipe.yaml.part"
    part.write_text(recipe.to_yaml(), encoding="utf-8")
    part.replace(run.folder / "recipe.yaml")  # last: it makes the folder a run, which from here on is whole
    return run


def find(home: Path, name: str) -> Run:
    """The run of that name; RunError lists what there is."""
    folder = home / RUNS / name
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


def exists(folder: Path) -> RunError:
    """What to tell where a run would be laid out or trained over another one."""
    return RunError(
        f"{folder} already holds a run. Choose another folder, or add --resume to go on with it.",
        key="run.exists",
        run=folder.name,
    )


def all_runs(home: Path) -> list[Run]:
    """Every run under a home, the newest first."""
    folders = [path.parent for path in (home / RUNS).glob("*/recipe.yaml")]
    return [Run(f) for f in sorted(folders, key=lambda f: (f / "recipe.yaml").stat().st_mtime, reverse=True)]


def this_process() -> dict[str, Any]:
    """The status fields that name the process which works on a run, and the cards it may use."""
    import psutil

    device = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return {"pid": os.getpid(), "pid_created": psutil.Process().create_time(), "device": device}


def process_runs(pid: int, created: float) -> bool:
    """True where that very process is alive: the number alone may have been given to another since."""
    import psutil

    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - created) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def told(error: FinetuneError) -> dict[str, Any]:
    """The status fields that tell people of an error, in whichever language they read."""
    facts = {name: fact if isinstance(fact, (int, float)) else str(fact) for name, fact in error.facts.items()}
    return {"error": str(error), "error_key": error.key, "error_facts": facts}

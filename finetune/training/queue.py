"""Which run gets a process, and when: one run a card, the others wait in the order in which they came.

The queue is nothing but the runs' folders: whatever process calls `advance` starts what is next. The app does so every
other second, the process that started a run does when that ends, and a training process does as its last act, so that
the queue moves on with no app alive. `home/queue.lock` sees to it that no run is started twice.

SHOHOMORMI_DEVICES    the cards that train, as in CUDA_VISIBLE_DEVICES; by default every card that this process sees

Secrets typed into the page live in the memory of its process: where another one starts the run, it starts without
them, and its tracker stays offline (`trackers.py`).
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from finetune.errors import FinetuneError, RunError
from finetune.recipe import ROOT
from finetune.training import runs
from finetune.training.runs import Run, Status

LOCK = "queue.lock"
DEVICES = "SHOHOMORMI_DEVICES"

TYPED = "SHOHOMORMI_TYPED"
"""Names the secrets in a child's environment that were given for this run only, so that the next does not get them."""

CANCEL_GRACE_SECONDS = 5.0
"""How long a process may take to obey a cancel request before it is terminated, and after that before it is killed."""

log = logging.getLogger("shohomormi")

_typed: dict[Path, dict[str, str]] = {}
"""Secrets of runs that wait, by folder; the only thing about a run that is not in it."""

_asked: dict[Path, Callable[[Run, str], bool]] = {}
"""Whom to ask before a run is started, by home."""


def advance(home: Path, environment: Mapping[str, str] | None = None) -> list[Run]:
    """Start the runs whose turn it is, end those that do not obey a cancel request; returns what was started.

    Cheap where nothing waits, and safe to be called by anybody at any time. `environment` is what children get, by
    default this process' own.
    """
    known = list(_known(home))
    for run, status in known:
        if status.active and status.pid:
            _end_disobedient(run, status)
    if not any(status.waiting for _, status in known):
        return []
    with locked(home):
        return start_waiting(home, environment)


def start_waiting(home: Path, environment: Mapping[str, str] | None = None) -> list[Run]:
    """As many waiting runs as there are free cards, the oldest first; the caller holds the lock."""
    cards = devices()
    free = _free(home, cards)
    may_start = _asked.get(home.resolve())
    started = []
    for run in waiting(home):
        keeper = _living_keeper(run)
        if may_start and not keeper:
            run.set_status(**_keeper())  # or a process that knows nothing of this one's memory might start it
        if not free or keeper not in (0, os.getpid()):
            continue
        if may_start and not may_start(run, free[0]):
            break  # those behind it must not overtake it
        if _start(run, free[0], cards, environment):
            started.append(run)
            free.pop(0)
    return started


def ask_first(home: Path, may_start: Callable[[Run, str], bool]) -> None:
    """Have this asked, with the lock held, before a run of this home gets a card; where it says no, the run waits.

    From then on this process alone starts the runs that no other keeps, while it lives.
    """
    _asked[home.resolve()] = may_start


def waiting(home: Path) -> list[Run]:
    """The runs that wait for a process, the next one first."""
    found = [(status.queued, run.name, run) for run, status in _known(home) if status.waiting]
    return [run for *_, run in sorted(found, key=lambda entry: entry[:2])]


def position(run: Run) -> int:
    """A run's place in the queue, 1 for the next; 0 where it does not wait."""
    return next((place for place, other in enumerate(waiting(run.home), 1) if other.folder == run.folder), 0)


def ahead(run: Run) -> int:
    """How many runs have to end before a waiting one can begin, where each card takes one."""
    trains = any(status.active and status.pid for _, status in _known(run.home))
    return max(0, position(run) - (not trains))


def devices() -> tuple[str, ...]:
    """The cards that train, each as CUDA_VISIBLE_DEVICES names it; one empty name where there is none.

    Counting them does not initialise CUDA in this process: PyTorch asks the driver (NVML).
    """
    named = os.environ.get(DEVICES)
    if named is None:
        import torch

        count = torch.cuda.device_count()
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = visible.split(",") if visible else [str(number) for number in range(count)]
        named = ",".join(names[:count])
    return tuple(name.strip() for name in named.split(","))


def entrust(run: Run, secrets: Mapping[str, str] | None) -> None:
    """Keep secrets such as WANDB_API_KEY in memory until this process starts the run; no other may while it lives."""
    if secrets:
        _typed[run.folder] = dict(secrets)
        run.set_status(**_keeper())


def _keeper() -> dict[str, Any]:
    """The status fields by which this process keeps a run for itself to start."""
    this = runs.this_process()
    return {"keeper": this["pid"], "keeper_created": this["pid_created"]}


def _living_keeper(run: Run) -> int:
    """The process that alone may start a waiting run; 0 where none keeps it, or that has died."""
    status = run.status()
    return status.keeper if status.keeper and runs.process_runs(status.keeper, status.keeper_created) else 0


def forget(run: Run) -> None:
    """Drop the secrets of a run that will not be started."""
    _typed.pop(run.folder, None)


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """While it lasts, no other process and no other thread changes which run has a process; it waits for its turn."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / LOCK).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # ends with the file, also where the process is killed
        yield


# For the training process itself


def take_new(folder: Path) -> Run:
    """The run that `runs.create` laid out in a folder, now this process' own; RunError where somebody has begun it."""
    run = runs.at(folder)
    with _locked_for(run):
        if run.status().state != "queued":
            raise runs.exists(run.folder)
        _take(run)
    return run


def take_again(folder: Path) -> Run:
    """The run in a folder, for this process to go on with; RunError where another one works on it."""
    run = runs.at(folder)
    with _locked_for(run):
        stale = run.status().pid != os.getpid()
        _take(run)
        if stale:
            # Left by a process that was killed. `jobs.resume` has removed them before this one was started: a request
            # that is there now would be news.
            run.stop_request.unlink(missing_ok=True)
            run.cancel_request.unlink(missing_ok=True)
    return run


def hand_over(run: Run, environment: Mapping[str, str]) -> None:
    """The last act of a training process: start what waits, with the environment that this one was started with."""
    if run.in_home:
        typed = environment.get(TYPED, "").split(",")
        advance(run.home, {name: value for name, value in environment.items() if name not in (TYPED, *typed)})


def _take(run: Run) -> None:
    """Note that this process works on a run whose turn it is.

    Two processes may have been started for one run, where the first's starter was killed before it could note that.
    """
    status = run.status()
    if status.active and status.pid not in (0, os.getpid()):
        raise RunError(
            f"{run.name} is running; another process works on it. Stop it or wait for it.",
            key="run.running",
            run=run.name,
        )
    if status.active:
        run.set_status(**runs.this_process())


def _locked_for(run: Run) -> contextlib.AbstractContextManager[None]:
    return locked(run.home) if run.in_home else contextlib.nullcontext()


# Processes


def command(run: Run) -> list[str]:
    """What starts a run's process, from the beginning or from the checkpoint that its status names."""
    checkpoint = run.status().checkpoint
    again = ["--resume", "--checkpoint", str(checkpoint)] if checkpoint else []
    train = [sys.executable, "-u", "-m", "finetune", "train", str(run.folder / "recipe.yaml")]
    return [*train, "--run-dir", str(run.folder), *again]


def _known(home: Path) -> Iterator[tuple[Run, Status]]:
    """Every run with its status; one whose status is damaged neither waits nor trains, as its own card says."""
    for run in runs.all_runs(home):
        with contextlib.suppress(RunError):
            yield run, run.status()


def _free(home: Path, cards: tuple[str, ...]) -> list[str]:
    """The cards that no run uses. A run that names none of them may use any: it was started by hand."""
    taken: set[str] = set()
    for _, status in _known(home):
        if status.active and status.pid:
            taken |= set(status.device.split(",")) & set(cards) or set(cards)
    return [card for card in cards if card not in taken]


def _start(run: Run, card: str, cards: tuple[str, ...], environment: Mapping[str, str] | None) -> bool:
    """Start a waiting run's process; where that is impossible the run has failed, and its status says why."""
    import psutil

    typed = _typed.pop(run.folder, {})
    settings = {"PYTHONUNBUFFERED": "1", DEVICES: ",".join(cards), TYPED: ",".join(typed), **typed}
    if card:
        settings["CUDA_VISIBLE_DEVICES"] = card
    try:
        with run.log.open("ab") as output:
            child = subprocess.Popen(
                command(run),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**(os.environ if environment is None else environment), **settings},
                start_new_session=True,
            )
    except OSError as error:
        problem = RunError(
            f"The training process cannot be started ({error}). Check free memory and disk space, then resume"
            f" {run.name} or start it anew.",
            key="run.cannot_start",
            run=run.name,
            text=str(error),
        )
        run.set_status(state="failed", **runs.told(problem))
        return False
    run.set_status(keeper=0, pid=child.pid, pid_created=psutil.Process(child.pid).create_time(), device=card)
    threading.Thread(target=_see_off, args=(run, child), name=f"training {run.name}", daemon=True).start()
    return True


def _see_off(run: Run, child: subprocess.Popen) -> None:
    """Wait for a child, write down how it ended where it could not do so itself, and start what is next."""
    code = child.wait()
    try:
        with locked(run.home):
            if run.folder.is_dir() and run.status().pid == child.pid:
                run.settle(code)
        advance(run.home)
    except (OSError, FinetuneError):  # a full disk, a damaged status: the folder tells what can be told
        log.exception("The end of %s could not be written down.", run.name)


def _end_disobedient(run: Run, status: Status) -> None:
    """Terminate, then kill a process that has left a cancel request lying for too long, in whatever phase it is."""
    try:
        late = time.time() - run.cancel_request.stat().st_mtime - CANCEL_GRACE_SECONDS
    except FileNotFoundError:  # nobody has asked
        return
    if late < 0:
        return
    with contextlib.suppress(ProcessLookupError):  # it has ended just now
        # Its helpers with it, unless it was started by hand: its group may then be a script's.
        send = os.killpg if os.getpgid(status.pid) == status.pid else os.kill
        send(status.pid, signal.SIGTERM if late < CANCEL_GRACE_SECONDS else signal.SIGKILL)

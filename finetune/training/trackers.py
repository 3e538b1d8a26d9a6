"""Feed a run's tracker, W&B or Trackio, from its metrics log while it trains.

A thread of its own reads what is new in metrics.jsonl and hands each line on as one row: a tracker holds the same
numbers as the run's folder, and whatever becomes of it (no network, a wrong key, a full disk, a killed process), the
training neither waits nor fails. It knows neither the trainer nor how a tracker works (`tracker_backends.py`).

A run with a tracker holds two things more. tracker.json: the tracker, its id for the run, the bytes of the log handed
on and what went wrong. wandb/ (W&B): what `wandb sync` sends.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from finetune.errors import Problem
from finetune.training import metrics
from finetune.training.runs import Run
from finetune.training.tracker_backends import BACKENDS, FINISH_S, INIT_S, Tracker, Unsent, trackio_folder

FILE = "tracker.json"

POLL_S = 1.0
"""Seconds between two looks at the log."""

LAST_S = INIT_S + 10 + FINISH_S + 15
"""Seconds that an ended run waits for a tracker, whatever it does: both bounds and time for an offline start."""

NAMES = {"wandb": "W&B", "trackio": "Trackio"}


@contextlib.contextmanager
def following(run: Run) -> Iterator[None]:
    """While it lasts, the tracker that the run's recipe names gets every line of its metrics log; none, no thread.

    Raises nothing of a tracker's: `problem` tells what went wrong, and the log says it once.
    """
    if run.recipe().tracking.report_to == "none":
        yield
        return
    follower = _Follower(run)
    follower.thread.start()
    exit_code = 1
    try:
        yield
        exit_code = 0
    finally:
        follower.end(exit_code)


def problem(run: Run) -> Problem | None:
    """What is wrong with a run's tracker, as a sentence with its key, `tracker.…`; None where all is well."""
    told = _state(run).get("problem")
    return Problem(told["text"], told["key"], **told["facts"]) if told else None


def sync_command(run: Run) -> str | None:
    """The shell command that sends what W&B keeps in the run's folder; None where it keeps nothing unsent.

    Each of a resumed run's parts is sent by a command of its own: one that a killed process left cut off would keep
    `wandb sync` from sending those after it.
    """
    told = problem(run)
    found = (run.folder / "wandb").glob("*run-*/*.wandb")
    unsent = sorted(
        (log.parent for log in found if not log.with_suffix(".wandb.synced").exists()),
        key=lambda part: part.name.removeprefix("offline-"),  # what follows is the time
    )
    parts = [part for part in unsent if part.name.startswith("offline-")]
    if told and told.key == "tracker.unsent":
        parts += [part for part in unsent if part not in parts][-1:]
    commands = []
    for part in parts:
        online = [] if part.name.startswith("offline-") else ["--include-online"]
        commands.append(shlex.join([_program("wandb"), "sync", *online, str(part)]))
    return "; ".join(commands) or None


def dashboard_command(run: Run) -> str | None:
    """The command that opens Trackio's dashboard on this machine; None where the run does not use it."""
    tracking = run.recipe().tracking
    if tracking.report_to != "trackio":
        return None
    show = shlex.join([_program("trackio"), "show", "--project", tracking.project])
    return f"TRACKIO_DIR={shlex.quote(str(trackio_folder(run)))} {show}"


def _program(name: str) -> str:
    """A program of this environment by its path, so that the command works in any terminal."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.is_file() else name


def _state(run: Run) -> dict[str, Any]:
    try:
        return json.loads((run.folder / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # ValueError: a machine that crashed may leave half a file
        return {}


class _Follower:
    """The thread that feeds one run's tracker, and what is to be remembered of it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.kind = run.recipe().tracking.report_to
        earlier = _state(run)
        self.resumed = earlier.get("tracker") == self.kind
        self.state: dict[str, Any] = {
            "tracker": self.kind,
            "id": earlier["id"] if self.resumed else uuid.uuid4().hex[:12],
            "sent": earlier["sent"] if self.resumed else 0,  # what an earlier process could not hand on is sent now
            "problem": None,
        }
        self.first = self.state["sent"]
        self.ended = threading.Event()
        self.exit_code = 0
        self.given_up = False
        self.thread = threading.Thread(target=self._follow, name="tracker", daemon=True)

    def end(self, exit_code: int) -> None:
        """Lets the thread hand on the rest, and gives up on it after LAST_S."""
        self.exit_code = exit_code
        self.ended.set()
        self.thread.join(LAST_S)
        if self.thread.is_alive():
            self._note(self._unsent())
            self.given_up = True
            _kill_wandb()  # or wandb's exit handler would wait for it as long as it likes
            self.thread.join(POLL_S)

    def _follow(self) -> None:
        try:
            tracker = BACKENDS[self.kind](self.run, self.state["id"], self.resumed, self._note)
            try:
                self._save()
                self._feed(tracker)
                tracker.close(self.exit_code)
            except Exception:
                tracker.abandon()
                raise
        except Unsent:
            self._note(self._unsent())
        except Exception as error:  # whatever a tracker does must not touch the run; its text may hold a key
            self.state["sent"] = self.first  # some of it may be lost: a resumed run hands it on again
            kind = type(error).__name__
            text = f"{NAMES[self.kind]} failed ({kind}) and has not recorded all of this run. The training is unharmed."
            self._note(Problem(text, "tracker.failed", tracker=NAMES[self.kind], kind=kind))

    def _feed(self, tracker: Tracker) -> None:
        while True:
            last = self.ended.is_set()  # asked before reading, so that all that is written until then is read
            lines, offset = metrics.read(self.run.folder, self.state["sent"])
            for line in lines:
                tracker.log(line)
            if offset != self.state["sent"]:
                self.state["sent"] = offset
                self._save()
            if last:
                return
            self.ended.wait(POLL_S)

    def _unsent(self) -> Problem:
        text = f"{NAMES[self.kind]} has not taken up all of this run in time; what is missing lies in the run's folder."
        return Problem(text, "tracker.unsent", tracker=NAMES[self.kind])

    def _note(self, told: Problem) -> None:
        if self.given_up:
            return
        self.state["problem"] = {"text": str(told), "key": told.key, "facts": told.facts}
        with contextlib.suppress(OSError):  # on a full disk the run has worse to tell than this
            print(f"tracker: {told}", flush=True)
            self._save()

    def _save(self) -> None:
        part = self.run.folder / f"{FILE}.part"
        part.write_text(json.dumps(self.state, ensure_ascii=False), encoding="utf-8")
        part.replace(self.run.folder / FILE)


def _kill_wandb() -> None:
    """Ends the process in which wandb works for this one."""
    import psutil

    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if child.name() == "wandb-core":
                child.kill()

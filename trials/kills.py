"""Demo runs while the app, and the browser that watches them, are killed with -9 at random moments.

Runs are started through the app's API, two at a time, so that one always waits in the queue. One thread kills the app
and starts it again, whatever it is doing, and another does so with a browser (`watching.py`). Every third run's own
process is killed after its first checkpoint and resumed by this process, which stands for a person at the command line.
Nothing here helps a run along but that. At the end an app and a browser that know of nothing show what the disk holds.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune.recipe import ROOT
from finetune.training import jobs, metrics, runs
from trials import watching
from trials.serving import App, free_port

CLAIM = (
    "Killing the app and the browser with -9 at random moments loses no run and no metrics line; a training process"
    " that is killed with -9 goes on from its last checkpoint, the curves of all runs equal those of one that was never"
    " disturbed, and the browser that is opened last shows each run as it lies on the disk."
)

STEPS, EVERY = 30, 10
SETTINGS = {
    "training.max_steps": STEPS,
    "training.eval_steps": EVERY,
    "training.save_steps": EVERY,
    "training.eval_rows": 8,
    "training.per_device_train_batch_size": 2,
    "generation.max_new_tokens": 8,
}
"""The demo recipe, small: what is tried is not how well it learns."""

TOLERANCE = 1e-4
"""Largest difference of a loss from the undisturbed run's, in nats a token."""

ALIVE_SECONDS, DEAD_SECONDS = (2.0, 20.0), (0.0, 6.0)
"""How long the app lives, and stays dead after a kill; some kills come before it has begun to answer."""

MOST_SECONDS_PER_RUN = 600.0
ANSWER_SECONDS = 60.0
"""How long an app that is alive may take to answer a start; one that was killed meanwhile breaks off at once."""


def trial(folder: Path, size: int, seed: int) -> dict[str, Any]:
    """Try `size` runs in a folder; what came out, as `trials/__main__.py` wants it."""
    chance = random.Random(seed)
    expected = undisturbed(folder)
    app = App(folder, free_port())
    torment = Torment(app, random.Random(chance.random()))
    kill_steps = {number: chance.randrange(EVERY + 1, STEPS) for number in range(0, size, 3)}
    watcher = watching.Watcher(app, folder / "profile", random.Random(chance.random()))
    begun: list[Begun] = []
    torment.begin()
    watcher.begin()
    try:
        deadline = time.monotonic() + MOST_SECONDS_PER_RUN * (size + 1)
        while len(begun) < size or any(one.under_way for one in begun):
            if time.monotonic() > deadline:
                break
            if len(begun) < size and sum(one.under_way for one in begun) < 2:
                number = len(begun)
                begun.append(Begun(torment.start_run(deadline), kill_steps.get(number)))
                print(f"run {number + 1} of {size}: {begun[-1].run.name}", flush=True)
            for one in begun:
                one.disturb()
            time.sleep(0.05)
    finally:
        watcher.end()
        torment.end()
    wrong = last_look(app, [one.run for one in begun], watcher.profile)
    rows = [outcome(one, expected) for one in begun]
    rows = [{**row, "page_in_the_end": wrong.get(row["run"], "as on the disk")} for row in rows]
    found = {run.name for run in runs.all_runs(app.home)}
    lost = sorted({one.run.name for one in begun} - found)
    extra = sorted(found - {one.run.name for one in begun})
    whole = not any(row["steps_missing"] or row["lines_lost"] or row["lines_torn"] for row in rows)
    right = whole and all(row["state"] == "finished" for row in rows)
    equal = all(row["largest_difference"] <= TOLERANCE for row in rows)
    shown = not wrong and not watcher.behind
    stood = not torment.crashes and not watcher.crashes
    return {
        "claim": CLAIM,
        "passed": right and equal and shown and stood and not lost and not extra and len(rows) == size,
        "runs": len(rows),
        "runs_lost": len(lost),
        "runs_that_nobody_started": len(extra),
        "app_kills": torment.kills,
        "app_ended_by_itself": torment.crashes,
        "browser_kills": watcher.kills,
        "browser_closings": watcher.closings,
        "browser_ended_by_itself": watcher.crashes,
        "pages_that_showed_what_the_disk_held": watcher.sights,
        "pages_that_did_not": watcher.behind,
        "starts_whose_answer_a_kill_cut_off": torment.cut_off,
        "processes_killed_and_resumed": sum(one.killed_at is not None for one in begun),
        "largest_difference": max((row["largest_difference"] for row in rows), default=0.0),
        "tolerance": TOLERANCE,
        "rows": rows,
    }


def last_look(app: App, begun: list[runs.Run], profile: Path) -> dict[str, str]:
    """What an app and a browser that are started now show of runs otherwise than the disk, by run."""
    app.start()
    try:
        app.wait()
        return watching.differences(app, begun, profile)
    finally:
        app.kill()


def undisturbed(folder: Path) -> dict[str, tuple[list[int], list[float]]]:
    """The curves of a run that nobody kills, by key."""
    run = folder / "undisturbed"
    options = [f"--set={name}={value}" for name, value in SETTINGS.items()]
    command = [sys.executable, "-m", "finetune", "train", "demo", *options, "--run-dir", str(run)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return curves(run)


def curves(folder: Path) -> dict[str, tuple[list[int], list[float]]]:
    """Train and evaluation loss of a run's folder, steps and values."""
    lines, _ = metrics.read(folder)
    return {key: metrics.series(lines, key) for key in ("loss", "eval_loss")}


def written(run: runs.Run) -> bytes:
    """A run's metrics log as it lies on the disk; nothing where it has not measured anything."""
    log = run.folder / metrics.FILE
    return log.read_bytes() if log.is_file() else b""


@dataclass
class Begun:
    """A run under way, and what is done to it."""

    run: runs.Run
    kill_step: int | None
    """Its process is to be killed as soon as this step has been seen; None leaves it alone."""
    killed_at: int | None = None
    resumed: bool = False
    seen: bytes = b""
    """Its metrics log when it was longest."""

    @property
    def under_way(self) -> bool:
        """True until it has ended and nobody will resume it."""
        return self.run.status().active or (self.killed_at is not None and not self.resumed)

    def disturb(self) -> None:
        """Kill its process where it is time, resume it once it is dead, and remember what it has measured."""
        status = self.run.status()
        self.seen = max(self.seen, written(self.run), key=len)
        if self.kill_step and self.killed_at is None and status.state == "training" and status.step >= self.kill_step:
            os.kill(status.pid, signal.SIGKILL)
            self.killed_at = status.step
        elif self.killed_at is not None and not self.resumed and not status.active:
            if status.state == "failed":
                jobs.resume(self.run)
                self.resumed = True
            else:  # it was faster than the kill
                self.kill_step = self.killed_at = None


def outcome(one: Begun, expected: dict[str, tuple[list[int], list[float]]]) -> dict[str, Any]:
    """What became of a run: its end, what is missing from its log, and how far its curves are from the expected."""
    status = one.run.status()
    found = curves(one.run.folder)
    missing = sum(len(set(steps) - set(found[key][0])) for key, (steps, _) in expected.items())
    differences = [0.0]
    for key, (steps, values) in expected.items():
        seen = dict(zip(*found[key], strict=True))
        differences += [abs(seen[step] - value) for step, value in zip(steps, values, strict=True) if step in seen]
    log = written(one.run)
    return {
        "run": one.run.name,
        "state": status.state,
        "killed_at_step": one.killed_at or "",
        "resumed_from": status.checkpoint or "",
        "steps_missing": missing,
        "lines_lost": len(set(one.seen.splitlines()) - set(log.splitlines())),
        "lines_torn": len(log.splitlines()) - len(metrics.read(one.run.folder)[0]),
        "largest_difference": max(differences),
    }


@dataclass
class Torment:
    """Kills the app and starts it again at random moments, in a thread of its own."""

    app: App
    chance: random.Random
    kills: int = 0
    crashes: int = 0
    """Times that it had ended by itself."""
    cut_off: int = 0
    """Starts of runs whose answer a kill cut off."""
    over: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Start the app, and from now on kill it again and again."""
        self._thread = threading.Thread(target=self._go_on, name="kills", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Leave neither the app nor a training process behind."""
        self.over.set()
        self._thread.join()
        for run in runs.all_runs(self.app.home):
            status = run.status()
            if status.active and status.pid:
                os.kill(status.pid, signal.SIGKILL)

    def start_run(self, deadline: float) -> runs.Run:
        """Start a run through the API, again and again until there is one more in the home."""
        from gradio_client import Client
        from gradio_client.exceptions import AppError

        before = {run.name for run in runs.all_runs(self.app.home)}
        while time.monotonic() < deadline:
            if self.app.answers():
                try:
                    job = Client(self.app.address, verbose=False).submit("demo", SETTINGS, api_name="/start_training")
                    return runs.find(self.app.home, job.result(timeout=ANSWER_SECONDS))
                except AppError:  # it has answered, and refused
                    raise
                except Exception as error:  # a kill shows as whatever the client was just doing
                    print(f"a start was cut off: {type(error).__name__}", flush=True)
                    self.cut_off += 1
            for run in runs.all_runs(self.app.home):
                if run.name not in before:  # killed after it had laid the run out, before it could say so
                    return run
            time.sleep(0.2)
        raise TimeoutError("the app never lived long enough to start a run")

    def _go_on(self) -> None:
        while not self.over.is_set():
            self.app.start()
            lives = self.chance.uniform(*ALIVE_SECONDS)
            if self.chance.random() < 0.75:  # else it may be killed before it has begun to answer
                while self.app.alive and not self.app.answers() and not self.over.wait(0.2):
                    pass
            self.over.wait(lives)
            self.crashes += not self.app.alive
            self.kills += not self.over.is_set()
            self.app.kill()
            self.over.wait(self.chance.uniform(*DEAD_SECONDS))

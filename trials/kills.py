"""Demo runs whose app is killed with -9 at random moments, and some of whose training processes are as well.

Runs are started through the app's API, two at a time, so that one always waits in the queue. A thread kills the app and
starts it again, whatever it is doing. Every third run's own process is killed after its first checkpoint and resumed by
this process, which stands for a person at the command line. Nothing here helps a run along but that.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune.recipe import ROOT
from finetune.training import jobs, metrics, runs

CLAIM = (
    "Killing the app with -9 at random moments loses no run and no metrics line; a training process that is killed with"
    " -9 goes on from its last checkpoint, and the curves of all runs equal those of one that was never disturbed."
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

MOST_SECONDS_PER_RUN = 240.0
ANSWER_SECONDS = 60.0
"""How long an app that is alive may take to answer a start; one that was killed meanwhile breaks off at once."""


def trial(folder: Path, size: int, seed: int) -> dict[str, Any]:
    """Try `size` runs in a folder; what came out, as `trials/__main__.py` wants it."""
    chance = random.Random(seed)
    expected = undisturbed(folder)
    app = App(folder, random.Random(chance.random()))
    kill_steps = {number: chance.randrange(EVERY + 1, STEPS) for number in range(1, size, 3)}
    begun: list[Begun] = []
    app.mind()
    try:
        deadline = time.monotonic() + MOST_SECONDS_PER_RUN * (size + 1)
        while len(begun) < size or any(one.under_way for one in begun):
            if time.monotonic() > deadline:
                break
            if len(begun) < size and sum(one.under_way for one in begun) < 2:
                number = len(begun)
                begun.append(Begun(app.start_run(deadline), kill_steps.get(number)))
                print(f"run {number + 1} of {size}: {begun[-1].run.name}", flush=True)
            for one in begun:
                one.disturb()
            time.sleep(0.05)
    finally:
        app.end()
    rows = [outcome(one, expected) for one in begun]
    found = {run.name for run in runs.all_runs(app.home)}
    lost = sorted({one.run.name for one in begun} - found)
    extra = sorted(found - {one.run.name for one in begun})
    right = all(row["state"] == "finished" and row["steps_missing"] == 0 for row in rows)
    equal = all(row["largest_difference"] <= TOLERANCE for row in rows)
    return {
        "claim": CLAIM,
        "passed": right and equal and not lost and not extra and not app.crashes and len(rows) == size,
        "runs": len(rows),
        "runs_lost": len(lost),
        "runs_that_nobody_started": len(extra),
        "app_kills": app.kills,
        "app_ended_by_itself": app.crashes,
        "starts_whose_answer_a_kill_cut_off": app.cut_off,
        "processes_killed_and_resumed": sum(one.killed_at is not None for one in begun),
        "largest_difference": max((row["largest_difference"] for row in rows), default=0.0),
        "tolerance": TOLERANCE,
        "rows": rows,
    }


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


@dataclass
class Begun:
    """A run under way, and what is done to it."""

    run: runs.Run
    kill_step: int | None
    """Its process is to be killed as soon as this step has been seen; None leaves it alone."""
    killed_at: int | None = None
    resumed: bool = False

    @property
    def under_way(self) -> bool:
        """True until it has ended and nobody will resume it."""
        return self.run.status().active or (self.killed_at is not None and not self.resumed)

    def disturb(self) -> None:
        """Kill its process where it is time, and resume it once it is dead."""
        status = self.run.status()
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
    text = (one.run.folder / metrics.FILE).read_bytes()
    return {
        "run": one.run.name,
        "state": status.state,
        "killed_at_step": one.killed_at or "",
        "resumed_from": status.checkpoint or "",
        "steps_missing": missing,
        "lines_torn": text.count(b"\n") - len(metrics.read(one.run.folder)[0]),
        "largest_difference": max(differences),
    }


@dataclass
class App:
    """The real app in a process of its own, killed and started again at random moments by a thread."""

    folder: Path
    chance: random.Random
    kills: int = 0
    crashes: int = 0
    """Times that it had ended by itself."""
    cut_off: int = 0
    port: int = field(default_factory=lambda: free_port())
    over: threading.Event = field(default_factory=threading.Event)
    child: subprocess.Popen | None = None

    @property
    def home(self) -> Path:
        """Where its runs live."""
        return self.folder / "home"

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def mind(self) -> None:
        """Start it, and from now on kill it again and again."""
        self._thread = threading.Thread(target=self._torment, name="kills", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Leave neither the app nor a training process behind."""
        self.over.set()
        self._thread.join()
        for run in runs.all_runs(self.home):
            status = run.status()
            if status.active and status.pid:
                os.kill(status.pid, signal.SIGKILL)

    def start_run(self, deadline: float) -> runs.Run:
        """Start a run through the API, again and again until there is one more in the home."""
        from gradio_client import Client
        from gradio_client.exceptions import AppError

        before = {run.name for run in runs.all_runs(self.home)}
        while time.monotonic() < deadline:
            if self._answers():
                try:
                    job = Client(self.address, verbose=False).submit("demo", SETTINGS, api_name="/start_training")
                    return runs.find(self.home, job.result(timeout=ANSWER_SECONDS))
                except AppError:  # it has answered, and refused
                    raise
                except Exception as error:  # a kill shows as whatever the client was just doing
                    print(f"a start was cut off: {type(error).__name__}", flush=True)
                    self.cut_off += 1
            for run in runs.all_runs(self.home):
                if run.name not in before:  # killed after it had laid the run out, before it could say so
                    return run
            time.sleep(0.2)
        raise TimeoutError("the app never lived long enough to start a run")

    def _torment(self) -> None:
        environment = {
            **os.environ,
            "SHOHOMORMI_HOME": str(self.home),
            "GRADIO_SERVER_PORT": str(self.port),
            "GRADIO_TEMP_DIR": str(self.folder / "gradio"),
            "HF_HUB_OFFLINE": "1",
        }
        while not self.over.is_set():
            with (self.folder / "app.log").open("ab") as log:
                self.child = subprocess.Popen(
                    [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
                )
            lives = self.chance.uniform(*ALIVE_SECONDS)
            if self.chance.random() < 0.75:  # else it may be killed before it has begun to answer
                while self.child.poll() is None and not self._answers() and not self.over.wait(0.2):
                    pass
            self.over.wait(lives)
            self.crashes += self.child.poll() is not None
            self.kills += not self.over.is_set()
            self.child.kill()
            self.child.wait()
            self.over.wait(self.chance.uniform(*DEAD_SECONDS))

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.address, timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]

"""The real app in a process of its own, on a free port and in a folder of the test's own."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from finetune.recipe import ROOT

LONGEST_START = 90
"""Seconds; far more than a start takes, for tests may share their machine."""


@dataclass(frozen=True)
class App:
    """A running app: where it answers, where its runs lie, and the file with all that it printed."""

    address: str
    home: Path
    log: Path

    def printed(self) -> str:
        """Everything the app has written to its output so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


@contextlib.contextmanager
def running_app(folder: Path, script: str = "app.py") -> Iterator[App]:
    """Start the app, wait until it answers, and end it and every training process that it started."""
    app = App(f"http://127.0.0.1:{_free_port()}", folder / "home", folder / "app.log")
    environment = {
        **os.environ,
        "SHOHOMORMI_HOME": str(app.home),
        "GRADIO_SERVER_PORT": app.address.rsplit(":", 1)[1],
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    with app.log.open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, script], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _wait_for(app, child)
        yield app
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        _end_training(app.home)


def _wait_for(app: App, child: subprocess.Popen) -> None:
    end = time.monotonic() + LONGEST_START
    while time.monotonic() < end:
        assert child.poll() is None, f"the app ended by itself:\n{app.printed()[-3000:]}"
        try:
            with urllib.request.urlopen(app.address, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    raise AssertionError(f"the app did not answer:\n{app.printed()[-3000:]}")


def _end_training(home: Path) -> None:
    """Training outlives the app by design; what a test has left running ends here."""
    from finetune.training.runs import process_runs

    for file in home.glob("runs/*/status.json"):
        status = json.loads(file.read_text(encoding="utf-8"))
        if status["pid"] and process_runs(status["pid"], status["pid_created"]):
            with contextlib.suppress(ProcessLookupError):
                os.kill(status["pid"], signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]

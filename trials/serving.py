"""The real app in a process of its own, for trials to ask over HTTP and to kill.

It does not know what is tried, and ends nothing that the app has started: training outlives it by design.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from finetune.recipe import ROOT


@dataclass
class App:
    """`app.py` on a port, its home and its log in a folder; it may be started and killed as often as one likes."""

    folder: Path
    port: int
    child: subprocess.Popen | None = None

    @property
    def home(self) -> Path:
        """Where its runs, pairs and votes live."""
        return self.folder / "home"

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def alive(self) -> bool:
        """True while its process is."""
        return self.child is not None and self.child.poll() is None

    def start(self) -> None:
        """Start its process; it answers some seconds later."""
        environment = {
            **os.environ,
            "SHOHOMORMI_HOME": str(self.home),
            "GRADIO_SERVER_PORT": str(self.port),
            "GRADIO_TEMP_DIR": str(self.folder / "gradio"),
            "HF_HUB_OFFLINE": "1",
        }
        with (self.folder / "app.log").open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )

    def wait(self) -> None:
        """Wait until it answers; RuntimeError with the end of its log where it has ended by itself."""
        while not self.answers():
            if not self.alive:
                log = (self.folder / "app.log").read_text(encoding="utf-8", errors="replace")
                raise RuntimeError(f"the app ended by itself:\n{log[-3000:]}")
            time.sleep(0.1)

    def answers(self) -> bool:
        """Whether the page can be had right now."""
        try:
            with urllib.request.urlopen(self.address, timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def kill(self) -> None:
        """Kill it with -9."""
        self.child.kill()
        self.child.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]

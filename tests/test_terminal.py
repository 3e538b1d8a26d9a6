"""How a command ends when it is asked to: with what it has laid aside cleared away."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from finetune.recipe import ROOT

WAITING = """
import tempfile, time
from finetune import terminal

terminal.end_when_asked()
with tempfile.TemporaryDirectory() as folder:
    print(folder, flush=True)
    time.sleep(60)
"""


def test_a_command_that_is_asked_to_end_leaves_no_temporary_folder_behind():
    child = subprocess.Popen(
        [sys.executable, "-c", WAITING], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    folder = Path(child.stdout.readline().strip())
    assert folder.is_dir()
    began = time.monotonic()
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=50)
    assert child.returncode and time.monotonic() - began < 50
    assert not folder.exists()

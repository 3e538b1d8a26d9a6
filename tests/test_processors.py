"""What a container may use, and as many threads: chosen once, before PyTorch is there, and never against a choice."""

import os
import subprocess
import sys

import pytest

from finetune import processors
from finetune.recipe import ROOT


@pytest.fixture
def container(tmp_path, monkeypatch):
    """A container that sees sixteen cores, with the limits that a test writes; nobody has chosen any threads."""
    monkeypatch.setattr(processors, "CGROUP", tmp_path)
    monkeypatch.setattr(processors, "visible", lambda: 16)
    monkeypatch.setenv(processors.THREADS, "")  # so that afterwards it is as it was, set or not
    monkeypatch.delenv(processors.THREADS)

    def limit(**files: str) -> None:
        for name, text in files.items():
            file = tmp_path / ("cpu.max" if name == "max" else f"cpu/cpu.cfs_{name}_us")
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"{text}\n")

    return limit


@pytest.mark.parametrize(
    ("files", "processes"),
    [
        ({"max": "200000 100000"}, 2),
        ({"max": "250000 100000"}, 2),  # a thread more than can run would halt all of them
        ({"max": "50000 100000"}, 1),
        ({"quota": "400000", "period": "100000"}, 4),
        ({"max": "max 100000"}, None),
        ({"quota": "-1", "period": "100000"}, None),
        ({}, None),
    ],
)
def test_a_quota_is_read_in_whole_processors_and_bounds_the_threads(container, files, processes):
    container(**files)
    assert processors.quota() == processes
    assert processors.cores(8) == (processes or 8) and processors.cores(None) == (processes or 16)
    processors.bound_threads()
    assert os.environ.get(processors.THREADS) == (None if processes is None else str(processes))


def test_a_quota_of_more_than_there_is_bounds_nothing(container):
    container(max="3200000 100000")
    processors.bound_threads()
    assert processors.THREADS not in os.environ and processors.cores(8) == 8


def test_who_has_chosen_keeps_what_they_chose(container, monkeypatch):
    monkeypatch.setenv(processors.THREADS, "7")
    container(max="200000 100000")
    processors.bound_threads()
    assert os.environ[processors.THREADS] == "7"


ENTRY = """
import os, sys
from pathlib import Path
from finetune import processors

processors.CGROUP, sys.argv = Path(sys.argv[1]), ["finetune", "recipes"]
processors.visible = lambda: 16
try:
    {entry}
finally:
    print(os.environ.get("OMP_NUM_THREADS"), "torch" in sys.modules)
"""


@pytest.mark.parametrize("entry", ["import app", "from finetune.__main__ import main; main()"])
def test_the_app_and_the_command_line_choose_before_torch_is_there(entry, tmp_path):
    (tmp_path / "cpu.max").write_text("300000 100000\n")
    environment = {key: value for key, value in os.environ.items() if key != processors.THREADS}
    done = subprocess.run(
        [sys.executable, "-c", ENTRY.format(entry=entry), str(tmp_path)],
        cwd=ROOT, env={**environment, "SHOHOMORMI_HOME": str(tmp_path / "home")}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "3 False", done.stderr[-2000:]

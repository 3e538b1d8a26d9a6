"""As many threads as a container may run: chosen once, before PyTorch is there, and never against a choice."""

import os
import subprocess
import sys

import joblib
import pytest

from finetune import processors
from finetune.recipe import ROOT


@pytest.fixture
def machine(monkeypatch):
    """Lets this process look like one on a machine of so many cores, in a container that may use fewer."""
    monkeypatch.setenv(processors.THREADS, "")  # so that afterwards it is as it was, set or not
    monkeypatch.delenv(processors.THREADS)

    def look(cores: int, granted: int) -> None:
        monkeypatch.setattr(os, "cpu_count", lambda: cores)
        monkeypatch.setattr(joblib, "cpu_count", lambda: granted)

    return look


def test_a_quota_bounds_the_threads(machine):
    machine(cores=16, granted=2)
    processors.bound_threads()
    assert os.environ[processors.THREADS] == "2"


def test_without_a_quota_libraries_choose_themselves(machine):
    machine(cores=2, granted=2)
    processors.bound_threads()
    assert processors.THREADS not in os.environ


def test_who_has_chosen_keeps_what_they_chose(machine, monkeypatch):
    monkeypatch.setenv(processors.THREADS, "7")
    machine(cores=16, granted=2)
    processors.bound_threads()
    assert os.environ[processors.THREADS] == "7"


@pytest.mark.parametrize("entry", ["import app", "from finetune.__main__ import main; main()"])
def test_the_app_and_the_command_line_choose_before_torch_is_there(entry, tmp_path):
    """As joblib would in a container: LOKY_MAX_CPU_COUNT is its own way to grant fewer processors."""
    told = "print(os.environ.get('OMP_NUM_THREADS'), 'torch' in sys.modules)"
    program = f"import os, sys; sys.argv = ['finetune', 'recipes']\ntry:\n    {entry}\nfinally:\n    {told}"
    environment = {key: value for key, value in os.environ.items() if key != processors.THREADS}
    environment |= {"LOKY_MAX_CPU_COUNT": "1", "SHOHOMORMI_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    if (os.cpu_count() or 1) == 1:
        pytest.skip("one core is all there is")
    assert done.stdout.splitlines()[-1] == "1 False", done.stderr[-2000:]

"""What the tests of jobs and queue share: a run that fails at once, and one that looks as if it trained."""

import time
from pathlib import Path

import pytest

from finetune.recipe import Recipe
from finetune.training import queue, runs


@pytest.fixture
def hopeless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A recipe whose run fails at its first step, before anything heavy is imported, on a machine without a card."""
    monkeypatch.setenv(queue.DEVICES, "")
    return Recipe.from_dict({"name": "demo", "data": {"source": str(tmp_path / "missing.csv")}})


def busy(run: runs.Run, **changes: object) -> None:
    """Let a run look as if this very process worked on it."""
    run.set_status(**{"state": "training", **runs.this_process(), **changes})


def ended(run: runs.Run) -> runs.Status:
    """The status of a run once its process has gone: it writes its log's last line after its status."""
    deadline = time.monotonic() + 60
    while (status := run.status()).active or runs.process_runs(status.pid, status.pid_created):
        assert time.monotonic() < deadline, (status, run.log_tail())
        time.sleep(0.02)
    return status

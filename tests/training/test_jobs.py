"""Training runs in a process of its own: one at a time, asked to stop through a file, told apart from the dead."""

import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from finetune.errors import RunError
from finetune.recipe import Recipe
from finetune.training import jobs, runs


@pytest.fixture
def hopeless(tmp_path: Path) -> Recipe:
    """A recipe whose run fails at its first step, before anything heavy is imported."""
    return Recipe.from_dict({"name": "demo", "data": {"source": str(tmp_path / "missing.csv")}})


def ended(run: runs.Run) -> runs.Status:
    """The status of a run once its process has ended."""
    deadline = time.monotonic() + 30
    while run.status().active:
        assert time.monotonic() < deadline, run.log_tail()
        time.sleep(0.02)
    return run.status()


def busy(run: runs.Run) -> None:
    """Let a run look as if this very process worked on it."""
    run.set_status(state="training", **runs.this_process())


def test_a_started_run_works_in_a_child_process_of_its_own_session_that_writes_to_the_run_s_log(tmp_path, hopeless):
    run = jobs.start(tmp_path, hopeless, name="প্রথম")
    status = run.status()
    assert status.pid not in (0, os.getpid())
    if psutil.pid_exists(status.pid):
        assert os.getsid(status.pid) == status.pid
    status = ended(run)
    assert (status.state, status.error_key) == ("failed", "data.no_file")
    assert "missing.csv" in status.error and "Traceback" not in run.log_tail()
    assert [line for line in run.log_tail().splitlines() if line.startswith("error: ")] == [f"error: {status.error}"]


def test_secrets_travel_in_the_environment_and_into_no_file(tmp_path, hopeless, monkeypatch):
    seen = {}
    real = jobs.subprocess.Popen
    monkeypatch.setattr(
        jobs.subprocess, "Popen", lambda *args, **settings: seen.update(settings) or real(*args, **settings)
    )
    run = jobs.start(tmp_path, hopeless, environment={"WANDB_API_KEY": "s3cret"})
    ended(run)
    assert seen["env"]["WANDB_API_KEY"] == "s3cret"
    assert not [path for path in run.folder.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]


def test_a_failed_run_can_be_resumed_and_does_not_block_the_next_one(tmp_path, hopeless):
    run = jobs.start(tmp_path, hopeless)
    ended(run)
    run.stop_request.touch()
    jobs.resume(run)
    assert not run.stop_request.exists()  # or the run would stop at once
    status = ended(run)
    assert status.error_key == "run.no_checkpoint"
    other = jobs.start(tmp_path, hopeless)
    assert other.name != run.name
    ended(other)


def test_a_second_run_is_refused_with_the_name_of_the_one_that_trains(tmp_path, hopeless):
    busy(runs.create(tmp_path, hopeless))
    with pytest.raises(RunError, match="demo-001 is still training"):
        jobs.start(tmp_path, hopeless)
    assert len(runs.all_runs(tmp_path)) == 1


def test_a_run_whose_process_could_not_be_started_does_not_block_the_next_one(tmp_path, hopeless, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises((RunError, OSError)):
        jobs.start(tmp_path, hopeless)
    monkeypatch.undo()
    ended(jobs.start(tmp_path, hopeless))


def test_stop_leaves_a_request_in_the_folder_of_a_running_run(tmp_path, hopeless):
    run = runs.create(tmp_path, hopeless)
    busy(run)
    jobs.stop(run)
    assert run.stop_request.exists()
    assert run.status().state == "training"  # the child decides when, and says so itself


def test_a_run_that_ended_can_not_be_stopped_and_a_running_one_not_be_resumed(tmp_path, hopeless):
    run = runs.create(tmp_path, hopeless)
    run.set_status(state="finished")
    with pytest.raises(RunError, match="demo-001 is not running"):
        jobs.stop(run)
    assert not run.stop_request.exists()
    busy(run)
    with pytest.raises(RunError, match="demo-001 is running"):
        jobs.resume(run)


def test_ended_children_are_collected(tmp_path, hopeless):
    run = jobs.start(tmp_path, hopeless)
    pid = run.status().pid
    ended(run)
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and time.monotonic() < deadline:
        jobs.collect()
        time.sleep(0.02)
    assert not psutil.pid_exists(pid)

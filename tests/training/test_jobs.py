"""What a person does with runs: each leaves its mark in the folder, and a running one decides when to obey."""

import os
import sys
from pathlib import Path

import psutil
import pytest

from finetune.errors import RunError
from finetune.training import jobs, queue, runs
from tests.training.conftest import busy, ended
from tests.training.test_batching import LAPTOP


def checkpoint(run: runs.Run, step: int) -> Path:
    """What a whole checkpoint consists of, as far as files go."""
    folder = run.checkpoints / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    for name in ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt"):
        (folder / name).touch()
    (folder / "trainer_state.json").write_text('{"log_history": []}', encoding="utf-8")
    return folder


# Start


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


def test_an_engine_that_cannot_train_here_is_told_at_once_and_leaves_no_run(tmp_path, hopeless, monkeypatch):
    monkeypatch.setattr(jobs, "machine", lambda home: LAPTOP)
    with pytest.raises(RunError) as told:
        jobs.start(tmp_path, hopeless.with_settings({"training.engine": "unsloth", "base.dtype": "auto"}))
    assert told.value.key == "run.unsloth_no_gpu"
    assert list(runs.all_runs(tmp_path)) == []


def test_secrets_travel_in_the_environment_and_into_no_file(tmp_path, hopeless, monkeypatch):
    seen = {}
    real = queue.subprocess.Popen
    monkeypatch.setattr(
        queue.subprocess, "Popen", lambda *args, **settings: seen.update(settings) or real(*args, **settings)
    )
    run = jobs.start(tmp_path, hopeless, environment={"WANDB_API_KEY": "s3cret"})
    ended(run)
    assert seen["env"]["WANDB_API_KEY"] == "s3cret"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]


def test_a_run_whose_process_cannot_be_started_says_so_and_does_not_block_the_next_one(tmp_path, hopeless, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    status = jobs.start(tmp_path, hopeless).status()
    assert (status.state, status.error_key) == ("failed", "run.cannot_start")
    assert "no-python" in status.error
    monkeypatch.undo()
    monkeypatch.setenv(queue.DEVICES, "")
    assert ended(jobs.start(tmp_path, hopeless)).error_key == "data.no_file"


# Resume


def test_an_ended_run_is_resumed_from_the_checkpoint_that_was_chosen_and_old_requests_are_forgotten(tmp_path, hopeless):
    busy(runs.create(tmp_path, hopeless))  # so that the resumed one waits, and nothing is started
    run = runs.create(tmp_path, hopeless)
    for step in (10, 20, 30):
        checkpoint(run, step)
    run.set_status(state="failed", step=25, error="…", error_key="run.died", pid=1)
    run.stop_request.touch()
    jobs.resume(run, 20)
    status = run.status()
    assert (status.state, status.checkpoint, status.error, status.error_key) == ("queued", 20, "", "")
    assert status.waiting and queue.position(run) == 1
    assert not run.stop_request.exists()  # or the run would stop at once
    with pytest.raises(RunError, match="demo-002 is running"):
        jobs.resume(run)


def test_a_resume_takes_the_last_checkpoint_where_none_was_chosen_and_its_process_is_told_so(tmp_path, hopeless):
    run = runs.create(tmp_path, hopeless)
    checkpoint(run, 10), checkpoint(run, 20)
    run.set_status(state="stopped", cancelled=True)
    jobs.resume(run)
    status = ended(run)  # no data: the process has looked for them, so it had found its checkpoint
    assert (status.checkpoint, status.error_key, status.cancelled) == (20, "data.no_file", False)


def test_a_resume_that_is_impossible_is_told_at_once_and_leaves_the_run_as_it_had_ended(tmp_path, hopeless):
    run = runs.create(tmp_path, hopeless)
    run.set_status(state="finished")
    with pytest.raises(RunError, match="no checkpoint"):
        jobs.resume(run)
    checkpoint(run, 10)
    with pytest.raises(RunError, match="no whole checkpoint of step 15. Choose one of 10"):
        jobs.resume(run, 15)
    assert run.status().state == "finished"


# Stop and cancel


@pytest.mark.parametrize(("ask", "request_of"), [(jobs.stop, "stop_request"), (jobs.cancel, "cancel_request")])
def test_a_running_run_is_asked_through_a_file_and_decides_when_to_obey(tmp_path, hopeless, ask, request_of):
    run = runs.create(tmp_path, hopeless)
    busy(run)
    ask(run)
    assert getattr(run, request_of).exists()
    assert run.status().state == "training"  # the child decides when, and says so itself


@pytest.mark.parametrize("ask", [jobs.stop, jobs.cancel])
def test_a_waiting_run_ends_at_once_and_the_queue_closes_up(tmp_path, hopeless, ask):
    busy(runs.create(tmp_path, hopeless))
    first, second = (jobs.start(tmp_path, hopeless) for _ in range(2))
    ask(first)
    assert (first.status().state, first.status().cancelled) == ("stopped", True)
    assert not first.stop_request.exists() and not first.cancel_request.exists()
    assert (queue.position(first), queue.position(second)) == (0, 1)


@pytest.mark.parametrize("ask", [jobs.stop, jobs.cancel])
def test_a_run_that_has_ended_can_be_neither_stopped_nor_cancelled(tmp_path, hopeless, ask):
    run = runs.create(tmp_path, hopeless)
    run.set_status(state="finished")
    with pytest.raises(RunError, match="demo-001 is not running"):
        ask(run)
    assert not run.stop_request.exists() and not run.cancel_request.exists()


# Delete


def test_a_deleted_run_is_gone_and_the_others_stay(tmp_path, hopeless):
    kept, gone = (runs.create(tmp_path, hopeless) for _ in range(2))
    gone.set_status(state="finished")
    jobs.delete(gone)
    assert runs.all_runs(tmp_path) == [kept]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [kept.name]


@pytest.mark.parametrize("state", ["training", "waits"])
def test_a_run_under_way_is_not_deleted(tmp_path, hopeless, state):
    busy(runs.create(tmp_path, hopeless))
    run = jobs.start(tmp_path, hopeless) if state == "waits" else runs.all_runs(tmp_path)[0]
    with pytest.raises(RunError, match=f"{run.name} is training or waits.*Cancel it first"):
        jobs.delete(run)
    assert run in runs.all_runs(tmp_path)


def test_a_deletion_that_was_killed_leaves_no_half_run_in_the_list_and_the_next_one_cleans_up(
    tmp_path, hopeless, monkeypatch
):
    half, whole = (runs.create(tmp_path, hopeless) for _ in range(2))
    for run in (half, whole):
        run.set_status(state="finished")

    def killed(_: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(jobs.shutil, "rmtree", killed)
        jobs.delete(half)
    assert runs.all_runs(tmp_path) == [whole]
    jobs.delete(whole)
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_run_with_a_damaged_status_can_be_deleted_as_its_sentence_advises(tmp_path, hopeless):
    run = runs.create(tmp_path, hopeless)
    (run.folder / "status.json").write_text('{"state": "trai', encoding="utf-8")
    jobs.delete(run)
    assert runs.all_runs(tmp_path) == []


def test_an_uploaded_file_goes_with_the_last_run_that_learnt_from_it(tmp_path, hopeless):
    upload = tmp_path / "uploads" / "20261124-x" / "মন.csv"
    upload.parent.mkdir(parents=True)
    upload.write_text("প্রশ্ন,উত্তর", encoding="utf-8")
    recipe = hopeless.with_settings({"data.source": str(upload)})
    one, two = (runs.create(tmp_path, recipe) for _ in range(2))
    other = runs.create(tmp_path, hopeless)
    for run in (one, two, other):
        run.set_status(state="finished")
    jobs.delete(other)
    jobs.delete(one)
    assert upload.exists()  # the second run still needs it for a resume
    jobs.delete(two)
    assert list((tmp_path / "uploads").iterdir()) == []


def test_a_file_that_was_not_uploaded_stays_as_does_one_that_an_unreadable_recipe_may_name(tmp_path, hopeless):
    own, uploaded = tmp_path / "corpus.csv", tmp_path / "uploads" / "x" / "corpus.csv"
    uploaded.parent.mkdir(parents=True)
    for file in (own, uploaded):
        file.touch()
        run = runs.create(tmp_path, hopeless.with_settings({"data.source": str(file)}))
        run.set_status(state="finished")
    unreadable = runs.create(tmp_path, hopeless)
    (unreadable.folder / "recipe.yaml").write_text("training: [", encoding="utf-8")
    for run in runs.all_runs(tmp_path):
        if run != unreadable:
            jobs.delete(run)
    assert own.exists() and uploaded.exists()

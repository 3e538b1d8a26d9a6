"""One run a card, the others wait: whoever looks at the queue moves it on, and no run is started twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from finetune.errors import RunError
from finetune.recipe import ROOT
from finetune.training import jobs, queue, runs
from tests.conftest import kept_environment
from tests.training.conftest import busy, ended


def test_a_run_waits_while_another_trains_and_starts_when_that_has_ended(tmp_path, hopeless):
    first = runs.create(tmp_path, hopeless)
    busy(first)
    second, third = (jobs.start(tmp_path, hopeless) for _ in range(2))
    assert [run.status().state for run in (second, third)] == ["queued", "queued"]
    assert [queue.position(run) for run in (first, second, third)] == [0, 1, 2]
    assert queue.advance(tmp_path) == []
    assert second.status().pid == 0 and not second.log.exists()
    first.set_status(state="finished")
    assert queue.advance(tmp_path) == [second]
    assert {ended(run).error_key for run in (second, third)} == {"data.no_file"}


def test_a_training_process_starts_the_next_run_as_its_last_act_with_no_app_alive(tmp_path, hopeless, monkeypatch):
    monkeypatch.setattr(queue, "_see_off", lambda run, child: None)  # this process is not to do it
    guard = runs.create(tmp_path, hopeless)
    busy(guard)
    waiting = [jobs.start(tmp_path, hopeless) for _ in range(2)]
    guard.set_status(state="finished")
    assert queue.advance(tmp_path) == waiting[:1]
    assert [ended(run).error_key for run in waiting] == ["data.no_file"] * 2


def test_the_next_run_does_not_inherit_what_the_run_before_it_was_given(tmp_path, hopeless, monkeypatch):
    seen = []
    monkeypatch.setattr(queue, "advance", lambda home, environment: seen.append((home, environment)))
    given = {"WANDB_API_KEY": "s3cret", queue.TYPED: "WANDB_API_KEY", "LANG": "bn_BD.UTF-8"}
    run = runs.create(tmp_path, hopeless)
    queue.hand_over(run, given)
    assert seen == [(tmp_path, {"LANG": "bn_BD.UTF-8"})]
    queue.hand_over(runs.adopt(tmp_path / "alone", hopeless), given)  # in no home there is no queue
    assert len(seen) == 1


def test_several_processes_that_look_at_the_queue_at_once_start_each_run_once(tmp_path, hopeless):
    """Processes of their own, released together; the children that they start hand over as well."""
    guard = runs.create(tmp_path, hopeless)
    busy(guard)
    waiting = [jobs.start(tmp_path, hopeless) for _ in range(3)]
    program = "import sys; from pathlib import Path; from finetune.training import queue; print(flush=True); input();"
    program += "queue.advance(Path(sys.argv[1]))"
    command = [sys.executable, "-c", program, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    lookers = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(4)]
    for looker in lookers:
        looker.stdout.readline()
    guard.set_status(state="finished")
    for looker in lookers:
        looker.stdin.write(b"\n")
        looker.stdin.flush()
    for looker in lookers:
        looker.communicate()
    for run in waiting:
        assert ended(run).error_key == "data.no_file"
        log = run.log.read_text(encoding="utf-8")
        assert (log.count("run: "), log.count("is running")) == (1, 0), log


def test_a_second_process_for_one_run_is_refused_and_does_the_first_no_harm(tmp_path, hopeless):
    """Its starter was killed before it could note whom it had started, and somebody else started the run again."""
    run = runs.create(tmp_path, hopeless, queued=time.time())
    assert queue.take_new(run.folder).status().pid == os.getpid()
    first = psutil.Process().parent()
    run.set_status(pid=first.pid, pid_created=first.create_time())
    with pytest.raises(RunError, match="another process works on it"):
        queue.take_new(run.folder)
    assert (run.status().state, run.status().pid) == ("queued", first.pid)


def test_a_run_that_a_person_lays_out_on_the_command_line_is_nobody_else_s_to_start(tmp_path, hopeless):
    run = runs.create(tmp_path, hopeless)
    assert not run.status().waiting
    assert queue.advance(tmp_path) == []


def test_a_damaged_run_does_not_hold_up_the_queue(tmp_path, hopeless):
    damaged = runs.create(tmp_path, hopeless)
    (damaged.folder / "status.json").write_text("{", encoding="utf-8")
    assert ended(jobs.start(tmp_path, hopeless)).error_key == "data.no_file"


# Room


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """Somebody who holds memory and is asked before a run starts: the runs asked for, and the answer."""
    monkeypatch.setattr(queue, "_asked", {})
    told = {"runs": [], "answer": False}

    def may_start(run: runs.Run, card: str) -> bool:
        told["runs"].append((run.name, card))
        return told["answer"]

    queue.ask_first(tmp_path, may_start)
    return told


def test_a_run_waits_until_there_is_room_for_it_and_none_overtakes_it(tmp_path, hopeless, asked):
    first, second = (jobs.start(tmp_path, hopeless) for _ in range(2))
    assert queue.advance(tmp_path) == []
    assert {name for name, _ in asked["runs"]} == {first.name}
    assert asked["runs"][0] == (first.name, "")
    asked["answer"] = True
    assert queue.advance(tmp_path) == [first]
    assert {ended(run).error_key for run in (first, second)} == {"data.no_file"}
    assert asked["runs"][-1] == (second.name, "")


def test_no_other_process_starts_a_run_while_the_one_that_makes_room_lives(tmp_path, hopeless, asked, monkeypatch):
    run = jobs.start(tmp_path, hopeless)
    assert run.status().keeper == os.getpid()
    monkeypatch.setattr(queue, "_asked", {})  # from here on as a process that is not asked
    living = psutil.Process().parent()
    run.set_status(keeper=living.pid, keeper_created=living.create_time())
    assert queue.advance(tmp_path) == []
    run.set_status(keeper=2**22 + 1)  # it has died
    assert queue.advance(tmp_path) == [run]
    ended(run)


def test_what_a_dead_process_kept_is_kept_by_the_one_that_makes_room_now(tmp_path, hopeless, asked):
    run = jobs.start(tmp_path, hopeless)
    run.set_status(keeper=2**22 + 1)
    queue.advance(tmp_path)
    assert run.status().keeper == os.getpid()


# Cards


@pytest.mark.parametrize(
    ("cards", "visible", "expected"),
    [
        (0, None, ("",)),
        (1, None, ("0",)),
        (4, None, ("0", "1", "2", "3")),
        (2, "3,1", ("3", "1")),
        (1, "MIG-7", ("MIG-7",)),
    ],
)
def test_every_card_that_the_process_sees_trains(monkeypatch, cards, visible, expected):
    with kept_environment():
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        if visible:
            os.environ["CUDA_VISIBLE_DEVICES"] = visible
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cards)
        assert queue.devices() == expected


def test_each_card_gets_one_run_and_children_know_all_cards_though_they_see_one(tmp_path, hopeless, monkeypatch):
    started = []
    monkeypatch.setenv(queue.DEVICES, "0,1")

    class Child:
        pid = os.getpid()

        def __init__(self, command: list[str], **settings: object) -> None:
            started.append((command[command.index("--run-dir") + 1], settings["env"]))

    monkeypatch.setattr(queue.subprocess, "Popen", Child)
    monkeypatch.setattr(queue, "_see_off", lambda run, child: None)
    made = [jobs.start(tmp_path, hopeless) for _ in range(3)]
    assert [(folder, env["CUDA_VISIBLE_DEVICES"]) for folder, env in started] == [
        (str(made[0].folder), "0"),
        (str(made[1].folder), "1"),
    ]
    assert {env[queue.DEVICES] for _, env in started} == {"0,1"}
    assert [run.status().device for run in made] == ["0", "1", ""]
    made[0].set_status(state="finished")
    queue.advance(tmp_path)
    assert made[2].status().device == "0"


@pytest.mark.parametrize(("device", "free"), [("1", ["0"]), ("0,1", []), ("", []), ("7", [])])
def test_a_run_that_was_started_by_hand_takes_the_cards_that_it_may_use(tmp_path, hopeless, device, free):
    busy(runs.create(tmp_path, hopeless), device=device)
    assert queue._free(tmp_path, ("0", "1")) == free


# Processes that end without a word


PROGRAM = "import signal, sys, time; signal.signal(signal.SIGTERM, {}); print(flush=True); time.sleep(300)"


@pytest.fixture
def deaf(tmp_path, hopeless):
    """A run whose process never looks at a request; `signal.SIG_IGN` makes it deaf to being terminated too."""
    children = []

    def make(on_terminate: str = "signal.SIG_DFL") -> tuple[runs.Run, subprocess.Popen]:
        child = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(on_terminate)], stdout=subprocess.PIPE, start_new_session=True
        )
        children.append(child)
        child.stdout.readline()
        run = runs.create(tmp_path, hopeless)
        run.set_status(state="loading", pid=child.pid, pid_created=psutil.Process(child.pid).create_time())
        return run, child

    yield make
    for child in children:
        child.kill()
        child.wait()


def ask_to_cancel(run: runs.Run, seconds_ago: float) -> None:
    jobs.cancel(run)
    os.utime(run.cancel_request, (time.time() - seconds_ago,) * 2)


def test_a_process_that_does_not_obey_a_cancel_is_terminated_after_the_time_of_grace_in_any_phase(tmp_path, deaf):
    run, child = deaf()
    ask_to_cancel(run, 0)
    queue.advance(tmp_path)
    assert child.poll() is None and run.status().state == "loading"
    ask_to_cancel(run, queue.CANCEL_GRACE_SECONDS + 1)
    queue.advance(tmp_path)
    assert child.wait(10) == -signal.SIGTERM
    status = run.status()
    assert (status.state, status.cancelled, status.error) == ("stopped", True, "")


def test_one_that_cannot_be_terminated_is_killed(tmp_path, deaf):
    run, child = deaf("signal.SIG_IGN")
    ask_to_cancel(run, queue.CANCEL_GRACE_SECONDS + 1)
    queue.advance(tmp_path)
    ask_to_cancel(run, 2 * queue.CANCEL_GRACE_SECONDS + 1)
    queue.advance(tmp_path)
    assert child.wait(10) == -signal.SIGKILL
    assert run.status().cancelled


@pytest.mark.parametrize(
    ("number", "key"),
    [(signal.SIGKILL, "run.killed.loading_16bit"), (signal.SIGSEGV, "run.died")],
    ids=["killed", "crashed"],
)
def test_the_process_that_started_a_run_writes_down_how_it_ended_and_starts_the_next(
    tmp_path, hopeless, deaf, number, key
):
    run, child = deaf()
    following = jobs.start(tmp_path, hopeless)
    assert following.status().waiting
    child.send_signal(number)
    queue._see_off(run, child)
    assert '"state": "failed"' in (run.folder / "status.json").read_text(encoding="utf-8")
    assert run.status().error_key == key
    assert ended(following).error_key == "data.no_file"


def test_a_run_that_was_deleted_meanwhile_is_not_written_to(tmp_path, hopeless, deaf):
    run, child = deaf()
    run.set_status(state="finished")
    jobs.delete(run)
    child.kill()
    queue._see_off(run, child)
    assert not Path(run.folder).exists()

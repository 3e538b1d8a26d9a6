"""A run's folder tells everything about a run, also after the process that worked on it has died."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from finetune.errors import RunError
from finetune.recipe import Recipe
from finetune.training import failures, runs


@pytest.fixture
def run(tmp_path: Path) -> runs.Run:
    """A new run of the default recipe."""
    return runs.create(tmp_path, Recipe(name="demo"))


@pytest.fixture
def dead() -> dict[str, float]:
    """The status fields of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    fields = {"pid": child.pid, "pid_created": psutil.Process(child.pid).create_time()}
    child.communicate(b"\n")
    return fields


# Folders and names


def test_a_new_run_holds_its_recipe_the_command_and_a_queued_status(run):
    assert sorted(path.name for path in run.folder.iterdir()) == ["command.txt", "data", "recipe.yaml", "status.json"]
    assert run.recipe() == Recipe(name="demo")
    assert "-m finetune train" in (run.folder / "command.txt").read_text(encoding="utf-8")
    assert run.status().state == "queued"


def test_names_count_up_and_no_run_is_overwritten(tmp_path):
    made = [runs.create(tmp_path, Recipe(name="demo")) for _ in range(3)]
    assert [run.name for run in made] == ["demo-001", "demo-002", "demo-003"]
    assert {run.folder.parent for run in made} == {tmp_path / "runs"}


def test_a_folder_in_the_way_is_left_as_it_is_even_when_it_is_no_run(tmp_path):
    (tmp_path / "runs" / "demo-001").mkdir(parents=True)
    (tmp_path / "runs" / "demo-001" / "notes.txt").write_text("আমার", encoding="utf-8")
    (tmp_path / "runs" / "demo-002").write_text("a file", encoding="utf-8")
    assert runs.create(tmp_path, Recipe(name="demo")).name == "demo-003"
    assert [path.name for path in (tmp_path / "runs" / "demo-001").iterdir()] == ["notes.txt"]


def test_a_name_that_was_given_comes_before_the_recipe_s(tmp_path):
    assert runs.create(tmp_path, Recipe(name="demo"), "second try").name == "second-try-001"


def test_a_bengali_name_keeps_its_letters_whole(tmp_path):
    assert runs.create(tmp_path, Recipe(), "আমার প্রথম মডেল").name == "আমার-প্রথম-মডেল-001"


@pytest.mark.parametrize("name", ["../../etc", "a/b", "..", "/root", "c:\\x", "-rf", "x\ny", "~", "💔", " "])
def test_a_name_never_leads_out_of_the_folder_of_runs(tmp_path, name):
    run = runs.create(tmp_path, Recipe(), name)
    assert run.folder.parent == tmp_path / "runs"
    assert re.fullmatch(r"\w[\w.-]*-001", run.name)


@pytest.mark.parametrize("name", ["দীর্ঘ" * 40, "x" * 300])
def test_a_name_longer_than_file_systems_allow_is_cut(tmp_path, name):
    run = runs.create(tmp_path, Recipe(), name)
    assert run.name.endswith("-001")
    assert run.folder.is_dir()


def test_a_folder_is_a_run_only_once_it_is_whole(tmp_path, monkeypatch):
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", killed)
        runs.create(tmp_path, Recipe(name="demo"))
    assert runs.all_runs(tmp_path) == []
    assert runs.create(tmp_path, Recipe(name="demo")).name == "demo-002"


def test_a_run_in_a_given_folder_is_refused_where_another_run_lives(run):
    before = (run.folder / "recipe.yaml").read_text(encoding="utf-8")
    with pytest.raises(RunError, match="already holds a run.*--resume"):
        runs.adopt(run.folder, Recipe(name="other"))
    assert (run.folder / "recipe.yaml").read_text(encoding="utf-8") == before


def test_the_command_gives_the_same_recipe_again(run):
    command = (run.folder / "command.txt").read_text(encoding="utf-8").split()
    assert Recipe.read(command[command.index("train") + 1]) == run.recipe()


def test_runs_are_found_by_name_and_an_unknown_one_is_told_with_those_there_are(tmp_path, run):
    assert runs.find(tmp_path, "demo-001") == run
    with pytest.raises(RunError, match="'demo-009'.*demo-001"):
        runs.find(tmp_path, "demo-009")


@pytest.mark.parametrize("name", ["", ".", "..", "../runs/demo-001", "demo-001/", "/etc", "demo\0", "x" * 400])
def test_a_name_that_is_no_name_of_a_run_is_told_as_unknown(tmp_path, run, name):
    with pytest.raises(RunError):
        runs.find(tmp_path, name)


def test_a_folder_without_a_recipe_is_no_run(tmp_path):
    with pytest.raises(RunError, match="recipe.yaml"):
        runs.at(tmp_path)


def test_all_runs_stand_with_the_newest_first(tmp_path):
    old, new = (runs.create(tmp_path, Recipe(name="demo")) for _ in range(2))
    os.utime(old.folder / "recipe.yaml", (1, 1))
    (tmp_path / "runs" / "no-run").mkdir()
    assert runs.all_runs(tmp_path) == [new, old]
    assert runs.all_runs(tmp_path / "nowhere") == []


# Status


def test_a_status_changes_in_part_and_is_read_by_anyone(run):
    run.set_status(state="training", total_steps=100, **runs.this_process())
    run.set_status(step=7)
    raw = json.loads((run.folder / "status.json").read_text(encoding="utf-8"))
    assert (raw["state"], raw["step"], raw["total_steps"], raw["pid"], raw["error"]) == (
        "training", 7, 100, os.getpid(), "",
    )  # fmt: skip
    assert run.status().active


def test_no_half_written_status_is_left_beside_the_whole_one(run):
    run.set_status(step=1)
    assert not [path.name for path in run.folder.iterdir() if path.name.startswith("status.json.")]


def test_a_reader_that_opened_the_old_status_still_reads_it_whole(run):
    with (run.folder / "status.json").open(encoding="utf-8") as file:
        run.set_status(state="training", step=5)
        assert json.load(file)["state"] == "queued"


def test_the_first_failure_stays_whatever_is_written_down_later(run):
    run.set_status(state="training", step=4, **runs.this_process())
    assert run.fail(RunError("The card is too small.", key="run.first"))
    assert not run.fail(RunError("The other process is gone.", key="run.second"))
    run.set_status(step=5)  # another process, which knows nothing of it yet
    status = run.status()
    assert (status.state, status.error_key, status.step) == ("failed", "run.first", 5)


def test_changes_from_several_threads_at_once_are_all_there_in_the_end(run):
    names = ("step", "total_steps", "checkpoint", "keeper")

    def count(name: str) -> None:
        for number in range(1, 51):
            run.set_status(**{name: number})

    threads = [threading.Thread(target=count, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    status = run.status()
    assert [getattr(status, name) for name in names] == [50, 50, 50, 50]


@pytest.mark.parametrize("state", runs.ACTIVE)
def test_a_live_process_s_run_is_as_it_says(run, state):
    run.set_status(state=state, **runs.this_process())
    assert run.status().state == state
    assert run.status().active


@pytest.mark.parametrize("state", runs.ACTIVE)
def test_the_run_of_a_dead_process_has_failed_with_a_sentence_that_says_what_to_do(run, dead, state):
    run.log.write_text("loading\nKilled\n", encoding="utf-8")
    run.set_status(state=state, step=12, **dead)
    status = run.status()
    assert (status.state, status.step, status.active) == ("failed", 12, False)
    assert re.search(r"Resume it.*loading Killed$", status.error)
    assert status.error_key == "run.died"


def test_the_run_of_a_dead_process_that_was_asked_to_cancel_is_cancelled_and_nothing_is_wrong(run, dead):
    run.set_status(state="loading", **dead)
    run.cancel_request.touch()
    status = run.status()
    assert (status.state, status.cancelled, status.error) == ("stopped", True, "")


def test_the_run_of_a_process_that_died_on_a_full_disk_says_so(run, dead, monkeypatch):
    monkeypatch.setattr(failures.shutil, "disk_usage", lambda _: SimpleNamespace(free=4096))
    run.set_status(state="training", **dead)
    assert run.status().error_key == "run.disk_full"


def test_a_process_that_was_killed_while_it_loaded_the_base_is_told_as_that(run, dead):
    run.set_status(state="loading", **dead)
    run.settle(-signal.SIGKILL)
    assert run.status().error_key == "run.killed.loading_16bit"


def test_how_a_process_died_is_written_down_unless_it_has_left_its_own_word(run, dead):
    run.set_status(state="training", **dead)
    run.settle(-signal.SIGKILL)
    assert json.loads((run.folder / "status.json").read_text(encoding="utf-8"))["error_key"] == "run.killed.batch"
    run.set_status(state="failed", error="The disk is full.", error_key="run.disk_full")
    run.settle(-signal.SIGKILL)
    assert run.status().error_key == "run.disk_full"
    run.set_status(state="training", **runs.this_process())
    run.settle(0)  # another process has gone on with it since
    assert run.status().state == "training"


@pytest.mark.parametrize("state", runs.ENDED)
def test_a_run_that_ended_stays_as_it_ended_when_its_process_is_gone(run, dead, state):
    run.set_status(state=state, **dead)
    assert run.status().state == state


def test_a_zombie_counts_as_dead(run):
    child = subprocess.Popen([sys.executable, "-c", ""])
    run.set_status(state="training", pid=child.pid, pid_created=psutil.Process(child.pid).create_time())
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and nobody has collected it yet
    assert run.status().state == "failed"
    child.wait()


def test_a_pid_given_to_another_process_since_is_not_taken_for_the_run(run):
    run.set_status(state="training", pid=os.getpid(), pid_created=psutil.Process().create_time() - 3600)
    assert run.status().state == "failed"


def test_a_damaged_status_is_told_with_its_file(run):
    for damage in ('{"state": "trai', "[]", '{"mood": "sad"}'):
        (run.folder / "status.json").write_text(damage, encoding="utf-8")
        with pytest.raises(RunError, match="status.json is damaged"):
            run.status()


def test_the_log_s_tail_shows_progress_bars_in_their_last_state_only(run):
    run.log.write_text("one\ntwo\n 1/3 |#  |\r 2/3 |## |\r 3/3 |###|\nশেষ\n", encoding="utf-8")
    assert run.log_tail() == "one\ntwo\n 3/3 |###|\nশেষ"
    assert run.log_tail(2) == " 3/3 |###|\nশেষ"


def test_a_run_without_a_log_has_an_empty_tail(run):
    assert run.log_tail() == ""


def test_the_tail_of_a_long_log_is_cut_without_breaking_on_a_half_letter(run):
    run.log.write_text("ক" * 100_000 + "\nশেষ\n", encoding="utf-8")
    assert run.log_tail(1) == "শেষ"

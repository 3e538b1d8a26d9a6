"""The table of runs: every row true to its folder, cheap to ask again, and whole when one run is broken."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from finetune.recipe import Recipe
from finetune.training import history, metrics, notes, runs
from finetune.training.history import History, Row


def a_run(home: Path, name: str = "demo", **status: object) -> runs.Run:
    run = runs.create(home, Recipe.read("demo"), name)
    run.set_status(**{"state": "finished", **status})
    return run


def measure(run: runs.Run, losses: list[float], evaluations: dict[int, float] | None = None) -> None:
    for step, loss in enumerate(losses, start=1):
        metrics.append(run.folder, {"step": step, "loss": loss, "elapsed_s": step * 2.0})
        if step in (evaluations or {}):
            metrics.append(run.folder, {"step": step, "eval_loss": evaluations[step], "elapsed_s": step * 2.0 + 1})


def only(rows: tuple[Row, ...]) -> Row:
    (row,) = rows
    return row


def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Records each folder whose recipe is read from now on."""
    seen = []
    real = runs.Run.recipe

    def recorded(run: runs.Run) -> Recipe:
        seen.append(run.folder)
        return real(run)

    monkeypatch.setattr(runs.Run, "recipe", recorded)
    return seen


def test_a_row_tells_what_the_run_s_folder_tells(tmp_path):
    run = a_run(tmp_path, step=4, total_steps=4)
    measure(run, [3.0, 2.0, 1.5, 1.0], {2: 1.8, 4: 1.9})
    (run.data / "report.json").write_text('{"kept": 4986}', encoding="utf-8")
    notes.set_notes(run, "প্রথম চেষ্টা", ["ভালো"])
    row = only(History().rows(tmp_path))
    assert (row.name, row.state, row.data, row.rows, row.base) == (
        "demo-001", "finished", "corpus.csv", 4986, "assets/demo/base",
    )  # fmt: skip
    assert (row.learning_rate, row.r, row.effective_batch, row.step, row.steps) == (1.5e-3, 16, 16, 4, 4)
    assert (row.best_eval_loss, row.best_step, row.seconds) == (1.8, 2, 9.0)
    assert (row.notes, row.tags, row.spark) == ("প্রথম চেষ্টা", ("ভালো",), (3.0, 2.0, 1.5, 1.0))
    assert row.started == run.status().started
    assert row.size_bytes == sum(path.stat().st_size for path in run.folder.rglob("*") if path.is_file())
    assert row.problem is None


def test_a_run_that_has_only_been_laid_out_leaves_open_what_is_not_known(tmp_path):
    runs.create(tmp_path, Recipe())
    row = only(History().rows(tmp_path))
    assert (row.state, row.rows, row.best_eval_loss, row.best_step, row.seconds, row.spark) == (
        "queued", None, None, None, None, (),
    )  # fmt: skip


def test_a_home_without_runs_has_no_rows(tmp_path):
    assert History().rows(tmp_path) == ()


def test_the_newest_run_stands_first(tmp_path):
    for name, started in (("old", 100.0), ("new", 300.0), ("middle", 200.0)):
        a_run(tmp_path, name, started=started)
    assert [row.name for row in History().rows(tmp_path)] == ["new-001", "middle-001", "old-001"]


def test_a_second_look_at_unchanged_runs_reads_none_of_them(tmp_path, monkeypatch):
    for state in ("finished", "stopped", "queued"):
        a_run(tmp_path, state, state=state)
    known = History()
    before = known.rows(tmp_path)
    seen = reads(monkeypatch)
    monkeypatch.setattr(history, "folder_size", None)  # walking a folder would raise
    assert known.rows(tmp_path) == before
    assert seen == []


@pytest.mark.parametrize("change", ["metrics", "status", "notes", "report", "checkpoint"])
def test_only_the_run_that_changed_is_read_again(tmp_path, monkeypatch, change):
    one, _ = a_run(tmp_path), a_run(tmp_path)
    (one.checkpoints / "checkpoint-1").mkdir(parents=True)
    known = History()
    before = {row.name: row for row in known.rows(tmp_path)}
    seen = reads(monkeypatch)
    match change:
        case "metrics":
            measure(one, [1.0])
        case "status":
            one.set_status(state="stopped")
        case "notes":
            notes.set_notes(one, "নতুন", [])
        case "report":
            (one.data / "report.json").write_text('{"kept": 7}', encoding="utf-8")
        case "checkpoint":
            (one.checkpoints / "checkpoint-2").mkdir()
            (one.checkpoints / "checkpoint-2" / "weights").write_bytes(b"x" * 5000)
    after = {row.name: row for row in known.rows(tmp_path)}
    assert seen == [one.folder]
    assert after["demo-001"] != before["demo-001"]
    assert after["demo-002"] == before["demo-002"]


def test_metrics_that_were_read_once_are_not_read_again_while_a_run_goes_on(tmp_path, monkeypatch):
    run = a_run(tmp_path, state="training", **runs.this_process())
    measure(run, [3.0, 2.0])
    known = History()
    known.rows(tmp_path)
    offsets = []
    real = metrics.read
    monkeypatch.setattr(metrics, "read", lambda folder, offset=0: offsets.append(offset) or real(folder, offset))
    size = (run.folder / metrics.FILE).stat().st_size
    metrics.append(run.folder, {"step": 3, "loss": 1.0, "elapsed_s": 6.0})
    assert only(known.rows(tmp_path)).spark == (3.0, 2.0, 1.0)
    assert offsets == [size]


def test_a_metrics_file_that_was_replaced_by_a_shorter_one_is_read_from_its_start(tmp_path):
    run = a_run(tmp_path, state="training", **runs.this_process())
    measure(run, [3.0, 2.0, 1.0])
    known = History()
    known.rows(tmp_path)
    (run.folder / metrics.FILE).unlink()
    measure(run, [9.0])
    assert only(known.rows(tmp_path)).spark == (9.0,)


def test_a_resumed_run_s_step_counts_as_it_was_written_last(tmp_path):
    run = a_run(tmp_path)
    measure(run, [3.0, 2.0], {2: 0.5})
    metrics.append(run.folder, {"step": 2, "loss": 2.5, "elapsed_s": 9.0})
    metrics.append(run.folder, {"step": 2, "eval_loss": 2.4, "elapsed_s": 9.5})
    row = only(History().rows(tmp_path))
    assert (row.spark, row.best_eval_loss, row.seconds) == ((3.0, 2.5), 2.4, 9.5)


def test_a_run_whose_process_dies_between_two_looks_has_failed_at_the_second_though_no_file_changed(tmp_path):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    a_run(tmp_path, state="training", pid=child.pid, pid_created=psutil.Process(child.pid).create_time())
    known = History()
    assert only(known.rows(tmp_path)).state == "training"
    child.communicate(b"\n")
    row = only(known.rows(tmp_path))
    assert (row.state, row.problem.key) == ("failed", "run.died")


def test_a_deleted_run_leaves_the_table_and_its_successor_of_the_same_name_is_read_afresh(tmp_path):
    run = a_run(tmp_path)
    measure(run, [3.0])
    known = History()
    known.rows(tmp_path)
    shutil.rmtree(run.folder)
    assert known.rows(tmp_path) == ()
    measure(a_run(tmp_path), [1.0])
    assert only(known.rows(tmp_path)).spark == (1.0,)


def test_a_run_that_is_deleted_while_it_is_read_is_no_error(tmp_path, monkeypatch):
    a_run(tmp_path)

    def gone(folder: Path) -> int:
        raise FileNotFoundError(folder)

    monkeypatch.setattr(history, "folder_size", gone)
    assert History().rows(tmp_path) == ()


@pytest.mark.parametrize(
    ("file", "damage", "key"),
    [
        ("recipe.yaml", "base: [", "recipe"),
        ("status.json", "{", "run.damaged_status"),
        (notes.FILE, "[]", "run.damaged_notes"),
        ("data/report.json", "{", "run.damaged_report"),
    ],
)
def test_one_damaged_file_is_told_in_its_row_and_hides_nothing_else(tmp_path, file, damage, key):
    broken, _ = a_run(tmp_path, "broken"), a_run(tmp_path, "whole")
    measure(broken, [2.0])
    (broken.folder / file).write_text(damage, encoding="utf-8")
    rows = {row.name: row for row in History().rows(tmp_path)}
    assert rows["broken-001"].problem.key == key
    assert rows["broken-001"].spark == (2.0,)
    assert rows["whole-001"].problem is None


def test_a_failed_run_says_why_in_words_that_can_be_translated(tmp_path):
    a_run(tmp_path, state="failed", error="…", error_key="data.empty", error_facts={"file": "মন.csv"})
    problem = only(History().rows(tmp_path)).problem
    assert (problem.key, problem.facts) == ("data.empty", {"file": "মন.csv"})


def test_a_sparkline_has_at_most_24_points(tmp_path):
    measure(a_run(tmp_path), [100.0 / step for step in range(1, 501)])
    spark = only(History().rows(tmp_path)).spark
    assert len(spark) == 24
    assert list(spark) == sorted(spark, reverse=True)


# Size


def test_a_folder_s_size_leaves_links_aside_and_stops_at_the_most_files(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    for number in range(5):
        (tmp_path / "deep" / "er" / f"{number}").write_bytes(b"x" * 100)
    os.symlink("/", tmp_path / "link")
    assert history.folder_size(tmp_path) == 500
    assert 0 < history.folder_size(tmp_path, most=6) < 500


# Rows in order


ROWS = (
    Row("b-001", "finished", data="মন.csv", best_eval_loss=1.0, notes="প্রথম চেষ্টা", tags=("ভালো", "ছোট")),
    Row("A-002", "failed", data="corpus.csv", best_eval_loss=None, base="unsloth/Llama-3.2-1B-Instruct"),
    Row("c-003", "finished", data="corpus.csv", best_eval_loss=0.5, tags=("ভালো",)),
)


def names(rows: tuple[Row, ...]) -> list[str]:
    return [row.name for row in rows]


def test_rows_are_ordered_by_a_column_and_what_is_not_known_stands_last_either_way():
    assert names(history.ordered(ROWS, "name")) == ["A-002", "b-001", "c-003"]
    assert names(history.ordered(ROWS, "best_eval_loss")) == ["c-003", "b-001", "A-002"]
    assert names(history.ordered(ROWS, "best_eval_loss", descending=True)) == ["b-001", "c-003", "A-002"]


@pytest.mark.parametrize("column", history.SORTABLE)
def test_every_column_that_is_said_to_be_sortable_is(column):
    assert sorted(names(history.ordered(ROWS, column))) == sorted(names(ROWS))


def test_a_column_that_there_is_not_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="spark"):
        history.ordered(ROWS, "spark")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["b-001", "A-002", "c-003"]),
        ("CORPUS", ["A-002", "c-003"]),
        ("corpus llama", ["A-002"]),
        ("চেষ্টা", ["b-001"]),
        ("প্রথম\u200b", []),
        ("ভালো", ["b-001", "c-003"]),
    ],
)
def test_rows_match_a_text_when_every_word_of_it_stands_somewhere_in_them(text, found):
    assert names(history.matching(ROWS, text)) == found


def test_a_word_is_found_however_its_letters_were_typed():
    row = Row("x", "finished", notes="ছোট\u09df")  # one sign, which NFC takes apart
    assert history.matching((row,), "ট\u09af\u09bc") == (row,)


def test_rows_are_filtered_by_state_and_by_all_tags_asked_for():
    assert names(history.matching(ROWS, states=("finished",))) == ["b-001", "c-003"]
    assert names(history.matching(ROWS, tags=("ভালো", "ছোট"))) == ["b-001"]


def test_a_row_is_plain_data_that_a_table_can_take():
    assert json.loads(json.dumps(ROWS[0].__dict__))["tags"] == ["ভালো", "ছোট"]

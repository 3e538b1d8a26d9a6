"""The file: what is committed is there, once, after anything; nothing is ever changed or deleted."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from finetune.errors import ReviewError
from finetune.recipe import ROOT
from finetune.review.vote_file import VoteFile
from finetune.review.votes import FILE, Vote, VoteStore


@pytest.fixture
def store(tmp_path):
    return VoteStore(tmp_path / FILE)


def vote(reviewer, prompt, vote_id=None):
    return Vote(vote_id or f"{reviewer}-{prompt}", "set", prompt, reviewer, "tuned", "base")


def test_nothing_can_be_changed_or_deleted(store):
    mita, _ = store.register("মিতা")
    store.vote(vote(mita, "p1"))
    db = sqlite3.connect(store.path)
    for table, column in (("events", "choice"), ("reviewers", "name")):
        for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = 'base'"):
            with pytest.raises(sqlite3.IntegrityError, match="append only"):
                db.execute(statement)


def test_a_commit_waits_for_the_disk(tmp_path):
    db = VoteFile(tmp_path / FILE).connection()
    assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert db.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL


def test_a_file_of_a_newer_version_is_left_alone(store):
    sqlite3.connect(store.path).execute("PRAGMA user_version = 99")
    with pytest.raises(ReviewError, match="newer version"):
        VoteStore(store.path)


def test_what_is_no_database_is_told_in_a_sentence_and_left_as_it_is(tmp_path):
    file = tmp_path / FILE
    file.write_bytes(b"prompt_id,reviewer\n" * 500)
    with pytest.raises(ReviewError) as caught:
        VoteStore(file)
    assert caught.value.key == "review.votes_file"
    assert file.read_bytes() == b"prompt_id,reviewer\n" * 500


def test_a_full_disk_costs_the_vote_that_found_it_full_and_no_other(store):
    mita, _ = store.register("মিতা")
    db = store._file.connection()
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages + 2}")
    kept = 0
    with pytest.raises(ReviewError) as caught:
        for kept in range(1000):
            store.vote(vote(mita, f"p{kept}"))
    assert caught.value.key == "review.votes_file" and "full" in caught.value.facts["reason"]
    assert 0 < len(store.lines()) == kept
    db.execute("PRAGMA max_page_count = 100000")
    store.vote(vote(mita, f"p{kept}"))
    assert len(store.lines()) == kept + 1


def test_what_fails_in_the_middle_leaves_nothing(tmp_path):
    file = VoteFile(tmp_path / FILE)
    with pytest.raises(KeyError), file.writing() as db:
        db.execute("INSERT INTO reviewers VALUES ('a', 'a', 'token', '', '')")
        raise KeyError
    with file.reading() as db:
        assert db.execute("SELECT count(*) FROM reviewers").fetchone()[0] == 0


def in_threads(count, work):
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_many_threads_vote_at_once(store):
    def go(number):
        reviewer, _ = store.register(f"r{number}")
        for prompt in range(20):
            store.vote(vote(reviewer, f"p{prompt}"))

    in_threads(8, go)
    assert len(store.lines()) == 160


@pytest.mark.parametrize(
    ("one_click", "answers"), [(True, [False] * 7 + [True]), (False, [True] + ["review.twice"] * 7)]
)
def test_of_votes_on_one_item_at_the_same_moment_one_is_kept(store, one_click, answers):
    mita, _ = store.register("মিতা")
    together, said = threading.Barrier(8), []

    def go(number):
        mine = VoteStore(store.path) if number % 2 else store  # half of them as another process would
        together.wait()
        try:
            said.append(mine.vote(vote(mita, "p1", "click" if one_click else f"click-{number}")))
        except ReviewError as error:
            said.append(error.key)

    in_threads(8, go)
    assert sorted(said, key=str) == answers
    assert len(store.lines()) == 1


OPENER = """
import sys
from pathlib import Path
from finetune.review.votes import VoteStore
sys.stdin.readline()
VoteStore(Path(sys.argv[1])).register("মিতা")
"""


def test_several_processes_may_make_the_file_at_the_same_moment(tmp_path):
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, str(tmp_path / FILE)], cwd=ROOT, stdin=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in processes:
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0, 0]
    with VoteFile(tmp_path / FILE).reading() as db:
        assert db.execute("SELECT count(*) FROM reviewers").fetchone()[0] == 3


WRITER = """
import sys
from pathlib import Path
from finetune.review.votes import Vote, VoteStore
store = VoteStore(Path(sys.argv[1]))
reviewer, _ = store.register(sys.argv[2])
for number in range(100_000):
    store.vote(Vote(f"{sys.argv[2]}-{number}", "set", f"p{number}", reviewer, "tuned", "base"))
    print(f"{sys.argv[2]}-{number}", flush=True)
"""


def test_every_vote_that_was_acknowledged_survives_kill_9(store, tmp_path):
    said = []
    for name in ("one", "two"):
        with (tmp_path / name).open("wb") as out:
            said.append((tmp_path / name, subprocess.Popen(
                [sys.executable, "-c", WRITER, str(store.path), name], cwd=ROOT, stdout=out,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )))  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and any(file.stat().st_size < 500 for file, _ in said):
        time.sleep(0.02)
    for _, process in said:
        process.send_signal(signal.SIGKILL)
        process.wait()
    acknowledged = [line for file, _ in said for line in file.read_text().split("\n")[:-1]]
    kept = [line["vote_id"] for line in VoteStore(store.path).lines()]
    assert len(acknowledged) > 50
    assert set(acknowledged) <= set(kept)
    assert len(kept) == len(set(kept)) <= len(acknowledged) + 2  # at most the one in hand of each

"""The store: an acknowledged vote is there, once; nothing is ever changed or deleted; nobody votes as another."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from finetune.errors import ReviewError
from finetune.recipe import ROOT
from finetune.review.votes import FILE, LONGEST_NOTE, Vote, VoteStore


@pytest.fixture
def store(tmp_path):
    return VoteStore(tmp_path / FILE)


@pytest.fixture
def mita(store):
    return store.register("মিতা")[0]


def vote(reviewer, prompt="p1", choice="tuned", number=1, **more):
    return Vote(f"{prompt}-{number}-{reviewer}", "set", prompt, reviewer, choice, "base", **more)


def test_a_vote_stands_as_it_was_given(store, mita):
    assert store.vote(vote(mita)) is True
    (line,) = store.lines("set")
    assert (line["prompt_id"], line["choice"], line["left"], line["repeat"]) == ("p1", "tuned", "base", False)
    assert (line["reviewer"], line["reviewer_name"], line["unblinded"]) == (mita, "মিতা", False)
    assert len(line["at"]) == len("2026-11-29T01:23:18+00:00")


def test_the_same_click_sent_again_counts_once(store, mita):
    store.vote(vote(mita))
    assert store.vote(replace(vote(mita), choice="base")) is False
    assert [line["choice"] for line in store.lines()] == ["tuned"]


def test_a_second_vote_on_an_item_is_refused_until_the_first_is_undone(store, mita):
    store.vote(vote(mita))
    with pytest.raises(ReviewError, match="Undo that vote first"):
        store.vote(vote(mita, number=2, choice="base"))
    assert store.undo("set", mita).prompt_id == "p1"
    store.vote(vote(mita, number=2, choice="base"))
    assert [line["choice"] for line in store.lines()] == ["base"]
    history = [(line["choice"], line["undone"]) for line in store.lines(history=True)]
    assert history == [("tuned", True), ("base", False)]


def test_a_repeat_is_an_item_of_its_own(store, mita):
    store.vote(vote(mita))
    store.vote(vote(mita, number=2, repeat=True))
    assert [line["repeat"] for line in store.lines()] == [False, True]


def test_undo_takes_back_the_last_standing_vote_of_that_reviewer_and_no_other(store, mita):
    other = store.register("রহিম")[0]
    for prompt in ("p1", "p2"):
        store.vote(vote(mita, prompt))
        store.vote(vote(other, prompt))
    assert [store.undo("set", mita).prompt_id for _ in range(2)] == ["p2", "p1"]
    assert store.undo("set", mita) is None
    assert {line["reviewer"] for line in store.lines()} == {other}


def test_whoever_has_seen_which_side_is_which_cannot_vote_or_undo_on_that_set(store, mita):
    store.vote(vote(mita))
    store.reveal("set", mita)
    store.reveal("set", mita)
    assert store.revealed("set", mita) and not store.revealed("another", mita)
    for refused in (lambda: store.vote(vote(mita, "p2")), lambda: store.undo("set", mita)):
        with pytest.raises(ReviewError) as caught:
            refused()
        assert caught.value.key == "review.unblinded"
    assert [line["unblinded"] for line in store.lines()] == [False]
    assert store.vote(replace(vote(mita, "p9"), set_id="another"))


def test_details_come_beside_a_vote_and_later_ones_replace_them(store, mita):
    store.vote(vote(mita))
    store.details(vote(mita), {"empathy": {"base": 2, "tuned": 5}, "made_up": {"base": 1}}, ["warm"], "ভালো লাগল")
    store.details(vote(mita), {"empathy": {"base": 3, "tuned": 9}}, ["heard"], "আবার ভাবলাম")
    (line,) = store.lines()
    assert line["ratings"] == {"empathy": {"base": 3}}
    assert (line["reasons"], line["note"]) == (["heard"], "আবার ভাবলাম")


def test_a_note_that_reads_like_a_crisis_is_not_kept(store, mita, tmp_path):
    store.vote(vote(mita))
    assert store.details(vote(mita), {}, [], "আমি আর বাঁচতে চাই না") is False
    assert store.lines()[0]["note"] == ""
    assert "বাঁচতে".encode() not in b"".join(file.read_bytes() for file in tmp_path.glob(f"{FILE}*"))


def test_a_note_is_bounded_and_holds_no_control_characters(store, mita):
    store.vote(vote(mita))
    store.details(vote(mita), {}, [], "ক\x00খ\x1b" + "গ" * 5000)
    assert store.lines()[0]["note"] == ("কখ" + "গ" * 5000)[:LONGEST_NOTE]


def test_nothing_can_be_changed_or_deleted(store, mita):
    store.vote(vote(mita))
    db = sqlite3.connect(store.path)
    for statement in ("DELETE FROM events", "UPDATE events SET choice = 'base'", "DELETE FROM reviewers"):
        with pytest.raises(sqlite3.IntegrityError, match="append only"):
            db.execute(statement)


def test_a_reviewer_is_who_holds_the_token_and_names_may_be_the_same(store):
    one, token = store.register("মিতা")
    other, another = store.register("মিতা")
    assert one != other
    assert store.proves(one, token) and not store.proves(one, another) and not store.proves(one, "")
    assert not store.proves("nobody", token)
    assert token.encode() not in store.path.read_bytes()


def test_an_account_that_logs_in_is_always_the_same_reviewer(store):
    one, token = store.register_login("mita-hf", "secret")
    assert (one, token) == store.register_login("mita-hf", "secret")
    assert store.proves(one, token)
    assert store.register_login("rahim-hf", "secret")[0] != one


@pytest.mark.parametrize("name", ["", "  ", "\x00"])
def test_nobody_votes_without_a_name(store, name):
    with pytest.raises(ReviewError) as caught:
        store.register(name)
    assert caught.value.key == "review.no_name"


def test_two_exports_merge_without_doubles(store, mita, tmp_path):
    other = VoteStore(tmp_path / "other.sqlite3")
    rahim = other.register("রহিম")[0]
    store.vote(vote(mita))
    store.details(vote(mita), {"natural": {"tuned": 4}}, ["warm"], "ভালো")
    other.vote(vote(rahim))
    assert other.add(store.lines()) == (1, 0)
    assert other.add(store.lines()) == (0, 1)
    assert store.add(other.lines()) == (1, 1)
    assert sorted(map(json.dumps, store.lines())) == sorted(map(json.dumps, other.lines()))


def test_lines_without_ids_are_added_once_however_often(store):
    line = {"prompt_id": "p", "reviewer": "a", "choice": "base", "left": "tuned"}
    assert [store.add([line]), store.add([line])] == [(1, 0), (0, 1)]


def test_of_an_import_that_has_a_wrong_line_nothing_is_kept(store):
    good = {"prompt_id": "p", "reviewer": "a", "choice": "base", "left": "tuned"}
    with pytest.raises(ReviewError):
        store.add([good, {**good, "choice": "left"}])
    assert store.lines() == []


def test_a_file_of_a_newer_version_is_left_alone(store):
    db = sqlite3.connect(store.path)
    db.execute("PRAGMA user_version = 99")
    with pytest.raises(ReviewError, match="newer version"):
        VoteStore(store.path)


def test_many_threads_vote_at_once(store):
    def go(number):
        reviewer, _ = store.register(f"r{number}")
        for prompt in range(20):
            store.vote(vote(reviewer, f"p{prompt}"))

    threads = [threading.Thread(target=go, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.lines()) == 160


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
    deadline = time.monotonic() + 30
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

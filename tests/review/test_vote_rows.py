"""Rows about votes: what stands, what was last said, from when on a reviewer is no longer blind."""

import sqlite3

import pytest

from finetune.review import vote_rows as rows
from finetune.review.vote_file import VoteFile
from finetune.review.vote_rows import Vote

ONE, TWO = (Vote(f"v{number}", "set", f"p{number}", "mita", "tuned", "base", at="now") for number in (1, 2))


@pytest.fixture
def db(tmp_path):
    with VoteFile(tmp_path / "votes").writing() as db:
        rows.add(db, "vote", ONE, at="now")
        rows.add(db, "vote", TWO, at="now")
        yield db


def test_a_vote_comes_back_as_it_was_written(db):
    assert [Vote.of(row) for row in rows.votes(db, None)] == [ONE, TWO]
    assert Vote.of(rows.find(db, "v2")) == TWO and rows.find(db, "v3") is None


def test_an_undone_vote_is_found_but_neither_stands_nor_holds_its_item(db):
    assert Vote.of(rows.held(db, ONE)) == ONE
    rows.add(db, "undo", ONE)
    assert rows.held(db, ONE) is None and rows.find(db, "v1")["undone"] == 1
    assert [row["vote_id"] for row in rows.votes(db, "set")] == ["v2"]
    assert [row["undone"] for row in rows.votes(db, "set", undone=True)] == [1, 0]


def test_of_what_was_said_the_last_counts(db):
    for note in ("এক", "দুই"):
        rows.add(db, "details", ONE, {"note": note})
    assert rows.details(db) == {"v1": {"note": "দুই"}}


def test_blindness_ends_with_the_first_reveal_and_for_that_reviewer_alone(db):
    for _ in range(2):
        rows.add(db, "reveal", Vote("r", "set", "", "mita", "", ""))
    assert rows.reveals(db) == {("set", "mita"): 3}
    assert rows.revealed(db, "set", "mita") and not rows.revealed(db, "set", "rahim")


def test_one_vote_is_one_row_and_is_undone_once(db):
    rows.add(db, "undo", ONE)
    for kind in ("vote", "undo"):
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            rows.add(db, kind, ONE)

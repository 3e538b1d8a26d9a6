"""Files are added to and replaced as a whole, and a folder is one process's at a time."""

import pytest

from finetune.errors import ReviewError
from finetune.review import durable


def test_what_is_added_follows_what_was_there(tmp_path):
    durable.append(tmp_path / "log", "এক\n")
    durable.append(tmp_path / "log", "দুই\n")
    assert (tmp_path / "log").read_text(encoding="utf-8") == "এক\nদুই\n"


def test_a_replacement_that_fails_on_its_way_leaves_the_old_file(tmp_path, monkeypatch):
    durable.replace(tmp_path / "set.json", "old")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        durable.replace(tmp_path / "set.json", "new")
    assert (tmp_path / "set.json").read_text(encoding="utf-8") == "old"


def test_a_folder_that_is_taken_is_refused_in_the_callers_words_and_is_free_afterwards(tmp_path):
    busy = ReviewError("This one is busy.", key="review.busy")
    with durable.alone(tmp_path, busy), pytest.raises(ReviewError, match="busy"), durable.alone(tmp_path, busy):
        raise AssertionError("both had it")
    with durable.alone(tmp_path, busy):
        assert (tmp_path / "lock").is_file()

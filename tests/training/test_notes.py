"""What a person noted about a run: kept as they meant it, within limits, never half written."""

import json

import pytest

from finetune.errors import RunError
from finetune.recipe import Recipe
from finetune.training import notes, runs


@pytest.fixture
def run(tmp_path):
    return runs.create(tmp_path, Recipe())


def test_a_run_without_notes_has_none(run):
    assert notes.read(run) == ("", ())


def test_notes_are_read_as_they_were_written_in_bengali_too(run):
    kept = notes.set_notes(run, "  শেখার হার কমালে ভালো হয়।\nআবার দেখব।  ", ["ভালো", "১ম"])
    assert kept == notes.read(run) == ("শেখার হার কমালে ভালো হয়।\nআবার দেখব।", ("ভালো", "১ম"))
    assert "শেখার" in (run.folder / notes.FILE).read_text(encoding="utf-8")


def test_tags_lose_blanks_and_repetitions_however_they_were_typed(run):
    assert notes.set_notes(run, "", [" ক ", "", "ক", "  ", "ছোট  মডেল", "\u09df", "\u09af\u09bc"])[1] == (
        "ক", "ছোট মডেল", "\u09af\u09bc",
    )  # fmt: skip


def test_nothing_else_is_left_in_the_folder_and_a_reader_of_the_old_file_reads_it_whole(run):
    notes.set_notes(run, "এক", [])
    with (run.folder / notes.FILE).open(encoding="utf-8") as file:
        notes.set_notes(run, "দুই", [])
        assert json.load(file)["text"] == "এক"
    assert [path.name for path in run.folder.glob("notes*")] == [notes.FILE]


@pytest.mark.parametrize(
    ("text", "tags", "key"),
    [
        ("ক" * (notes.LONGEST_TEXT + 1), [], "run.long_note"),
        ("", [str(number) for number in range(notes.MOST_TAGS + 1)], "run.tags"),
        ("", ["ক" * (notes.LONGEST_TAG + 1)], "run.tags"),
    ],
)
def test_what_is_over_the_limits_is_refused_and_the_old_note_stays(run, text, tags, key):
    notes.set_notes(run, "আগের", ["ক"])
    with pytest.raises(RunError) as refused:
        notes.set_notes(run, text, tags)
    assert refused.value.key == key
    assert notes.read(run) == ("আগের", ("ক",))


def test_what_just_fits_is_kept(run):
    tags = [f"{number:0{notes.LONGEST_TAG}}" for number in range(notes.MOST_TAGS)]
    assert notes.set_notes(run, "ক" * notes.LONGEST_TEXT, tags) == ("ক" * notes.LONGEST_TEXT, tuple(tags))


@pytest.mark.parametrize("damage", ["", "[]", '{"text": "ক"}', '{"text": "ক", "tags": 3}'])
def test_a_damaged_file_is_told_and_can_be_written_over(run, damage):
    (run.folder / notes.FILE).write_text(damage, encoding="utf-8")
    with pytest.raises(RunError, match="damaged"):
        notes.read(run)
    notes.set_notes(run, "নতুন", [])
    assert notes.read(run) == ("নতুন", ())

"""The messages of a maker's own file, whatever it is called and however it was saved."""

import json

import pyarrow
import pyarrow.parquet
import pytest

from finetune.errors import DataError
from finetune.review import prompt_files

SAID = "মন ভালো নেই, কী করি?"


def written(folder, name, content):
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", f'Topics,Questions\nমন,"{SAID}"\n'),
        ("a.csv", f'x,Question,topic\n1,"{SAID}",মন\n'),
        ("a.csv", f"topic;question\nমন;{SAID}\n"),
        ("a.tsv", f"Topic\tText\nমন\t{SAID}\n"),
        ("a.csv", f"topic,question\nমন,{SAID}\n".encode("utf-16")),
        ("a.jsonl", json.dumps({"prompt": SAID, "topic": "মন"}) + "\n"),
        ("a.csv", f'বিষয়,কথা\nমন,"{SAID}"\n'),
    ],
)
def test_the_messages_and_topics_are_found_by_known_names(tmp_path, name, content):
    assert list(prompt_files.table(written(tmp_path, name, content))) == [(SAID, "মন")]


def test_a_parquet_file_is_read_as_others_are(tmp_path):
    file = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"Topics": ["মন", None], "question": [SAID, None]}), file)
    assert list(prompt_files.table(file)) == [(SAID, "মন"), ("", "")]


def test_a_named_column_goes_before_known_names(tmp_path):
    file = written(tmp_path, "a.csv", "question,said\nএটা নয়,এটা\n")
    assert list(prompt_files.table(file, "said")) == [("এটা", "")]


def test_a_single_column_needs_no_known_name_and_its_commas_no_quotation_marks(tmp_path):
    file = written(tmp_path, "a.csv", f"anything\n{SAID}\nএক, দুই, তিন\n")
    assert list(prompt_files.table(file)) == [(SAID, ""), ("এক, দুই, তিন", "")]


def test_a_cell_that_holds_no_text_is_empty(tmp_path):
    rows = [{"prompt": [{"role": "user", "content": SAID}]}, {"prompt": None}, {"prompt": 7}]
    file = written(tmp_path, "a.jsonl", "\n".join(map(json.dumps, rows)))
    assert list(prompt_files.table(file)) == [("", "")] * 3


def test_a_table_without_rows_holds_no_message(tmp_path):
    assert list(prompt_files.table(written(tmp_path, "a.csv", "question,answer\n"))) == []


@pytest.mark.parametrize(
    ("name", "content", "column", "key"),
    [
        ("a.csv", "a,b\n1,2\n", "", "prompts.no_column"),
        ("a.csv", "question,b\n1,2\n", "said", "prompts.no_column"),
        ("a.csv", "question,b\nএক, দুই,খ\n", "", "data.damaged"),
        ("a.csv", b"", "", "data.empty"),
        ("a.csv", b"%PDF-1.7", "", "data.not_text"),
        ("a.csv", "question\nমন\n".encode("utf-16-le")[:-1], "", "data.not_text"),
        ("a.jsonl", "{", "", "data.not_jsonl"),
        ("a.parquet", b"PAR1", "", "data.damaged_parquet"),
    ],
)
def test_a_table_that_cannot_be_used_is_told(tmp_path, name, content, column, key):
    with pytest.raises(DataError) as told:
        list(prompt_files.table(written(tmp_path, name, content), column))
    assert told.value.key == key


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_text_file_is_read_however_it_was_saved(tmp_path, encoding):
    assert prompt_files.text(written(tmp_path, "a.txt", SAID.encode(encoding))) == SAID


def test_a_text_file_in_another_encoding_is_told(tmp_path):
    with pytest.raises(DataError, match="not saved as UTF-8"):
        prompt_files.text(written(tmp_path, "a.txt", b"caf\xe9"))


def test_what_is_no_file_of_a_known_kind_is_told_and_looked_for_nowhere_else(tmp_path):
    with pytest.raises(DataError) as told:
        prompt_files.check(written(tmp_path, "a.docx", b"PK"))
    assert told.value.key == "prompts.unreadable"
    with pytest.raises(DataError) as told:
        prompt_files.check(tmp_path / "owner" / "name.csv")
    assert told.value.key == "data.no_file"

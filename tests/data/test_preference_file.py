"""finetune/data/preference_file.py: TRL's preference rows, cleaned and counted, and every line that is none."""

import json

import pytest

from finetune.data import preference_file, splits
from finetune.data.corpus import Report
from finetune.errors import DataError
from finetune.recipe import Data
from tests.rows import ROWS

GOOD, BAD = "আপনি একা নন, পাশে আছি।", "You should see a doctor."


def pair(question="খুব একা লাগে।", chosen=GOOD, rejected=BAD):
    """One line of a preference file."""
    return {
        "prompt": [{"role": "user", "content": question}],
        "chosen": [{"role": "assistant", "content": chosen}],
        "rejected": [{"role": "assistant", "content": rejected}],
    }


def pairs(count):
    """Preferences on questions that are no two alike."""
    return [pair(question, answer) for _, _, question, answer in ROWS[:count]]


def write(path, lines):
    """A preference file of these lines; texts go in as they are."""
    text = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
    path.write_text("\n".join(text), encoding="utf-8")
    return path


@pytest.fixture
def read(tmp_path):
    """The rows of a file of these lines, and the report."""

    def read(lines, limit=None, **settings):
        report = Report()
        data = Data(source=str(write(tmp_path / "dpo.jsonl", lines)), **settings)
        return list(preference_file.clean_rows(data, report, limit)), report

    return read


def test_a_row_is_a_question_with_the_preferred_reply_as_its_answer(read):
    rows, report = read([pair("  খুব একা   লাগে। ")])
    assert rows == [{"topic": "", "title": "", "question": "খুব একা লাগে।", "answer": GOOD, "rejected": BAD}]
    assert (report.source, report.rows, report.kept) == ("dpo.jsonl", 1, 1)


def test_texts_are_brought_to_the_one_unicode_form(read):
    (row,), _ = read([pair(question="ব\u09c7\u09be\u09a8 নেই", chosen="ব\u09c7\u09be\u09a8ের কথা মনে পড়ছে?")])
    assert row["question"].startswith("বো") and row["answer"].startswith("বো")


def test_banglish_may_be_asked_and_english_may_be_rejected_but_not_preferred(read):
    rows, report = read([pair("ami khub eka", GOOD, BAD), pair(chosen=BAD, rejected=GOOD)])
    assert [row["question"] for row in rows] == ["ami khub eka"]
    assert report.dropped_rows["not_bengali"] == [2]


def test_what_is_dropped_is_counted_under_the_first_reason_that_holds(read):
    lines = [
        pair(),
        pair(rejected=" "),
        pair(chosen="না"),
        pair(question="হ\ufffd\ufffd\ufffd"),
        pair(),
        pair(rejected=GOOD),
    ]
    rows, report = read([*lines, pair(rejected="অন্য কিছু বলি।")])
    dropped = {reason: numbers for reason, numbers in report.dropped_rows.items() if numbers}
    assert dropped == {"empty": [2], "too_short": [3], "corrupted": [4], "duplicate": [5], "same": [6]}
    assert [row["rejected"] for row in rows] == [BAD, "অন্য কিছু বলি।"]
    assert list(report.dropped_rows) == list(preference_file.REASONS)


def test_with_deduplication_off_a_row_may_come_again(read):
    assert len(read([pair(), pair()], deduplicate=False)[0]) == 2


def test_a_limit_reads_no_further(read):
    assert read([*pairs(3), "broken"], limit=3)[1].rows == 3


@pytest.mark.parametrize(
    "line",
    [
        {"prompt": "খুব একা লাগে।", "chosen": GOOD, "rejected": BAD},
        {key: value for key, value in pair().items() if key != "rejected"},
        pair() | {"prompt": pair()["prompt"] * 2},
        pair() | {"prompt": []},
        pair() | {"chosen": [{"role": "user", "content": GOOD}]},
        pair() | {"chosen": [{"role": "assistant", "content": None}]},
        pair() | {"rejected": ["না"]},
        pair() | {"rejected": None},
    ],
    ids=["plain texts", "one reply", "two turns", "no turn", "wrong role", "no text", "no message", "null"],
)
def test_a_line_that_is_no_preference_is_told_with_its_number(read, line):
    with pytest.raises(DataError, match="Row 2 of dpo.jsonl") as told:
        read([pair(), line])
    assert (told.value.key, told.value.facts["row"]) == ("data.no_preference", 2)


def test_questions_and_answers_are_no_preferences_and_the_message_does_not_speak_of_columns(read):
    with pytest.raises(DataError, match="no preference of one reply over another") as told:
        read([{"Questions": "ক", "Answers": "খ"}])
    assert "data.question" not in str(told.value)


@pytest.mark.parametrize(("lines", "key"), [([], "data.empty"), ([pair(), "{"], "data.not_jsonl")])
def test_a_file_that_cannot_be_read_is_told_as_for_every_other_source(read, lines, key):
    with pytest.raises(DataError) as told:
        read(lines)
    assert told.value.key == key


# split


def prepared(tmp_path, lines, **settings):
    data = Data(source=str(write(tmp_path / "dpo.jsonl", lines)), **settings)
    return splits.prepare(data, tmp_path / "out", objective="dpo")


@pytest.mark.parametrize(
    ("count", "train", "validation", "test"), [(2, 1, 1, 0), (5, 4, 1, 0), (6, 4, 1, 1), (10, 8, 1, 1), (30, 24, 3, 3)]
)
def test_every_file_of_two_or_more_preferences_has_one_to_train_on_and_one_to_validate(
    tmp_path, count, train, validation, test
):
    report = prepared(tmp_path, pairs(count))
    assert report["splits"] == {"train": train, "validation": validation, "test": test}
    rows = [row for name in splits.SPLITS for row in splits.read_split(tmp_path / "out", name)]
    assert sorted(row["question"] for row in rows) == sorted(line["prompt"][0]["content"] for line in pairs(count))
    assert all(row["rejected"] == BAD for row in rows)


def test_preferences_on_one_prompt_stay_on_one_side(tmp_path):
    lines = [pair(question, answer + more) for _, _, question, answer in ROWS[:12] for more in ("", " বলুন না।")]
    prepared(tmp_path, lines)
    sides = [{row["question"] for row in splits.read_split(tmp_path / "out", name)} for name in splits.SPLITS]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 12


def test_too_few_preferences_and_preferences_on_a_single_prompt_are_told(tmp_path):
    with pytest.raises(DataError, match="Only 1 of 2 preferences in dpo.jsonl") as told:
        prepared(tmp_path, [pair(), pair(rejected=GOOD)])
    assert told.value.key == "data.few_pairs"
    with pytest.raises(DataError) as told:
        prepared(tmp_path, [pair(), pair(rejected="অন্য কিছু বলি।")])
    assert told.value.key == "data.one_group"

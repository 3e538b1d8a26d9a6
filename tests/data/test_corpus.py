"""finetune/data/corpus.py: every kind of file, and every reason for which a row is dropped."""

import csv
import io
import json
import sys
import types
import unicodedata
from pathlib import Path

import pytest

from finetune.data import corpus, sources
from finetune.errors import DataError
from finetune.recipe import Data

COLUMNS = ("Topics", "Question-Title", "Questions", "Answers")
ROWS = [
    ("একাকিত্ব", "প্রবাসে একা ঘর", "আজ ঘরে ফিরে কথা বলার কেউ নেই।", "একা ঘরের চুপচাপটা কানে বাজে, তাই না?"),
    ("আনন্দ", "প্রথম বেতন", "প্রথম বেতনে মাকে শাড়ি কিনে দিলাম!", "কী সুন্দর খবর! মা দেখে কী বললেন?"),
    ("শোক", "দাদুর চেয়ার", "দাদুর চেয়ারটা খালি, তাকাতে পারি না।", "খালি চেয়ারটায় কত স্মৃতি বসে আছে।"),
]
CHATTERBOT = Path(__file__).resolve().parents[3] / "shared" / "data" / "chatterbot_bengali.csv"


def csv_text(rows, columns=COLUMNS, delimiter=","):
    """A table as a spreadsheet program would save it."""
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerow(columns)
    writer.writerows(rows)
    return file.getvalue()


def read(path, **settings):
    """The rows kept and the report, for a file read with some settings."""
    report = corpus.Report()
    limit = settings.pop("limit", None)
    rows = list(corpus.clean_rows(Data(source=str(path), **settings), report, limit))
    return rows, report


def refused(path, **settings):
    """The error that a file which cannot be used gives."""
    with pytest.raises(DataError) as raised:
        read(path, **settings)
    assert raised.value.key.startswith("data."), "translators need a key"
    assert "\n" not in str(raised.value)
    return raised.value


@pytest.fixture
def write(tmp_path):
    """Write text or bytes to a file and give its path."""

    def write(content, name="corpus.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    return write


def as_rows(rows):
    """The tuples as the cleaned dictionaries they should become."""
    names = ("topic", "title", "question", "answer")
    return [{n: unicodedata.normalize("NFC", v) for n, v in zip(names, row, strict=True)} for row in rows]


# files


@pytest.mark.parametrize("delimiter", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_csv_file_is_read_whatever_its_delimiter_and_unicode_encoding(write, delimiter, encoding):
    text = csv_text(ROWS, delimiter=delimiter)
    if encoding in ("utf-16-le", "utf-16-be"):
        text = "\ufeff" + text  # as Excel writes it; without the mark nobody can tell
    rows, report = read(write(text.encode(encoding)))
    assert rows == as_rows(ROWS)
    assert (report.rows, report.kept) == (3, 3)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"], ids=["unix", "windows", "old-mac"])
def test_a_csv_file_is_read_whatever_its_line_ends(write, ending):
    rows, _ = read(write(csv_text(ROWS).replace("\r\n", ending)))
    assert rows == as_rows(ROWS)


def test_quoted_commas_quotation_marks_and_line_breaks_stay_in_their_field(write):
    answer = 'সে বলল, "যাব না",\nতারপর চুপ।'
    rows, report = read(write(csv_text([("রাগ", "চুপ করা", "কাল, রাতে, ঝগড়া হলো।", answer)])))
    assert rows[0]["answer"] == unicodedata.normalize("NFC", answer)
    assert rows[0]["question"] == unicodedata.normalize("NFC", "কাল, রাতে, ঝগড়া হলো।")
    assert report.rows == 1


def test_semicolons_inside_the_text_do_not_decide_the_delimiter(write):
    rows, _ = read(write("Questions,Answers\nভয়; শুধু ভয়; রাতভর ভয়,অন্ধকারে ভয়টা বড় দেখায়।\n"))
    assert rows[0]["question"] == unicodedata.normalize("NFC", "ভয়; শুধু ভয়; রাতভর ভয়")


def test_blanks_around_the_column_names_do_not_matter(write):
    rows, _ = read(write(csv_text([ROWS[0][2:]], columns=(" Questions ", "Answers "))))
    assert rows[0]["question"] == as_rows(ROWS)[0]["question"]


def test_columns_beyond_the_four_are_left_alone(write):
    rows, _ = read(write(csv_text([("x", *ROWS[0])], columns=("id", *COLUMNS))))
    assert rows == as_rows(ROWS[:1])


def test_a_file_with_question_and_answer_alone_is_enough(write):
    rows, _ = read(write(csv_text([row[2:] for row in ROWS], columns=COLUMNS[2:])))
    assert [row["answer"] for row in rows] == [row["answer"] for row in as_rows(ROWS)]
    assert {row["topic"] for row in rows} == {row["title"] for row in rows} == {""}


def test_other_columns_can_be_named(write):
    path = write(csv_text(ROWS, columns=("আবেগ", "শিরোনাম", "প্রশ্ন", "উত্তর")))
    rows, _ = read(path, topic="আবেগ", title="শিরোনাম", question="প্রশ্ন", answer="উত্তর")
    assert rows == as_rows(ROWS)


@pytest.mark.parametrize("saved", sources.KAGGLE_NAMES)
@pytest.mark.parametrize("asked", sources.KAGGLE_NAMES)
def test_either_spelling_of_the_kaggle_file_finds_the_other(write, saved, asked):
    path = write(csv_text(ROWS), saved)
    rows, report = read(path.with_name(asked))
    assert len(rows) == 3
    assert read(path.parent)[0] == rows, "the folder it lies in is enough"


def test_the_kaggle_name_really_has_a_blank_before_its_ending():
    assert set(sources.KAGGLE_NAMES) == {
        "BengaliEmpatheticConversationsCorpus .csv",
        "BengaliEmpatheticConversationsCorpus.csv",
    }


def test_a_file_in_the_project_is_found_from_any_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert sources.find_file("assets/demo/corpus.csv").is_file()


@pytest.mark.parametrize("name", ["corpus.jsonl", "corpus.ndjson", "corpus.JSONL"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_jsonl_file_is_read(write, name, encoding):
    lines = [json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False) for row in ROWS]
    rows, _ = read(write("\n\n".join(lines).encode(encoding), name))
    assert rows == as_rows(ROWS)


def test_a_jsonl_file_with_escaped_letters_is_read(write):
    rows, _ = read(write("\n".join(json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in ROWS), "a.jsonl"))
    assert rows == as_rows(ROWS)


def test_a_parquet_file_is_read(tmp_path):
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "corpus.parquet"
    table = [dict(zip(("id", *COLUMNS), (7, *row), strict=True)) for row in ROWS]
    table.append({"id": 8, "Questions": None, "Answers": "শুনছি, বলুন।"})
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table), path)
    rows, report = read(path)
    assert rows == as_rows(ROWS)
    assert report.dropped_rows["missing"] == [4]


def test_pandas_missing_values_in_a_parquet_file_count_as_missing(tmp_path):
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "corpus.parquet"
    columns = {"Questions": pyarrow.array([float("nan"), float("nan")]), "Answers": pyarrow.array(["শুনছি।", "বলুন।"])}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    assert "without a question or an answer" in str(refused(path))


def test_the_real_chatterbot_table_is_read_and_every_row_accounted_for():
    if not CHATTERBOT.is_file():
        pytest.skip(f"{CHATTERBOT} is not on this machine")
    rows, report = read(CHATTERBOT)
    with CHATTERBOT.open(encoding="utf-8", newline="") as file:
        raw = list(csv.DictReader(file))
    assert report.rows == len(raw) > 100
    assert len(rows) == report.kept > 90
    gone = {number for numbers in report.dropped_rows.values() for number in numbers}
    assert len(gone) == sum(map(len, report.dropped_rows.values())) == report.rows - report.kept
    kept = [row for number, row in enumerate(raw, start=1) if number not in gone]
    for row, original in zip(rows, kept, strict=True):
        assert row["answer"].split() == unicodedata.normalize("NFC", original["Answers"]).split()


# the Hub


@pytest.fixture
def hub(monkeypatch):
    """A `datasets` library whose Hub holds one data set."""

    def load_dataset(name, split, streaming):
        if name != "someone/bengali-v1.0" and name != "someone/bengali":
            raise ConnectionError("no route to huggingface.co")
        return [dict(zip(COLUMNS, row, strict=True)) for row in ROWS]

    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load_dataset))


@pytest.mark.parametrize("name", ["someone/bengali", "someone/bengali-v1.0"])
def test_a_data_set_on_the_hub_is_read_by_its_id(hub, name):
    assert read(name)[0] == as_rows(ROWS)


def test_a_hub_that_cannot_be_reached_gives_one_clear_sentence(hub):
    error = refused("someone/else")
    assert "someone/else" in str(error) and "network" in str(error) and "ConnectionError" in str(error)


def test_a_hub_data_set_without_the_columns_is_refused_by_naming_them(hub):
    assert "Answers" in str(refused("someone/bengali", question="text"))


# reasons for which rows are dropped


@pytest.mark.parametrize(
    "question,answer,reason",
    [
        ("", "শুনছি, বলুন।", "empty"),
        ("মনটা আজ ভারী।", " \u200b\u00a0 ", "empty"),
        ("হু", "শুনছি, বলুন।", "too_short"),
        ("মনটা আজ ভারী।", "ওঃ", "too_short"),
        ("মনটা আজ \ufffdভারী।", "শুনছি, বলুন।", "corrupted"),
        ("মনটা আজ ভারী।", "শুন\ufffd\ufffd বলুন।", "corrupted"),
        ("I feel very lonely today.", "শুনছি, বলুন।", "not_bengali"),
        ("মনটা আজ ভারী।", "12345 :-) !!!", "not_bengali"),
        ("আজ I am so very tired আছি", "শুনছি, বলুন।", "not_bengali"),
    ],
)
def test_a_row_that_cannot_be_used_is_dropped_and_its_number_reported(write, question, answer, reason):
    rows, report = read(write(csv_text([ROWS[0], ("", "", question, answer), ROWS[1]])))
    assert rows == as_rows(ROWS[:2])
    assert report.dropped_rows == {name: [2] if name == reason else [] for name in corpus.REASONS}
    assert (report.rows, report.kept) == (3, 2)


def test_a_row_that_ends_before_its_answer_is_missing_one(write):
    rows, report = read(write(csv_text([ROWS[0], ROWS[1][:3]])))
    assert len(rows) == 1
    assert report.dropped_rows["missing"] == [2]


def test_a_json_row_without_or_with_a_null_answer_is_missing_one(write):
    lines = [dict(zip(COLUMNS, ROWS[0], strict=True)), {"Questions": "মনটা ভারী।"}]
    lines.append({"Questions": "মনটা ভারী।", "Answers": None})
    rows, report = read(write("\n".join(map(json.dumps, lines)), "a.jsonl"))
    assert len(rows) == 1
    assert report.dropped_rows["missing"] == [2, 3]


def test_a_row_with_an_unquoted_comma_is_not_trained_on_with_half_a_question_as_its_answer(write):
    rows, report = read(write("Questions,Answers\nমন ভালো নেই, একদম,শুনছি বলুন।\nদিনটা ভারী।,শুনছি বলুন।\n"))
    assert [row["question"] for row in rows] == ["দিনটা ভারী।"]
    assert report.dropped_rows["corrupted"] == [1]


def test_empty_cells_behind_the_last_column_do_no_harm(write):
    rows, _ = read(write("Questions,Answers,,\nদিনটা ভারী।,শুনছি বলুন।,,\nমন ভালো নেই।,শুনছি বলুন।,,,\n"))
    assert [row["answer"] for row in rows] == ["শুনছি বলুন।"] * 2


def test_a_topic_or_title_that_is_missing_drops_nothing(write):
    lines = [{"Topics": None, "Question-Title": float("nan"), "Questions": "মনটা ভারী।", "Answers": "শুনছি, বলুন।"}]
    rows, _ = read(write("\n".join(map(json.dumps, lines)), "a.jsonl"))
    assert (rows[0]["topic"], rows[0]["title"]) == ("", "")


def test_the_second_of_two_equal_rows_is_dropped(write):
    rows, report = read(write(csv_text([ROWS[0], ROWS[1], ROWS[0], ROWS[0]])))
    assert rows == as_rows(ROWS[:2])
    assert report.dropped_rows["duplicate"] == [3, 4]


def test_rows_that_differ_only_in_unicode_form_or_blanks_are_duplicates(write):
    composed = ("", "", "কা\u09b0ো সঙ্গে ঝগ\u09dcা নেই।", "শুনে ভালো লাগল।")
    decomposed = ("", "", "কারো  সঙ্গে ঝগ\u09a1\u09bcা নেই। ", "শুনে ভাল\u09c7\u09be লাগল।")
    _, report = read(write(csv_text([composed, decomposed])))
    assert report.dropped_rows["duplicate"] == [2]


def test_one_question_with_two_answers_is_no_duplicate(write):
    rows, _ = read(write(csv_text([ROWS[0], (*ROWS[0][:3], "আজ কী রান্না হলো?")])))
    assert len(rows) == 2


def test_duplicates_stay_where_the_recipe_says_so(write):
    rows, report = read(write(csv_text([ROWS[0], ROWS[0]])), deduplicate=False)
    assert len(rows) == 2
    assert report.dropped_rows["duplicate"] == []


def test_a_dropped_row_does_not_make_a_later_good_one_a_duplicate(write):
    bad, good = (*ROWS[0][:3], "হু"), ROWS[0]
    rows, report = read(write(csv_text([bad, good, bad])))
    assert len(rows) == 1
    assert report.dropped_rows["too_short"] == [1, 3]


def test_the_limits_of_length_and_script_are_the_recipes(write):
    path = write(csv_text([("", "", "I am একা", "শুনছি, বলুন।"), ("", "", "হু", "শুনছি।")]))
    rows, _ = read(path, min_characters=1, min_bengali=0)
    assert len(rows) == 2


def test_row_numbers_count_rows_not_lines(write):
    """A field with a line break must not shift the numbers after it."""
    _, report = read(write(csv_text([("", "", "মন\nভালো\nনেই।", "শুনছি,\nবলুন।"), ("", "", "", "শুনছি।"), ROWS[0]])))
    assert report.dropped_rows["empty"] == [2]


def test_text_reaches_training_in_nfc_and_without_noise(write):
    rows, _ = read(write(csv_text([("শো\u200bক", "বা\u09dcি", "বা\u09dcি  ফাঁকা\u200b।", "ভাল\u09c7\u09be থাকবেন।")])))
    assert rows == [
        {"topic": "শোক", "title": "বা\u09a1\u09bcি", "question": "বা\u09a1\u09bcি ফাঁকা।", "answer": "ভাল\u09cb থাকবেন।"}
    ]


def test_only_the_first_rows_are_read_where_a_limit_is_given(write):
    rows, report = read(write(csv_text([("", "", "", ""), *ROWS])), limit=2)
    assert len(rows) == 1
    assert (report.rows, report.dropped_rows["empty"]) == (2, [1])


def test_the_report_counts_what_its_lists_hold(write):
    _, report = read(write(csv_text([ROWS[0], ROWS[0], ("", "", "", "শুনছি।"), ("", "", "hello there", "শুনছি।")])))
    told = report.to_dict()
    assert (told["source"], told["rows"], told["kept"]) == ("corpus.csv", 4, 1)
    assert told["dropped"] == {name: len(numbers) for name, numbers in told["dropped_rows"].items()}
    assert sum(told["dropped"].values()) == 3
    assert json.loads(json.dumps(told)) == told


# mojibake


def test_mojibake_is_repaired_and_the_row_reported(write):
    damaged = tuple(text.encode().decode("latin-1") for text in ROWS[0])
    rows, report = read(write(csv_text([ROWS[1], damaged])))
    assert rows == as_rows([ROWS[1], ROWS[0]])
    assert report.repaired_rows == [2]
    assert report.to_dict()["repaired_rows"] == [2]


def test_mojibake_beyond_repair_is_dropped_as_corrupted(write):
    question = "মন".encode().decode("latin-1")[:-1] + " à¦"
    rows, report = read(write(csv_text([ROWS[0], ("", "", question, "শুনছি, বলুন।")])))
    assert len(rows) == 1
    assert report.dropped_rows["corrupted"] == [2]
    assert report.repaired_rows == []


def test_sound_text_is_never_touched_by_the_repair(write):
    """ftfy would straighten these quotation marks; it may only see rows that look damaged."""
    row = ("", "", "“যাব না” বলেই ফোন রেখে দিল…", "‘যাব না’ কথাটা বিঁধে আছে।")
    rows, report = read(write(csv_text([row])))
    assert rows == as_rows([row])
    assert report.repaired_rows == []


# files that cannot be used


@pytest.mark.parametrize(
    "head,word",
    [
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", "PDF"),
        (b"PK\x03\x04\x14\x00\x06\x00", "Excel"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "picture"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "picture"),
        (b"PAR1\x15\x04\x15\x00", "not a text file"),
    ],
    ids=["pdf", "xlsx", "png", "jpeg", "parquet"],
)
@pytest.mark.parametrize("name", ["corpus.csv", "corpus.jsonl"])
def test_a_file_that_is_no_table_is_called_what_it_is(write, head, word, name):
    error = refused(write(head, name))
    assert word in str(error) and name in str(error) and "UTF-8" in str(error)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_an_empty_file_is_refused(write, name):
    assert "a." in str(refused(write(b"", name))) and "is empty" in str(refused(write(b"", name)))


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf", b"\n\n\n", b" "], ids=["mark", "lines", "blank"])
def test_a_file_with_nothing_to_read_in_it_is_refused(write, content):
    refused(write(content))


def test_a_header_without_rows_is_refused(write):
    assert "no rows" in str(refused(write(csv_text([]))))


def test_a_jsonl_file_of_blank_lines_is_refused(write):
    assert "no rows" in str(refused(write("\n\n", "a.jsonl")))


def test_missing_columns_are_named_beside_those_that_were_found(write):
    error = refused(write(csv_text([("x", "y")], columns=("প্রশ্ন", "Answers"))))
    assert "no column Questions" in str(error) and "প্রশ্ন, Answers" in str(error)
    assert "data.question" in str(error), "says how to map the columns"
    assert error.facts["lacking"] == "Questions"


@pytest.mark.parametrize("before", ["", "\n", "\n\n"], ids=["at-once", "after-one-blank-line", "after-two"])
def test_missing_columns_of_a_jsonl_file_are_named_too(write, before):
    error = refused(write(before + '{"prompt": "মনটা ভারী।", "completion": "শুনছি।"}\n', "a.jsonl"))
    assert "prompt, completion" in str(error)


def test_missing_columns_of_a_parquet_file_are_named_too(tmp_path):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"prompt": ["মন"]}), tmp_path / "a.parquet")
    error = refused(tmp_path / "a.parquet")
    assert "no column Questions and no column Answers" in str(error) and "prompt" in str(error)


def test_a_table_with_another_delimiter_shows_what_was_found(write):
    assert "Questions|Answers" in str(refused(write("Questions|Answers\nমনটা ভারী|শুনছি\n")))


def test_thirty_eight_thousand_rows_of_latin_text_are_refused_with_their_number(write):
    rows = [
        ("sad", f"title {i}", f"I have felt very low since the exam, day {i}.", "I am listening.")
        for i in range(38_000)
    ]
    error = refused(write(csv_text(rows)))
    assert "38,000" in str(error) and "not in Bengali script" in str(error)
    assert error.facts["count"] == 38_000


def test_the_commonest_reason_is_the_one_that_is_told(write):
    error = refused(write(csv_text([("", "", "", "শুনছি।")] * 3 + [("", "", "hello there", "শুনছি।")])))
    assert "3 are blank" in str(error)


def test_a_missing_file_is_named(tmp_path):
    assert "gone.csv" in str(refused(tmp_path / "gone.csv"))


@pytest.mark.parametrize("name", ["uploads/gone.csv", "data/gone.jsonl", "./a/b", "/a/b", "a/b/c"])
def test_a_path_is_never_taken_for_a_data_set_on_the_hub(hub, name):
    assert "There is no file" in str(refused(name))


def test_a_folder_without_the_corpus_is_refused(tmp_path):
    assert str(tmp_path) in str(refused(tmp_path))


def test_a_pasted_text_in_place_of_a_path_is_refused():
    """The message stays one short line, whatever was pasted (`refused` looks for line breaks)."""
    assert len(str(refused("আমার মনটা আজ ভালো নেই।\n" * 40))) < 400


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_a_file_that_is_not_saved_as_unicode_is_refused(write, name):
    error = refused(write(b"Questions,Answers\n" + "naïve café".encode("latin-1") + b",x\n", name))
    assert name in str(error) and "UTF-8" in str(error)


def test_bytes_damaged_far_inside_a_file_are_found_too(write):
    content = csv_text([(*row[:2], f"{row[2]} {i}", row[3]) for i in range(300) for row in ROWS]).encode()
    refused(write(content[:-60] + b"\xe0\xa6\n"))


def test_a_utf_16_file_that_was_cut_in_the_middle_of_a_letter_is_refused(write):
    refused(write(csv_text(ROWS).encode("utf-16")[:-1]))


def test_a_quotation_mark_that_is_never_closed_does_not_swallow_the_rest_silently(write):
    good = [f"আমার মনটা আজও ভারী {i},আপনার কথা শুনছি {i}।" for i in range(20)]
    text = "\n".join(["Questions,Answers", 'মন ভালো নেই,"শুনছি, বলুন।', *good])
    error = refused(write(text))
    assert "damaged near line 2" in str(error) and "quotation mark" in str(error)
    assert error.facts["line"] == 2


def test_a_quotation_mark_left_open_in_the_header_is_found_too(write):
    assert "damaged near line 1" in str(refused(write('Questions,"Answers\n' + "মন ভালো নেই।,শুনছি।\n" * 20)))


def test_a_quotation_mark_that_swallows_hundreds_of_lines_before_the_next_one_is_found_too(write):
    lines = ["মন ভালো নেই,শুনছি।"] * 600
    lines[3], lines[590] = 'মন ভালো নেই,"শুনছি।', 'মন ভালো নেই,"শুনছি।"'
    assert "damaged near line 5" in str(refused(write("\n".join(["Questions,Answers", *lines]))))


def test_carelessly_quoted_fields_still_pass(write):
    rows, _ = read(write('Questions,Answers\nমা বলল "যাও" আর কিছু না।,"শুনছি" বলুন।\nদিনটা ভারী।,"শুনছি,\nবলুন।"'))
    assert [row["question"] for row in rows] == ['মা বলল "যাও" আর কিছু না।', "দিনটা ভারী।"]
    assert [row["answer"] for row in rows] == ["শুনছি বলুন।", "শুনছি,\nবলুন।"]


@pytest.mark.parametrize("line", ['{"Questions": "মন', "[1, 2]", '"মন"', "null", "মন ভালো নেই"])
def test_a_damaged_line_of_a_jsonl_file_is_named_by_its_number(write, line):
    good = json.dumps({"Questions": "মনটা ভারী।", "Answers": "শুনছি, বলুন।"})
    assert "Line 3 of a.jsonl" in str(refused(write(f"{good}\n\n{line}\n{good}\n", "a.jsonl")))


def test_a_row_with_half_an_emoji_is_dropped_as_corrupted(write):
    """JavaScript cuts texts between the two halves of a surrogate pair; such a text has no UTF-8."""
    lines = ['{"Questions": "মনটা ভারী \\ud83d", "Answers": "শুনছি, বলুন।"}']
    lines.append('{"Questions": "মনটা ভারী।", "Answers": "শুনছি, বলুন।"}')
    rows, report = read(write("\n".join(lines), "a.jsonl"))
    assert len(rows) == 1
    assert report.dropped_rows["corrupted"] == [1]


def test_half_an_emoji_in_a_topic_drops_nothing_and_can_be_written(write):
    line = '{"Topics": "শোক \\ud83d", "Questions": "মনটা ভারী।", "Answers": "শুনছি, বলুন।"}'
    (row,), _ = read(write(line, "a.jsonl"))
    assert row["topic"].encode("utf-8")


def test_a_text_file_named_parquet_is_refused(write):
    assert "not a readable Parquet file" in str(refused(write(csv_text(ROWS), "a.parquet")))


@pytest.mark.parametrize("compression", ["snappy", "none", "zstd"])
def test_a_parquet_file_damaged_inside_is_refused_with_the_same_sentence(tmp_path, compression):
    import pyarrow
    import pyarrow.parquet

    path = tmp_path / "a.parquet"
    table = [{"Questions": f"মনটা ভারী {i}", "Answers": f"শুনছি {i}"} for i in range(500)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table), path, compression=compression)
    content = bytearray(path.read_bytes())
    content[4:60] = bytes(byte ^ 0xFF for byte in content[4:60])
    path.write_bytes(content)
    assert "not a readable Parquet file" in str(refused(path))

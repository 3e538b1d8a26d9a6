"""finetune/review/evaluation.py: an evaluation's folder read back, sorted, searched and taken away."""

import csv
import json

import pytest

from finetune.errors import ReviewError
from finetune.review import evaluation
from finetune.review.evaluation import FOLDER, ORDER, REPLIES, ROWS, SCORES, Evaluation
from tests.review import evaluations


@pytest.fixture
def opened(tmp_path):
    """The evaluation of the lines by hand."""
    return Evaluation.open(evaluations.lay_out(tmp_path / FOLDER / "test-1"))


def test_the_table_has_a_line_a_figure_with_both_sides_and_the_difference(opened):
    first = opened.figures()[0]
    assert first.name == "bits_per_character"
    assert first.tuned["mean"] - first.base["mean"] == pytest.approx(first.difference["mean"])


def test_replies_come_sorted_by_any_score_of_either_side_or_the_difference(opened):
    assert {"base.chrf", "tuned.bits_per_character", "difference.rougeL"} <= set(opened.sorts)
    for sort in opened.sorts:
        scores = [one.score(sort) for one in opened.rows(sort, count=100).rows]
        known = [score for score in scores if score is not None]
        assert known == sorted(known, reverse=True) and scores[: len(known)] == known
    up = [one.id for one in opened.rows("base.bits_per_character", count=24, descending=False).rows]
    assert up == sorted(up)


def test_what_has_no_such_score_comes_last_either_way(tmp_path):
    folder = evaluations.lay_out(tmp_path / "one")
    lines = [json.loads(line) for line in (folder / ROWS).read_text("utf-8").splitlines()]
    lines[3]["base"]["chrf"] = None
    (folder / ROWS).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    found = Evaluation.open(folder)
    for descending in (True, False):
        assert found.rows("difference.chrf", count=24, descending=descending).rows[-1].id == lines[3]["id"]


def test_an_unknown_score_is_refused_with_what_can_be_had(opened):
    with pytest.raises(ReviewError) as caught:
        opened.rows("tuned.kindness")
    assert caught.value.key == "evaluation.sort"


def test_a_page_says_how_many_there_are_and_topics_and_searches_narrow_them(opened):
    page = opened.rows(start=20, count=10)
    assert (len(page.rows), page.total) == (4, 24)
    assert opened.topics == ("আনন্দ", "শোক")
    assert {one.topic for one in opened.rows(topic="শোক", count=24).rows} == {"শোক"}
    assert opened.rows(search="বাবার চেয়ারটা").total == 1
    assert opened.rows(search="বাবার চেয়ারটা".replace("য়", "\u09df")).total == 1
    assert opened.rows(search="এমন কথা কোথাও নেই").rows == ()


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("মা", True), ("মাকে", True), ("মা ফোন", True), ("ফোন মা", True),  # মাকে and মায়ের are words that মা begins
        ("বাবা", True), ("মা-বাবা", True),  # a hyphen parts words, too
        ("office", True), ("OFF", True), ("মা, ফোন?", True),
        ("মায়ে", True), ("মা\u09df\u09c7", True), ("মা\u09af\u09bc\u09c7", True),
        ("কে", False), ("মা ঝড়", False), ("বা-মা", False), ("ice", False),
    ],
)  # fmt: skip
def test_a_search_finds_what_begins_with_its_words_and_not_what_they_are_hidden_in(tmp_path, search, found):
    folder = evaluations.lay_out(tmp_path / "one")
    lines = [json.loads(line) for line in (folder / REPLIES).read_text("utf-8").splitlines()]
    for line in lines:
        line |= {"question": "আমার তোমাকে", "topic": "", "references": ["আমাকে"], "base": "নামা", "tuned": "সমান"}
    lines[3] |= {"question": "মাকে, মায়ের", "references": ["ফোন করুন"], "base": "মা-বাবা", "tuned": "At the Office."}
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / REPLIES).write_text(text, encoding="utf-8")
    page = Evaluation.open(folder).rows(search=search, count=24)
    assert [one.id for one in page.rows] == ([lines[3]["id"]] if found else [])


def test_csv_and_json_hold_every_reply_with_its_scores_in_the_order_asked_for(opened, tmp_path):
    table, tree = tmp_path / "replies.csv", tmp_path / "replies.json"
    assert (
        opened.save_csv(table, "tuned.bits_per_character") == opened.save_json(tree, "tuned.bits_per_character") == 24
    )
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    told = json.loads(tree.read_text(encoding="utf-8"))
    wanted = [one.id for one in opened.rows("tuned.bits_per_character", count=24).rows]
    assert [row["id"] for row in rows] == [one["id"] for one in told] == wanted
    assert float(rows[0]["tuned.chrf"]) == told[0]["scores"]["tuned"]["chrf"]
    assert rows[0]["tuned"] == told[0]["tuned"]


@pytest.mark.parametrize("descending", [True, False])
def test_files_are_in_the_order_of_the_screen(opened, tmp_path, descending):
    opened.save_csv(tmp_path / "replies.csv", "tuned.bits_per_character", descending=descending)
    opened.save_json(tmp_path / "replies.json", "tuned.bits_per_character", descending=descending)
    wanted = [one.id for one in opened.rows("tuned.bits_per_character", count=24, descending=descending).rows]
    with (tmp_path / "replies.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == wanted
    told = json.loads((tmp_path / "replies.json").read_text("utf-8"))
    assert [one["id"] for one in told] == wanted


CARE = "আমি আর বাঁচতে চাই না।"


@pytest.mark.parametrize("where", ["question", "references", "base", "tuned"])
def test_what_needs_care_leaves_without_its_texts_and_says_so(tmp_path, where):
    folder = evaluations.lay_out(tmp_path / "one")
    lines = [json.loads(line) for line in (folder / REPLIES).read_text("utf-8").splitlines()]
    lines[3][where] = [CARE] if where == "references" else CARE
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (folder / REPLIES).write_text(text, encoding="utf-8")
    table, tree = tmp_path / "replies.csv", tmp_path / "replies.json"
    found = Evaluation.open(folder)
    assert found.save_csv(table) == found.save_json(tree) == 24
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    told = {one["id"]: one for one in json.loads(tree.read_text("utf-8"))}
    assert {name for name, row in rows.items() if row["care"] == "1"} == {lines[3]["id"]}
    assert {name for name, one in told.items() if one["care"]} == {lines[3]["id"]}
    row, one = rows[lines[3]["id"]], told[lines[3]["id"]]
    assert [row[name] for name in ("question", "references", "base", "tuned")] == [""] * 4
    assert [one[name] for name in ("question", "references", "base", "tuned")] == ["", [], "", ""]
    assert float(row["tuned.chrf"]) == one["scores"]["tuned"]["chrf"]
    assert CARE not in table.read_text("utf-8") + tree.read_text("utf-8")


def test_no_text_becomes_a_formula_in_a_spreadsheet(tmp_path):
    folder = evaluations.lay_out(tmp_path / "one")
    text = (folder / REPLIES).read_text("utf-8").replace('"হ্যাঁ।"', '"=HYPERLINK(1)"')
    (folder / REPLIES).write_text(text, encoding="utf-8")
    Evaluation.open(folder).save_csv(tmp_path / "replies.csv")
    with (tmp_path / "replies.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {row["base"] for row in csv.DictReader(file)} == {"'=HYPERLINK(1)"}


def test_an_evaluation_under_way_is_opened_and_has_no_figures_yet(opened):
    (opened.folder / SCORES).unlink()
    half = Evaluation.open(opened.folder)
    assert not half.whole and half.figures() == () and half.rows().total == 0 and half.order["split"] == "test"


def test_only_whole_evaluations_are_listed(opened, tmp_path):
    evaluations.lay_out(tmp_path / FOLDER / "test-2")
    (evaluations.lay_out(tmp_path / FOLDER / "test-3") / SCORES).unlink()
    assert {one.folder.name for one in evaluation.within(tmp_path)} == {"test-1", "test-2"}


@pytest.mark.parametrize("name", [ORDER, SCORES])
@pytest.mark.parametrize("text", ["[", "{}", "[]", "null", "3", '"order"'])
def test_damaged_files_are_told_in_words(opened, name, text):
    (opened.folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(ReviewError) as caught:
        Evaluation.open(opened.folder)
    assert caught.value.key == "evaluation.damaged"


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (ORDER, {"name": None}),
        (ORDER, {"split": "train"}),
        (ORDER, {"prompts": "24"}),
        (ORDER, {"settings": {}}),
        (ORDER, {"format": "shohomormi"}),
        (SCORES, {"difference": {}}),
        (SCORES, {"difference": {"bits_per_character": {"mean": 1.0}, "chrf": 3}}),
        (SCORES, {"intervals": {"base": {}, "tuned": {}}}),
        (SCORES, {"topics": [{}]}),
        (SCORES, {"leakage": {}}),
    ],
)
def test_what_another_version_wrote_is_told_in_words(opened, name, changes):
    told = json.loads((opened.folder / name).read_text("utf-8")) | changes
    (opened.folder / name).write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(ReviewError) as caught:
        Evaluation.open(opened.folder)
    assert caught.value.key == "evaluation.damaged"


def test_a_whole_evaluation_whose_replies_are_gone_is_told_in_words(opened):
    for name in (REPLIES, ROWS):
        (opened.folder / name).unlink()
    with pytest.raises(ReviewError) as caught:
        Evaluation.open(opened.folder).rows()
    assert caught.value.key == "evaluation.damaged"


def test_replies_and_scores_that_do_not_belong_together_are_told_in_words(opened):
    lines = (opened.folder / ROWS).read_text("utf-8").splitlines(keepends=True)
    (opened.folder / ROWS).write_text("".join(lines[::-1]), encoding="utf-8")
    with pytest.raises(ReviewError) as caught:
        Evaluation.open(opened.folder).rows()
    assert caught.value.key == "evaluation.damaged"


def test_a_folder_without_an_evaluation_says_how_to_make_one(tmp_path):
    with pytest.raises(ReviewError, match="python -m finetune evaluate"):
        Evaluation.open(tmp_path)

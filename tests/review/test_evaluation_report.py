"""finetune/review/evaluation_report.py: one page that needs nothing else, leakage on its first line."""

import json
import re
import string
import unicodedata

import pytest

from finetune.review import evaluation_report
from finetune.review.evaluation import REPLIES, Evaluation
from finetune.review.evaluation_words import EVALUATION, evaluation_words
from tests.review.evaluations import lay_out
from tests.review.test_report import EVIL, Nesting

STEPS = [{"step": s, "bits_per_character": b, "low": b - 0.1, "high": b + 0.1} for s, b in ((0, 2.0), (50, 1.5))]
JUDGED = {
    "judge": "a-judge", "tuned": 12, "base": 4, "tie": 2, "win_rate": 0.75, "low": 0.5, "high": 0.9, "inconsistent": 1,
    "agreement": {"shared": 16, "observed": 0.625},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """An evaluation of lines by hand."""
    return lay_out(tmp_path / "one")


def page(folder, language="bn", **more):
    return evaluation_report.page(Evaluation.open(folder), evaluation_words(language), language, **more)


def said(made):
    return [text for text in Nesting(made).said if text.strip()]


@pytest.mark.parametrize("language", ["bn", "en"])
@pytest.mark.parametrize("more", [{}, {"steps": STEPS, "judged": JUDGED, "date": "2026-11-29"}])
def test_a_page_is_well_nested_and_fetches_and_runs_nothing(folder, language, more):
    made = page(folder, language, **more)
    tags = Nesting(made).tags
    assert ("html", {"lang": language}) in tags
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in tags}
    assert "url(" not in made and "@import" not in made and "default-src 'none'" in made


def test_the_first_line_says_what_was_found_of_leakage(folder):
    assert said(page(folder, "en"))[1].startswith("No leakage found: none of the 24 questions")
    result = json.loads((folder / "scores.json").read_text("utf-8"))
    result["leakage"] |= {"exact": 3, "near": 2, "replies": 1, "percent": "20.8"}
    (folder / "scores.json").write_text(json.dumps(result), encoding="utf-8")
    first = said(page(folder))[1]
    assert first.startswith("সাবধান:") and "২০.৮%" in first and "৩টি হুবহু, ২টি প্রায় একই" in first


def test_every_figure_stands_in_a_table_with_its_range_and_what_is_better_is_said(folder):
    told = " ".join(said(page(folder, "en")))
    for name in Evaluation.open(folder).result["difference"]:
        assert evaluation_words("en")[f"metric.{name}"] in told
    assert "· better" in told and "no score of empathy" in told
    assert "Perplexity per token depends" in told


def test_figures_are_shown_in_their_own_units():
    from finetune.review.spoken import Spoken

    spoken = Spoken(evaluation_words("en"), "en")
    some = {"mean": 0.125, "low": 0.1, "high": 0.15, "n": 9}
    assert evaluation_report.shown("copied", some, spoken) == "12.5\u00a0% (10.0\u00a0% to 15.0\u00a0%)"
    assert evaluation_report.shown("bits_per_character", some, spoken) == "0.125 (0.100 to 0.150)"
    assert evaluation_report.difference("copied", some, spoken) == "+12.5 (+10.0 to +15.0) · worse"
    assert evaluation_report.difference("characters", some | {"low": None}, spoken) == "+0"


def test_fewer_and_more_bits_are_told_apart(folder):
    assert "fewer bits" in page(folder, "en")
    result = json.loads((folder / "scores.json").read_text("utf-8"))
    result["saved"] = {"mean": -0.1, "low": -0.12, "high": -0.08, "n": 24}
    (folder / "scores.json").write_text(json.dumps(result), encoding="utf-8")
    told = " ".join(said(page(folder, "en")))
    assert "10.0\u00a0% more bits" in told and "difference is 8.0\u00a0% to 12.0\u00a0%" in told


def test_steps_and_a_judge_are_shown_only_where_there_are_any(folder):
    bare, full = page(folder, "en"), page(folder, "en", steps=STEPS, judged=JUDGED)
    for part in ("While it learnt", "a-judge"):
        assert part not in bare and part in full
    alone = page(folder, "en", judged=JUDGED | {"agreement": {"shared": 0, "observed": None}})
    assert "how far the judge can be believed is not known" in alone


def test_texts_of_corpus_and_model_are_escaped(folder):
    lines = [json.loads(line) for line in (folder / REPLIES).read_text("utf-8").splitlines()]
    lines = [{**line, "base": EVIL, "references": [EVIL]} for line in lines]
    (folder / REPLIES).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    made = page(folder)
    assert "<img" not in made and EVIL in "".join(Nesting(made).said)


def test_replies_that_need_care_are_in_no_report(folder):
    lines = [json.loads(line) for line in (folder / REPLIES).read_text("utf-8").splitlines()]
    for line in lines[:20]:
        line["question"] = "আমি আর বাঁচতে চাই না।"
    (folder / REPLIES).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    shown = evaluation_report.samples(Evaluation.open(folder))
    assert {one.id for one in shown} <= {line["id"] for line in lines[20:]} and len(shown) == 4
    assert "বাঁচতে চাই না" not in page(folder)


def test_no_reference_that_needs_care_is_in_a_report(folder):
    lines = [json.loads(line) for line in (folder / REPLIES).read_text("utf-8").splitlines()]
    for line in lines[:20]:
        line["references"] = [*line["references"], "তাহলে মরে যাওয়াই ভালো, আমি আর বাঁচতে চাই না।"]
    (folder / REPLIES).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    shown = evaluation_report.samples(Evaluation.open(folder))
    assert {one.id for one in shown} == {line["id"] for line in lines[20:]}
    assert "বাঁচতে চাই না" not in page(folder)


def test_perplexity_stands_right_below_bits_per_character(folder):
    told = said(page(folder, "en"))
    place = told.index("Perplexity per token")
    assert told[place - 3] == "Bits per character"


def test_the_first_line_knows_of_the_other_split_too(folder):
    assert "other one" not in said(page(folder, "en"))[1]
    result = json.loads((folder / "scores.json").read_text("utf-8"))
    for shared, told in (
        (0, "None of this split’s questions stands in the 60 rows"),
        (7, "7 of this split’s questions"),
    ):
        result["leakage"] |= {"beside": 60, "shared": shared}
        (folder / "scores.json").write_text(json.dumps(result), encoding="utf-8")
        assert told in said(page(folder, "en"))[1]
    assert "৬০টি সারিতে এই ভাগের ৭টি প্রশ্ন" in said(page(folder))[1]


def test_samples_are_the_two_ends_of_the_gain(folder):
    opened = Evaluation.open(folder)
    order = [one.id for one in opened.rows("difference.chrf", count=24).rows]
    assert [one.id for one in evaluation_report.samples(opened)] == [*order[:3], *order[-3:]]


def test_every_text_has_both_languages_in_nfc_with_the_same_facts():
    def facts(text):
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for key, (bengali, english) in EVALUATION.items():
        assert bengali and english and facts(bengali) <= facts(english) | {"prompts"}, key
        assert unicodedata.is_normalized("NFC", bengali), key


def test_in_bengali_figures_are_in_bengali_digits(folder):
    made = page(folder, steps=STEPS, judged=JUDGED)
    tables = " ".join(re.findall(r"<table.*?</table>", made, flags=re.S))
    assert not re.search("[0-9]", re.sub("<[^>]+>|ROUGE-[12L]", "", tables))

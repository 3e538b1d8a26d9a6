"""finetune/review/between_runs_report.py: the verdict first, every text escaped, and nothing said that is not known."""

import json
from dataclasses import replace

import pytest

from finetune.review import between_runs, between_runs_report
from finetune.review.evaluation import SCORES, Evaluation
from finetune.review.evaluation_words import LANGUAGES, evaluation_words
from tests.review import evaluations
from tests.review.test_report import EVIL


def compared(tmp_path, *, second=None, **first):
    pair = [
        Evaluation.open(evaluations.lay_out(tmp_path / name, name=name, **changes))
        for name, changes in (("run-a", first), ("run-b", second or {}))
    ]
    return between_runs.compare(*pair)


def told(found, language="en"):
    return between_runs_report.section(found, evaluation_words(language), language)


def saving(found, mean, low, high):
    return replace(found, saved={"mean": mean, "low": low, "high": high, "n": 24})


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_runs_stand_in_the_head_of_the_table_in_either_language(tmp_path, language):
    page = told(compared(tmp_path), language)
    assert f'lang="{language}"' in page
    for run in ("run-a", "run-b"):
        assert f'<th scope="col" role="columnheader">{run}</th>' in page


def test_the_first_sentence_says_which_run_needs_fewer_bits_only_where_the_interval_does(tmp_path):
    found = compared(tmp_path)
    fewer = told(saving(found, 0.031, 0.02, 0.04))
    more = told(saving(found, -0.031, -0.04, -0.02))
    assert "run-b needs 3.1\u00a0% fewer bits than run-a" in fewer
    assert "run-b needs 3.1\u00a0% more bits than run-a" in more
    assert all("difference is 2.0\u00a0% to 4.0\u00a0%" in page for page in (fewer, more))
    for unsure in (saving(found, 0.031, -0.01, 0.07), saving(found, 0.031, None, None)):
        assert "cannot be told" in told(unsure) and "fewer bits than" not in told(unsure)


def test_each_run_is_named_with_the_figures_by_which_it_is_ahead(tmp_path):
    page = told(compared(tmp_path, said_at=dict.fromkeys(range(20), "কী হয়েছে বলুন তো।")))
    assert "run-b is better by: chrF++" in page and "run-a is better by" not in page
    page = told(compared(tmp_path / "alike"))
    assert "By no figure can one of them be called better." in page and "is better by" not in page


def test_leakage_is_told_of_the_run_that_it_was_found_for(tmp_path):
    found = compared(tmp_path)
    assert "Leakage" not in told(found)
    file = found.second.folder / SCORES
    result = json.loads(file.read_text("utf-8"))
    result["leakage"] |= {"exact": 3, "percent": "12.5"}
    file.write_text(json.dumps(result), "utf-8")
    page = told(between_runs.compare(found.first, Evaluation.open(found.second.folder)))
    assert "run-b: Leakage: 12.5%" in page and "run-a: No leakage found" in page


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": {"name": "reference", "system_prompt": "You listen."}}, "(shohomormi and reference)"),
        ({"format": {"name": "shohomormi", "system_prompt": "Be kind."}}, "different system prompts"),
        ({"settings": {**evaluations.DESCRIBED["settings"], "repetition_penalty": 1.2}}, "(1.0 and 1.2)"),
    ],
)
def test_what_was_asked_otherwise_is_said_beside_the_difference(tmp_path, changes, sentence):
    assert sentence in told(compared(tmp_path, second=changes))


def test_texts_are_escaped_and_what_needs_care_is_not_among_the_samples(tmp_path):
    found = compared(tmp_path, said_at={0: EVIL, 1: "আমি আর বাঁচতে চাই না।"})
    page = told(found)
    assert EVIL not in page and "বাঁচতে চাই না" not in page
    assert any("বাঁচতে চাই না" in one.first for one in found.replies)

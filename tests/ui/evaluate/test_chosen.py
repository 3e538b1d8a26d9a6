import os

import pytest

from finetune.errors import ReviewError
from finetune.review.evaluation import FOLDER, Evaluation
from tests.review import evaluations
from ui.evaluate import asking, chosen


@pytest.fixture
def home(services):
    evaluations.lay_out(services.home / FOLDER / "test-1")
    return services.home


def test_an_evaluation_is_called_after_whose_it_is_its_split_its_size_and_its_day(home):
    (one,) = chosen.listed(home)
    assert chosen.title(one, "bn").startswith("ডেমো অ্যাডাপ্টার · পরীক্ষার ভাগ · ২৪টি প্রশ্ন · ২০")
    assert chosen.title(one, "en").startswith("Demo adapter · test · 24 questions · 20")
    assert chosen.titled(home, [one], "en") == [(chosen.title(one, "en"), "evaluations/test-1")]
    assert chosen.run_of(home, one) is None


def test_runs_evaluations_stand_beside_the_demo_s(home, run):
    evaluations.lay_out(run.folder / FOLDER / "test-2")
    names = {chosen.name_of(home, one) for one in chosen.listed(home)}
    assert names == {"evaluations/test-1", f"runs/{run.name}/evaluations/test-2"}


@pytest.mark.parametrize("name", ["order.json", "scores.json"])
@pytest.mark.parametrize("text", ["{", "{}", "[]", "null"])
def test_one_damaged_evaluation_does_not_hide_the_others(home, name, text):
    (evaluations.lay_out(home / FOLDER / "test-2") / name).write_text(text, encoding="utf-8")
    found = chosen.listed(home)
    assert [one.folder.name for one in found] == ["test-1"]
    assert "ডেমো অ্যাডাপ্টার" in asking.table_html(found, "bn")


@pytest.mark.parametrize(
    "name", ["evaluations/test-9", "../elsewhere", "evaluations/..", "a\0b", "runs/../../evaluations/test-1", "", None]
)
def test_only_what_is_listed_is_read(home, name):
    assert chosen.read(home, "evaluations/test-1").whole
    with pytest.raises(ReviewError) as caught:
        chosen.read(home, name)
    assert caught.value.key == "evaluation.gone"


def test_an_evaluation_is_parsed_once_and_again_when_it_was_written_again(home, monkeypatch):
    opened, real = [], Evaluation.open
    monkeypatch.setattr(Evaluation, "open", staticmethod(lambda folder: opened.append(folder) or real(folder)))
    first = chosen.read(home, "evaluations/test-1")
    assert chosen.read(home, "evaluations/test-1") is first and len(opened) == 1
    chosen.listed(home), chosen.listed(home)
    assert len(opened) == 2
    scores = first.folder / "scores.json"
    os.utime(scores, ns=(1, 1))
    assert chosen.read(home, "evaluations/test-1") is not first and len(opened) == 3


def test_reading_one_evaluation_opens_no_other(home, monkeypatch):
    evaluations.lay_out(home / FOLDER / "test-2")
    opened, real = [], Evaluation.open
    monkeypatch.setattr(Evaluation, "open", staticmethod(lambda folder: opened.append(folder.name) or real(folder)))
    chosen.read(home, "evaluations/test-2")
    assert opened == ["test-2"]

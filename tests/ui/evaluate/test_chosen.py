import pytest

from finetune.errors import ReviewError
from finetune.review.evaluation import FOLDER
from tests.review import evaluations
from ui.evaluate import chosen


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


def test_one_damaged_evaluation_does_not_hide_the_others(home):
    (evaluations.lay_out(home / FOLDER / "test-2") / "scores.json").write_text("{", encoding="utf-8")
    assert [one.folder.name for one in chosen.listed(home)] == ["test-1"]


@pytest.mark.parametrize("name", ["evaluations/test-9", "../elsewhere", "", None])
def test_only_what_is_listed_is_read(home, name):
    assert chosen.read(home, "evaluations/test-1").whole
    with pytest.raises(ReviewError) as caught:
        chosen.read(home, name)
    assert caught.value.key == "evaluation.gone"

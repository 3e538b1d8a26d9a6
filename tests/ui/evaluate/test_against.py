"""ui/evaluate/against.py: another run can be chosen only where the two can be compared."""

import pytest

from finetune.errors import ReviewError
from finetune.review.evaluation import FOLDER, Evaluation
from tests.review import evaluations
from ui.evaluate import against, chosen


@pytest.fixture
def one(services):
    """The demo's evaluation, the only one there is."""
    return Evaluation.open(evaluations.lay_out(services.home / FOLDER / "test-1"))


def test_where_nothing_can_be_compared_there_is_nothing_to_choose(services, one, run):
    assert against.choices(services.home, one, "bn") == []
    evaluations.lay_out(run.folder / FOLDER / "validation-1", name=run.name, split="validation")
    assert against.choices(services.home, one, "bn") == []


def test_a_run_that_was_asked_the_same_can_be_chosen_and_nobody_is_the_first_choice(services, one, run):
    other = Evaluation.open(evaluations.lay_out(run.folder / FOLDER / "test-2", name=run.name))
    (_, nobody), (title, name) = against.choices(services.home, one, "en")
    assert nobody == against.NOBODY and name == chosen.name_of(services.home, other) and run.name in title


def test_the_section_asks_whether_the_chosen_evaluation_is_better_than_the_other_one(services, one, run):
    other = Evaluation.open(evaluations.lay_out(run.folder / FOLDER / "test-2", name=run.name, gain=0.9))
    names = [chosen.name_of(services.home, each) for each in (one, other)]
    shown = against.section_html(services.home, *names, "bn")
    heads = [shown.index(f'role="columnheader">{name}<') for name in (run.name, "demo")]
    assert heads == sorted(heads) and "দুটো রান পাশাপাশি" in shown
    assert against.section_html(services.home, names[0], against.NOBODY, "bn") == ""
    with pytest.raises(ReviewError):
        against.section_html(services.home, names[0], "evaluations/gone", "bn")


def test_an_evaluation_that_was_made_anew_is_compared_anew(services, one, run):
    folder = evaluations.lay_out(run.folder / FOLDER / "test-2", name=run.name)
    names = [chosen.name_of(services.home, each) for each in (one, Evaluation.open(folder))]
    before = against.section_html(services.home, *names, "en")
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    evaluations.lay_out(folder, name=run.name, said_at=dict.fromkeys(range(20), "হ্যাঁ।"))
    assert against.section_html(services.home, *names, "en") != before

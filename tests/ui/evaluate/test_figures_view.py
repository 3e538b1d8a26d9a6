import pytest

from finetune.errors import ReviewError
from finetune.review.evaluation import FOLDER, Evaluation
from tests.review import evaluations
from ui.evaluate import figures_view


@pytest.fixture
def one(tmp_path):
    return Evaluation.open(evaluations.lay_out(tmp_path / FOLDER / "test-1"))


@pytest.mark.parametrize("score", ["rougeL", "characters", "intent_question"])
def test_any_score_of_the_replies_can_be_seen_as_it_lies(one, score):
    told = figures_view.spread_html(one, score, "en")
    assert "<svg" in told and "median" in told and 'lang="en"' in told


def test_a_score_that_replies_do_not_have_is_refused(one):
    with pytest.raises(ReviewError) as caught:
        figures_view.spread_html(one, "empathy", "bn")
    assert caught.value.key == "evaluation.sort"

"""The panel's place travels through the browser, and its words are there for every choice."""

import pytest

from finetune.review.reviewing import Ticket
from finetune.review.sessions import CHOICES
from finetune.review.votes import CRITERIA
from ui.compare.review_panel import Place
from ui.wording import LABELS, SENTENCES
from ui.wording_compare import BAD, GOOD


@pytest.mark.parametrize("place", [Place(), Place(Ticket("সেট", "p1", True, "v"), voted=True)])
def test_a_place_comes_back_from_the_browser_as_it_went(place):
    assert Place.read(place.text()) == place


def test_an_empty_page_is_no_place():
    assert Place.read("") == Place()


def test_every_choice_criterion_and_reason_has_words():
    assert all(f"review.choice.{one}" in LABELS and f"review.saved.{one}" in SENTENCES for one in CHOICES)
    assert all(f"review.rating.{one}" in LABELS for one in CRITERIA)
    assert all(f"review.reason.{one}" in LABELS for one in (*GOOD, *BAD))

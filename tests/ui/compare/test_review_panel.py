"""The panel's place travels through the browser, and its words are there for every choice."""

import gradio as gr
import pytest

from finetune.review.reviewing import Ticket
from finetune.review.sessions import CHOICES
from finetune.review.votes import CRITERIA, DISLIKED_FOR, LIKED_FOR
from ui.compare import review_panel
from ui.compare.review_panel import Place
from ui.wording import LABELS, SENTENCES


@pytest.mark.parametrize("place", [Place(), Place(Ticket("সেট", "p1", True, "v"), voted=True)])
def test_a_place_comes_back_from_the_browser_as_it_went(place):
    assert Place.read(place.text()) == place


def test_an_empty_page_is_no_place():
    assert Place.read("") == Place()


def test_every_choice_criterion_and_reason_has_words():
    assert all(f"review.choice.{one}" in LABELS and f"review.saved.{one}" in SENTENCES for one in CHOICES)
    assert all(f"review.rating.{one}" in LABELS for one in CRITERIA)
    assert all(f"review.reason.{one}" in LABELS for one in (*LIKED_FOR, *DISLIKED_FOR))


@pytest.fixture
def space(monkeypatch):
    """The environment of a Space with a login."""
    for name, value in {"SYSTEM": "spaces", "SPACE_ID": "a/b", "OAUTH_CLIENT_ID": "id"}.items():
        monkeypatch.setenv(name, value)
    for name in ("CLIENT_ID", "CLIENT_SECRET", "SCOPES", "PROVIDER_URL"):  # Gradio read them when it was imported
        monkeypatch.setattr(f"gradio.oauth.{'OPENID' if name == 'PROVIDER_URL' else 'OAUTH'}_{name}", "x")


PROFILE = gr.OAuthProfile({"name": "N", "preferred_username": "nila", "profile": "", "picture": ""})


def login_buttons(services):
    with gr.Blocks() as page:
        review_panel.build(services, page)
    return [block for block in page.blocks.values() if isinstance(block, gr.LoginButton)]


def test_a_space_offers_a_login_and_votes_count_for_the_account(services, space):
    assert len(login_buttons(services)) == 1
    first = services.reviewing.person({}, "anything typed", review_panel.account_of(PROFILE))
    again = services.reviewing.person({}, "", review_panel.account_of(PROFILE))
    assert first == again and first["name"] == "nila"


def test_elsewhere_there_is_no_login_and_no_account(services):
    assert login_buttons(services) == []
    assert review_panel.account_of(PROFILE) == ""


def test_who_is_not_logged_in_on_a_space_goes_by_a_name(services, space):
    assert review_panel.account_of(None) == ""
    assert services.reviewing.person({}, "নীলা", "")["name"] == "নীলা"

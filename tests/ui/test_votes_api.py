"""Pairs and votes as another program uses them, on the real app with the demo model."""

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from finetune import models
from finetune.inference.backends import LocalBackend
from finetune.recipe import Recipe
from finetune.review import orders, pair_sets
from finetune.review.reviewing import Reviewing
from tests.serving import running_app
from ui.services import kept_secret


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The real app, whose home holds one set of eight pairs."""
    folder = tmp_path_factory.mktemp("votes")
    backend = LocalBackend(str(models.DEMO_BASE))
    (folder / "home").mkdir()
    order = orders.order(folder / "home", backend, base="base", tuned="demo", source="curated", count=8, seed=1)
    assert order.settings.max_new_tokens == Recipe.read("demo").generation.max_new_tokens
    pair_sets.generate(folder / "home", order, (backend, backend))
    with running_app(folder) as running:
        yield running


@pytest.fixture(scope="module")
def client(app):
    return Client(app.address, verbose=False)


def test_a_program_goes_through_a_set_blind_and_every_vote_is_kept_once(client, app):
    shown = client.predict("", "মিতা", {}, api_name="/next_pair")
    assert (shown["done"], shown["total"]) == (0, 9)
    assert shown["left"] and shown["right"] and shown["question"]
    assert set(shown) == {"reviewer", "ticket", "done", "total", "question", "left", "right"}
    first = shown["ticket"]
    while shown["ticket"]:
        shown = client.predict(shown["ticket"], "left", shown["reviewer"], api_name="/vote")
    assert (shown["done"], shown["total"]) == (9, 9)
    again = client.predict(first, "left", shown["reviewer"], api_name="/vote")  # a click that is sent again
    assert again["done"] == 9
    votes = Reviewing(app.home, kept_secret(app.home)).votes.lines()
    assert len(votes) == 9 and {vote["choice"] for vote in votes} == {"base", "tuned"}


def test_nobody_votes_without_their_token(client):
    shown = client.predict("", "রহিম", {}, api_name="/next_pair")
    forged = {**shown["reviewer"], "token": "x"}
    with pytest.raises(AppError, match="চিনতে পারছে না"):
        client.predict(shown["ticket"], "left", forged, api_name="/vote")


@pytest.mark.parametrize(("ticket", "choice"), [({}, "left"), (None, "sideways")])
def test_what_is_no_vote_is_one_clear_sentence(client, ticket, choice):
    shown = client.predict("", "করিম", {}, api_name="/next_pair")
    with pytest.raises(AppError) as caught:
        client.predict(shown["ticket"] if ticket is None else ticket, choice, shown["reviewer"], api_name="/vote")
    assert "Traceback" not in str(caught.value) and str(caught.value).endswith("।")


def test_what_was_written_and_who_votes_stands_in_no_log(app):
    printed = app.printed()
    for pair in Reviewing(app.home, kept_secret(app.home)).read(pair_sets.all_sets(app.home)[0]).pairs:
        assert pair.prompt.text not in printed and pair.tuned not in printed
    assert "মিতা" not in printed and "Traceback" not in printed

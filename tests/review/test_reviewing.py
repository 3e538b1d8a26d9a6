"""A reviewer goes through a set blind, and what comes of the votes fits what they clicked."""

import json

import pytest

from finetune.errors import ReviewError
from finetune.inference.backends import ScriptedBackend
from finetune.recipe import Generation
from finetune.review import outcome, pair_sets, prompt_sets, sessions
from finetune.review import verdict as verdicts
from finetune.review.contestants import Contestant
from finetune.review.reviewing import Reviewing, Ticket

BASE, TUNED = "তথ্য একটি।", "আপনার কষ্টটা শুনছি।"


@pytest.fixture
def reviewing(tmp_path):
    """A home with one set of ten pairs; both sides are scripted, as on two machines."""
    far = Contestant("remote:m@http://localhost:1", model="m", url="http://localhost:1")
    prompts = prompt_sets.pasted("\n".join(f"কথা নম্বর {number}।" for number in range(9)) + "\nমরে গেলেই ভালো হতো।")
    order = pair_sets.Order(Contestant("base"), far, prompts, Generation(seed=4))
    pair_sets.generate(tmp_path, order, (ScriptedBackend(BASE), ScriptedBackend(TUNED)))
    return Reviewing(tmp_path, "secret")


@pytest.fixture
def set_id(reviewing):
    return reviewing.sets()[0]


@pytest.fixture
def mita(reviewing):
    return reviewing.person({}, "মিতা")


def go_through(reviewing, set_id, person, choose):
    """Vote on everything; `choose` gets what is shown. How many there were."""
    count = 0
    while ticket := reviewing.next(set_id, person["reviewer"]):
        reviewing.vote(person, ticket, choose(reviewing.shown(ticket, person["reviewer"])))
        count += 1
    return count


def prefers_tuned(shown):
    return "left" if shown.left == TUNED else "right"


def test_whoever_prefers_one_model_is_understood_whatever_side_it_stands_on(reviewing, set_id, mita):
    assert go_through(reviewing, set_id, mita, prefers_tuned) == 11
    found = verdicts.verdict(outcome.lines(reviewing, set_id))
    assert (found["win_rate"], found["votes"], found["repeats"]) == (1.0, 10, 1)
    assert found["within"]["rate"] == 1.0
    assert found["position"]["left_rate"] == 0.5


def test_what_is_shown_names_no_model(reviewing, set_id, mita):
    ticket = reviewing.next(set_id, mita["reviewer"])
    shown = reviewing.shown(ticket, mita["reviewer"])
    assert {shown.left, shown.right} == {BASE, TUNED}
    assert not any(word in json.dumps([vars(ticket), vars(shown)]) for word in ("base", "tuned")) or "base" in set_id


def test_progress_goes_on_where_it_was_after_a_restart(reviewing, set_id, mita):
    ticket = reviewing.next(set_id, mita["reviewer"])
    reviewing.vote(mita, ticket, "both_good")
    again = Reviewing(reviewing.home, "secret")
    assert again.person(mita, "") == mita
    assert again.progress(set_id, mita["reviewer"]) == (1, 11)
    assert again.next(set_id, mita["reviewer"]).prompt_id != ticket.prompt_id


def test_a_click_that_is_sent_twice_counts_once(reviewing, set_id, mita):
    ticket = reviewing.next(set_id, mita["reviewer"])
    reviewing.vote(mita, ticket, "left")
    reviewing.vote(mita, ticket, "left")
    assert reviewing.progress(set_id, mita["reviewer"])[0] == 1


def test_undo_gives_the_same_item_again_to_be_judged_anew(reviewing, set_id, mita):
    ticket = reviewing.next(set_id, mita["reviewer"])
    reviewing.vote(mita, ticket, "both_bad")
    back = reviewing.undo(mita, set_id)
    assert (back.prompt_id, back.repeat) == (ticket.prompt_id, ticket.repeat) and back.vote_id != ticket.vote_id
    reviewing.vote(mita, back, "both_good")
    assert [line["choice"] for line in reviewing.votes.lines()] == ["both_good"]
    assert [reviewing.undo(mita, set_id) is None for _ in range(2)] == [False, True]


def test_marks_by_side_are_kept_by_role(reviewing, set_id, mita):
    ticket = reviewing.next(set_id, mita["reviewer"])
    shown = reviewing.shown(ticket, mita["reviewer"])
    reviewing.vote(mita, ticket, prefers_tuned(shown))
    side = "left" if shown.left == TUNED else "right"
    other = {"left": "right", "right": "left"}[side]
    assert reviewing.details(mita, ticket, {"empathy": {side: 5, other: 2}, "natural": {}}, ["warm"], "ভালো") is False
    (line,) = outcome.lines(reviewing, set_id)
    assert line["ratings"] == {"empathy": {"tuned": 5, "base": 2}}
    assert (line["reasons"], line["note"]) == (["warm"], "ভালো")
    assert line["care"] or line["tuned_reply"] == TUNED
    assert reviewing.details(mita, ticket, {}, [], "আমি আর বাঁচতে চাই না") is True


def test_nothing_is_revealed_before_it_is_asked_for_and_no_vote_is_taken_afterwards(reviewing, set_id, mita):
    ticket = reviewing.next(set_id, mita["reviewer"])
    reviewing.vote(mita, ticket, "left")
    with pytest.raises(ReviewError, match="only when you ask"):
        reviewing.revealed_rows(set_id, mita["reviewer"])
    reviewing.reveal(mita, set_id)
    (row,) = reviewing.revealed_rows(set_id, mita["reviewer"])
    assert (row["base"], row["tuned"]) == (BASE, TUNED)
    with pytest.raises(ReviewError) as caught:
        reviewing.vote(mita, reviewing.next(set_id, mita["reviewer"]), "left")
    assert caught.value.key == "review.unblinded"
    rahim = reviewing.person({}, "রহিম")
    assert go_through(reviewing, set_id, rahim, prefers_tuned) == 11


def test_nobody_votes_as_somebody_else(reviewing, set_id, mita):
    ticket = reviewing.next(set_id, mita["reviewer"])
    for forged in ({}, {"reviewer": mita["reviewer"], "token": "x"}, {"reviewer": "x", "token": mita["token"]}):
        with pytest.raises(ReviewError) as caught:
            reviewing.vote(forged, ticket, "left")
        assert caught.value.key == "review.who"
    assert reviewing.person({"reviewer": mita["reviewer"], "token": "x"}, "আমি")["reviewer"] != mita["reviewer"]


def test_an_account_needs_no_name_and_stays_the_same(reviewing):
    one = reviewing.person({}, "", account="mita-hf")
    assert reviewing.person({}, "", account="mita-hf") == one
    assert reviewing.votes.proves(one["reviewer"], one["token"], reviewing.secret)


@pytest.mark.parametrize(
    ("change", "key"), [({"prompt_id": "x"}, "review.no_pair"), ({"set_id": "x"}, "review.no_set")]
)
def test_a_ticket_for_something_else_is_refused(reviewing, set_id, mita, change, key):
    ticket = reviewing.next(set_id, mita["reviewer"])
    with pytest.raises(ReviewError) as caught:
        reviewing.vote(mita, Ticket(**{**vars(ticket), **change}), "left")
    assert caught.value.key == key
    with pytest.raises(ReviewError) as caught:
        reviewing.vote(mita, ticket, "tuned")
    assert caught.value.key == "review.no_choice"


def test_a_set_that_is_not_whole_cannot_be_reviewed(reviewing, set_id, mita):
    file = reviewing.read(set_id).folder / pair_sets.PAIRS
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:3]))
    assert reviewing.sets() == [] and reviewing.all_sets() == [set_id]
    with pytest.raises(ReviewError) as caught:
        reviewing.next(set_id, mita["reviewer"])
    assert caught.value.key == "review.not_ready"


def test_an_export_holds_the_texts_but_not_of_what_needs_care(reviewing, set_id, mita, tmp_path):
    go_through(reviewing, set_id, mita, lambda shown: sessions.CHOICES[len(shown.question) % 4])
    file = tmp_path / "votes.jsonl"
    assert outcome.export(reviewing, set_id, file) == 11
    lines = verdicts.read_votes(file)
    careful = [line for line in lines if line["care"]]
    assert careful and not any("prompt" in line or "tuned_reply" in line for line in careful)
    assert all(line["prompt"] and line["base_characters"] == len(BASE) for line in lines if not line["care"])
    assert "মরে গেলেই" not in file.read_text(encoding="utf-8")
    assert list(tmp_path.glob("*.part")) == []


def test_votes_from_elsewhere_are_taken_over_once(reviewing, set_id, mita, tmp_path):
    go_through(reviewing, set_id, mita, prefers_tuned)
    outcome.export(reviewing, set_id, tmp_path / "votes.jsonl")
    other = Reviewing(tmp_path / "other", "another secret")
    assert outcome.take_over(other, tmp_path / "votes.jsonl") == (11, 0)
    assert outcome.take_over(other, tmp_path / "votes.jsonl") == (0, 11)
    assert verdicts.verdict(other.votes.lines(set_id))["win_rate"] == 1.0


def test_a_report_s_facts_name_both_sides_and_the_proof(reviewing, set_id):
    found = outcome.facts(reviewing.read(set_id), {"base": "মূল", "tuned": "শেখানো"})
    assert found["title"] == "শেখানো · মূল"
    assert set(found["proof"]) == {"kind", "base", "tuned"} and found["proof"]["kind"] == "replies"
    assert len(set(found["fingerprints"].values())) == 2

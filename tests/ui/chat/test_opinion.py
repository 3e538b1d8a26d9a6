"""What is given of a conversation, and what is taken back when it turns heavy."""

import gradio as gr
import pytest

from finetune.review.feedback import CONSENT
from finetune.review.votes import DISLIKED_FOR, LIKED_FOR
from ui import history
from ui.chat import opinion
from ui.chat.opinion import About

ASKED = {"role": "user", "content": "আজ মনটা খারাপ।"}
ANSWERED = {"role": "assistant", "content": [{"type": "text", "text": "কী হয়েছে, বলবেন?"}]}
HEAVY = {"role": "user", "content": "আমি আর বাঁচতে চাই না।"}


def given(*turns, about=None, reasons=("warm",)):
    return opinion.feedback(about or About(1, True), list(turns), list(reasons), "demo")


def test_a_reply_is_given_with_the_conversation_before_it_and_the_text_that_was_agreed_to(services):
    made = given(ASKED, ANSWERED, ASKED)
    assert made.conversation == (ASKED,)
    assert (made.reply, made.liked, made.adapter, made.consent) == ("কী হয়েছে, বলবেন?", True, "demo", CONSENT)
    assert services.feedback.keep(made, history.messages([ASKED, ANSWERED]))
    assert services.feedback.rows()[0].reasons == ("warm",)


def test_of_two_replies_the_one_that_was_chosen_over_the_other_is_given_with_it():
    assert given(ASKED, ANSWERED, about=About(1, True, "অন্যটা")).rejected == "অন্যটা"


@pytest.mark.parametrize(("liked", "reasons"), [(True, LIKED_FOR), (False, DISLIKED_FOR)])
def test_the_panel_asks_for_reasons_that_fit_and_for_consent_anew(liked, reasons):
    panel, about, chips, consent = opinion.shown_for(About(1, liked))
    assert panel.visible and about.liked is liked and consent is False
    assert [value for _, value in chips.choices] == list(reasons)


def test_a_conversation_that_turns_heavy_is_taken_back_and_no_other(services):
    ids = []
    for conversation in ("this", "other"):
        made = given(ASKED, ANSWERED)
        services.feedback.keep(made, history.messages([ASKED, ANSWERED]))
        ids.append([made.id, conversation])
    turns = [ASKED, ANSWERED, HEAVY]
    left = opinion.withdraw_where_care_is_needed(services, turns, ids, "this", {})
    assert left == [ids[1]]
    assert [row.id for row in services.feedback.rows()] == [ids[1][0]]


def test_words_that_turn_heavy_as_they_are_understood_take_it_back_too(services):
    made = given(ASKED, ANSWERED)
    services.feedback.keep(made, history.messages([ASKED, ANSWERED]))
    turns = [ASKED, ANSWERED, {"role": "user", "content": "xyz"}]
    assert opinion.withdraw_where_care_is_needed(services, turns, [[made.id, "this"]], "this", {}) == gr.skip()
    meant = {"xyz": HEAVY["content"]}
    assert opinion.withdraw_where_care_is_needed(services, turns, [[made.id, "this"]], "this", meant) == []
    assert services.feedback.rows() == []


def test_light_words_take_nothing_back(services):
    made = given(ASKED, ANSWERED)
    services.feedback.keep(made, history.messages([ASKED, ANSWERED]))
    opinion.withdraw_where_care_is_needed(services, [ASKED], [[made.id, "this"]], "this", {})
    assert len(services.feedback.rows()) == 1

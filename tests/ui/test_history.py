"""Gradio's nested chat history becomes plain messages; what a model must not see is left out."""

from ui import history

ASKED = {"role": "user", "content": "আজ মনটা খারাপ।"}
ANSWERED = {"role": "assistant", "content": "কী হয়েছে, বলবেন?"}
CRISIS = {"role": "user", "content": "আর বাঁচতে চাই না।"}
FIXED = {"role": "assistant", "content": "নিচের নম্বরে ফোন করুন।", "metadata": {"id": history.FIXED}}


def test_plain_texts_stay_as_they_are():
    assert history.messages([ASKED, ANSWERED]) == [ASKED, ANSWERED]


def test_text_blocks_are_joined_and_blocks_without_text_left_out():
    blocks = [{"type": "text", "text": "প্রথম"}, {"type": "file", "file": {}}, {"type": "text", "text": "দ্বিতীয়"}]
    assert history.messages([{"role": "user", "content": blocks}]) == [{"role": "user", "content": "প্রথম\nদ্বিতীয়"}]


def test_blank_turns_and_turns_that_hold_no_text_are_left_out():
    turns = [
        {"role": "user", "content": " \n"},
        {"role": "assistant", "content": [{"type": "file", "file": {}}]},
        ASKED,
    ]
    assert history.messages(turns) == [ASKED]


def test_what_gradio_adds_to_a_turn_does_not_reach_the_model():
    assert history.messages([{**ASKED, "metadata": None, "options": None}]) == [ASKED]


def test_a_question_that_got_the_fixed_message_is_not_shown_to_the_model_and_neither_is_the_message():
    assert history.for_model([ASKED, ANSWERED, CRISIS, FIXED, ASKED]) == [ASKED, ANSWERED, ASKED]


def test_two_fixed_messages_in_a_row_take_only_their_own_questions_along():
    assert history.for_model([ASKED, ANSWERED, CRISIS, FIXED, CRISIS, FIXED]) == [ASKED, ANSWERED]


def test_a_fixed_message_without_a_question_takes_no_answer_along():
    assert history.for_model([ASKED, ANSWERED, FIXED]) == [ASKED, ANSWERED]


def test_an_ordinary_conversation_reaches_the_model_whole():
    assert history.for_model([ASKED, {**ANSWERED, "metadata": {"id": "x"}}, ASKED]) == [ASKED, ANSWERED, ASKED]


def test_the_last_reply_is_taken_back_and_its_question_stays():
    assert history.without_last_reply([ASKED, ANSWERED, CRISIS, FIXED]) == [ASKED, ANSWERED, CRISIS]


def test_a_question_that_waits_for_its_reply_is_kept():
    assert history.without_last_reply([ASKED, ANSWERED, ASKED]) == [ASKED, ANSWERED, ASKED]


def test_where_nobody_asked_nothing_is_left():
    assert history.without_last_reply([]) == []
    assert history.without_last_reply([ANSWERED]) == []

"""What the tab's handlers change: words that wait for a run, help that does not, and one reply at a time."""

from types import SimpleNamespace

import gradio as gr
import pytest

from finetune.errors import ReviewError
from finetune.inference import safety
from finetune.inference.backends import ScriptedBackend
from ui import chat_tab, history
from ui.chat.alternatives import ONE_REPLY
from ui.services import DEMO

REQUEST = SimpleNamespace(session_hash="ক", cookies={"shohomormi_language": "bn"}, headers={})
ANSWERED = [{"role": "user", "content": "মন খারাপ।"}, {"role": "assistant", "content": "কেন?"}]
DYING = "আমি আর বাঁচতে চাই না।"
VALUES = (0.5, 0.8, 64, 7)


@pytest.fixture
def page(services):
    with gr.Blocks() as page:
        with gr.Tab("chat") as tab:
            chat_tab.build_chat_tab(services, tab, page)
    return page


@pytest.fixture
def handlers(page):
    """What the tab does, by the names of its functions."""
    return {function.fn.__name__: function.fn for function in page.fns.values() if function.fn is not None}


def by_name(changed):
    """What a handler changes, by the ids of the page's parts; nothing where it skips everything."""
    return {} if changed == gr.skip() else {part.elem_id or type(part).__name__: new for part, new in changed.items()}


def ticket_of(services, page, changed):
    """The ticket that a handler gave out: the only text that the services know as current."""
    (found,) = [new for new in changed.values() if isinstance(new, str) and services.replies.current("ক/chat", new)]
    return found


def answered(handlers, turns, ticket):
    """The conversations that the page gets to see."""
    stream = handlers["answer"](REQUEST, turns, ticket, DEMO, 0, {}, "", *VALUES)
    return [by_name(changed)["chat"] for changed in stream if changed != gr.skip()]


def test_a_message_that_has_to_wait_stays_in_the_field_and_out_of_the_conversation(services, handlers):
    services.lent_to = "demo-001"
    changed = by_name(handlers["take"]("চাকরিটা গেছে।", ANSWERED, "", {}, REQUEST))
    assert changed["chat-outbox"] == "চাকরিটা গেছে।" and "chat" not in changed
    assert changed["chat-care"] == "" and "demo-001 শেখানো চলছে" in changed["chat-sign"]
    assert changed["Timer"].active
    services.lent_to = ""
    changed = by_name(handlers["take"]("চাকরিটা গেছে।", ANSWERED, "", {}, REQUEST))
    assert changed["chat-outbox"] == "" and changed["chat"][-1]["content"] == "চাকরিটা গেছে।"
    assert changed["chat-sign"] == "" and not changed["Timer"].active


def test_a_reply_that_is_asked_for_again_stays_while_the_new_one_has_to_wait(services, handlers):
    services.lent_to = "demo-001"
    changed = by_name(handlers["take_back"](ANSWERED, "", {}, 0, ONE_REPLY, REQUEST))
    assert "chat" not in changed and "chat-alternatives" not in changed
    assert answered(handlers, ANSWERED[:1], services.replies.begin("ক/chat")) == []
    assert services.backend.asked == []


@pytest.mark.parametrize("lent_to", ["", "demo-001"], ids=["the model is free", "a run has the memory"])
def test_words_about_dying_are_answered_with_every_number_at_once_and_by_no_model(services, page, handlers, lent_to):
    services.lent_to = lent_to
    changed = by_name(handlers["take"](DYING, ANSWERED, "", {}, REQUEST))
    assert changed["chat-outbox"] == ""
    assert all(line.number in changed["chat"][-1]["content"] for line in safety.helplines())
    assert history.is_fixed(changed["chat"][-1])
    assert changed["chat-send"].visible
    assert answered(handlers, changed["chat"], "") == [] and services.backend.asked == []


def test_words_about_dying_end_the_reply_that_is_being_written(services, page, handlers):
    changed = handlers["take"]("মন খারাপ।", [], "", {}, REQUEST)
    with services.replies.writing("ক/chat", ticket_of(services, page, changed)) as stop:
        pass
    handlers["take"](DYING, [], "", {}, REQUEST)
    assert stop.is_set() and not services.replies.busy("ক/chat")


def test_heavy_words_have_the_numbers_beside_them_though_the_reply_has_to_wait(services, handlers):
    services.lent_to = "demo-001"
    care = by_name(handlers["take"]("বেঁচে থেকে কী লাভ?", [], "", {}, REQUEST))["chat-care"]
    assert all(line.number in care for line in safety.helplines())


def test_a_reply_is_shown_only_for_the_message_that_was_said_last(services, page, handlers):
    first = handlers["take"]("মন খারাপ।", [], "", {}, REQUEST)
    old = ticket_of(services, page, first)
    second = handlers["take"]("চাকরিটা গেছে।", by_name(first)["chat"], "", {}, REQUEST)
    assert answered(handlers, by_name(first)["chat"], old) == []
    shown = answered(handlers, by_name(second)["chat"], ticket_of(services, page, second))
    assert [turn["content"] for turn in shown[-1]][:2] == ["মন খারাপ।", "চাকরিটা গেছে।"]
    assert len(services.backend.asked) == 1


def test_a_reply_falls_silent_once_the_next_message_is_said(services, page, handlers):
    services.backend = ScriptedBackend(*["কষ্টটা বুঝি। আরও একটা কথা বলি আপনাকে। "] * 40)
    first = handlers["take"]("মন খারাপ।", [], "", {}, REQUEST)
    stream = handlers["answer"](
        REQUEST, by_name(first)["chat"], ticket_of(services, page, first), DEMO, 0, {}, "", *VALUES
    )
    next(stream)
    services.replies._replies["ক/chat"].over.set()  # nobody reads on here, so nobody waits
    handlers["take"]("চাকরিটা গেছে।", [], "", {}, REQUEST)
    assert list(stream) == []


def test_the_send_button_comes_back_when_a_reply_ends_and_not_for_one_that_was_overtaken(services, handlers):
    assert by_name(handlers["end"](ANSWERED, ONE_REPLY, REQUEST))["chat-send"].visible
    services.replies.begin("ক/chat")
    assert handlers["end"](ANSWERED, ONE_REPLY, REQUEST) == gr.skip()


def test_stop_gives_the_button_back_at_once_where_the_reply_still_waited_for_its_turn(services, page, handlers):
    changed = handlers["take"]("মন খারাপ।", [], "", {}, REQUEST)
    turns, ticket = by_name(changed)["chat"], ticket_of(services, page, changed)
    assert by_name(handlers["stopped"](turns, ONE_REPLY, REQUEST))["chat-send"].visible
    assert answered(handlers, turns, ticket) == [] and services.backend.asked == []


def test_stop_leaves_the_button_to_the_end_of_a_reply_that_is_being_written(services, page, handlers):
    ticket = ticket_of(services, page, handlers["take"]("মন খারাপ।", [], "", {}, REQUEST))
    with services.replies.writing("ক/chat", ticket) as stop:
        assert handlers["stopped"]([], ONE_REPLY, REQUEST) == gr.skip()
        assert stop.is_set()


def test_a_retry_that_says_nothing_leaves_the_reply_that_stood_there(services, page, handlers):
    services.backend = ScriptedBackend()
    changed = handlers["take_back"](ANSWERED, "", {}, 0, ONE_REPLY, REQUEST)
    named = by_name(changed)
    *_, turns = answered(handlers, named["chat"], ticket_of(services, page, changed))
    assert by_name(handlers["end"](turns, named["chat-alternatives"], REQUEST))["chat"] == ANSWERED


def test_help_is_shown_before_anything_that_was_given_is_taken_back(services, handlers, monkeypatch):
    def locked(*_):
        raise ReviewError("The file is locked.", key="busy")

    monkeypatch.setattr(type(services.feedback), "withdraw", locked)
    changed = by_name(handlers["take"](DYING, ANSWERED, "one", {}, REQUEST))
    assert history.is_fixed(changed["chat"][-1])
    with pytest.raises(gr.Error):
        handlers["withdrawn"](changed["chat"], "one", {}, [["id", "one"]], REQUEST)


def test_a_conversation_from_the_shelf_has_help_beside_it_where_it_was_needed(handlers):
    care = by_name(handlers["reopened"]("soft", REQUEST))["chat-care"]
    assert all(line.number in care for line in safety.helplines())
    assert by_name(handlers["reopened"]("", REQUEST))["chat-care"] == ""


def test_a_fixed_message_cannot_be_given_for_teaching(services, page, handlers):
    turns = by_name(handlers["take"](DYING, [], "", {}, REQUEST))["chat"]
    column, about, *_ = handlers["liked"](SimpleNamespace(index=1, liked=True), turns)
    assert not column.visible and about is None
    column, about, *_ = handlers["liked"](SimpleNamespace(index=1, liked=True), ANSWERED)
    assert column.visible and about.place == 1

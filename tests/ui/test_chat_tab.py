"""A message that has to wait for a run stays in the field, and help does not wait."""

from types import SimpleNamespace

import gradio as gr
import pytest

from finetune.inference import safety
from ui import chat_tab
from ui.services import DEMO

REQUEST = SimpleNamespace(session_hash="ক", cookies={"shohomormi_language": "bn"}, headers={})
ANSWERED = [{"role": "user", "content": "মন খারাপ।"}, {"role": "assistant", "content": "কেন?"}]


@pytest.fixture
def handlers(services):
    """What the tab does, by the names of its functions."""
    with gr.Blocks() as page:
        with gr.Tab("chat") as tab:
            chat_tab.build_chat_tab(services, tab, page)
    return {function.fn.__name__: function.fn for function in page.fns.values() if function.fn is not None}


def shown(values):
    """What a handler changes: the values that are no gr.skip(), and of an update its setting."""
    return [value for value in values if value != gr.skip()]


def test_a_message_that_has_to_wait_stays_in_the_field_and_out_of_the_conversation(services, handlers):
    services.lent_to = "demo-001"
    left, *rest = handlers["take"]("চাকরিটা গেছে।", ANSWERED, "", {}, [], REQUEST)
    assert left == "চাকরিটা গেছে।"
    care, sign, clock = shown(rest)
    assert care == "" and "demo-001 শেখানো চলছে" in sign and clock.active
    services.lent_to = ""
    left, turns, *rest = handlers["take"](left, ANSWERED, "", {}, [], REQUEST)
    assert (left, turns[-1]["content"]) == ("", "চাকরিটা গেছে।")
    assert rest[-2] == "" and not rest[-1].active


def test_a_reply_that_is_asked_for_again_stays_while_the_new_one_has_to_wait(services, handlers):
    services.lent_to = "demo-001"
    assert len(shown(handlers["take_back"](ANSWERED, "", {}, [], 0, chat_tab.ONE_REPLY, REQUEST))) == 3
    unanswered = ANSWERED[:1]
    ((turns, _),) = handlers["answer"](REQUEST, unanswered, DEMO, 0, {}, "", 0.5, 0.8, 64, 7)
    assert turns == unanswered and services.backend.asked == []


def test_words_about_dying_are_answered_with_every_number_while_a_run_has_the_memory(services, handlers):
    services.lent_to = "demo-001"
    left, turns, *_ = handlers["take"]("আমি আর বাঁচতে চাই না।", [], "", {}, [], REQUEST)
    assert left == ""
    *_, (turns, _) = handlers["answer"](REQUEST, turns, DEMO, 0, {}, "", 0.5, 0.8, 64, 7)
    assert all(line.number in turns[-1]["content"] for line in safety.helplines())


def test_heavy_words_have_the_numbers_beside_them_though_the_reply_has_to_wait(services, handlers):
    services.lent_to = "demo-001"
    care, *_ = shown(handlers["take"]("বেঁচে থেকে কী লাভ?", [], "", {}, [], REQUEST)[1:])
    assert all(line.number in care for line in safety.helplines())

"""Chat: the conversation as the reply grows, and the screen before the model."""

import pytest

from finetune import models
from finetune.errors import BackendError, RunError
from finetune.inference import safety
from finetune.inference.backends import ScriptedBackend
from ui import chat_tab, history, wording
from ui.services import DEMO

VALUES = [0.5, 0.8, 64, 7]
ASKED = {"role": "user", "content": "আজ মনটা খারাপ।"}
ANSWERED = {"role": "assistant", "content": "কী হয়েছে, বলবেন?"}
CRISIS = {"role": "user", "content": "আমি আর বাঁচতে চাই না।"}


def shown(services, *turns, adapter=DEMO, values=VALUES, times=0, language="bn", key="ক/chat"):
    return list(chat_tab.reply(services, list(turns), adapter, values, times, language, key))


def test_the_reply_is_appended_to_the_conversation_and_ends_whole(services):
    last = shown(services, ASKED)[-1]
    assert last == [ASKED, {"role": "assistant", "content": "কষ্টটা আমি বুঝতে পারছি।"}]


def test_the_reply_grows_and_nothing_that_was_shown_is_taken_back(services, monkeypatch):
    monkeypatch.setattr(chat_tab, "FRAME_SECONDS", 0)
    texts = [turns[-1]["content"] for turns in shown(services, ASKED)]
    assert texts == ["কষ্টটা ", "কষ্টটা আমি ", "কষ্টটা আমি বুঝতে পারছি।", "কষ্টটা আমি বুঝতে পারছি।"]


def test_the_page_is_told_no_faster_than_a_frame(services):
    services.backend = ScriptedBackend(*["ক"] * 200)
    assert len(shown(services, ASKED)) < 20


def test_the_whole_conversation_and_the_adapter_reach_the_model(services):
    shown(services, ASKED, ANSWERED, {"role": "user", "content": [{"type": "text", "text": "চাকরিটা গেছে।"}]})
    ((side,),) = services.backend.asked
    assert side.messages == [ASKED, ANSWERED, {"role": "user", "content": "চাকরিটা গেছে।"}]
    assert side.adapter == models.DEMO_ADAPTER
    assert (side.settings.temperature, side.settings.top_p, side.settings.max_new_tokens) == (0.5, 0.8, 64)


def test_every_retry_takes_the_next_seed(services):
    for times in (0, 1, 2):
        shown(services, ASKED, times=times)
    assert [sides[0].settings.seed for sides in services.backend.asked] == [7, 8, 9]


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_a_direct_crisis_phrase_gets_the_fixed_message_with_every_number_and_no_model(services, language):
    (turns,) = shown(services, CRISIS, language=language)
    assert turns[-1]["content"].startswith(safety.message(language))
    assert all(line.number in turns[-1]["content"] for line in safety.helplines())
    assert turns[-1]["metadata"] == {"id": history.FIXED}
    assert services.backend.asked == []


def test_a_direct_crisis_phrase_is_answered_even_where_adapter_and_settings_could_not_work(services):
    (turns,) = shown(services, CRISIS, adapter="deleted-001", values=[-1, 9, 0, -5])
    assert safety.message("bn") in turns[-1]["content"]


def test_after_a_crisis_phrase_the_next_messages_are_answered_with_the_numbers_and_other_words(services):
    (first,) = shown(services, CRISIS)
    (second,) = shown(services, *first, {"role": "user", "content": "হ্যালো?"})
    assert second[-1]["content"].startswith(wording.sentence("chat.crisis.after", "bn"))
    assert all(line.number in second[-1]["content"] for line in safety.helplines())
    assert services.backend.asked == []


def test_a_crisis_phrase_said_again_gets_the_whole_message_again(services):
    (first,) = shown(services, CRISIS)
    (second,) = shown(services, *first, CRISIS)
    assert second[-1]["content"].startswith(safety.message("bn"))


def test_once_three_other_messages_have_passed_the_model_answers_and_never_sees_the_phrase(services):
    turns = [CRISIS]
    (turns,) = shown(services, *turns)
    for text in ("হ্যালো?", "আছেন?"):
        (turns,) = shown(services, *turns, {"role": "user", "content": text})
    shown(services, *turns, ASKED)
    ((side,),) = services.backend.asked
    assert side.messages == [ASKED]


def test_stop_ends_the_reply_and_keeps_what_was_written(services):
    event = services.stop_event("ক/chat")
    stream = chat_tab.reply(services, [ASKED], DEMO, VALUES, 0, "bn", "ক/chat")
    assert next(stream)[-1]["content"] == "কষ্টটা "
    event.set()
    assert [turns[-1]["content"] for turns in stream] == ["কষ্টটা"]


def test_an_adapter_that_is_gone_is_told_before_the_model_is_asked(services):
    with pytest.raises(RunError) as caught:
        shown(services, ASKED, adapter="deleted-001")
    assert caught.value.key == "run.unknown"
    assert services.backend.asked == []


def test_what_goes_wrong_while_writing_reaches_the_reader(services):
    services.backend = ScriptedBackend("কষ্টটা ", BackendError("The base is gone."))
    with pytest.raises(BackendError):
        shown(services, ASKED)

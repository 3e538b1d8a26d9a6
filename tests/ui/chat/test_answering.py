"""From a conversation to its reply: screened before and after the model, understood, and cut to what fits."""

import threading

import pytest

from finetune import models
from finetune.errors import BackendError, RunError
from finetune.inference import safety
from finetune.inference.backends import ScriptedBackend
from ui import history, wording
from ui.chat.answering import Asked, answers, tier_of
from ui.services import DEMO

VALUES = [0.5, 0.8, 64, 7]
ASKED = {"role": "user", "content": "আজ মনটা খারাপ।"}
ANSWERED = {"role": "assistant", "content": "কী হয়েছে, বলবেন?"}
CRISIS = {"role": "user", "content": "আমি আর বাঁচতে চাই না।"}


def answered(services, *turns, adapter=DEMO, values=VALUES, language="bn", stop=None, pace=False, **more):
    return list(answers(services, list(turns), Asked(adapter, values, **more), language, stop, pace=pace))


def shown(services, *turns, **more):
    return [answer.turns for answer in answered(services, *turns, **more)]


def test_the_reply_is_appended_to_the_conversation_and_ends_whole(services):
    last = shown(services, ASKED)[-1]
    assert last == [ASKED, {"role": "assistant", "content": "কষ্টটা আমি বুঝতে পারছি।"}]


def test_the_reply_grows_by_whole_sentences_and_nothing_that_was_shown_is_taken_back(services):
    services.backend = ScriptedBackend("কষ্টটা ", "বুঝতে পারছি। ", "কী হয়েছে,", " বলবেন?")
    texts = [answer.text for answer in answered(services, ASKED)]
    assert texts == ["কষ্টটা বুঝতে পারছি।", "কষ্টটা বুঝতে পারছি। কী হয়েছে, বলবেন?", "কষ্টটা বুঝতে পারছি। কী হয়েছে, বলবেন?"]


def test_for_eyes_it_grows_letter_by_letter(services):
    services.backend = ScriptedBackend("কষ্টটা আমি সত্যিই বুঝতে পারছি। কী হয়েছে, বলবেন?")
    texts = [answer.text for answer in answered(services, ASKED, pace=True)]
    assert len(texts) >= 4
    assert all(later.startswith(earlier) for earlier, later in zip(texts, texts[1:], strict=False))
    assert texts[-1] == "কষ্টটা আমি সত্যিই বুঝতে পারছি। কী হয়েছে, বলবেন?"


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


def test_words_about_dying_in_a_history_without_marks_never_reach_the_model(services):
    before = [ASKED, ANSWERED, CRISIS, {"role": "assistant", "content": "আমি শুনছি। ফোন করুন।"}]
    later = [turn for text in ("হ্যালো?", "আছেন?") for turn in ({"role": "user", "content": text}, ANSWERED)]
    shown(services, *before, *later, ASKED)
    ((side,),) = services.backend.asked
    assert side.messages == [ASKED, ANSWERED, *later, ASKED]


@pytest.mark.parametrize("pace", [False, True])
def test_stop_ends_the_reply_and_keeps_what_was_written(services, pace):
    services.backend = ScriptedBackend("কষ্টটা বুঝি। ", *["আরও একটা কথা বলি আপনাকে। "] * 50)
    event = threading.Event()
    stream = answers(services, [ASKED], Asked(DEMO, VALUES), "bn", event, pace=pace)
    first = next(stream).text
    event.set()
    rest = [answer.text for answer in stream]
    assert rest[-1].startswith(first.strip())
    assert len(rest[-1]) < 200


def test_a_reply_that_was_stopped_before_its_first_word_leaves_no_empty_bubble(services):
    event = threading.Event()
    event.set()
    assert shown(services, ASKED, stop=event) == [[ASKED]]


def test_an_adapter_that_is_gone_is_told_before_the_model_is_asked(services):
    with pytest.raises(RunError) as caught:
        shown(services, ASKED, adapter="deleted-001")
    assert caught.value.key == "run.unknown"
    assert services.backend.asked == []


def test_what_goes_wrong_while_writing_reaches_the_reader(services):
    services.backend = ScriptedBackend("কষ্টটা ", BackendError("The base is gone."))
    with pytest.raises(BackendError):
        shown(services, ASKED)


ROMANISED = {"role": "user", "content": "ami khub eka feel kortesi"}


def test_a_romanised_message_is_read_in_bengali_letters_and_stays_as_it_was_typed(services):
    turns = shown(services, ROMANISED)[-1]
    ((side,),) = services.backend.asked
    assert side.messages[0]["content"].startswith("আমি খুব একা")
    assert turns[0] == ROMANISED


def test_what_a_person_says_that_they_meant_is_what_the_model_reads(services):
    shown(services, ROMANISED, meant={ROMANISED["content"]: "আমি খুব একা বোধ করছি"})
    ((side,),) = services.backend.asked
    assert side.messages[0]["content"] == "আমি খুব একা বোধ করছি"


def test_a_message_is_screened_as_it_was_typed_and_as_it_is_understood():
    typed = {"role": "user", "content": "x"}
    assert tier_of([typed]) == "none"
    assert tier_of([typed], {"x": CRISIS["content"]}) == "strong"
    assert tier_of([CRISIS], {CRISIS["content"]: "সব ঠিক আছে"}) == "strong"


UNSAFE = "আপনার মরে যাওয়াই ভালো।"


@pytest.mark.parametrize("pace", [False, True])
def test_a_sentence_that_could_hurt_never_appears_and_help_stands_in_its_place(services, pace):
    services.backend = ScriptedBackend("কষ্টটা বুঝি। ", UNSAFE, " আরও কথা।")
    seen = answered(services, ASKED, pace=pace)
    assert not any(UNSAFE[:12] in str(answer.turns) or "আরও কথা" in str(answer.turns) for answer in seen)
    last = seen[-1]
    assert last.withheld
    assert last.turns[1]["content"] == "কষ্টটা বুঝি।"
    assert last.turns[2]["metadata"] == {"id": history.FIXED}
    assert all(line.number in last.turns[2]["content"] for line in safety.helplines())


def test_a_system_prompt_of_ones_own_stands_first_and_is_bounded(services):
    shown(services, ASKED, system_prompt=" ছোট করে বলুন। ")
    shown(services, ASKED, system_prompt="ক" * 9000)
    own, long = (sides[0].messages for sides in services.backend.asked)
    assert own == [{"role": "system", "content": "ছোট করে বলুন।"}, ASKED]
    assert len(long[0]["content"]) == 2000


def test_it_is_said_how_many_turns_the_model_was_not_given(services, monkeypatch):
    monkeypatch.setattr(ScriptedBackend, "fit", lambda self, side: (side, 3))
    assert answered(services, ASKED)[-1].left_out == 3

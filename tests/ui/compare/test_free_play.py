"""Compare: two sides from one batch; the screen stands before them."""

import threading
from types import SimpleNamespace

import gradio as gr
import pytest

from finetune import models
from finetune.errors import BackendError, DataError, RecipeError
from finetune.inference import safety
from finetune.inference.backends import ScriptedBackend
from ui.compare import free_play
from ui.services import DEMO

VALUES = [0.5, 0.8, 64, 7]
CRISIS = "আমি আর বাঁচতে চাই না।"


def shown(services, text, adapter=DEMO, values=VALUES, language="bn", stop=None):
    return list(free_play.compare(services, text, adapter, values, language, stop))


def test_both_sides_grow_by_whole_sentences(services):
    services.backend = ScriptedBackend("কষ্টটা ", "বুঝি। ", "কী হয়েছে, ", "বলবেন?")
    seen = [pair for pair in shown(services, "আজ মনটা খারাপ।") if any(pair)]
    assert seen[0] == ("কষ্টটা বুঝি।",) * 2
    assert seen[-1] == ("কষ্টটা বুঝি। কী হয়েছে, বলবেন?",) * 2


class Sides:
    """A backend whose two sides say different things."""

    def __init__(self, *steps):
        self.steps = steps

    def stream(self, sides, stop=None):
        yield from map(list, self.steps)


def test_a_side_that_could_hurt_is_cut_before_that_sentence_and_the_other_goes_on(services):
    services.backend = Sides(("শুনছি। ", "কষ্টটা বুঝি। "), ("আপনার মরে যাওয়াই ভালো। আরও।", "কী হয়েছে?"))
    base, tuned = shown(services, "আজ মনটা খারাপ।")[-1]
    assert base.startswith("শুনছি।") and "মরে" not in base and "আরও" not in base
    assert all(line.number in base for line in safety.helplines())
    assert tuned == "কষ্টটা বুঝি। কী হয়েছে?"


def test_a_romanised_prompt_reaches_both_sides_in_bengali_letters(services):
    shown(services, "ami khub eka")
    assert all(side.messages[0]["content"].startswith("আমি খুব একা") for side in services.backend.asked[0])


def test_base_and_tuned_differ_in_the_adapter_alone(services):
    shown(services, "  আজ মনটা খারাপ। \n")
    ((base, tuned),) = services.backend.asked
    assert (base.adapter, tuned.adapter) == (None, models.DEMO_ADAPTER)
    assert base.settings == tuned.settings
    assert base.messages == tuned.messages == [{"role": "user", "content": "আজ মনটা খারাপ।"}]


def test_the_panels_values_are_the_settings_of_both(services):
    shown(services, "আজ মনটা খারাপ।")
    settings = services.backend.asked[0][0].settings
    assert (settings.temperature, settings.top_p, settings.max_new_tokens, settings.seed) == (0.5, 0.8, 64, 7)


@pytest.mark.parametrize("text", ["", "  \n "])
def test_an_empty_prompt_asks_for_words_and_not_the_model(services, text):
    with pytest.raises(DataError) as caught:
        shown(services, text)
    assert caught.value.key == "compare.empty"
    assert services.backend.asked == []


def test_a_value_that_cannot_work_is_refused_before_the_model_is_asked(services):
    with pytest.raises(RecipeError) as caught:
        shown(services, "আজ মনটা খারাপ।", values=[0.7, 5, 64, 7])
    assert set(caught.value.problems) == {"generation.top_p"}
    assert services.backend.asked == []


@pytest.mark.parametrize("language", ["bn", "en"])
def test_a_direct_crisis_phrase_gets_the_fixed_message_on_both_sides_and_no_model(services, language):
    ((base, tuned),) = shown(services, CRISIS, language=language)
    assert base == tuned
    assert safety.message(language) in base
    assert all(line.number in base for line in safety.helplines())
    assert "*" not in base  # the sides are plain text
    assert services.backend.asked == []


@pytest.mark.parametrize(
    ("text", "tier"),
    [
        ("আজ মনটা খারাপ।", "none"),
        (" আমি না থাকলে সবাই ভালো থাকত। ", "soft"),
        (CRISIS, "strong"),
        ("ami ar bachte chai na", "strong"),
        ("", "none"),
    ],
)
def test_how_heavy_a_prompt_is_decides_whether_help_stands_beside_the_replies(text, tier):
    assert free_play.tier_of(text) == tier


def test_a_direct_crisis_phrase_gets_the_fixed_message_even_where_the_adapter_is_gone(services):
    ((base, _),) = shown(services, CRISIS, adapter="deleted-001")
    assert safety.message("bn") in base


def test_stop_ends_both_sides(services):
    event = threading.Event()
    stream = free_play.compare(services, "আজ মনটা খারাপ।", DEMO, VALUES, "bn", event)
    next(stream)
    event.set()
    assert list(stream)[-1] == ("কষ্টটা",) * 2  # what was written, and no more


REQUEST = SimpleNamespace(session_hash="ক", cookies={"shohomormi_language": "bn"}, headers={})


@pytest.fixture
def handlers(services):
    """What the page does, by the names of its functions."""
    with gr.Blocks() as page, gr.Tab("compare") as tab:
        free_play.build(services, tab)
    return {function.fn.__name__: function.fn for function in page.fns.values() if function.fn is not None}


def pairs_of(handlers, text, ticket):
    return [pair for pair in handlers["answer"](REQUEST, text, ticket, DEMO, *VALUES) if pair != gr.skip()]


def test_words_about_dying_are_answered_on_both_sides_before_the_model_is_free(services, handlers):
    start, stop, base, tuned, care, _ = handlers["begin"](CRISIS, REQUEST)
    assert safety.message("bn") in base and base == tuned and safety.helplines()[0].number in care
    assert start.interactive and not stop.interactive


def test_the_prompt_that_was_asked_last_is_answered_and_no_other(services, handlers):
    *_, first = handlers["begin"]("আজ মনটা খারাপ।", REQUEST)
    *_, second = handlers["begin"]("চাকরিটা গেছে।", REQUEST)
    assert pairs_of(handlers, "আজ মনটা খারাপ।", first) == []
    assert handlers["end"](REQUEST) == gr.skip()
    assert pairs_of(handlers, "চাকরিটা গেছে।", second)[-1] == ("কষ্টটা আমি বুঝতে পারছি।",) * 2
    assert handlers["end"](REQUEST)[0].interactive
    ((asked, _),) = services.backend.asked
    assert asked.messages[-1]["content"] == "চাকরিটা গেছে।"


def test_stop_gives_the_button_back_where_the_pair_still_waited_for_its_turn(services, handlers):
    *_, ticket = handlers["begin"]("আজ মনটা খারাপ।", REQUEST)
    assert handlers["stopped"](REQUEST)[0].interactive
    assert pairs_of(handlers, "আজ মনটা খারাপ।", ticket) == [] and services.backend.asked == []


def test_what_goes_wrong_while_writing_reaches_the_reader(services):
    services.backend = ScriptedBackend("কষ্টটা ", BackendError("The base is gone."))
    with pytest.raises(BackendError):
        shown(services, "আজ মনটা খারাপ।")

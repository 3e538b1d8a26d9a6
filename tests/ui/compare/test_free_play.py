"""Compare: two sides from one batch; the screen stands before them."""

import threading

import pytest

from finetune import models
from finetune.errors import BackendError, DataError, RecipeError
from finetune.inference import safety
from finetune.inference.backends import ScriptedBackend
from ui.compare import free_play
from ui.services import DEMO

VALUES = [0.5, 0.8, 64, 7]
CRISIS = "আমি আর বাঁচতে চাই না।"


def shown(services, text, adapter=DEMO, values=VALUES, language="bn", key="ক/compare"):
    return list(free_play.compare(services, text, adapter, values, language, key))


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
    event = services.stop_event("ক/compare")
    stream = free_play.compare(services, "আজ মনটা খারাপ।", DEMO, VALUES, "bn", "ক/compare")
    next(stream)
    event.set()
    assert list(stream)[-1] == ("কষ্টটা",) * 2  # what was written, and no more


def test_another_browsers_stop_does_not_end_them(services):
    services.stops["খ/compare"] = threading.Event()
    services.stops["খ/compare"].set()
    assert shown(services, "আজ মনটা খারাপ।")[-1] == ("কষ্টটা আমি বুঝতে পারছি।",) * 2


def test_what_goes_wrong_while_writing_reaches_the_reader(services):
    services.backend = ScriptedBackend("কষ্টটা ", BackendError("The base is gone."))
    with pytest.raises(BackendError):
        shown(services, "আজ মনটা খারাপ।")

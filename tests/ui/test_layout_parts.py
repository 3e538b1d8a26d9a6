"""Pieces of several tabs: settings from the panel, the help card, the words of the fixed message."""

import re
import shutil

import pytest

from finetune import models
from finetune.errors import RecipeError
from finetune.inference import safety
from finetune.recipe import Generation, default
from ui import layout_parts, wording
from ui.services import DEMO


def test_the_panels_values_become_settings_and_the_adapters_own_penalty_stays():
    settings = layout_parts.settings_of(Generation(repetition_penalty=1.2), 0.3, 0.6, 40, 9)
    assert settings == Generation(40, 0.3, 0.6, 1.2, 9)


def test_a_seed_that_was_deleted_is_the_default_one():
    assert layout_parts.settings_of(Generation(), 0.3, 0.6, 40, None).seed == default("generation.seed")


def test_every_value_that_cannot_work_is_named_at_once():
    with pytest.raises(RecipeError) as caught:
        layout_parts.settings_of(Generation(), 3, 0, 0, -1)
    assert len(caught.value.problems) == 4


def test_the_demo_adapter_is_called_by_a_label_and_runs_by_their_names(services, run):
    shutil.copytree(models.DEMO_ADAPTER, run.adapter)
    names = [name for _, name in layout_parts.adapter_choices(services)]
    shown = [shown for shown, _ in layout_parts.adapter_choices(services)]
    assert names == [DEMO, run.name]
    assert shown[0].key == "adapter.demo" and shown[1] == run.name


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_the_help_card_has_a_number_to_tap_for_every_helpline_and_says_that_nobody_has_called_it(language):
    card = layout_parts.help_html(language)
    called = re.findall(r'href="tel:([\d+]+)"', card)
    assert called == [line.number.replace("-", "") for line in safety.helplines()]
    lines = safety.helplines(language)
    assert all(told in card for line in lines for told in (line.name, line.hours, line.source))
    assert all(wording.digits(line.checked, language) in card for line in lines)
    assert wording.sentence("care.unverified", language) in card
    assert f'lang="{language}"' in card


def test_an_english_help_card_is_english_to_the_last_word():
    assert re.findall("[\u0980-\u09ff]+", layout_parts.help_html("en")) == []
    assert re.findall("[\u0980-\u09ff]+", layout_parts.crisis_text("en", again=True)) == []
    assert re.findall("[\u0980-\u09ff]+", layout_parts.withheld_text("en")) == []


def test_the_fold_with_the_helplines_comes_with_the_page_in_both_languages():
    folded = layout_parts.help_fold().value
    for language in wording.LANGUAGES:
        assert layout_parts.help_html(language) in folded[language]
        assert wording.label("help", language) in folded[language]


@pytest.mark.parametrize(("tier", "tapped", "led"), [("none", 0, 0), ("soft", 4, 1), ("strong", 4, 0)])
def test_help_stands_beside_heavy_words_and_the_fixed_message_needs_no_sentence_before_it(tier, tapped, led):
    shown = layout_parts.care_html(tier, "bn")
    assert shown.count('href="tel:') == tapped
    assert shown.count(wording.sentence("chat.care", "bn")) == led


def test_labels_exist_in_the_two_locales_that_the_page_can_turn_on():
    assert set(layout_parts.I18N.translations) == set(layout_parts.LOCALES.values())
    assert layout_parts.I18N.translations["en"]["tab.chat"] == wording.LABELS["tab.chat"][0]
    assert layout_parts.I18N.translations["en-GB"]["tab.chat"] == wording.LABELS["tab.chat"][1]

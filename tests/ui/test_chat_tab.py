"""What stands beside a conversation: help where it is needed, and what the model no longer sees."""

import pytest

from finetune.inference import safety
from ui import wording
from ui.chat_tab import care_html, note_html


def test_nothing_stands_beside_light_words_and_a_whole_conversation():
    assert care_html("none", "bn") == ""
    assert note_html(0, "bn") == ""


@pytest.mark.parametrize("tier", ["soft", "strong"])
@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_heavy_words_bring_every_number_to_tap(tier, language):
    shown = care_html(tier, language)
    assert all(f'href="tel:{line.number.replace("-", "")}"' in shown for line in safety.helplines())
    assert (wording.sentence("chat.care", language) in shown) is (tier == "soft")


def test_it_is_said_how_much_the_model_no_longer_sees():
    assert "৩টা কথা" in note_html(3, "bn")
    assert "the first 3 messages" in note_html(3, "en")

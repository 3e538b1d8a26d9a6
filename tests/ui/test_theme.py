"""Fonts that systems have, a stylesheet that exists, and a head that makes the page Bengali first."""

import re

import pytest

from ui import theme


def test_a_bengali_font_stands_first_and_every_stack_ends_in_what_every_system_has():
    assert theme.FONTS[0] == "Noto Sans Bengali"
    assert theme.FONTS[-1] == "sans-serif"
    assert theme.theme().font.replace("'", "").startswith("Noto Sans Bengali, ")


def test_the_stylesheets_are_there_and_ask_for_nothing_from_elsewhere():
    style = "".join(sheet.read_text(encoding="utf-8") for sheet in theme.STYLES)
    assert "#chat" in style
    assert not re.search(r"@import|url\(", style)


def test_the_page_is_bengali_unless_a_language_was_chosen():
    assert 'localStorage.getItem("shohomormi_language") || "bn"' in theme.HEAD
    assert "shohomormi_language" in theme.SWITCH_LANGUAGE


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", ["", "_dark"])
@pytest.mark.parametrize("text", ["block_label_text_color", "block_title_text_color", "block_info_text_color"])
def test_small_text_stands_out_from_its_ground_in_both_lights(text, dark):
    made = theme.theme()
    for ground in ("block_background_fill", "body_background_fill"):
        assert contrast(getattr(made, text + dark), getattr(made, ground + dark)) >= 4.5


def test_the_words_on_the_main_button_stand_out_in_both_lights():
    made = theme.theme()
    for ground in (made.button_primary_background_fill, made.button_primary_background_fill_dark):
        assert contrast(made.button_primary_text_color, ground) >= 4.5

"""finetune/review/drawing.py: pictures that are well-formed, say their figures, and read on both backgrounds."""

import re
from xml.etree import ElementTree

import pytest

from finetune import bengali
from finetune.review import drawing
from finetune.review.svg import LETTER
from tests.review.verdicts import NONE, full, mean, one_slice
from ui.wording_review import report_words

SVG = "{http://www.w3.org/2000/svg}"
BACKGROUNDS = ("#ffffff", "#faf8f4", "#1e1b19", "#161412")
"""Of the page, light and dark (`ui/theme.py`)."""

LONG = "run:llama-3.1-8b-bangla-empathic-lora-third-attempt/checkpoint-950"


def parsed(svg):
    """The picture as a tree; raises where it is not well-formed."""
    return ElementTree.fromstring(svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def texts(svg):
    return [element.text for element in parsed(svg).iter(f"{SVG}text")]


def described(svg):
    return parsed(svg).find(f"{SVG}desc").text


def pictures(verdict, language, words=None):
    words = words or report_words(language)
    return {
        "win": drawing.win_bar(verdict, words, language),
        "choices": drawing.choices_bar(verdict, words, language),
        "forest": drawing.forest("topic", verdict["slices"]["topic"], words, language, verdict["win_rate"]),
        "ratings": drawing.ratings(verdict, words, language),
    }


@pytest.mark.parametrize("language", ["bn", "en"])
@pytest.mark.parametrize("verdict", [full(), NONE], ids=["full", "no votes"])
def test_every_picture_scales_has_a_role_a_title_and_a_description_of_its_own(verdict, language):
    names = set()
    for svg in pictures(verdict, language).values():
        root = parsed(svg)
        assert root.get("viewBox").startswith("0 0 360 ") and root.get("width") == "100%" and root.get("role") == "img"
        title, description = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
        assert title.text and root.get("aria-labelledby") == title.get("id")
        assert root.get("aria-describedby") == description.get("id")
        names.add(title.get("id"))
        assert "nan" not in svg.lower() and "None" not in svg
    assert len(names) == 4


def test_the_bar_is_as_long_as_the_win_rate_and_its_whisker_reaches_from_low_to_high():
    svg = drawing.win_bar(full(), report_words("en"), "en")
    bar = next(rect for rect in parsed(svg).iter(f"{SVG}rect") if rect.get("fill") == drawing.COLOURS["tuned"])
    assert float(bar.get("width")) == pytest.approx(0.715 * 360, abs=0.1)
    whisker = next(parsed(svg).iter(f"{SVG}path")).get("d")
    low, high = float(re.match(r"M([\d.]+)", whisker)[1]), float(re.search(r"H([\d.]+)", whisker)[1])
    assert (low, high) == pytest.approx((0.64 * 360, 0.78 * 360), abs=0.1)
    assert "71.5\u00a0%" in texts(svg) and "64\u00a0% to 78\u00a0%" in texts(svg)


def test_the_win_bar_of_undecided_votes_says_so_and_draws_no_rate():
    svg = drawing.win_bar(NONE, report_words("en"), "en")
    assert "nothing to count yet" in texts(svg)
    assert drawing.COLOURS["tuned"] not in svg


def test_the_four_parts_stand_in_order_and_are_as_long_as_their_votes():
    svg = drawing.choices_bar(full(), report_words("en"), "en")
    bars = [rect for rect in parsed(svg).iter(f"{SVG}rect") if rect.get("height") == "28"]
    assert [bar.get("fill") for bar in bars] == list(drawing.COLOURS.values())
    lengths = [float(bar.get("width")) + 2 for bar in bars]
    assert lengths == pytest.approx([360 * n / 300 for n in (143, 70, 30, 57)], abs=0.1)
    assert "both are good: 70 · 23\u00a0%" in described(svg)


def test_a_choice_that_nobody_made_has_a_line_in_the_legend_and_no_bar():
    svg = drawing.choices_bar(full(both_bad=0), report_words("en"), "en")
    assert len([rect for rect in parsed(svg).iter(f"{SVG}rect") if rect.get("height") == "28"]) == 3
    assert "0 · 0\u00a0%" in texts(svg)


def test_firm_slices_come_first_from_the_highest_rate_and_thin_ones_are_hollow_and_say_so():
    slices = [
        one_slice("thin", 4, 4, 0.3, 2, thin=True),
        one_slice("low", 10, 40, 0.1, 8),
        one_slice("high", 30, 40, 0.1, 8),
        one_slice("unknown", 0, 0, 0.1, 1, thin=True),
    ]
    svg = drawing.forest("topic", slices, report_words("en"), "en")
    assert [text for text in texts(svg) if text in {"thin", "low", "high", "unknown"}] == [
        "high",
        "low",
        "thin",
        "unknown",
    ]
    dots = list(parsed(svg).iter(f"{SVG}circle"))
    assert [dot.get("fill") for dot in dots] == [drawing.COLOURS["tuned"]] * 2 + ["none"]
    assert "100\u00a0% · 4" in texts(svg) and "– · 0" in texts(svg)
    assert "thin: 100\u00a0% · 4 (70\u00a0% to 100\u00a0%), few votes" in described(svg)


def test_slices_are_called_by_words_topics_by_their_own_and_what_was_not_said_as_such():
    slices = [one_slice(value, 10, 40, 0.1, 8) for value in ("tui", "", "শোক <b>")]
    shown = texts(drawing.forest("register", slices, report_words("bn"), "bn"))
    assert {"তুই", "বলা নেই", "শোক <b>"} <= set(shown)


@pytest.mark.parametrize("value", [True, "True"])
def test_care_is_yes_or_no_whether_it_comes_as_a_truth_or_as_its_name(value):
    assert "yes" in texts(drawing.forest("care", [one_slice(value, 10, 40, 0.1, 8)], report_words("en"), "en"))


def test_a_dumbbell_has_the_tuned_side_round_and_the_base_square_with_means_outside():
    one = {"base": mean(2.9, 0.2), "tuned": mean(4.1, 0.2), "difference": mean(1.2, 0.26)}
    svg = drawing.ratings(full(ratings={"empathy": one}), report_words("en"), "en")
    assert {"2.9", "4.1", "+1.2 (+0.9 to +1.5)"} <= set(texts(svg))
    circles, squares = ([shape for shape in parsed(svg).iter(f"{SVG}{kind}")] for kind in ("circle", "rect"))
    assert {shape.get("fill") for shape in circles} == {drawing.COLOURS["tuned"]}
    assert {shape.get("fill") for shape in squares} == {drawing.COLOURS["base"]}
    assert float(circles[-1].get("cx")) > float(squares[-1].get("x"))


def test_a_criterion_that_only_one_side_was_rated_on_is_left_out():
    lacking = {side: mean(4.0, 0.2) for side in ("base", "difference")} | {"tuned": {**mean(0, 0), "mean": None}}
    svg = drawing.ratings(full(ratings={"empathy": lacking}), report_words("en"), "en")
    assert texts(svg) == ["nothing to count yet"]


REACH = {"start": 0, "middle": 0.5, "end": 1}
"""How much of a text lies left of its x, by anchor."""


def width(text):
    """Of a text element, in units, as the module reckons it."""
    kinds = ("bengali" if bengali.script_share(letter) else "other" for letter in bengali.graphemes(text.text))
    return sum(int(text.get("font-size")) * LETTER[kind] for kind in kinds)


@pytest.mark.parametrize("language", ["bn", "en"])
@pytest.mark.parametrize("name", [LONG, "আমাদের তৃতীয়বার শেখানো মডেলটার নয়শো পঞ্চাশ ধাপের চেকপয়েন্ট"])
def test_long_names_are_cut_before_they_run_into_the_figures_of_their_row(language, name):
    verdict = full(slices={"topic": [one_slice(name, 1000, 1200, 0.02, 80), one_slice(name, 3, 4, 0.3, 2, thin=True)]})
    words = report_words(language) | {"side.tuned": name, "side.base": name, "rating.empathy": name}
    cut = 0
    for kind, svg in pictures(verdict, language, words).items():
        found = list(parsed(svg).iter(f"{SVG}text"))
        cut += sum(text.text.endswith("…") for text in found)
        for text in found:
            if text.get("text-anchor") != "start":
                continue
            row = [other for other in found if other.get("y") == text.get("y")]
            after = [other for other in row if float(other.get("x")) > float(text.get("x"))]
            limits = [float(o.get("x")) - REACH[o.get("text-anchor")] * width(o) for o in after]
            assert float(text.get("x")) + width(text) <= min(limits, default=360), (kind, text.text)
    assert cut == 2 + 2 + 1 + 2  # choices with a name in them, slices, the criterion, the legend of the ratings


def luminance(colour):
    """Relative luminance by WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("choice", drawing.COLOURS)
def test_fills_stand_out_from_a_light_and_from_a_dark_page(choice, background):
    darker, lighter = sorted(luminance(colour) for colour in (drawing.COLOURS[choice], background))
    assert (lighter + 0.05) / (darker + 0.05) >= 3


def test_text_takes_the_colour_of_the_page_and_is_escaped():
    slices = [one_slice("</text><script>alert(1)</script>", 10, 40, 0.1, 8)]
    svg = drawing.forest("topic", slices, report_words("en"), "en")
    assert "<script" not in svg
    assert {text.get("fill") for text in parsed(svg).iter(f"{SVG}text")} == {"currentColor"}

"""finetune/review/evaluation_drawing.py: where marks stand, and that a picture says what it shows."""

import re
import xml.etree.ElementTree as tree

import pytest

from finetune.review import evaluation_drawing
from finetune.review.evaluation_words import evaluation_words

NONE = {"mean": None, "low": None, "high": None, "n": 0}


def figure(mean, low=None, high=None):
    return {"mean": mean, "low": low, "high": high, "n": 9}


def topic(name, mean, low=None, high=None):
    return {"topic": name, "prompts": 9, "bits_per_character": figure(mean, low, high), "chrf": figure(-mean)}


def drawn(found, name="bits_per_character", language="en"):
    return evaluation_drawing.topics(found, name, evaluation_words(language), language)


def marks(picture):
    root = tree.fromstring(picture)
    return [(float(one.get("cx")), one.get("fill")) for one in root.iter("circle")]


def test_the_largest_gain_stands_first_and_what_may_be_nothing_is_hollow():
    picture = drawn([topic("কম", -0.1, -0.3, 0.1), topic("বেশি", -0.6, -0.8, -0.4), topic("", -0.9, -1.0, -0.8)])
    said = re.findall(r">([^<>]+)</text>", picture)
    assert said.index("বেশি") < said.index("কম") < said.index("all others")
    (first, filled), (_, hollow), _ = marks(picture)
    assert filled != "none" and hollow == "none"
    left, right = evaluation_drawing.PLOT
    assert first == pytest.approx((left + right) / 2 - 0.6 / 1.0 * (right - left) / 2, rel=1e-3)


def test_every_mark_and_interval_lies_on_the_axis():
    picture = drawn([topic("এক", -3.2, -7.9, 1.5), topic("দুই", 0.4)])
    left, right = evaluation_drawing.PLOT
    assert all(left <= x <= right for x, _ in marks(picture))
    ends = [float(x) for path in re.findall(r'd="M([\d.]+) .*?H([\d.]+)', picture) for x in path]
    assert ends and all(left <= x <= right for x in ends)


def test_a_topic_without_a_figure_is_named_and_has_no_mark():
    empty = {"topic": "শোক", "prompts": 9, "bits_per_character": NONE, "chrf": NONE}
    picture = drawn([empty], "chrf")
    assert marks(picture) == [] and "শোক" in picture


def test_all_differences_at_nothing_still_make_a_picture():
    assert len(marks(drawn([topic("শোক", 0.0, 0.0, 0.0)]))) == 1


def test_steps_go_from_left_to_right_and_fewer_bits_stand_lower():
    points = [{"step": s, "bits_per_character": b, "low": b - 0.05, "high": b + 0.05} for s, b in ((0, 2), (50, 1.4))]
    picture = evaluation_drawing.steps(points, evaluation_words("bn"), "bn")
    circles = [(float(one.get("cx")), float(one.get("cy"))) for one in tree.fromstring(picture).iter("circle")]
    assert circles[0][0] < circles[1][0] and circles[0][1] < circles[1][1]
    assert "ধাপ ৫০: ১.৪০০" in picture


def test_a_single_step_makes_a_picture_too():
    points = [{"step": 0, "bits_per_character": 2.0, "low": None, "high": None}]
    assert tree.fromstring(evaluation_drawing.steps(points, evaluation_words("en"), "en")) is not None


def test_in_bengali_a_picture_has_bengali_digits_only():
    said = re.findall(r">([^<>]+)</(?:text|desc|title)>", drawn([topic("শোক", -0.5, -0.6, -0.4)], language="bn"))
    assert not re.search("[0-9]", " ".join(said))


def test_two_sides_bars_differ_in_more_than_colour_and_the_words_tell_how_the_figures_lie():
    values = {"base": [1.0, 2.0, 3.0, 4.0, None], "tuned": [5.0, 6.0, 7.0, 8.0, 9.0]}
    root = tree.fromstring(evaluation_drawing.spread(values, "rougeL", evaluation_words("en"), "en"))
    bars = [one for one in root.iter("rect")]
    assert sum(one.get("fill") == "none" for one in bars) == 1 + 4  # the legend's, and a bar for each value
    assert len(bars) == 2 + 4 + 5
    told = root.find("desc").text
    assert "Base: median 2.50, half of them 1.75 to 3.25" in told
    assert "Fine-tuned: median 7.00, half of them 6.00 to 8.00" in told


@pytest.mark.parametrize("values", [[], [0.5], [None, None]])
def test_a_side_with_too_few_figures_for_halves_still_makes_a_picture(values):
    picture = evaluation_drawing.spread({"base": values, "tuned": [0.5, 0.6]}, "chrf", evaluation_words("bn"), "bn")
    assert tree.fromstring(picture) is not None

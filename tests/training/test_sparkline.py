"""A loss in a table's cell: drawn in the text's colour, told to those who do not see it."""

from xml.etree import ElementTree

import pytest

from finetune.training import sparkline


def points(svg: str) -> list[tuple[float, float]]:
    line = ElementTree.fromstring(svg).find("{http://www.w3.org/2000/svg}polyline")
    return [tuple(map(float, point.split(","))) for point in line.get("points").split()]


def test_a_short_series_keeps_its_values_and_a_long_one_becomes_means_of_equal_stretches():
    assert sparkline.means([3.0, 1.0]) == (3.0, 1.0)
    assert sparkline.means([1.0, 3.0, 5.0, 7.0, 9.0, 11.0], 3) == (2.0, 6.0, 10.0)
    assert len(sparkline.means([float(n) for n in range(1001)])) == sparkline.MOST_POINTS
    assert sparkline.means([]) == ()


def test_the_line_falls_where_the_loss_falls_and_stays_inside():
    drawn = points(sparkline.svg([3.0, 2.0, 1.0]))
    assert [x for x, _ in drawn] == [2.0, 48.0, 94.0]
    assert [y for _, y in drawn] == [2.0, 10.0, 18.0]  # SVG counts downwards


@pytest.mark.parametrize("values", [[2.0], [2.0, 2.0, 2.0]])
def test_a_loss_that_does_not_move_is_a_level_line(values):
    assert {y for _, y in points(sparkline.svg(values))} == {10.0}


def test_it_takes_the_colour_of_the_text_and_says_in_words_what_it_shows():
    svg = sparkline.svg([2.98, 0.91])
    assert 'stroke="currentColor"' in svg and 'role="img"' in svg
    assert "<title>loss from 2.98 to 0.91</title>" in svg


def test_a_title_of_one_s_own_cannot_break_out_of_the_drawing():
    title = ElementTree.fromstring(sparkline.svg([1.0, 2.0], '<b>ক্ষতি & "১"</b>'))[0]
    assert title.text == '<b>ক্ষতি & "১"</b>'


def test_in_block_characters_the_highest_is_full_and_the_lowest_is_low():
    assert sparkline.text([8.0, 4.0, 1.0]) == "█▄▁"
    assert sparkline.text([1.0, 1.0]) == "▅▅"


def test_nothing_measured_draws_nothing():
    assert sparkline.svg([]) == sparkline.text([]) == ""

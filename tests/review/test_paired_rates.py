"""finetune/review/paired_rates.py: published intervals, few or no discordant pairs, and questions alike."""

import pytest

from finetune.review import paired_rates
from finetune.review.statistics import Interval


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        (((14, 5), (0, 22)), 0.011, 0.226),  # Altman et al. 2000, Statistics with Confidence, table 6.2
        (((1, 1), (7, 12)), -0.507, -0.026),  # Fagerland, Lydersen and Laake 2014, of Bentur et al. 2009
    ],
)
def test_published_intervals_come_out(table, low, high):
    assert paired_rates.newcombe(table) == pytest.approx((low, high), abs=0.0006)


def test_the_difference_is_tuned_less_base():
    base, tuned = [1] * 14 + [0] * 5 + [0] * 22, [1] * 14 + [1] * 5 + [0] * 22
    found = paired_rates.difference(base, tuned)
    assert (found.value, found.n, found.clusters) == (5 / 41, 41, 41)
    assert (found.low, found.high) == pytest.approx((0.0115, 0.2265), abs=1e-4)
    swapped = paired_rates.difference(tuned, base)
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low))


@pytest.mark.parametrize("discordant", [0, 1, 2])
def test_few_questions_or_none_on_which_sides_differ_have_an_interval_around_the_difference(discordant):
    found = paired_rates.difference([0] * 500, [1] * discordant + [0] * (500 - discordant))
    assert found.low < found.value < found.high or found.value == 0 and found.low < 0 < found.high
    assert found.high - found.low < 0.03


def test_more_questions_make_it_narrower():
    few, many = (paired_rates.difference([0] * count, [0] * count) for count in (20, 200))
    assert few.high > 4 * many.high > 0


def test_questions_that_are_nearly_the_same_do_not_count_as_so_many():
    base, tuned = [0] * 400, [0] * 300 + [1] * 100
    alone = paired_rates.difference(base, tuned)
    alike = paired_rates.difference(base, tuned, [number // 10 for number in range(400)])
    copies = paired_rates.difference([0] * 40, [0] * 30 + [1] * 10)
    assert alike.high - alike.low > 2 * (alone.high - alone.low)
    assert (alike.value, alike.n, alike.clusters) == (alone.value, 400, 40)
    assert (alike.low, alike.high) == pytest.approx((copies.low, copies.high), rel=0.02)


def test_groups_that_say_different_things_within_themselves_cost_little():
    base, tuned = [0] * 400, [int(number % 4 == 0) for number in range(400)]
    alone = paired_rates.difference(base, tuned)
    mixed = paired_rates.difference(base, tuned, [number // 8 for number in range(400)])
    assert (mixed.low, mixed.high) == pytest.approx((alone.low, alone.high))


def test_where_too_few_groups_differ_to_tell_a_group_counts_as_one_question():
    found = paired_rates.difference([0] * 100, [0] * 100, [number // 5 for number in range(100)])
    assert found.high == pytest.approx(paired_rates.difference([0] * 20, [0] * 20).high)


def test_nothing_has_no_difference():
    assert paired_rates.difference([], []) == Interval(None, None, None, 0, 0)


def test_sides_of_different_length_are_refused():
    with pytest.raises(ValueError):
        paired_rates.difference([1.0], [1.0, 0.0])

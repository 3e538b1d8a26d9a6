"""Intervals for means and ratios: what they are around, what widens them, and when there is none."""

import random
import statistics as plain

import pytest

from finetune.review import bootstrap, statistics


def scores(count, seed=0, middle=30.0, spread=8.0):
    chance = random.Random(seed)
    return [chance.gauss(middle, spread) for _ in range(count)]


def test_with_many_questions_it_is_the_normal_interval():
    values = scores(400)
    found = bootstrap.mean(values)
    half = 1.96 * plain.stdev(values) / 20
    assert found.value == pytest.approx(plain.fmean(values))
    assert (found.value - found.low, found.high - found.value) == pytest.approx((half, half), rel=0.06)
    assert (found.n, found.clusters) == (400, 400)


def test_the_same_seed_gives_the_same_ends_whatever_the_order():
    values, groups = scores(60), [number % 20 for number in range(60)]
    found = bootstrap.mean(values, groups, seed=5)
    mixed = random.Random(1).sample(list(zip(values, groups, strict=True)), 60)
    again = bootstrap.mean([value for value, _ in mixed], [group for _, group in mixed], seed=5)
    assert (again.low, again.high) == pytest.approx((found.low, found.high), rel=1e-12)
    assert bootstrap.mean(values, groups, seed=6).low != found.low


def test_near_identical_questions_count_as_one():
    values = scores(40)
    alone = bootstrap.mean(values)
    copied = bootstrap.mean(values * 5, list(range(40)) * 5)
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high))
    assert bootstrap.mean(values * 5).high - bootstrap.mean(values * 5).low < 0.6 * (alone.high - alone.low)


def test_shares_that_are_all_one_are_no_flags_and_have_no_interval():
    for share in (True, False):
        assert bootstrap.mean([1.0] * 400, share=share) == statistics.Interval(1.0, None, None, 400, 400)


def test_what_a_figure_is_decides_and_not_whether_its_values_happen_to_lie_below_one():
    values = [0.0] * 30 + [0.01] * 8 + [0.9, 0.8]
    found = bootstrap.mean(values)
    assert found.value - found.low == pytest.approx(found.high - found.value)  # symmetric, not on the log-odds
    assert found.low < 0 < bootstrap.mean(values, share=True).low


def test_the_interval_of_shares_stays_between_nought_and_one():
    found = bootstrap.mean([0.0] * 30 + [0.01] * 8 + [0.9, 0.8], share=True)
    assert 0 < found.low < found.value < found.high < 1


@pytest.mark.parametrize("values", [[0.0] * 198 + [0.2, 0.2], [1.0] * 499 + [0.9], [1.0] * 49 + [0.0]])
def test_where_few_differ_a_share_has_the_wide_interval_of_zeros_and_ones(values):
    found = bootstrap.mean(values, share=True)
    assert 0 <= found.low < found.value < found.high <= 1
    assert (found.low, found.high) == statistics.exact(found.value, len(values))
    spread = [[value, value] for value in (0.1, 0.9)]
    alike = bootstrap.mean([one for pair in zip(*spread, strict=True) for one in pair], [0, 0, 1, 1], share=True)
    assert (alike.value, alike.low) == (0.5, None)  # groups that are all alike


def test_where_few_differ_another_number_has_student_s_interval():
    values = [0.0] * 198 + [1.0, 1.0]
    found, error = bootstrap.mean(values), (0.01 * 0.99 / 199) ** 0.5
    assert found.high - found.value == pytest.approx(statistics.t_quantile(199) * error)
    assert found.value - found.low == pytest.approx(found.high - found.value)


def test_without_a_spread_or_a_second_group_there_is_a_mean_and_no_interval():
    for found in (bootstrap.mean([7.0] * 9), bootstrap.mean([7.0, 9.0], ["one", "one"]), bootstrap.mean([7.1])):
        assert found.value is not None and found.low is None and found.high is None
    for share in (True, False):
        assert bootstrap.mean([], share=share) == statistics.Interval(None, None, None, 0, 0)
        assert bootstrap.mean([0.3] * 9, share=share).low is None


def test_a_ratio_is_of_the_sums_and_not_the_mean_of_ratios():
    found = bootstrap.ratio([10.0, 90.0, 40.0] * 9, [10.0, 30.0, 20.0] * 9)
    assert found.value == pytest.approx(140 / 60)
    assert found.low < found.value < found.high


def test_a_ratio_that_is_the_same_in_every_question_has_no_interval():
    assert bootstrap.ratio([10.0, 30.0, 20.0], [5.0, 15.0, 10.0]) == statistics.Interval(2.0, None, None, 3, 3)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    """Skewed values in 15 unequal groups that resemble each other within: 300 draws; 95 % would be 285 ± 12."""
    chance, inside = random.Random(11), 0
    for draw in range(300):
        values, groups = [], []
        for group in range(15):
            level = chance.expovariate(1 / 10)
            for _ in range(chance.choice((1, 2, 6))):
                values.append(level + chance.expovariate(1 / 5))
                groups.append(group)
        found = bootstrap.mean(values, groups, seed=draw)
        inside += found.low <= 15 <= found.high
    assert 270 <= inside


def test_a_ratio_to_nothing_is_not_computable():
    assert bootstrap.ratio([1.0, 2.0], [0.0, 0.0]) == statistics.Interval(None, None, None, 2, 2)

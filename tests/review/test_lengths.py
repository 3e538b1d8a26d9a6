"""The win rate at equal length, where it is known by hand and where there is none."""

import math
import random

import pytest

from finetune.review.lengths import at_equal_length


def votes(*groups):
    """Votes as (log ratio, wins, of), one prompt for every five."""
    wins, ratios = [], []
    for ratio, won, of in groups:
        wins += [float(number < won) for number in range(of)]
        ratios += [ratio] * of
    return wins, ratios, [number // 5 for number in range(len(wins))]


def log_odds(share):
    return math.log(share / (1 - share))


def test_with_two_lengths_the_rate_is_that_of_the_votes_on_equally_long_replies():
    # two ratios and two weights: the regression goes through both shares, 12 of 20 at equal length, 16 of 20 at twice
    found = at_equal_length(*votes((0.0, 12, 20), (math.log(2), 16, 20)))
    assert found.value == pytest.approx(0.6)
    assert found.low < 0.6 < found.high
    assert (found.n, found.clusters) == (40, 8)


def test_the_rate_lies_half_way_on_the_log_odds_between_half_and_twice_as_long():
    found = at_equal_length(*votes((-math.log(2), 8, 20), (math.log(2), 16, 20)))
    assert log_odds(found.value) == pytest.approx((log_odds(0.4) + log_odds(0.8)) / 2)


def test_a_preference_that_is_all_length_is_gone_at_equal_length():
    chance = random.Random(0)
    ratios = [chance.gauss(0.4, 0.5) for _ in range(400)]  # the tuned reply is longer on the whole
    wins = [float(chance.random() < 1 / (1 + math.exp(-2.5 * ratio))) for ratio in ratios]
    assert sum(wins) / len(wins) > 0.63
    found = at_equal_length(wins, ratios, [number // 4 for number in range(400)])
    assert found.low < 0.5 < found.high
    assert found.value == pytest.approx(0.5, abs=0.08)


def test_votes_that_agree_within_a_prompt_count_for_less():
    wins, ratios, _ = votes((0.0, 15, 25), (0.3, 15, 25), (0.6, 20, 30))
    apart = at_equal_length(wins, ratios, [number % 16 for number in range(80)])
    alike = at_equal_length(wins, ratios, [number // 5 for number in range(80)])
    assert alike.value == apart.value
    assert alike.high - alike.low > 1.5 * (apart.high - apart.low)


def test_prompts_that_all_lie_on_the_curve_give_a_rate_without_an_interval():
    wins, ratios, _ = votes(*[(0.0, 3, 5)] * 4, *[(0.7, 4, 5)] * 4)
    found = at_equal_length(wins, ratios, [number // 5 for number in range(40)])
    assert found.value == pytest.approx(0.6)
    assert (found.low, found.high) == (None, None)


@pytest.mark.parametrize(
    ("wins", "ratios"),
    [
        ([1.0] * 40, [0.1 * (n % 7) for n in range(40)]),
        ([float(n % 2) for n in range(40)], [0.3] * 40),
        ([float(n % 2) for n in range(40)], [1.0 if n % 2 else -1.0 for n in range(40)]),
        ([float(n > 20) for n in range(40)], [float(n // 4) for n in range(40)]),
        ([float(n % 2) for n in range(40)], [float(n < 5) for n in range(40)]),
    ],
    ids=["one side wins", "lengths never differ", "length decides all", "or all but a tie", "differ on one prompt"],
)
def test_where_length_and_preference_cannot_be_told_apart_there_is_no_figure(wins, ratios):
    found = at_equal_length(wins, ratios, [number // 5 for number in range(40)])
    assert (found.value, found.low, found.high) == (None, None, None)


def test_too_few_prompts_and_no_votes_give_no_figure():
    wins, ratios, _ = votes((0.0, 12, 20), (0.7, 16, 20))
    assert at_equal_length(wins, ratios, [number % 5 for number in range(40)]).value is None
    assert at_equal_length([], [], []).value is None

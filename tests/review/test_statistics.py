"""Intervals that know prompts are few and votes on one prompt alike. `python -m trials coverage` measures them."""

import math
import random

import numpy as np
import pytest

from finetune.review import statistics
from finetune.review.statistics import Interval


def clustered(*wins, votes=5):
    """So many votes a prompt, of which so many are ones."""
    values = [float(number < won) for won in wins for number in range(votes)]
    return values, [prompt for prompt in range(len(wins)) for _ in range(votes)]


MIXED = clustered(5, 4, 3, 2, 5, 1, 4, 3)


def width(found):
    return found.high - found.low


def log_odds(share):
    return math.log(share / (1 - share))


def test_a_rate_is_the_share_of_all_values_and_its_interval_is_around_it():
    found = statistics.rate(*MIXED)
    assert found.value == 27 / 40
    assert 0 < found.low < found.value < found.high < 1
    assert (found.n, found.clusters) == (40, 8)


def test_the_interval_is_as_wide_on_either_side_on_the_log_odds():
    found = statistics.rate(*MIXED)
    middle = log_odds(found.value)
    assert log_odds(found.high) - middle == pytest.approx(middle - log_odds(found.low))


def test_base_and_tuned_exchanged_give_the_mirrored_interval():
    values, prompts = MIXED
    found, other = statistics.rate(values, prompts), statistics.rate([1 - value for value in values], prompts)
    assert (other.value, other.low, other.high) == pytest.approx((1 - found.value, 1 - found.high, 1 - found.low))


def test_votes_that_agree_within_a_prompt_count_for_less():
    alike = statistics.rate(*clustered(5, 0, 5, 0, 5, 0, 5, 5, 5, 0))
    spread = statistics.rate(*clustered(3, 2, 4, 3, 1, 3, 2, 5, 3, 4))
    assert alike.value == spread.value == 0.6
    assert width(alike) > 1.5 * width(spread)


def test_ten_times_the_votes_on_the_same_prompts_with_the_same_shares_tell_nothing_more():
    few, many = clustered(5, 0, 4, 1, 5, 2, 4, 3), clustered(50, 0, 40, 10, 50, 20, 40, 30, votes=50)
    assert statistics.rate(*many).low == pytest.approx(statistics.rate(*few).low)


@pytest.mark.parametrize(
    ("wins", "low"),
    # Clopper and Pearson, n of n successes: the lower end is 0.025 ** (1 / n)
    [((5,), 0.025), ((5, 5), 0.025**0.5), ((5,) * 20, 0.025 ** (1 / 20))],
)
def test_where_all_say_the_same_the_interval_is_exact_on_prompts_and_never_closed(wins, low):
    for won, other in ((wins, False), (tuple(5 - one for one in wins), True)):
        found = statistics.rate(*clustered(*won))
        ends = (1 - found.high, 1 - found.low) if other else (found.low, found.high)
        assert ends == pytest.approx((low, 1.0))


@pytest.mark.parametrize("wins", [(3,) * 10, (3, 3, 3, 3, 3, 4), (4, 2), (3,), (5,) * 29 + (4,)], ids=str)
def test_prompts_that_hardly_differ_are_not_taken_for_certainty(wins):
    """All samples alike, or more than one in twenty of them: the exact interval with one trial a prompt."""
    found = statistics.rate(*clustered(*wins))
    assert (found.low, found.high) == pytest.approx(statistics.exact(found.value, len(wins)))


def test_prompts_that_hold_most_votes_count_for_most_of_the_trials():
    # Kish: (9 + 1) ** 2 / (9 ** 2 + 1 ** 2) = 1.22 independent votes at least, not 2
    values, prompts = [1.0] * 10, ["big"] * 9 + ["small"]
    assert statistics.rate(values, prompts).low == pytest.approx(0.025 ** (82 / 100))


def test_one_vote_a_prompt_has_the_exact_interval_of_independent_votes():
    # Newcombe 1998, Statistics in Medicine 17:857, table I: 81 of 263 by Clopper and Pearson is 0.2527 to 0.3676
    found = statistics.rate([1.0] * 81 + [0.0] * 182, range(263))
    assert (round(found.low, 4), round(found.high, 4)) == (0.2527, 0.3676)


def test_shares_that_differ_by_less_than_a_vote_in_a_hundred_thousand_break_nothing():
    shares = [0.6, 0.6, 0.6, 0.6, 0.6, 0.60002]
    values = [share for share in shares for _ in range(3)]
    found = statistics.rate(values, [number // 3 for number in range(18)])
    assert 0 < found.low < 0.6 < found.high < 1


def test_nothing_is_no_rate():
    assert statistics.rate([], []) == Interval(None, None, None, 0, 0)


def test_the_order_of_votes_changes_nothing_and_the_seed_hardly_anything():
    values, prompts = clustered(5, 4, 3, 2, 5, 1, 4, 3, 2, 5)
    order = list(range(len(values)))
    random.Random(0).shuffle(order)
    one = statistics.rate(values, prompts)
    assert one == statistics.rate([values[i] for i in order], [prompts[i] for i in order])
    other = statistics.rate(values, prompts, seed=5)
    assert one.low != other.low
    assert one.low == pytest.approx(other.low, abs=0.02)


def test_resampling_in_parts_gives_whole_samples(monkeypatch):
    columns = np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    monkeypatch.setattr(statistics, "CHUNK", 100)
    found = statistics.resampled(columns, 0)
    assert found.shape == (statistics.REPETITIONS, 2)
    assert (found[:, 1] == 15).all()
    assert found[:, 0].mean() == pytest.approx(7, abs=0.2)


def test_the_interval_covers_where_plain_percentiles_fall_short():
    chance, covered, plain, repetitions = np.random.default_rng(3), 0, 0, 500
    prompts = [prompt for prompt in range(10) for _ in range(5)]
    for number in range(repetitions):
        sums = chance.binomial(5, chance.beta(3.0, 1.0, 10))  # 0.75, ICC 0.2
        found = statistics.rate(clustered(*sums)[0], prompts, seed=number)
        covered += found.low <= 0.75 <= found.high
        totals = statistics.resampled(np.column_stack([sums, np.full(10, 5)]), number)
        low, high = np.quantile(totals[:, 0] / totals[:, 1], [0.025, 0.975])
        plain += low <= 0.75 <= high
    assert 0.92 <= covered / repetitions <= 0.98
    assert plain / repetitions < 0.92


def test_a_mean_has_the_t_interval_of_its_clusters():
    # one value a cluster: the ordinary t interval, 3 plus or minus 2.7764 * sqrt(2.5 / 5), which is 1.963
    found = statistics.mean([1.0, 2.0, 3.0, 4.0, 5.0], range(5), (-9, 9))
    assert (found.low, found.value, found.high) == pytest.approx((1.037, 3.0, 4.963), abs=1e-3)


def test_marks_that_agree_within_a_prompt_are_as_few_as_their_prompts():
    marks, prompts = [2.0, 2.0, 4.0, 4.0, 3.0, 3.0], ["a", "a", "b", "b", "c", "c"]
    # three prompts of 2, 4 and 3: 3 plus or minus 4.3027 * sqrt(1 / 3)
    assert statistics.mean(marks, prompts, (-9, 9)).high == pytest.approx(3 + 4.3027 / math.sqrt(3), abs=1e-3)


def test_a_mean_s_interval_ends_where_the_scale_ends():
    found = statistics.mean([5.0, 5.0, 1.0], ["a", "b", "c"], (1, 5))
    assert (found.low, found.high) == (1, 5)


@pytest.mark.parametrize(
    ("marks", "prompts"),
    [([4.0, 2.0], ["p", "p"]), ([4.0] * 9, range(9)), ([3.0, 3.0, 4.0] * 3, [0, 0, 0, 1, 1, 1, 2, 2, 2])],
)
def test_one_prompt_or_marks_all_alike_give_a_mean_without_an_interval(marks, prompts):
    found = statistics.mean(marks, prompts, (1, 5))
    assert found.value == sum(marks) / len(marks)
    assert (found.low, found.high) == (None, None)


def interval(value, low, high, n=100, clusters=20):
    return Interval(value, low, high, n, clusters)


@pytest.mark.parametrize(
    ("found", "votes"),
    [
        (interval(0.7, 0.6, 0.8), 0),
        (interval(0.3, 0.2, 0.4), 0),
        (interval(0.6, 0.4, 0.8), 300),  # on the log-odds twice as wide as it is far from 0: four times the votes
        (interval(0.4, 0.2, 0.6), 300),
        (interval(0.5, 0.4, 0.6), None),
        (interval(0.5001, 0.4, 0.6), None),
        (interval(0.6, 0.4, 0.8, clusters=5), None),
        (interval(1.0, 0.48, 1.0, clusters=5), None),
        (interval(0.9, 0.0, 1.0), None),
        (interval(None, None, None, 0), None),
    ],
)
def test_how_many_more_votes_would_settle_it(found, votes):
    assert statistics.votes_needed(found) == votes


def test_with_as_many_votes_more_as_were_said_to_be_needed_it_is_about_settled():
    wins = (5, 4, 3, 2, 5, 1, 4, 3, 2, 4)
    found = statistics.rate(*clustered(*wins))
    times = 1 + statistics.votes_needed(found) / found.n
    assert times > 1.5
    assert statistics.rate(*clustered(*wins * math.ceil(times + 0.5))).low > 0.5
    assert statistics.rate(*clustered(*wins * math.floor(times - 0.5))).low < 0.5

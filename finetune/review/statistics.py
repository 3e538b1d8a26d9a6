"""Rates and means with 95 % intervals, where votes on one prompt resemble each other and prompts are few.

The unit that is drawn again is the prompt, with all its votes: reviewers agree about a prompt, so ten votes on one are
not ten independent votes. The reviewers are taken as they are: how others would vote, no interval here says.
Pure functions of numbers, in any order; what a vote is, `verdict.py` knows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LEVEL = 0.95

REPETITIONS = 1999
"""Resamples; with one more than these, 95 % is a whole count (Davison and Hinkley 1997, section 2.4)."""

FEWEST_CLUSTERS = 6
"""With fewer prompts even votes that are all alike leave one half inside the exact interval (0.025 ** (1 / 5) < 0.5),
so nothing is settled and nothing foretold."""

MOST_NEEDED = 100_000
"""Votes beyond which "so many more" is no advice: the rate cannot be told from one half."""

ROUNDING = 1e-9
"""Below this share of what it is reckoned from, a spread is what rounding left of none."""

CHUNK = 1 << 22
"""Drawn prompts that are held at once: 32 MB, whatever the number of prompts."""


@dataclass(frozen=True)
class Interval:
    """A rate or mean with its interval; n counts values, clusters the prompts they come from. None: not computable."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int


def rate(values: Sequence[float], clusters: Sequence[object], seed: int = 0) -> Interval:
    """The mean of values between 0 and 1, with an interval for clustered data.

    A symmetric bootstrap-t interval on the log-odds: clusters are drawn again, and each sample's rate is divided by
    its own cluster-robust standard error, which is what mends the percentile bootstrap where clusters are few (Cameron,
    Gelbach and Miller 2008, Review of Economics and Statistics 90:414; on the transformation Davison and Hinkley 1997,
    section 5.2; on symmetry Hall 1988, JRSS B 50:35). What it covers, and what plain percentiles do, stands in
    trials/results/coverage.md.

    Where resampling cannot know doubt, since votes are nearly all alike or prompts very few, or need not, since each
    cluster is one value, Clopper and Pearson's exact interval stands instead, with as many trials as there would be
    independent votes if all votes on one prompt said the same (`independent`). It is wide on purpose, never closed.
    """
    sums, counts = by_cluster(values, clusters)
    number = len(counts)
    if not number:
        return Interval(None, None, None, 0, 0)
    value = float(sums.sum() / counts.sum())
    ends = None if number == len(values) else bootstrap_t(sums, counts, seed)
    return Interval(value, *(ends or exact(value, independent(counts))), len(values), number)


def mean(values: Sequence[float], clusters: Sequence[object], scale: tuple[float, float]) -> Interval:
    """The mean of values on a bounded scale: Student's t times the cluster-robust standard error, cut off at its ends.

    As in Cameron and Miller 2015, Journal of Human Resources 50:317, with G / (G - 1) and G - 1 degrees of freedom. One
    cluster, or clusters whose means are all the same, do not tell how far others might lie: then there is no interval.
    """
    sums, counts = by_cluster(values, clusters)
    number = len(counts)
    if not number:
        return Interval(None, None, None, 0, 0)
    value = float(sums.sum() / counts.sum())
    error = standard_error(sums, counts, value) if number > 1 else 0.0
    if error < ROUNDING:
        return Interval(value, None, None, len(values), number)
    half = t_quantile(number - 1) * error
    return Interval(value, max(scale[0], value - half), min(scale[1], value + half), len(values), number)


def votes_needed(found: Interval) -> int | None:
    """How many more votes would take the interval off one half, at the present rate and likeness within prompts.

    On the log-odds the interval is the rate's plus or minus h, and h shrinks with the square root of the votes as long
    as prompts grow with them, whatever the design effect is: needed are n (h / |log-odds|)^2 in all. 0 where it is off
    already; None with fewer than FEWEST_CLUSTERS prompts, at a rate of one half, or beyond MOST_NEEDED.
    """
    if found.value is None or found.low is None or found.high is None:
        return None
    if found.low > 0.5 or found.high < 0.5:
        return 0
    if found.clusters < FEWEST_CLUSTERS or found.value in (0.0, 0.5, 1.0):
        return None
    middle, toward = _log_odds(found.value), found.low if found.value > 0.5 else found.high
    if toward in (0.0, 1.0):
        return None
    needed = found.n * ((middle - _log_odds(toward)) / middle) ** 2 - found.n
    return max(1, math.ceil(round(needed, 6))) if needed <= MOST_NEEDED else None


def exact(value: float, trials: float) -> tuple[float, float]:
    """Clopper and Pearson's interval (1934) for a share of so many independent trials; neither need be whole."""
    from scipy import stats

    tail, wins = (1 - LEVEL) / 2, value * trials
    low = 0.0 if wins <= 0 else float(stats.beta.ppf(tail, wins, trials - wins + 1))
    high = 1.0 if wins >= trials else float(stats.beta.ppf(1 - tail, wins + 1, trials - wins))
    return low, high


def t_quantile(freedom: int) -> float:
    """Two-sided 95 % quantile of Student's t."""
    from scipy import stats

    return float(stats.t.ppf((1 + LEVEL) / 2, freedom))


def share_of(log_odds: float) -> float:
    """The share with these log-odds; 0 or 1 where they are too far out for a float."""
    return (1 + math.tanh(log_odds / 2)) / 2


def by_cluster(values: Sequence[float], clusters: Sequence[object]) -> tuple[Any, Any]:
    """Sums and counts by cluster, in an order that does not depend on the values'."""
    import numpy as np

    gathered: dict[str, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        total = gathered.setdefault(str(cluster), [0.0, 0.0])
        total[0] += value
        total[1] += 1
    ordered = np.array([gathered[name] for name in sorted(gathered)]).reshape(-1, 2)
    return ordered[:, 0], ordered[:, 1]


def standard_error(sums: Any, counts: Any, value: float) -> float:
    """The cluster-robust standard error of a rate or mean, a ratio of two sums, linearised."""
    residuals, number = sums - value * counts, len(counts)
    return math.sqrt(number / (number - 1) * float(residuals @ residuals)) / float(counts.sum())


def bootstrap_t(sums: Any, counts: Any, seed: int) -> tuple[float, float] | None:
    """The ends of `rate`'s interval; None where a twentieth of the samples, or this one, show no variance."""
    import numpy as np

    number, value = len(counts), float(sums.sum() / counts.sum())
    if number < 2 or not 0.0 < value < 1.0:
        return None
    totals = resampled(np.column_stack([sums, counts, sums**2, sums * counts, counts**2]), seed)
    ones, of = totals[:, 0], totals[:, 1]
    rates = ones / of
    squares = totals[:, 2] - 2 * rates * totals[:, 3] + rates**2 * totals[:, 4]  # of the residuals
    # Without a spread, a sample's clusters all say the same; its rate may then be 0 or 1.
    varied = (squares > ROUNDING * totals[:, 4]) & (rates > 0) & (rates < 1)
    rates, of = rates[varied], of[varied]
    errors = np.sqrt(number / (number - 1) * squares[varied]) / of / (rates * (1 - rates))  # by the delta method
    distances = np.abs(np.log(rates / (1 - rates)) - _log_odds(value)) / errors
    wanted = round((REPETITIONS + 1) * LEVEL) - 1
    if len(distances) <= wanted:
        return None
    half = float(np.partition(distances, wanted)[wanted]) * standard_error(sums, counts, value) / (value * (1 - value))
    middle = _log_odds(value)
    return share_of(middle - half), share_of(middle + half)


def resampled(columns: Any, seed: int) -> Any:
    """Sums of the columns in each of REPETITIONS samples of the rows, drawn with replacement."""
    import numpy as np

    chance, number = np.random.default_rng(seed), len(columns)
    step, totals = max(1, CHUNK // number), []
    for start in range(0, REPETITIONS, step):
        size = min(step, REPETITIONS - start)
        drawn = chance.integers(number, size=(size, number)) + number * np.arange(size)[:, None]
        times = np.bincount(drawn.ravel(), minlength=size * number).reshape(size, number)
        totals.append(times @ columns)
    return np.concatenate(totals)


def independent(counts: Any) -> float:
    """How many independent votes clusters are worth at least: one each, fewer where some count for more (Kish 1965)."""
    return float(counts.sum() ** 2 / (counts @ counts))


def _log_odds(share: float) -> float:
    return math.log(share / (1 - share))

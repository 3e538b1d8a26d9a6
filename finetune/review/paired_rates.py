"""The 95 % interval for the difference of two rates on the same questions: how much more often a flag is up.

Newcombe's method 10 (Newcombe 1998, Statistics in Medicine 17:2635, "Improved confidence intervals for the difference
between binomial proportions based on paired data"; worked through in Altman et al. 2000, Statistics with Confidence,
chapter 6): each side's Wilson interval, squared and added, less what the two sides have in common. It stands where
questions on which the sides differ are few or none, where resampling knows no doubt.

Near-identical questions are no independent ones. Their number is then divided by the design effect, as Rao and Scott
do (1992, Biometrics 48:577): how much more the differences vary by group than by question. Where fewer than FEWEST
groups tell it, all questions of a group count as one, which is too wide rather than too narrow. What it does not know:
whether a side's own rate clusters more than the difference does, and how another seed or training run would answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from finetune.review import statistics
from finetune.review.statistics import Interval

FEWEST = 10
"""Groups with a difference in them, below which the data do not say how alike the questions of a group are."""


def difference(base: Sequence[float], tuned: Sequence[float], groups: Sequence[object] | None = None) -> Interval:
    """The rate of `tuned` less that of `base`, each 0 or 1 a question, with its interval."""
    groups = range(len(base)) if groups is None else groups
    pairs = list(zip(base, tuned, strict=True))
    counts = [[pairs.count((b, t)) for b in (1, 0)] for t in (1, 0)]
    differences = [b - a for a, b in pairs]
    number = len(set(map(str, groups)))
    if not pairs:
        return Interval(None, None, None, 0, 0)
    low, high = newcombe(counts, _trials(differences, groups))
    return Interval(sum(differences) / len(pairs), low, high, len(pairs), number)


def newcombe(table: Sequence[Sequence[float]], trials: float | None = None) -> tuple[float, float]:
    """The ends for p1 - p2 of `((both, first only), (second only, neither))`.

    trials: how many independent pairs the counts are worth, where that is not their sum.
    """
    (both, first), (second, neither) = table
    number = both + first + second + neither
    worth = number if trials is None else trials
    one, other = (both + first) / number, (both + second) / number
    alike = _likeness(*(count * worth / number for count in (both, first, second, neither)))
    low_1, high_1 = wilson(one, worth)
    low_2, high_2 = wilson(other, worth)
    below = _added(one - low_1, high_2 - other, alike)
    above = _added(high_1 - one, other - low_2, alike)
    return max(-1.0, one - other - below), min(1.0, one - other + above)


def wilson(share: float, trials: float) -> tuple[float, float]:
    """Wilson's score interval (1927) for a share of so many trials, which need not be whole."""
    from scipy import stats

    z = float(stats.norm.ppf((1 + statistics.LEVEL) / 2))
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2)) / (1 + z * z / trials)
    return max(0.0, middle - half), min(1.0, middle + half)


def _added(a: float, b: float, alike: float) -> float:
    return math.sqrt(max(0.0, a * a - 2 * alike * a * b + b * b))


def _likeness(both: float, first: float, second: float, neither: float) -> float:
    """Newcombe's phi: the correlation of the sides, half the pairs taken off its numerator where that is positive."""
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    if margins == 0:
        return 0.0
    over = both * neither - first * second
    if over > 0:
        over = max(0.0, over - (both + first + second + neither) / 2)
    return over / math.sqrt(margins)


def _trials(differences: Sequence[float], groups: Sequence[object]) -> float:
    """How many independent questions they are worth."""
    sums, counts = statistics.by_cluster(differences, groups)
    number = len(counts)
    if number == len(differences):
        return float(number)
    least = float(counts.sum() ** 2 / (counts @ counts))  # all questions of a group answered alike (Kish 1965)
    varied, _ = statistics.by_cluster([abs(one) for one in differences], groups)
    if sum(varied > 0) < FEWEST:
        return least
    value = float(sums.sum() / counts.sum())
    alone = sum((one - value) ** 2 for one in differences) / len(differences) ** 2
    effect = statistics.standard_error(sums, counts, value) ** 2 / alone if alone else 1.0
    return max(least, len(differences) / max(1.0, effect))

"""95 % intervals for the mean of a score, and for a ratio of two sums, by drawing questions again.

The unit that is drawn is a group of near-identical questions where groups are given, a question otherwise. The
intervals of shares and flags are those of `statistics.py`; here is the same studentised bootstrap without its log-odds,
for scores without an upper end, and for bits per character. Greedy replies are taken as they are: what
another seed or another training run would give, no interval here says.
"""

from __future__ import annotations

from collections.abc import Sequence

from finetune.review import statistics
from finetune.review.statistics import Interval


def mean(
    values: Sequence[float], groups: Sequence[object] | None = None, seed: int = 0, *, share: bool = False
) -> Interval:
    """The mean of values with its interval; `groups` names each value's group.

    share: a value may be anything from 0 to 1, and then the bootstrap-t interval is taken on the log-odds, so that it
    stays between 0 and 1; else it is that of `ratio`. Where too few values differ to draw it, the interval is Clopper
    and Pearson's, which is wide enough: of all values with such a mean, zeros and ones are spread the most. Values that
    are all alike tell nothing of how others might lie: no interval. What is 0 or 1 by its nature, and so has one even
    then, is for `statistics.rate`.
    """
    groups = range(len(values)) if groups is None else groups
    if not share or not values:
        return ratio(values, [1.0] * len(values), groups, seed)
    sums, counts = statistics.by_cluster(values, groups)
    value = float(sums.sum() / counts.sum())
    ends = statistics.bootstrap_t(sums, counts, seed)
    if ends is None and len(counts) > 1 and statistics.standard_error(sums, counts, value) > statistics.ROUNDING:
        ends = statistics.exact(value, statistics.independent(counts))
    return Interval(value, *(ends or (None, None)), len(values), len(counts))


def ratio(
    above: Sequence[float], below: Sequence[float], groups: Sequence[object] | None = None, seed: int = 0
) -> Interval:
    """The sum of `above` divided by that of `below` (not negative), both of shape (rows,), with its interval.

    A symmetric bootstrap-t interval: groups are drawn again, and each sample's distance from the ratio is divided by
    its own cluster-robust standard error, linearised (Davison and Hinkley 1997, section 5.2; Hall 1988, JRSS B 50:35).
    Where too few groups differ to draw it, Student's t takes its place. No interval where fewer than two groups, or no
    spread between them, leave nothing to tell it by.
    """
    import numpy as np

    groups = range(len(above)) if groups is None else groups
    sums, _ = statistics.by_cluster(above, groups)
    weights, counts = statistics.by_cluster(below, groups)
    number = len(weights)
    if not weights.sum():
        return Interval(None, None, None, len(above), number)
    value = float(sums.sum() / weights.sum())
    nothing = Interval(value, None, None, len(above), number)
    if number < 2:
        return nothing
    error = statistics.standard_error(sums, weights, value)
    if error <= statistics.ROUNDING * float(np.abs(sums).sum() / weights.sum()):
        return nothing
    columns = [sums, weights, sums**2, sums * weights, weights**2]
    totals = statistics.resampled(np.column_stack(columns), seed)
    ratios = totals[:, 0] / totals[:, 1]
    squares = totals[:, 2] - 2 * ratios * totals[:, 3] + ratios**2 * totals[:, 4]  # of the residuals
    varied = squares > statistics.ROUNDING * totals[:, 2]
    errors = np.sqrt(number / (number - 1) * squares[varied]) / totals[varied, 1]
    distances = np.abs(ratios[varied] - value) / errors
    wanted = round((statistics.REPETITIONS + 1) * statistics.LEVEL) - 1
    if len(distances) <= wanted:
        half = statistics.t_quantile(number - 1) * error
    else:
        half = float(np.partition(distances, wanted)[wanted]) * error
    return Interval(value, value - half, value + half, len(above), number)

"""The win rate if both replies were equally long: reviewers tend to like the longer one, whatever it says.

It is read off votes and lengths alone, so what else longer replies have in common counts as length too; and where
replies of equal length never met, the figure lies outside of what was seen, which its interval shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from finetune.review.statistics import FEWEST_CLUSTERS, Interval, share_of, t_quantile


def at_equal_length(wins: Sequence[float], log_ratios: Sequence[float], clusters: Sequence[object]) -> Interval:
    """Logistic regression of wins (0 or 1) on the log of tuned length over base length, read where that is 0.

    The idea of AlpacaEval's length-controlled win rate (Dubois et al. 2024, arXiv 2404.04475), with one model pair and
    no terms for instructions. The interval is Student's t, with G - 1 degrees of freedom, times a standard error from
    the cluster jackknife, one Newton step for each prompt left out, which with few prompts covers better than the usual
    sandwich (CV3L: MacKinnon, Nielsen and Webb 2023, Journal of Applied Econometrics 38:671); measured coverage stands
    in trials/results/coverage.md.

    No value where the votes do not determine the regression: fewer than FEWEST_CLUSTERS prompts, a length beyond which
    one side always wins (Albert and Anderson 1984), or lengths that differ on a single prompt only. No interval where
    all prompts lie on the curve, for then nothing tells how far others might lie from it.
    """
    import numpy as np

    y, x = np.asarray(wins, float), np.asarray(log_ratios, float)
    names, groups = np.unique([str(cluster) for cluster in clusters], return_inverse=True)
    number = len(names)
    nothing = Interval(None, None, None, len(y), number)
    if number < FEWEST_CLUSTERS or _parted(x[y == 1], x[y == 0]):
        return nothing
    design = np.column_stack([np.ones_like(x), x / x.std()])
    weights = _fitted(design, y)
    shares = _shares(design, weights)
    scores, information = np.zeros((number, 2)), np.zeros((number, 2, 2))
    np.add.at(scores, groups, design * (y - shares)[:, None])
    np.add.at(information, groups, design[:, :, None] * design[:, None, :] * (shares * (1 - shares))[:, None, None])
    left_in = information.sum(axis=0) - information
    if np.linalg.cond(left_in).max() > 1e10:
        return nothing
    steps = np.linalg.solve(left_in, scores[:, :, None])[:, 0, 0]
    half = t_quantile(number - 1) * math.sqrt((number - 1) / number * float(steps @ steps))
    value, ends = float(weights[0]), (None, None)
    if half > 1e-6:  # what is left of rounding
        ends = share_of(value - half), share_of(value + half)
    return Interval(share_of(value), *ends, len(y), number)


def _parted(won: Any, lost: Any) -> bool:
    """Whether some length ratio divides what was won from what was lost, or nothing was, or all ratios are one."""
    return not (won.size and lost.size and won.max() > lost.min() and lost.max() > won.min())


def _fitted(design: Any, y: Any) -> Any:
    """The maximum likelihood weights, which exist and are the only ones where `_parted` is False."""
    import numpy as np
    from scipy import optimize

    def loss(weights: Any) -> tuple[float, Any]:
        odds = design @ weights
        return (np.logaddexp(0, odds) - y * odds).mean(), design.T @ (_shares(design, weights) - y) / len(y)

    def curvature(weights: Any) -> Any:
        shares = _shares(design, weights)
        return design.T @ (design * (shares * (1 - shares))[:, None]) / len(y)

    start, method = np.zeros(design.shape[1]), "trust-exact"
    return optimize.minimize(loss, start, method=method, jac=True, hess=curvature, options={"gtol": 1e-10}).x


def _shares(design: Any, weights: Any) -> Any:
    from scipy import special

    return special.expit(design @ weights)

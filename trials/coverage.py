"""How often a verdict's 95 % intervals hold the truth, on simulated reviewers of known preference.

Thirty prompts. Opinions on one prompt resemble each other: each prompt has a win rate of its own around the truth, from
which its votes are drawn. The percentile bootstrap, with as many resamples, stands beside the interval that is used.
Nothing is simulated of reviewers who differ in taste: over them the interval does not speak.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from finetune.review import lengths, statistics

CLAIM = (
    "The 95 % interval of the win rate covers the truth in 94 to 96 % of cases, for true rates of 0.5, 0.6 and 0.75 on"
    " 30 prompts whose votes correlate; so does that of the rate at equal length."
)
TRUTHS, CORRELATIONS = (0.5, 0.6, 0.75), (0.1, 0.2, 0.4)
PROMPTS, VOTES, MOST_VOTES, DECIDED = 30, 5, 9, 0.7
LOWEST, HIGHEST = 0.94, 0.96

Chance = np.random.Generator
Review = tuple[list[float], list[int], Any, Any]
"""Votes (1 for tuned), the prompt of each, and by prompt wins and decided votes."""


def trial(folder: Path, size: int, seed: int) -> dict[str, Any]:
    """Simulate `size` reviews of each kind; what came out, as `trials/__main__.py` wants it."""
    rows = []
    for number, truth in enumerate(TRUTHS):
        kinds: dict[str, Callable[[Chance], Any]] = {
            **{f"5 votes, beta, ICC {icc}": partial(_even, _beta, truth, icc) for icc in CORRELATIONS},
            "5 votes, latent normal, ICC 0.2": partial(_even, _latent, truth, 0.2),
            "1 to 9 votes, beta, ICC 0.2": partial(_uneven, truth, 0.2, 1.0),
            "1 to 9 votes, 30 % ties, beta, ICC 0.2": partial(_uneven, truth, 0.2, DECIDED),
        }
        for place, (kind, review) in enumerate(kinds.items()):
            rows.append(_rate(kind, truth, review, size, np.random.default_rng([seed, number, place])))
        rows.append(_at_equal_length(truth, size, np.random.default_rng([seed, number, len(kinds)])))
    return {
        "claim": CLAIM,
        "passed": all(LOWEST <= row["covered"] <= HIGHEST for row in rows),
        "repetitions": size,
        "prompts": PROMPTS,
        "resamples": statistics.REPETITIONS,
        "chance_error_of_a_coverage": round(math.sqrt(0.95 * 0.05 / size), 4),
        "rows": rows,
    }


def _rate(kind: str, truth: float, review: Callable[[Chance], Review], size: int, chance: Chance) -> dict[str, Any]:
    covered = plain = width = 0.0
    for number in range(size):
        values, prompts, wins, decided = review(chance)
        found = statistics.rate(values, prompts, seed=number)
        covered += found.low <= truth <= found.high
        width += found.high - found.low
        drawn = chance.multinomial(PROMPTS, np.full(PROMPTS, 1 / PROMPTS), statistics.REPETITIONS)
        low, high = np.quantile((drawn @ wins) / (drawn @ decided), [0.025, 0.975])
        plain += low <= truth <= high
    return _row("win rate", kind, truth, covered / size, round(plain / size, 4), width / size)


def _at_equal_length(truth: float, size: int, chance: Chance) -> dict[str, Any]:
    """Reviewers who like longer replies, and tuned replies that are longer on the whole (half as long again)."""
    prompts, covered, width, known = np.repeat(np.arange(PROMPTS), VOTES), 0.0, 0.0, 0
    for _ in range(size):
        ratios = chance.normal(math.log(1.5), 0.5, PROMPTS)
        wins = chance.binomial(1, np.repeat(1 / (1 + np.exp(-math.log(truth / (1 - truth)) - ratios)), VOTES))
        found = lengths.at_equal_length(wins, np.repeat(ratios, VOTES), prompts)
        if found.value is None:
            continue
        known += 1
        covered += found.low <= truth <= found.high
        width += found.high - found.low
    return _row("rate at equal length", "5 votes, longer liked", truth, covered / known, "", width / known)


def _row(figure: str, kind: str, truth: float, covered: float, plain: Any, width: float) -> dict[str, Any]:
    return {
        "figure": figure,
        "votes": kind,
        "truth": truth,
        "covered": round(covered, 4),
        "plain_percentiles": plain,
        "mean_width": round(width, 3),
    }


def _beta(truth: float, icc: float, chance: Chance) -> Any:
    """Win rates by prompt; two votes on one prompt correlate by `icc`."""
    spread = (1 - icc) / icc
    return chance.beta(truth * spread, (1 - truth) * spread, PROMPTS)


def _latent(truth: float, icc: float, chance: Chance) -> Any:
    """As `_beta`, from a normal inclination of which `icc` is the prompt's and the rest the reviewer's."""
    from scipy.special import ndtr, ndtri

    return ndtr((ndtri(truth) + chance.normal(0, math.sqrt(icc), PROMPTS)) / math.sqrt(1 - icc))


def _even(rates: Callable[[float, float, Chance], Any], truth: float, icc: float, chance: Chance) -> Review:
    return _votes(rates(truth, icc, chance), np.full(PROMPTS, VOTES), chance)


def _uneven(truth: float, icc: float, decided: float, chance: Chance) -> Review:
    """1 to 9 votes a prompt, of which a share is decided and the others are ties."""
    votes = chance.binomial(chance.integers(1, MOST_VOTES, PROMPTS, endpoint=True), decided)
    return _votes(_beta(truth, icc, chance), votes, chance)


def _votes(rates: Any, decided: Any, chance: Chance) -> Review:
    wins = chance.binomial(decided, rates)
    values = [float(vote < won) for won, of in zip(wins, decided, strict=True) for vote in range(of)]
    return values, np.repeat(np.arange(PROMPTS), decided).tolist(), wins, decided

"""Do reviewers agree with each other? Two coefficients from libraries, and the plain share of pairs that do.

Krippendorff's alpha and Gwet's AC1 stand side by side, for where nearly all votes say the same, chance agreement as
alpha reckons it is high and alpha falls though people agree; AC1 does not (Gwet 2008, British Journal of Mathematical
and Statistical Psychology 61:29). Neither has a border of good.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

Ratings = Mapping[Hashable, Mapping[Hashable, str]]
"""By item, then by rater, the category given; who did not rate an item is absent."""


def krippendorff_alpha(ratings: Ratings, categories: Sequence[str]) -> float | None:
    """Nominal alpha; None where no item has two ratings, or where one category is all that such items were given."""
    import krippendorff
    import numpy as np

    counts = _counts(ratings, categories)
    counts = counts[counts.sum(axis=1) > 1]
    if np.count_nonzero(counts.sum(axis=0)) < 2:
        return None
    return float(krippendorff.alpha(value_counts=counts, level_of_measurement="nominal"))


def gwet_ac1(ratings: Ratings, categories: Sequence[str]) -> float | None:
    """AC1 for several raters and missing ratings (Gwet 2014, Handbook of Inter-Rater Reliability, 4th edition).

    Observed agreement over items with two ratings or more; chance agreement from each category's mean share over all
    items that were rated. All of `categories` count, given or not. None where no item has two ratings.
    """
    from agreement import gwets_gamma

    counts = _counts(ratings, categories)
    return float(gwets_gamma(counts)) if (counts.sum(axis=1) > 1).any() and len(categories) > 1 else None


def observed(ratings: Ratings) -> dict[str, float | int | None]:
    """The plain share of pairs of reviewers on one item who say the same, how many such pairs, on how many items."""
    pairs = agreeing = items = 0
    for given in (list(by_rater.values()) for by_rater in ratings.values()):
        pairs += len(given) * (len(given) - 1) // 2
        agreeing += sum(given.count(category) * (given.count(category) - 1) // 2 for category in set(given))
        items += len(given) > 1
    return {"observed": agreeing / pairs if pairs else None, "pairs": pairs, "items": items}


def _counts(ratings: Ratings, categories: Sequence[str]) -> Any:
    """How often each category was given to each item that was rated at all; (items, categories)."""
    import numpy as np

    rows = [[list(given.values()).count(name) for name in categories] for given in ratings.values() if given]
    return np.array(rows, dtype=int).reshape(-1, len(categories))

"""A reviewer's session over a set: in which order, on which side, and which items come back with sides swapped.

Everything follows from the set, the reviewer and the prompt, so that a reload or a restart goes on where it was and
nothing has to be stored; no reviewer sees another's order. It knows neither texts nor votes' storage.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

ROLES = ("base", "tuned")
CHOICES = ("left", "right", "both_good", "both_bad")
"""What a reviewer can say of a pair, before anybody knows which side is which."""

REPEATS_SHARE = 0.1
"""Of the items come back once, to see whether a reviewer agrees with themselves."""

FEWEST_FOR_REPEATS = 8
"""Items; in a shorter session a repeat would be remembered."""

FEWEST_BETWEEN = 5
"""Items between an item and its repeat, where the session is long enough."""


@dataclass(frozen=True)
class Item:
    """One thing to judge: which role's reply stands on the left, and whether it was shown before."""

    prompt_id: str
    left: str
    repeat: bool
    position: int
    """From 0, in the order of the session."""


def items(
    set_id: str, prompt_ids: Collection[str], reviewer: str, repeats_share: float = REPEATS_SHARE
) -> tuple[Item, ...]:
    """The whole session in its order: every prompt once, then the repeats with their sides swapped.

    Sides are balanced: of the first showings half have the tuned reply on the left, one more or less where the number
    is odd. The order of `prompt_ids` does not matter.
    """
    chance = _chance(set_id, reviewer)
    order = sorted(set(prompt_ids))
    chance.shuffle(order)
    sides = [ROLES[number % 2] for number in range(len(order))]
    if len(order) % 2 and chance.random() < 0.5:
        sides[-1] = ROLES[1]  # the odd one out favours neither side over many reviewers
    chance.shuffle(sides)
    first = list(zip(order, sides, strict=True))
    count = math.ceil(repeats_share * len(order)) if repeats_share and len(order) >= FEWEST_FOR_REPEATS else 0
    early = first[: max(count, len(first) - FEWEST_BETWEEN)]
    again = sorted(chance.sample(range(len(early)), count))
    shown = [(prompt, left, False) for prompt, left in first]
    shown += [(first[place][0], ROLES[first[place][1] == ROLES[0]], True) for place in again]
    return tuple(Item(prompt, left, repeat, place) for place, (prompt, left, repeat) in enumerate(shown))


def next_item(session: Sequence[Item], done: Collection[tuple[str, bool]]) -> Item | None:
    """The first item that has no standing vote; `done` holds (prompt id, repeat). None when all are done."""
    return next((item for item in session if (item.prompt_id, item.repeat) not in done), None)


def role_of(choice: str, left: str) -> str:
    """What a choice by side means: tuned, base, both_good or both_bad."""
    if choice == "left":
        return left
    if choice == "right":
        return ROLES[left == ROLES[0]]
    if choice not in CHOICES:
        raise ValueError(f"{choice!r} is no choice; choices are {', '.join(CHOICES)}")
    return choice


def _chance(*names: str) -> random.Random:
    return random.Random(hashlib.sha256("\n".join(names).encode()).digest())

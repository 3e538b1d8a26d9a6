"""Which settings make a run smaller in memory, what they cost, and the fewest of them with which it fits.

Pure: whether a recipe fits is for who asks to tell. It knows no machine and no model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from finetune.recipe import Recipe, describe

SHORTEST, STEP = 256, 256
"""Tokens: max_length is advised in such steps and not below that."""

Settings = dict[str, Any]


def same_learning(recipe: Recipe) -> Iterator[Settings]:
    """What saves memory and teaches the same: smaller batches with as much more accumulation, then recomputing.

    A later change of the same settings replaces the earlier.
    """
    t = recipe.training
    batch, most_steps = t.per_device_train_batch_size, describe("training.gradient_accumulation_steps")["high"]
    while batch > 1:
        batch //= next(factor for factor in range(2, batch + 1) if batch % factor == 0)
        if recipe.effective_batch // batch > most_steps:
            break
        yield {
            "training.per_device_train_batch_size": batch,
            "training.gradient_accumulation_steps": recipe.effective_batch // batch,
            "training.per_device_eval_batch_size": min(t.per_device_eval_batch_size, 2 * batch),
        }
    if not t.gradient_checkpointing:
        yield {"training.gradient_checkpointing": True}


def every(recipe: Recipe, longest: int) -> Iterator[Settings]:
    """All that saves memory, in the order of what it costs a person: the 4-bit base, the above, shorter examples."""
    if not recipe.base.load_in_4bit:
        yield {"base.load_in_4bit": True}
    yield from same_learning(recipe)
    for length in range((min(recipe.training.max_length, longest) - 1) // STEP * STEP, SHORTEST - 1, -STEP):
        yield {"training.max_length": length}


def all_of(changes: Iterable[Settings]) -> Settings:
    """Changes as one, the later before the earlier."""
    return {name: value for change in changes for name, value in change.items()}


def fewest(recipe: Recipe, changes: Iterable[Settings], fits: Callable[[Recipe], bool]) -> Settings | None:
    """The settings with which the recipe fits, none where it does already; None where nothing helps.

    Changes are added one by one until it fits; then each that proves needless is taken back, the first one first.
    """

    def enough(made: list[Settings]) -> bool:
        return fits(recipe.with_settings(all_of(made)))

    made: list[Settings] = []
    for change in changes:
        if enough(made):
            break
        made = [*(one for one in made if one.keys() != change.keys()), change]
    if not enough(made):
        return None
    for change in list(made):
        others = [one for one in made if one is not change]
        made = others if enough(others) else made
    return all_of(made)

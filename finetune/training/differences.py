"""Two recipes compared, setting by setting. It does not know runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from finetune.recipe import SECTIONS, Recipe


@dataclass(frozen=True)
class Difference:
    """A setting, `section.field`, that two recipes have different values of."""

    name: str
    one: Any
    other: Any


def between(one: Recipe, other: Recipe) -> tuple[Difference, ...]:
    """Every setting that differs, in the order of the recipe."""
    first, second = _settings(one), _settings(other)
    return tuple(Difference(name, first[name], second[name]) for name in first if first[name] != second[name])


def _settings(recipe: Recipe) -> dict[str, Any]:
    raw = recipe.to_dict()
    return {"name": recipe.name} | {
        f"{section}.{key}": raw[section][key] for section in SECTIONS for key in raw[section]
    }

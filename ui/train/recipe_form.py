"""The recipe as controls: one for every field, made from what the recipe says of itself, and back again.

Knows kinds and ranges, no defaults and no sentences of its own. A problem is shown where the explanation of its
control stands, so that all of them can be seen at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, get_type_hints

import gradio as gr

from finetune.errors import RecipeError
from finetune.recipe import SECTIONS, Recipe, describe
from ui import wording
from ui.layout_parts import label

FIELDS = tuple(f"{section}.{key}" for section, kind in SECTIONS.items() for key in get_type_hints(kind))
"""Every setting of a recipe, in its order."""

BASIC = (
    "training.learning_rate",
    "training.max_steps",
    "training.per_device_train_batch_size",
    "training.gradient_accumulation_steps",
    "adapter.r",
    "adapter.lora_alpha",
)
"""Shown at once; the others are folded, a section each."""

LINES = ("training.sample_prompts", "data.system_prompt")
"""Texts that need room; of a list of texts, one a line."""

WRONG = "wrong"
"""The class of a control whose value cannot work."""


def control(name: str, recipe: Recipe) -> gr.components.Component:
    """The control of a setting with the recipe's value in it."""
    facts, kind = describe(name), _kind(name)
    told = {"label": label(name), "info": label(f"{name}.info"), "interactive": True, "elem_id": name.replace(".", "-")}
    shown = value_of(recipe, name)
    if kind is bool:
        return gr.Checkbox(shown, min_width=160, **told)
    if _is_list(kind) and facts["choices"]:
        return gr.CheckboxGroup(list(facts["choices"]), value=shown, **told)
    if facts["choices"]:
        return gr.Dropdown(list(facts["choices"]), value=shown, min_width=160, **told)
    if kind in (int, float):
        return gr.Number(shown, min_width=160, precision=None, **told)
    return gr.Textbox(shown, lines=3 if name in LINES else 1, min_width=160, **told)


def controls(names: Iterable[str], recipe: Recipe) -> dict[str, gr.components.Component]:
    """Controls in a row that wraps, by setting."""
    with gr.Row():
        return {name: control(name, recipe) for name in names}


def value_of(recipe: Recipe, name: str) -> Any:
    """What a setting's control shows for a recipe."""
    section, key = name.split(".")
    value = getattr(getattr(recipe, section), key)
    if isinstance(value, tuple):
        return list(value) if describe(name)["choices"] else "\n".join(value)
    return value


def settings(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """What the controls hold, as `Recipe.with_settings` takes it."""
    held = dict(zip(names, values, strict=True))
    for name, value in held.items():
        if _is_list(_kind(name)) and isinstance(value, str):
            held[name] = [line.strip() for line in value.splitlines() if line.strip()]
        elif _kind(name) is str and value is None:
            held[name] = ""
    return held


def problems_of(names: Sequence[str], error: RecipeError | None, language: str) -> list[Any]:
    """An update for each control: what cannot work in it, or its explanation again."""
    wrong = error.problems if error else {}
    return [
        gr.update(info=wording.problem(wrong[name], language), elem_classes=[WRONG])
        if name in wrong
        else gr.update(info=label(f"{name}.info"), elem_classes=[])
        for name in names
    ]


def sections_of(names: Sequence[str]) -> dict[str, list[str]]:
    """The settings by section, in order."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.split(".")[0], []).append(name)
    return found


def _kind(name: str) -> Any:
    section, key = name.split(".")
    return get_type_hints(SECTIONS[section])[key]


def _is_list(kind: Any) -> bool:
    return kind not in (bool, int, float, str)

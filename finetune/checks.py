"""What cannot work in a recipe's section: unknown settings, values of the wrong kind or out of range, and what
contradicts another setting. Every problem is found at once. It knows fields and their metadata, not their meaning.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

from finetune.errors import Problem


def section(name: str, kind: type, raw: Any, problems: dict[str, Problem]) -> Any:
    """The section of class `kind` built from what is sound in `raw`; what is not goes to `problems`."""
    if raw is None:
        return kind()
    if not isinstance(raw, dict):
        problems[name] = Problem(f"expected settings, found {raw!r}.", "recipe.no_settings", value=repr(raw))
        return kind()
    kinds = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}
    values = {}
    for key, value in raw.items():
        if key not in known:
            problems[f"{name}.{key}"] = Problem(f"no such setting. {settings_of(name, kind)}", "recipe.unknown")
            continue
        try:
            value = _as_kind(value, kinds[key])
        except (TypeError, ValueError, KeyError, OverflowError):
            text = f"{value!r} is not {_spoken(kinds[key])}."
            problems[f"{name}.{key}"] = Problem(text, "recipe.kind", value=value)
            continue
        problem = _range_problem(value, known[key].metadata)
        if problem is None:
            values[key] = value
        else:
            problems[f"{name}.{key}"] = problem
    return kind(**values)


def settings_of(name: str, kind: type) -> str:
    """One sentence that names a section's settings."""
    return f"Settings of {name}: {', '.join(field.name for field in fields(kind))}."


def contradictions(training: Any, problems: dict[str, Problem]) -> None:
    """Adds what contradicts within `training`, unless one of the settings concerned is itself unsound."""

    def sound(*names: str) -> bool:
        return not any(f"training.{name}" in problems for name in names)

    t = training
    if t.max_steps == 0 and sound("max_steps"):
        text = "0 would train nothing; use -1 to let num_train_epochs decide."
        problems["training.max_steps"] = Problem(text, "recipe.no_steps")
    if (
        sound("load_best_model_at_end", "save_steps", "eval_steps")
        and t.load_best_model_at_end
        and t.save_steps % t.eval_steps
    ):
        text = (
            f"{t.save_steps} must be a multiple of eval_steps ({t.eval_steps}), so that every checkpoint has an"
            " evaluation; or set load_best_model_at_end to false."
        )
        problems["training.save_steps"] = Problem(
            text, "recipe.save_steps", save_steps=t.save_steps, eval_steps=t.eval_steps
        )


def _as_kind(value: Any, kind: Any) -> Any:
    if kind is bool:
        if isinstance(value, bool):
            return value
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[str(value).lower()]
    if kind is int:
        number = float(value)
        if isinstance(value, bool) or number != int(number):
            raise ValueError(value)
        return int(number)
    if kind is float:
        if isinstance(value, bool):
            raise ValueError(value)
        return float(value)
    if kind is str:
        if value is None or isinstance(value, (dict, list)):
            raise ValueError(value)
        return str(value)
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    return tuple(str(part) for part in value)


def _spoken(kind: Any) -> str:
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}.get(kind, "a list of names")


def _range_problem(value: Any, metadata: Any) -> Problem | None:
    low, high, choices = metadata["low"], metadata["high"], metadata["choices"]
    known = ", ".join(map(str, choices))
    if isinstance(value, tuple):
        unknown = ", ".join(part for part in value if part not in choices)
        if unknown or not value:
            text = f"choose one or more of {known}; found {unknown or 'none'}."
            return Problem(text, "recipe.choices", value=unknown, choices=known)
    elif choices and value not in choices:
        return Problem(f"{value!r} is not known; choose one of {known}.", "recipe.choices", value=value, choices=known)
    elif low is not None and not (low <= value <= high):
        value, low, high = (str(number) if isinstance(number, int) else f"{number:g}" for number in (value, low, high))
        text = f"{value} cannot work; choose a value from {low} to {high}."
        return Problem(text, "recipe.range", value=value, low=low, high=high)
    return None

"""What cannot work in a recipe's section: unknown settings, values of the wrong kind or out of range, and what
contradicts another setting. Every problem is found at once. It knows fields and their metadata, not their meaning.
"""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

from finetune.errors import Problem

DPO_FILE, KTO_FILE = "dpo.jsonl", "kto.jsonl"
"""How `review/preferences.py` calls what it makes of votes; a file of another name is known when it is read."""


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
            value = _as_kind(value, kinds[key], known[key].metadata)
        except (TypeError, ValueError, KeyError, OverflowError, RecursionError):
            text = f"{value!r} is not {_spoken(kinds[key], known[key].metadata)}."
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
    if (
        sound("early_stopping_patience", "load_best_model_at_end")
        and t.early_stopping_patience
        and not t.load_best_model_at_end
    ):
        text = (
            "early stopping goes by the best evaluation, so it needs load_best_model_at_end set to true; or set"
            " early_stopping_patience to 0."
        )
        problems["training.early_stopping_patience"] = Problem(text, "recipe.early_stopping")


def mismatches(training: Any, data: Any, base: Any, problems: dict[str, Problem]) -> None:
    """Adds what in `training` and another section cannot go together, unless a setting concerned is itself unsound."""
    _source(training, data, problems)
    _engine(training, base, problems)


def _source(training: Any, data: Any, problems: dict[str, Problem]) -> None:
    """Adds that `data.source` cannot be what `training.objective` learns from, as far as its name tells."""
    if "training.objective" in problems or "data.source" in problems:
        return
    name = Path(data.source).name
    if training.objective == "dpo" and (name == KTO_FILE or Path(name).suffix.lower() != ".jsonl"):
        text = (
            f"dpo learns from a preference file such as {DPO_FILE}, which the Compare tab and `python -m finetune"
            " preferences` make of votes; choose one, or set training.objective to sft."
        )
        problems["data.source"] = Problem(text, "recipe.no_preferences", file=name)
    elif training.objective == "sft" and name in (DPO_FILE, KTO_FILE):
        text = f"{name} holds preferences, not questions and answers; set it to dpo ({DPO_FILE}), or choose other data."
        problems["training.objective"] = Problem(text, "recipe.preferences", file=name)


def _engine(training: Any, base: Any, problems: dict[str, Problem]) -> None:
    """Adds what Unsloth cannot train, whatever the machine; what the machine lacks is for `training/engine.py`."""
    if "training.engine" in problems or training.engine != "unsloth":
        return
    if "training.objective" not in problems and training.objective != "sft":
        text = f"unsloth trains sft here, not {training.objective}; set it to auto or transformers."
        problems["training.engine"] = Problem(text, "recipe.unsloth_objective", objective=training.objective)
    elif "base.dtype" not in problems and base.dtype == "float32":
        text = "unsloth computes in 16 bits, not in float32; set it to auto or transformers, or base.dtype to auto."
        problems["training.engine"] = Problem(text, "recipe.unsloth_float32")


def _as_kind(value: Any, kind: Any, metadata: Any) -> Any:
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
    return _as_list(value, free=not metadata["choices"])


def _as_list(value: Any, *, free: bool) -> tuple[str, ...]:
    """A list, or one text as forms and command lines give it: JSON, else names with commas or a free text a line."""
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            value = json.loads(value)
        else:
            value = value.splitlines() if free else value.split(",")
    if not isinstance(value, (list, tuple)) or not all(isinstance(part, str) for part in value):
        raise ValueError(value)  # `- হ্যাঁ: না` without quotation marks is a mapping in YAML, not a text
    return tuple(part.strip() for part in value if part.strip())


def _spoken(kind: Any, metadata: Any) -> str:
    spoken = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    if kind in spoken:
        return spoken[kind]
    return "a list of names" if metadata["choices"] else "a list of texts (one a line, or a JSON list)"


def _range_problem(value: Any, metadata: Any) -> Problem | None:
    low, high, choices = metadata["low"], metadata["high"], metadata["choices"]
    known = ", ".join(map(str, choices))
    if isinstance(value, tuple) and not choices:
        return _texts_problem(value, metadata["most"], metadata["longest"])
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


def _texts_problem(texts: tuple[str, ...], most: int, longest: int) -> Problem | None:
    if len(texts) > most:
        return Problem(
            f"{len(texts)} are too many; keep at most {most}.", "recipe.too_many", count=len(texts), most=most
        )
    length = max(map(len, texts), default=0)
    if length > longest:
        text = f"one has {length} characters; shorten it to at most {longest}."
        return Problem(text, "recipe.too_long", length=length, longest=longest)
    return None

"""What a notebook hands in, checked before anything is loaded: types, empty names, questions that are no text.

It knows no model and no recipe; `api.py` says what it takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from finetune.errors import DataError


def expect(name: str, value: Any, *kinds: type | None, hint: str = "") -> None:
    """DataError, with `hint` behind its sentence, where an argument is of none of these types, or an empty text.

    A truth value is no number here, though Python counts it among them.
    """
    types = tuple(type(None) if kind is None else kind for kind in kinds)
    empty = isinstance(value, str) and not value
    if isinstance(value, types) and not empty and (bool in types or not isinstance(value, bool)):
        return
    known = " or ".join("None" if kind is None else kind.__name__ for kind in kinds)
    found = "an empty text" if empty else type(value).__name__
    raise DataError(
        f"{name} has to be {known}; found {found}.{hint}", key="api.type", name=name, known=known, found=found
    )


def questions(given: Any) -> list[str]:
    """One question or several, as a list; DataError where they are no texts."""
    asked = [given] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    for one in asked:
        if not isinstance(one, str):
            raise DataError(
                f"A question has to be a text; found {type(one).__name__}. Give one, or a list of them.",
                key="api.question",
                found=type(one).__name__,
            )
    return asked

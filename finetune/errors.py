"""The one error tree. Every message says what happened and what to do next, in words for people.

FinetuneError                 anything the person who uses the tool can mend
  DataError                   a file or data set cannot be used
  RecipeError                 settings that cannot work; holds every problem at once
  ModelError                  a base or an adapter cannot be loaded
  RunError                    a training run cannot be started, stopped, resumed or read
  BackendError                a reply cannot be generated
  ReviewError                 a blind review cannot be made, or cannot go on
  AccessError                 something that only the maker may do

This module knows no language but English: `key` and `facts` let an interface say the same
thing in another one. It does not know where or how errors are shown.
"""

from __future__ import annotations

from collections.abc import Iterator


class Problem(str):
    """A sentence about one setting that cannot work, with its key and facts for translators."""

    key: str
    facts: dict[str, object]

    def __new__(cls, message: str, key: str, **facts: object) -> Problem:
        self = super().__new__(cls, message)
        self.key, self.facts = key, facts
        return self


class FinetuneError(Exception):
    """Anything the person who uses the tool can mend; the message is written for them.

    `key` names the sentence for translators, `facts` holds what varies in it.
    """

    def __init__(self, message: str, *, key: str = "", **facts: object) -> None:
        super().__init__(message)
        self.key = key
        self.facts = facts


class DataError(FinetuneError):
    """A file or data set cannot be used."""


class RecipeError(FinetuneError):
    """Settings that cannot work; `problems` maps each field, `section.key`, to its sentence."""

    def __init__(self, problems: dict[str, Problem]) -> None:
        self.problems = problems
        text = "\n".join(f"{name}: {problem}" for name, problem in problems.items())
        super().__init__(text, key="recipe", problems=text)


class ModelError(FinetuneError):
    """A base or an adapter cannot be loaded."""


class RunError(FinetuneError):
    """A training run cannot be started, stopped, resumed or read."""


class BackendError(FinetuneError):
    """A reply cannot be generated."""


class ReviewError(FinetuneError):
    """A blind review cannot be made, or cannot go on."""


class AccessError(FinetuneError):
    """Something that only the maker may do."""


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what led to it, each once: one that was kept and raised again may lead back to itself."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__

"""Evaluations that were begun and not finished: whose, how far they came, and whether they can be taken up.

One can where asking again would ask the same: the adapter, the base, the format and the settings are still those of its
order. Whether the questions are, too, shows only when the split is read again, which takes seconds; that is left to
whoever takes it up. It asks no model.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

from finetune import models
from finetune.errors import FinetuneError, ReviewError
from finetune.inference.backends import Backend, LocalBackend
from finetune.models import DEMO
from finetune.recipe import Recipe
from finetune.review import evaluating, orders
from finetune.review.contestants import Contestant
from finetune.review.evaluation import BITS, FOLDER, ORDER, REPLIES, SCORES, Evaluation
from finetune.review.evaluation_order import Order
from finetune.training import runs
from finetune.training.runs import Run

OF_QUESTIONS = ("prompts", "references", "largest_group", "texts", "searched")
"""Of an order what is known only when the split has been read."""


@dataclass(frozen=True)
class Unfinished:
    """An evaluation that stopped on the way; `read` and `answered` count the questions that are done by stage."""

    folder: Path
    name: str
    split: str
    questions: int
    new_tokens: int
    read: int
    answered: int
    written: float
    """When the last of it was, in seconds since the epoch."""


def listed(home: Path, backend: Backend) -> list[Unfinished]:
    """All in a home that can be taken up with this backend and that no process is at, the latest first."""
    if not isinstance(backend, LocalBackend):
        return []
    found = []
    for run in (None, *runs.all_runs(home)):
        for file in ((home if run is None else run.folder) / FOLDER).glob(f"*/{ORDER}"):
            if not (file.parent / SCORES).is_file():
                with contextlib.suppress(FinetuneError, OSError):  # damaged, of a run without an adapter, or just gone
                    found += _of(file.parent, run, backend)
    return sorted(found, key=lambda one: (-one.written, one.folder.name))


def _of(folder: Path, run: Run | None, backend: LocalBackend) -> list[Unfinished]:
    """The evaluation in a folder, where it can be taken up; ReviewError where it is damaged or being made."""
    order = Evaluation.open(folder).order
    tokens = order["settings"]["max_new_tokens"]
    now = _order_now(run, order["split"], tokens, backend).described()
    if any(order.get(key) != value for key, value in now.items() if key not in OF_QUESTIONS):
        return []
    with evaluating.alone(folder):
        files = [file for file in (folder / ORDER, folder / BITS, folder / REPLIES) if file.is_file()]
        return [
            Unfinished(
                folder, order["name"], order["split"], order["prompts"], tokens,
                _lines(folder / BITS), _lines(folder / REPLIES), max(file.stat().st_mtime for file in files),
            )
        ]  # fmt: skip


def _order_now(run: Run | None, split: str, new_tokens: int, backend: LocalBackend) -> Order:
    """What would be ordered now, but for the questions."""
    recipe = Recipe.read(DEMO) if run is None else run.recipe()
    if run is None:
        name, tuned = DEMO, Contestant(DEMO, models.DEMO_ADAPTER)
    else:
        models.read_adapter_config(run.adapter)
        name, tuned = run.name, Contestant(f"run:{run.name}", run.adapter)
    settings = replace(recipe.generation, temperature=0.0, max_new_tokens=new_tokens)
    return Order(name, tuned, split, (), settings, orders.resident(backend), None)


def _lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.is_file() else 0


def check_same(one: Unfinished, order: Order) -> None:
    """ReviewError where the questions are others than those that it was begun with."""
    if order.id != one.folder.name:
        raise ReviewError(
            f"The data of {one.name} changed since its evaluation was begun, so it cannot go on. Start a new one.",
            key="evaluation.moved_on",
            name=one.name,
        )

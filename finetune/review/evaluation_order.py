"""What is evaluated and how: the questions of a split with all their answers, the two sides, settings.

An order holds all that is asked for, so that its key names the folder the replies lie in; how they are batched there is
the folder's own (`evaluation_batches.py`), for memory differs from one day to the next. It asks no model.
"""

from __future__ import annotations

import hashlib
import json
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from finetune import bengali, models
from finetune.data import splits
from finetune.data.leakage import Row
from finetune.data.prompts import PromptFormat
from finetune.errors import ReviewError
from finetune.inference.backends import LocalBackend
from finetune.recipe import Generation, Recipe
from finetune.review import orders, same_base
from finetune.review.contestants import BASE, Contestant
from finetune.review.evaluation import FOLDER
from finetune.review.evaluation_batches import Batching
from finetune.review.evaluation_shape import EVALUATED
from finetune.training import history
from finetune.training.runs import Run

SEED = 42
"""Of the choice of questions where only some are asked, and of the resampling for intervals."""

MEASURE = 2
"""Raised whenever a figure is reckoned in another way, so that old results are not taken for new ones."""


@dataclass(frozen=True)
class Question:
    """One question, asked once. `references` are all its answers in the split, in file order.

    `id` is the one that it has in a set of Compare (`prompt_sets.py`); `group` names the questions nearly like it.
    """

    id: str
    text: str
    references: tuple[str, ...]
    topic: str = ""
    group: int = 0


@dataclass(frozen=True)
class Order:
    """An evaluation to be made. `name`: the run's, or `demo`."""

    name: str
    tuned: Contestant
    split: str
    questions: tuple[Question, ...]
    settings: Generation
    resident: str
    """The base in memory, by name, and in how many bits."""
    largest_group: int | None = None
    """Rows of the largest group that the split kept together; None where nobody counted."""
    train: Sequence[Row] = field(default=(), repr=False)
    """Training rows, in which the split's questions are looked for."""
    held_out: Sequence[Row] = field(default=(), repr=False)
    """All rows of the split, asked or not."""
    beside: Sequence[Row] = field(default=(), repr=False)
    """All rows of the other split that is kept aside, in which the split's questions are looked for too."""
    batching: Batching | None = None
    """How many questions are decoded together; None: as many as the machine's memory allows when it is begun."""

    @property
    def base(self) -> Contestant:
        """What the adapter is measured against."""
        return Contestant(BASE)

    @property
    def style(self) -> PromptFormat:
        """The format in which both sides are asked, and both read the references: the adapter's."""
        return PromptFormat.load(self.tuned.adapter)

    @property
    def id(self) -> str:
        """The name of the evaluation's folder: the split, and 8 digits of all that determines the result."""
        return f"{self.split}-{hashlib.sha256(json.dumps(self.described(), sort_keys=True).encode()).hexdigest()[:8]}"

    def described(self) -> dict[str, Any]:
        """The order as its file holds it: no path, no time, and of texts their sum."""
        texts = [[one.text, *one.references] for one in self.questions]
        leaked = [[row["question"] for row in rows] for rows in (self.train, self.held_out, self.beside)]
        return {
            "name": self.name, "split": self.split, "prompts": len(self.questions),
            "references": sum(len(one.references) for one in self.questions),
            "largest_group": self.largest_group, "texts": _sum(texts), "searched": _sum(leaked),
            "adapter": self.tuned.spelling, "fingerprint": self.tuned.fingerprint(), "resident": self.resident,
            "format": asdict(self.style), "settings": asdict(self.settings),
            "seed": SEED, "measure": MEASURE,
        }  # fmt: skip

    @property
    def in_turn(self) -> list[Question]:
        """The questions as they are asked, the longest first: memory that does not suffice shows at the beginning."""
        return sorted(self.questions, key=lambda one: (-len(one.text), one.id))


def of_run(
    run: Run,
    backend: LocalBackend,
    split: str = "test",
    limit: int | None = None,
    new_tokens: int | None = None,
) -> Order:
    """The order for a run's adapter on its own split; limit: ask only so many questions, drawn with a fixed seed.

    new_tokens: of a reply at most, where it is not what the recipe says. Raises ReviewError for another
    split or one without rows, ModelError where there is no adapter yet, BackendError where it is of another base.
    """
    models.read_adapter_config(run.adapter)
    tuned, report = Contestant(f"run:{run.name}", run.adapter), history.report(run)
    return _order(run.name, tuned, _saying(run.recipe(), new_tokens), run.data, report, backend, split, limit)


def of_demo(
    backend: LocalBackend, split: str = "test", limit: int | None = None, new_tokens: int | None = None
) -> Order:
    """The same for the demo's adapter on the demo's corpus, which is split anew."""
    tuned = Contestant(models.DEMO, models.DEMO_ADAPTER)
    return _of_corpus(models.DEMO, tuned, _saying(Recipe.read(models.DEMO), new_tokens), backend, split, limit)


def of_adapter(
    adapter: Path, recipe: Recipe, backend: LocalBackend, split: str = "test", limit: int | None = None
) -> Order:
    """The same for an adapter's folder without its run, on the recipe's corpus, which is split anew."""
    models.read_adapter_config(adapter)
    return _of_corpus(adapter.name, Contestant(f"adapter:{adapter.name}", adapter), recipe, backend, split, limit)


def place(home: Path, run: Run | None, order: Order) -> Path:
    """Where an evaluation lies: in its run's folder, the demo's in the home."""
    return (home if run is None else run.folder) / FOLDER / order.id


def questions(rows: Sequence[Row], limit: int | None = None) -> tuple[Question, ...]:
    """The rows' questions, each once with all its answers; with a limit so many of them, a smaller limit's among a
    larger's."""
    groups, found = splits.Groups(), {}
    for row in rows:
        groups.add(row)
    for row, group in zip(rows, groups.numbers(), strict=True):
        text, answer = bengali.clean(row["question"]), bengali.clean(row["answer"])
        question = found.setdefault(text, Question(_sum(text)[:12], text, (), row.get("topic", ""), group))
        if answer not in question.references:
            found[text] = replace(question, references=(*question.references, answer))
    chosen = list(found.values())
    random.Random(SEED).shuffle(chosen)
    return tuple(chosen[:limit])


def check_split(split: str) -> None:
    """ReviewError for a split that is not evaluated: the model has learnt the training rows."""
    if split not in EVALUATED:
        raise ReviewError(
            f"{split[:40]!r} is no split to evaluate. Choose {' or '.join(EVALUATED)}.",
            key="evaluation.split",
            split=split[:40],
            known=", ".join(EVALUATED),
        )


def _saying(recipe: Recipe, new_tokens: int | None) -> Recipe:
    return recipe if new_tokens is None else recipe.with_settings({"generation.max_new_tokens": new_tokens})


def _of_corpus(
    name: str, tuned: Contestant, recipe: Recipe, backend: LocalBackend, split: str, limit: int | None
) -> Order:
    with tempfile.TemporaryDirectory() as folder:
        report = splits.prepare(recipe.data, Path(folder))
        return _order(name, tuned, recipe, Path(folder), report, backend, split, limit)


def _order(
    name: str,
    tuned: Contestant,
    recipe: Recipe,
    data: Path,
    report: Mapping[str, Any],
    backend: LocalBackend,
    split: str,
    limit: int | None,
) -> Order:
    check_split(split)
    same_base.check(tuned.adapter, backend.model)
    held_out = splits.read_split(data, split)
    if not held_out:
        raise ReviewError(
            f"The {split} split of {name} holds no rows. Evaluate the other split, or prepare more data.",
            key="evaluation.no_rows",
            name=name,
            split=split,
        )
    return Order(
        name=name,
        tuned=tuned,
        split=split,
        questions=questions(held_out, limit),
        settings=replace(recipe.generation, temperature=0.0),
        resident=orders.resident(backend),
        largest_group=report.get("largest_group"),
        train=splits.read_split(data, "train"),
        held_out=held_out,
        beside=_beside(data, split),
    )


def _beside(data: Path, split: str) -> list[Row]:
    """The rows of the other split that is kept aside; none where a run has no such file."""
    (other,) = (name for name in EVALUATED if name != split)
    return splits.read_split(data, other) if (data / f"{other}.jsonl").is_file() else []


def _sum(what: Any) -> str:
    """A text's own sha256, or that of anything that JSON can hold."""
    text = what if isinstance(what, str) else json.dumps(what, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()

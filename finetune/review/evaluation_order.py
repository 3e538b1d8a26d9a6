"""What is evaluated and how: the questions of a split with all their answers, the two sides, settings and batches.

An order holds all that determines the replies, so that its key names the folder they lie in, and whoever is killed
half-way goes on with exactly the batches that were left. It asks no model.
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
from finetune.review import orders
from finetune.review.contestants import BASE, Contestant
from finetune.review.evaluation import FOLDER
from finetune.training import history
from finetune.training.runs import Run

EVALUATED = ("validation", "test")

SEED = 42
"""Of the choice of questions where only some are asked, and of the resampling for intervals."""

MEASURE = 2
"""Raised whenever a figure is reckoned in another way, so that old results are not taken for new ones."""

MOST_ON_CPU = 32
"""Questions decoded together, two rows each: on two cores 82 ms a question, 94 with 16 and 73 with 64, but a kill then
costs at most three seconds of work."""

MOST_ON_GPU = 128
"""The same where a step reads all weights however many rows there are: beyond a few hundred rows arithmetic counts."""

TOKENS_A_CHARACTER = 1.25
"""Of Bengali in a Llama 3 tokenizer: 1.21 were measured on the corpus."""

SHARE_FOR_CACHE = 0.2
"""Of a card's memory, for the keys and values of one batch: beside an 8B base in 4 bits and what a prefill takes."""


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
class Batching:
    """How many questions are decoded together: so many, and less where their tokens would be more than `tokens`.

    Both rows of a question count, the prompt with all tokens that may follow it; None sets no such limit.
    """

    most: int = MOST_ON_CPU
    tokens: int | None = None


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
    batching: Batching = Batching()

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
        leaked = [[row["question"] for row in rows] for rows in (self.train, self.held_out)]
        return {
            "name": self.name, "split": self.split, "prompts": len(self.questions),
            "references": sum(len(one.references) for one in self.questions),
            "largest_group": self.largest_group, "texts": _sum(texts), "searched": _sum(leaked),
            "adapter": self.tuned.spelling, "fingerprint": self.tuned.fingerprint(), "resident": self.resident,
            "format": asdict(self.style), "settings": asdict(self.settings), "batching": asdict(self.batching),
            "seed": SEED, "measure": MEASURE,
        }  # fmt: skip

    def batches(self) -> list[list[Question]]:
        """Questions of about one length together, for one order always the same: a reply may depend, in its last bits,
        on what is decoded beside it."""
        found: list[list[Question]] = [[]]
        for question in sorted(self.questions, key=lambda one: (len(one.text), one.id)):
            row = len(question.text) * TOKENS_A_CHARACTER + self.settings.max_new_tokens
            wanted, room = len(found[-1]) + 1, self.batching.tokens
            if found[-1] and (wanted > self.batching.most or (room is not None and 2 * row * wanted > room)):
                found.append([])
            found[-1].append(question)
        return found


def of_run(run: Run, backend: LocalBackend, split: str = "test", limit: int | None = None) -> Order:
    """The order for a run's adapter on its own split; limit: ask only so many questions, drawn with a fixed seed.

    Raises ReviewError for another split, ModelError where there is no adapter yet, DataError where there are no rows.
    """
    models.read_adapter_config(run.adapter)
    tuned, report = Contestant(f"run:{run.name}", run.adapter), history.report(run)
    return _order(run.name, tuned, run.recipe(), run.data, report, backend, split, limit)


def of_demo(backend: LocalBackend, split: str = "test", limit: int | None = None) -> Order:
    """The same for the demo's adapter on the demo's corpus, which is split anew."""
    tuned = Contestant(models.DEMO, models.DEMO_ADAPTER)
    return _of_corpus(models.DEMO, tuned, Recipe.read(models.DEMO), backend, split, limit)


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


def batching(model: str) -> Batching:
    """What this machine decodes together of a base; the same on every machine of its kind."""
    if models.device() == "cpu":
        return Batching()
    import torch
    from transformers import AutoConfig

    c = AutoConfig.from_pretrained(models.resolve(model))
    width = models.compute_dtype().itemsize
    a_token = 2 * c.num_hidden_layers * c.num_key_value_heads * c.head_dim * width  # keys and values
    card = torch.cuda.get_device_properties(0).total_memory
    return Batching(MOST_ON_GPU, int(SHARE_FOR_CACHE * card / a_token))


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
        batching=batching(backend.model),
    )


def _sum(what: Any) -> str:
    """A text's own sha256, or that of anything that JSON can hold."""
    text = what if isinstance(what, str) else json.dumps(what, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()

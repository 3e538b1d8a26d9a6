"""From a few words to a set of pairs: who is compared, on which prompts, with whose settings. It writes nothing."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from finetune import models
from finetune.data import splits
from finetune.errors import ReviewError
from finetune.inference.backends import Backend
from finetune.recipe import Generation, Recipe
from finetune.review import prompt_sets
from finetune.review.contestants import Contestant, contestant
from finetune.review.pair_sets import Order
from finetune.review.prompt_sets import PromptSet
from finetune.training import runs

SOURCES = ("curated", "run", "pasted", "file")
PROMPTS = 20
"""Of a set that nobody asked to be larger: what one person judges with care in a quarter of an hour."""


def order(
    home: Path, backend: Backend, *, base: str, tuned: str, source: str, given: str = "", count: int, seed: int
) -> Order:
    """An order by spellings. source: one of SOURCES; given: the pasted text or the file's path; count: 0 takes all.

    The replies are written as the second side's own recipe says.
    """
    sides = contestant(base, home), contestant(tuned, home)
    found = _prompts(home, sides[1], source, given, count, seed)
    settings = replace(_settings(home, sides[1]), seed=seed)
    return Order(*sides, found, settings, resident(backend))


def _prompts(home: Path, tuned: Contestant, source: str, given: str, count: int, seed: int) -> PromptSet:
    if source == "run":
        return _test_rows(home, tuned, count, seed)
    if source == "pasted":
        found = prompt_sets.pasted(given)
    elif source == "file":
        found = prompt_sets.from_file(Path(given))
    else:
        found = prompt_sets.curated()
    return replace(found, prompts=prompt_sets.sampled(found.prompts, count, seed))


def _test_rows(home: Path, tuned: Contestant, count: int, seed: int) -> PromptSet:
    """The held-out questions of the run whose adapter is reviewed; of the demo, those of its corpus."""
    if tuned.spelling == models.DEMO:
        with tempfile.TemporaryDirectory() as folder:
            splits.prepare(Recipe.read(models.DEMO).data, Path(folder))
            return prompt_sets.from_run(Path(folder), count, seed, f"{models.DEMO} test")
    run = _run_of(tuned)
    if run is None:
        raise ReviewError(
            f"{tuned.title} is no run of this machine, so it has no test rows here. Choose other prompts.",
            key="review.no_test_rows",
            name=tuned.title,
        )
    return prompt_sets.from_run(runs.find(home, run).data, count, seed, f"{run} test")


def _settings(home: Path, one: Contestant) -> Generation:
    run = _run_of(one)
    if run is not None:
        return runs.find(home, run).recipe().generation
    return Recipe.read(models.DEMO).generation if one.spelling == models.DEMO else Generation()


def _run_of(one: Contestant) -> str | None:
    kind, _, name = one.spelling.partition(":")
    return name.partition("/")[0] if kind == "run" else None


def resident(backend: Any) -> str:
    """Which base both sides share, for the description and the key of what is made with it."""
    if hasattr(backend, "four_bit"):
        held = "4-bit NF4" if backend.four_bit else "16-bit"
        return ", ".join(filter(None, (Path(backend.model).name, held, _stamp(Path(backend.model)))))
    return str(getattr(backend, "address", ""))


def _stamp(base: Path) -> str:
    """Eight digits that change when a base in a folder does: two may have the same name, or one be trained again.

    Over its files' names and sizes, config.json, and the first MiB of each weights file; empty for a model of the Hub.
    """
    if not base.is_dir():
        return ""
    digest = hashlib.sha256()
    for file in sorted(file for file in base.iterdir() if file.is_file()):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        if file.name == "config.json" or file.suffix == ".safetensors":
            with file.open("rb") as opened:
                digest.update(opened.read(1 << 20))
    return digest.hexdigest()[:8]

"""Score base and tuned on a test split: bits per character, and what can be counted in replies.

Everything is counted on NFC text, the prompt never counts as prediction, and base and tuned get
identical text and format. None of these figures measures empathy: people do that, in blind review.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from finetune import bengali, models
from finetune.data import splits
from finetune.data.prompts import conversation
from finetune.inference.backends import LocalBackend
from finetune.recipe import Recipe
from finetune.review import pairs
from finetune.training import runs

BATCH = 16
"""Prompts decoded together, each twice."""

COPIED_RUN = 4
"""A reply that repeats so many words of the question in a row parrots it instead of answering."""

ROWS = 200
SEED = 42


def evaluate(
    run_folder: Path | None,
    limit: int | None = ROWS,
    out: Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Score a run, or the demo adapter on its corpus, greedily on `limit` test rows drawn with a fixed seed.

    Returns `{"prompts", "largest_group", "bits_saved", "base": {...}, "tuned": {...}}`; with `out`, also writes
    scores.json and replies.jsonl there. Bits are answer-only, in bits per character of the reference reply.
    """
    if run_folder is None:
        recipe, adapter = Recipe.read("demo"), models.DEMO_ADAPTER
        with tempfile.TemporaryDirectory() as folder:
            report = splits.prepare(recipe.data, Path(folder))
            rows = splits.read_split(Path(folder), "test")
    else:
        run = runs.at(run_folder)
        recipe, adapter = run.recipe(), run.adapter
        report = json.loads((run.data / "report.json").read_text(encoding="utf-8"))
        rows = splits.read_split(run.data, "test")
    if limit is not None and limit < len(rows):
        rows = random.Random(SEED).sample(rows, limit)
    backend = LocalBackend(recipe.base.model)
    models.read_adapter_config(adapter)

    finished = [conversation(row["question"], row["answer"]) for row in rows]
    characters = sum(len(row["answer"]) for row in rows)
    bits = {
        "base": sum(backend.answer_bits(finished, None)) / characters,
        "tuned": sum(backend.answer_bits(finished, adapter)) / characters,
    }
    greedy = replace(recipe.generation, temperature=0.0)
    questions = [row["question"] for row in rows]
    answered: list[tuple[str, str]] = []
    for start in range(0, len(rows), BATCH):
        answered += pairs.batch(backend, questions[start : start + BATCH], adapter, greedy)
        progress(len(answered), len(rows))
    result = {
        "prompts": len(rows),
        "largest_group": report["largest_group"],
        "bits_saved": 1 - bits["tuned"] / bits["base"],
        **{
            side: {"bits_per_character": bits[side], **count(questions, [pair[number] for pair in answered])}
            for number, side in enumerate(("base", "tuned"))
        },
    }
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "scores.json").write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")
        with (out / "replies.jsonl").open("w", encoding="utf-8") as file:
            for row, (base, tuned) in zip(rows, answered, strict=True):
                file.write(json.dumps({**row, "base": base, "tuned": tuned}, ensure_ascii=False) + "\n")
    return result


def count(questions: Sequence[str], replies: Sequence[str]) -> dict[str, float]:
    """What can be counted in replies; shares are 0 to 1, `broken` is a number of replies."""
    total = len(replies)
    openers = Counter(tuple(bengali.words(reply)[:2]) for reply in replies)
    return {
        "script_share": sum(map(bengali.script_share, replies)) / total,
        "broken": sum(bool(bengali.broken_graphemes(reply)) for reply in replies),
        "ended": sum(map(bengali.ends_sentence, replies)) / total,
        "distinct": len(set(replies)) / total,
        "on_the_point": sum(map(on_the_point, questions, replies)) / total,
        "commonest_opener": openers.most_common(1)[0][1] / total,
        "characters": sum(map(len, replies)) / total,
    }


def on_the_point(question: str, reply: str) -> bool:
    """True where the reply takes up a content word of the question, and copies no run of four words from it."""
    asked, said = bengali.words(question), bengali.words(reply)
    runs_asked = {tuple(asked[i : i + COPIED_RUN]) for i in range(len(asked) - COPIED_RUN + 1)}
    copied = any(tuple(said[i : i + COPIED_RUN]) in runs_asked for i in range(len(said) - COPIED_RUN + 1))
    return not copied and bool(bengali.content_words(question) & bengali.content_words(reply))


def table(result: dict[str, Any]) -> list[str]:
    """The result as lines for people."""
    lines = [
        f"{result['prompts']} test prompts, greedy; the largest group of the split has {result['largest_group']} rows",
        f"tuned needs {result['bits_saved']:.1%} fewer bits per character than base",
        f"{'':20}{'base':>10}{'tuned':>10}",
    ]
    return lines + [f"{name:20}{result['base'][name]:10.3f}{result['tuned'][name]:10.3f}" for name in result["base"]]

"""Every score of replies, one by one and over a whole set, with intervals and paired differences.

Everything is counted on NFC text, the prompt never counts as prediction, and base and tuned get identical text and
format. What each figure is stands where it is counted: `overlap.py`, `text_scores.py`, `listener.py`; likelihood in
`bits.py`. None of these figures measures empathy: people do that, in blind review.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from finetune import models
from finetune.data import splits
from finetune.data.prompts import conversation
from finetune.inference.backends import LocalBackend
from finetune.recipe import Recipe
from finetune.review import bootstrap, listener, overlap, pairs, text_scores
from finetune.review.statistics import Interval
from finetune.training import runs

Figures = dict[str, float | None]


@dataclass(frozen=True)
class Row:
    """One reply and what it is held against."""

    prompt: str
    references: tuple[str, ...]
    """All answers to the same question; one that the reply comes close to is enough."""
    reply: str
    ended: bool = True
    """False where the token limit cut the reply off."""
    topic: str = ""


def of_reply(row: Row) -> Figures:
    """Every figure of one reply: overlap with its references, what shows in it, the listener's intents (0 or 1).

    None where a figure is not defined, such as `chrf` without references.
    """
    return {
        **overlap.of_reply(row.reply, row.references),
        "length_ratio": overlap.length_ratio(row.reply, row.references),
        **text_scores.of_reply(row.reply, row.prompt, row.ended),
        **{f"intent_{name}": float(there) for name, there in listener.intents(row.reply).items()},
    }


def of_replies(rows: Sequence[Row], figures: Sequence[Figures] | None = None) -> dict[str, Any]:
    """Every figure over a set: means of those of its replies, but for what only the set as a whole has.

    `chrf`, `bleu`, `distinct1`, `distinct2`, `distinct` and `commonest_opener` are the whole set's
    (`overlap.of_replies`, `text_scores.of_replies`), `rows` their number, and `signatures` says by name how overlap was
    counted. Give `figures`, one of `of_reply` a row, where they are there already.
    """
    figures = [of_reply(row) for row in rows] if figures is None else figures
    replies = [row.reply for row in rows]
    means = {name: _mean([one[name] for one in figures]) for name in (figures[0] if figures else ())}
    whole = overlap.of_replies(replies, [row.references for row in rows])
    return {"rows": len(rows), **means, **whole, **text_scores.of_replies(replies)}


def intervals(values: Sequence[float | None], groups: Sequence[object] | None = None, seed: int = 0) -> Figures:
    """`{"mean", "low", "high", "n"}`: the mean of a figure over replies with its 95 % bootstrap interval.

    groups: for each value the group of near-identical questions it belongs to; each its own where not given. Values
    that are None are left out. The ends are None where nothing tells them (`bootstrap.mean`).
    """
    groups = range(len(values)) if groups is None else groups
    kept = [(value, group) for value, group in zip(values, groups, strict=True) if value is not None]
    return shown(bootstrap.mean([value for value, _ in kept], [group for _, group in kept], seed))


def paired(
    base_values: Sequence[float | None],
    tuned_values: Sequence[float | None],
    groups: Sequence[object] | None = None,
    seed: int = 0,
) -> Figures:
    """The same for tuned less base, question by question; one with a None on either side is left out."""
    groups = range(len(base_values)) if groups is None else groups
    kept = [
        (tuned - base, group)
        for base, tuned, group in zip(base_values, tuned_values, groups, strict=True)
        if base is not None and tuned is not None
    ]
    differences = [difference for difference, _ in kept]
    return shown(bootstrap.ratio(differences, [1.0] * len(kept), [group for _, group in kept], seed))


def shown(found: Interval) -> Figures:
    """An interval as results hold it: `{"mean", "low", "high", "n"}`."""
    return {"mean": found.value, "low": found.low, "high": found.high, "n": found.n}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


# What `python -m finetune evaluate` runs until it runs evaluating.py

BATCH = 16
"""Prompts decoded together, each twice."""

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
    figures = [text_scores.of_reply(reply, question) for question, reply in zip(questions, replies, strict=True)]
    whole = text_scores.of_replies(replies)
    return {
        "script_share": _mean([one["script_share"] for one in figures]),
        "broken": int(sum(one["broken"] for one in figures)),
        "ended": _mean([one["finished"] for one in figures]),
        "distinct": whole["distinct"],
        "on_the_point": _mean([one["on_the_point"] for one in figures]),
        "commonest_opener": whole["commonest_opener"],
        "characters": _mean([one["characters"] for one in figures]),
    }


def table(result: dict[str, Any]) -> list[str]:
    """The result as lines for people."""
    lines = [
        f"{result['prompts']} test prompts, greedy; the largest group of the split has {result['largest_group']} rows",
        f"tuned needs {result['bits_saved']:.1%} fewer bits per character than base",
        f"{'':20}{'base':>10}{'tuned':>10}",
    ]
    return lines + [f"{name:20}{result['base'][name]:10.3f}{result['tuned'][name]:10.3f}" for name in result["base"]]

"""The data gate: what a recipe makes of its data, looked at before GPU time is spent.

Cleans and splits as a run would, encodes examples with the base's tokenizer, and shows what the loss would see. Of a
preference, the length is that of the longer side, for a batch holds both, and the answer is the preferred reply.
It never loads the model, does not train, and leaves to `findings.py` what the figures mean.
"""

from __future__ import annotations

import csv
import math
import random
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from finetune import bengali, models
from finetune.data import corpus, findings, preference_file, prompts, splits
from finetune.data.findings import Evidence, Finding
from finetune.recipe import Recipe

PREVIEW_ROWS = 8
SAMPLES = 10

MOST_EXAMINED = 5_000
"""Rows encoded; of a larger corpus, a seeded sample with each split's share. Encoding so many takes about two
seconds, and a share of 5 % is then known to ±0.6 points (95 %, binomial)."""

BINS = 20
BINNED = 0.995
"""Share of examples that the histogram's bins reach to; one freak row would otherwise press all others into one."""

Row = dict[str, str]


@dataclass(frozen=True)
class Bin:
    """How many examples have from `low` to `high` tokens, both included."""

    low: int
    high: int
    count: int


@dataclass(frozen=True)
class Lengths:
    """How long whole examples are, prompt and reply, in tokens; percentiles are lengths that occur (nearest rank)."""

    examined: int
    """Examples measured; fewer than `of`, all that there are, where a sample was taken."""
    of: int
    max_length: int
    """What the recipe cuts them to."""
    bins: tuple[Bin, ...]
    overflow: int
    """Examples longer than the last bin reaches."""
    median: int
    mean: float
    percentile_95: int
    covering: int
    """The max_length that keeps `findings.COVERED` of the examples whole."""
    longest: int
    truncated: int
    """Examples longer than max_length, and below those of whose reply nothing is left."""
    cut: int

    @property
    def sampled(self) -> bool:
        """Whether the figures come from a sample of the rows."""
        return self.examined < self.of

    @property
    def truncated_share(self) -> float:
        """Share of examples longer than max_length, 0 to 1."""
        return self.truncated / self.examined

    @property
    def cut_share(self) -> float:
        """Share of examples whose whole reply is cut off (all labels masked), 0 to 1."""
        return self.cut / self.examined


@dataclass(frozen=True)
class Segment:
    """A run of an example's text, special tokens included, that the loss sees or does not."""

    text: str
    learnt: bool
    rejected: bool = False
    """A reply that a preference run learns to say less; it stands behind the preferred one."""


Sample = tuple[Segment, ...]


@dataclass(frozen=True)
class Gate:
    """What a person should see of a corpus before a run starts."""

    rows: tuple[Row, ...]
    """The first cleaned rows, `{topic, title, question, answer}`, and `rejected` where they are preferences."""
    report: dict[str, Any]
    """As `splits.prepare` returns and writes it: rows, kept, dropped, dropped_rows, splits, …"""
    lengths: Lengths
    samples: tuple[Sample, ...]
    """Training examples exactly as the trainer gets them, cut to max_length."""
    warnings: tuple[Finding, ...]
    """What blocks the run first."""

    @property
    def blocked(self) -> bool:
        """Whether something would waste the run."""
        return any(warning.blocking for warning in self.warnings)


def examine(recipe: Recipe, folder: Path, *, limit: int | None = None) -> Gate:
    """Prepare the recipe's data in `folder`, as a run would, and look at the result.

    limit: read no more rows of the source than this. Raises DataError where the data cannot be read or split, and
    ModelError where the base's tokenizer cannot be loaded or is none of Llama 3's.
    """
    objective = recipe.training.objective
    report = splits.prepare(recipe.data, folder, limit, objective=objective)
    clean_rows = preference_file.clean_rows if objective == "dpo" else corpus.clean_rows
    preview = tuple(islice(clean_rows(recipe.data, corpus.Report(), limit), PREVIEW_ROWS))
    chosen, repeated = _choose(folder, report["kept"], recipe.data.seed)
    tokenizer = models.load_tokenizer(recipe.base.model)
    style = prompts.PromptFormat.of(recipe.data)
    sizes = {name: [_size(tokenizer, row, style) for row in chosen[name]] for name in splits.SPLITS}
    lengths = _lengths([size for side in sizes.values() for size in side], report["kept"], recipe.training.max_length)
    samples = _samples(chosen["train"], tokenizer, style, recipe)
    evidence = _evidence(report, chosen, sizes, lengths, repeated)
    return Gate(preview, report, lengths, samples, findings.judge(recipe, evidence))


def dropped_rows(report: dict[str, Any]) -> list[dict[str, int | str]]:
    """`{"row": number, "reason": one of corpus.REASONS}` of every row that was dropped, in the source's order.

    report: as in `Gate.report` or a run's `data/report.json`; rows count from 1, the header aside.
    """
    found = [{"row": row, "reason": reason} for reason, rows in report["dropped_rows"].items() for row in rows]
    return sorted(found, key=lambda entry: entry["row"])


def write_dropped_csv(report: dict[str, Any], path: Path) -> None:
    """Write `dropped_rows` as CSV: numbers and reasons, none of the rows' text."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # Excel takes UTF-8 without BOM for an old code page
        writer = csv.DictWriter(file, ["row", "reason"])
        writer.writeheader()
        writer.writerows(dropped_rows(report))


def segments(tokenizer: Any, ids: Sequence[int], labels: Sequence[int]) -> Sample:
    """An example's text in runs of equal loss mask; joined, they are the decoded example.

    Whole runs are decoded: a Bengali letter is three bytes, which tokens may divide.
    """
    masked = zip(ids, labels, strict=True)
    return tuple(
        Segment(tokenizer.decode([token for token, _ in run], clean_up_tokenization_spaces=False), learnt)
        for learnt, run in groupby(masked, key=lambda pair: pair[1] != prompts.IGNORED)
    )


def _choose(folder: Path, kept: int, seed: int) -> tuple[dict[str, list[Row]], int]:
    """The rows to examine of each split, and how many questions also stand in an earlier split."""
    chosen, seen, repeated = {}, set(), 0
    for name in splits.SPLITS:
        rows = splits.read_split(folder, name)
        questions = [hash(row["question"]) for row in rows]  # hashes, for a large corpus' texts need not stay
        repeated += sum(question in seen for question in questions)
        seen.update(questions)
        wanted = min(len(rows), math.ceil(MOST_EXAMINED * len(rows) / kept))
        chosen[name] = [rows[at] for at in sorted(random.Random(seed).sample(range(len(rows)), wanted))]
    return chosen, repeated


def _size(tokenizer: Any, row: Row, style: prompts.PromptFormat) -> tuple[int, int]:
    """Tokens of a row's example, uncut, and of its prompt alone."""
    sizes = []
    for reply in _replies(row):
        messages = prompts.conversation(row["question"], reply)
        ids, labels = prompts.encode_example(tokenizer, messages, style, max_length=sys.maxsize)
        sizes.append((len(ids), labels.count(prompts.IGNORED)))
    return max(sizes)


def _replies(row: Row) -> list[str]:
    return [row[key] for key in ("answer", "rejected") if key in row]


def _lengths(sizes: list[tuple[int, int]], of: int, max_length: int) -> Lengths:
    ordered = sorted(length for length, _ in sizes)

    def percentile(share: float) -> int:
        return ordered[math.ceil(share * len(ordered)) - 1]

    bins = _bins(ordered, percentile(BINNED))
    return Lengths(
        examined=len(ordered),
        of=of,
        max_length=max_length,
        bins=bins,
        overflow=len(ordered) - sum(bin.count for bin in bins),
        median=percentile(0.5),
        mean=sum(ordered) / len(ordered),
        percentile_95=percentile(0.95),
        covering=percentile(findings.COVERED),
        longest=ordered[-1],
        truncated=sum(length > max_length for length in ordered),
        cut=sum(prompt >= max_length for _, prompt in sizes),
    )


def _bins(lengths: list[int], highest: int) -> tuple[Bin, ...]:
    """At most BINS bins of one width in whole tokens, from the shortest example to `highest` or a little over it."""
    lowest = min(lengths)
    width = math.ceil((highest - lowest + 1) / BINS)
    counts = Counter((length - lowest) // width for length in lengths)
    number = math.ceil((highest - lowest + 1) / width)
    return tuple(Bin(lowest + at * width, lowest + (at + 1) * width - 1, counts[at]) for at in range(number))


def _evidence(
    report: dict[str, Any],
    chosen: dict[str, list[Row]],
    sizes: dict[str, list[tuple[int, int]]],
    lengths: Lengths,
    repeated: int,
) -> Evidence:
    rows = [row for side in chosen.values() for row in side]
    learnt = {name: sum(prompt < lengths.max_length for _, prompt in side) for name, side in sizes.items()}
    topics = Counter(row["topic"] for row in rows if row["topic"])
    topic = max(topics, key=topics.get, default="")
    return Evidence(
        rows=report["rows"],
        dropped=report["rows"] - report["kept"],
        train=math.ceil(report["splits"]["train"] * learnt["train"] / len(chosen["train"])),
        held_out=report["splits"]["validation"] + report["splits"]["test"],
        repeated=repeated,
        examined=lengths.examined,
        truncated=lengths.truncated,
        cut=lengths.cut,
        validation_learnt=learnt["validation"],
        covering=lengths.covering,
        longest=lengths.longest,
        bengali=statistics.fmean(bengali.script_share(row["answer"]) for row in rows),
        reply_characters=statistics.median_low(len(row["answer"]) for row in rows),
        topic=topic,
        topic_share=topics[topic] / len(rows),
    )


def _samples(rows: list[Row], tokenizer: Any, style: prompts.PromptFormat, recipe: Recipe) -> tuple[Sample, ...]:
    picked = random.Random(recipe.data.seed).sample(rows, min(SAMPLES, len(rows)))
    return tuple(_sample(row, tokenizer, style, recipe.training.max_length) for row in picked)


def _sample(row: Row, tokenizer: Any, style: prompts.PromptFormat, max_length: int) -> Sample:
    sides = [
        segments(
            tokenizer,
            *prompts.encode_example(tokenizer, prompts.conversation(row["question"], reply), style, max_length),
        )
        for reply in _replies(row)
    ]
    rejected = [replace(one, learnt=False, rejected=True) for side in sides[1:] for one in side if one.learnt]
    return (*sides[0], *rejected)

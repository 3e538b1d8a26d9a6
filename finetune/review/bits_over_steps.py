"""Bits per character against training step: what a run's checkpoints pay for the same references. No replies.

    RUN/evaluations/steps-KEY.jsonl   a line a checkpoint, appended and synced

Step 0 is what training went on from: the base, or the adapter in the run's `start/`. A checkpoint is measured once;
points of checkpoints that the trainer has rotated away since stay, for their weights were this run's. It sees nothing
between two checkpoints.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from finetune.data import splits
from finetune.data.prompts import PromptFormat
from finetune.errors import ReviewError
from finetune.inference.backends import LocalBackend
from finetune.review import bits, evaluating, evaluation_order, orders
from finetune.review.contestants import BASE, Contestant
from finetune.review.evaluating import Progress, Report
from finetune.review.evaluation import FOLDER
from finetune.review.evaluation_order import MEASURE, SEED, Question
from finetune.training import checkpoints, starting_adapter
from finetune.training.metrics import append_line, read_lines
from finetune.training.runs import Run

SPLIT = "validation"
"""Read unless told otherwise: who looks at checkpoints may choose one, and a test split that chose is none any more."""

QUESTIONS = 200
"""Asked at each step unless told otherwise."""

BETWEEN_LOOKS = 16
"""Questions between two looks at whether to stop."""

Point = dict[str, Any]


def over_steps(
    run: Run,
    backend: LocalBackend,
    split: str = SPLIT,
    limit: int | None = QUESTIONS,
    stop: threading.Event | None = None,
    report: Report = lambda progress: None,
) -> list[Point]:
    """Measure what is not measured yet; all points by step, `{"step", "bits_per_character", "low", "high", "prompts"}`.

    Ends early, with the points there are, once `stop` is set. ReviewError where another process is at it.
    """
    evaluation_order.check_split(split)
    asked = evaluation_order.questions(splits.read_split(run.data, split), limit)
    if not asked:
        raise ReviewError(
            f"The {split} split of {run.name} holds no rows. Evaluate the other split, or prepare more data.",
            key="evaluation.no_rows",
            name=run.name,
            split=split,
        )
    style = PromptFormat.of(run.recipe().data)
    file = run.folder / FOLDER / f"steps-{split}-{_key(asked, style, orders.resident(backend))}.jsonl"
    file.parent.mkdir(exist_ok=True)
    with evaluating.alone(file.parent):
        known = {(line["step"], line["fingerprint"]) for line in read_lines(file)[0]}
        wanted = [(step, one) for step, one in _steps(run) if (step, one.fingerprint()) not in known]
        began = time.monotonic()
        report(Progress("steps", 0, len(wanted)))
        for done, (step, one) in enumerate(wanted, start=1):
            point = _point(step, one, asked, style, backend, stop or threading.Event())
            if point is None:
                break
            append_line(file, point)
            left = (time.monotonic() - began) / done * (len(wanted) - done)
            report(Progress("steps", done, len(wanted), left))
    return _points(file)


def read(run: Run) -> dict[str, list[Point]]:
    """What was measured of a run, by split; without any model. Of several measurements of a split the latest."""
    files = sorted((run.folder / FOLDER).glob("steps-*.jsonl"), key=lambda file: file.stat().st_mtime_ns)
    return {file.stem.split("-")[1]: _points(file) for file in files}


def _points(file: Path) -> list[Point]:
    """The last point of each step: a run that was taken up again has measured some steps twice."""
    points = {line["step"]: line for line in read_lines(file)[0]}
    return [{key: value for key, value in points[step].items() if key != "fingerprint"} for step in sorted(points)]


def _steps(run: Run) -> Iterator[tuple[int, Contestant]]:
    start = run.folder / starting_adapter.FOLDER
    yield 0, Contestant("start", start) if (start / starting_adapter.FILES[0]).is_file() else Contestant(BASE)
    for point in checkpoints.of(run):
        if point.complete:
            yield point.step, Contestant(f"run:{run.name}/checkpoint-{point.step}", point.folder)


def _point(
    step: int,
    one: Contestant,
    asked: Sequence[Question],
    style: PromptFormat,
    backend: LocalBackend,
    stop: threading.Event,
) -> Point | None:
    """One step's figure; None once `stop` is set."""
    paid: list[float] = []
    for start in range(0, len(asked), BETWEEN_LOOKS):
        if stop.is_set():
            return None
        found = evaluating.costs(backend, style, asked[start : start + BETWEEN_LOOKS], one.adapter)
        paid += [cost for costs in found for cost in costs]
    texts = [text for question in asked for text in question.references]
    groups = [question.group for question in asked for _ in question.references]
    figure = bits.per_character(paid, texts, groups, SEED)
    return {
        "step": step, "fingerprint": one.fingerprint(), "bits_per_character": figure.value,
        "low": figure.low, "high": figure.high, "prompts": len(asked),
    }  # fmt: skip


def _key(asked: Sequence[Question], style: PromptFormat, resident: str) -> str:
    """What determines a point besides the weights, as 8 hexadecimal digits."""
    parts = [[[one.text, *one.references] for one in asked], asdict(style), resident, MEASURE]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:8]

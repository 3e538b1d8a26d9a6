"""All runs at a glance: a row a run, found and put in order.

Meant to be polled: a `History` reads a run again only when one of its files has changed. Works from
the runs' folders alone and changes nothing in them. It does not know how a table is drawn.
"""

from __future__ import annotations

import json
import os
import threading
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.errors import FinetuneError, Problem, RunError
from finetune.training import evaluated, metrics, notes
from finetune.training.runs import Run
from finetune.training.sparkline import MOST_POINTS, means

MOST_FILES = 10_000
"""Directory entries looked at for a run's size. A run has a few dozen; more means somebody put a tree in it."""

WATCHED = (
    "recipe.yaml",
    metrics.FILE,
    "status.json",
    notes.FILE,
    "data/report.json",
    "",
    "checkpoints",
    "adapter",
    "exports",
    evaluated.FILE,
)
RECIPE, METRICS = 0, 1
"""What a row is made of, in a run's folder, and where two of them stand in that list. A folder's own time tells that
something was put in or taken out, which changes the size."""

SORTABLE = (
    "name", "state", "data", "rows", "base", "learning_rate", "r", "effective_batch", "steps", "best_eval_loss",
    "bits_saved", "seconds", "size_bytes", "started",
)  # fmt: skip
"""The columns that `ordered` knows."""


@dataclass(frozen=True)
class Row:
    """One run in the table; None stands for what the run's folder does not tell (yet).

    data: the source's file name; rows: kept after cleaning; effective_batch: examples an update; step of
    steps: updates done and planned; best_eval_loss in nats a token, first reached at best_step; bits_saved: the share
    of base's bits that the latest evaluation found it does without;
    seconds: of training, pauses and loading aside; started: Unix time; spark: training losses, at most
    24 means over equal stretches of the run; problem: why it failed, or why the row is incomplete.
    """

    name: str
    state: str
    data: str = ""
    rows: int | None = None
    base: str = ""
    learning_rate: float | None = None
    r: int | None = None
    effective_batch: int | None = None
    step: int = 0
    steps: int = 0
    best_eval_loss: float | None = None
    best_step: int | None = None
    bits_saved: float | None = None
    seconds: float | None = None
    size_bytes: int = 0
    started: float = 0.0
    notes: str = ""
    tags: tuple[str, ...] = ()
    spark: tuple[float, ...] = ()
    problem: Problem | None = None


class History:
    """The rows of a home's runs, remembered between two looks. May be asked from several threads."""

    def __init__(self) -> None:
        self._known: dict[Path, _Known] = {}
        self._lock = threading.Lock()

    def rows(self, home: Path) -> tuple[Row, ...]:
        """A row for every run under `home/runs`, the newest first. A run that cannot be read says why in its row."""
        with self._lock:
            known = {}
            for recipe in (home / "runs").glob("*/recipe.yaml"):
                seen = self._known.get(recipe.parent) or _Known(Run(recipe.parent))
                if seen.look():
                    known[recipe.parent] = seen
            self._known = known
            return tuple(sorted((seen.row for seen in known.values()), key=lambda row: (-row.started, row.name)))


class _Known:
    """What is remembered of one run: its row, the state of its files then, and its metrics as far as they were read."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.row = Row(run.name, "queued")
        self.seen: tuple = ()
        self.active = True
        self._forget_metrics()

    def look(self) -> bool:
        """Bring the row up to date; False where the run has been deleted."""
        seen = _state_of_files(self.run.folder)
        if seen[RECIPE] is None:
            return False
        try:
            # That its process has died is written in no file, so that an active run is asked each time.
            if seen != self.seen or (self.active and not self.run.status().active):
                self._read(seen)
        except FileNotFoundError:  # deleted while it was being read; were it still there, the next look finds it
            return False
        self.seen = seen
        if not self.active:
            self._forget_metrics()
        return True

    def _read(self, seen: tuple) -> None:
        problems: list[Problem] = []
        fields: dict[str, Any] = {"state": "failed", "started": seen[RECIPE][0] / 1e9}
        self.active = False
        for part in (self._of_status, self._of_recipe, self._of_notes, self._of_report, self._of_evaluation):
            try:
                fields |= part()
            except FinetuneError as error:
                problems.append(Problem(str(error), error.key, **error.facts))
        self._read_metrics(seen[METRICS][1] if seen[METRICS] else 0)
        best = min(self.evaluations, key=lambda step: (self.evaluations[step], step), default=None)
        problem = fields.pop("problem", None) or (problems[0] if problems else None)
        self.row = Row(
            name=self.run.name,
            best_eval_loss=None if best is None else self.evaluations[best],
            best_step=best,
            seconds=self.seconds,
            size_bytes=folder_size(self.run.folder),
            spark=means([self.losses[step] for step in sorted(self.losses)], MOST_POINTS),
            problem=problem,
            **fields,
        )

    def _of_status(self) -> dict[str, Any]:
        status = self.run.status()
        self.active = status.active
        fields: dict[str, Any] = {"state": status.state, "step": status.step}
        if status.total_steps:
            fields["steps"] = status.total_steps
        if status.started:
            fields["started"] = status.started
        if status.error:
            fields["problem"] = Problem(status.error, status.error_key, **status.error_facts)
        return fields

    def _of_recipe(self) -> dict[str, Any]:
        recipe = self.run.recipe()
        return {
            "data": Path(recipe.data.source).name,
            "base": recipe.base.model,
            "learning_rate": recipe.training.learning_rate,
            "r": recipe.adapter.r,
            "effective_batch": recipe.effective_batch,
        }

    def _of_notes(self) -> dict[str, Any]:
        return dict(zip(("notes", "tags"), notes.read(self.run), strict=True))

    def _of_report(self) -> dict[str, Any]:
        return {"rows": report(self.run).get("kept")}

    def _of_evaluation(self) -> dict[str, Any]:
        kept = evaluated.read(self.run)
        return {"bits_saved": kept[0]["bits_saved"] if kept else None}

    def _read_metrics(self, size: int) -> None:
        if size < self.offset:  # another file than the one that was read
            self._forget_metrics()
        lines, self.offset = metrics.read(self.run.folder, self.offset)
        for line in lines:
            for key, known in (("loss", self.losses), ("eval_loss", self.evaluations)):
                if line["step"] < self.last:  # resumed: what came after is given up, as in `metrics.as_it_went`
                    for step in [step for step in known if step > line["step"]]:
                        del known[step]
                if line.get(key) is not None:
                    known[line["step"]] = line[key]
            self.last = line["step"]
            self.seconds = line.get("elapsed_s", self.seconds)

    def _forget_metrics(self) -> None:
        self.offset = self.last = 0
        self.losses: dict[int, float] = {}
        self.evaluations: dict[int, float] = {}
        self.seconds: float | None = None


def _state_of_files(folder: Path) -> tuple:
    """Modification time in ns and size of all that a row is made of; None for what is not there."""
    found = []
    for name in WATCHED:
        try:
            stat = os.stat(folder / name)
            found.append((stat.st_mtime_ns, stat.st_size))
        except (FileNotFoundError, NotADirectoryError):
            found.append(None)
    return tuple(found)


def report(run: Run) -> dict[str, Any]:
    """The cleaning report of a run's data, empty before there is one; RunError where it is damaged."""
    try:
        return dict(json.loads((run.data / "report.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError) as error:
        raise RunError(
            f"data/report.json of the run {run.name} is damaged. Prepare the data again, or delete that file.",
            key="run.damaged_report",
            run=run.name,
        ) from error


def folder_size(folder: Path, most: int = MOST_FILES) -> int:
    """Bytes of the files in a folder, links aside; with more than `most` entries, of those looked at until then."""
    total, looked, waiting = 0, 0, [str(folder)]
    while waiting:
        try:
            entries = os.scandir(waiting.pop())
        except FileNotFoundError:  # a checkpoint that the trainer has just rotated away
            continue
        with entries:
            for entry in entries:
                looked += 1
                if looked > most:
                    return total
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    try:
                        total += entry.stat(follow_symlinks=False).st_size
                    except FileNotFoundError:  # as above
                        continue
    return total


# Two recipes, and a table's order


def ordered(rows: Iterable[Row], by: str, *, descending: bool = False) -> tuple[Row, ...]:
    """The rows by one of the columns in SORTABLE; what is not known stands last either way."""
    if by not in SORTABLE:
        raise ValueError(f"no such column: {by}")
    rows = tuple(rows)
    known = [row for row in rows if getattr(row, by) is not None]
    known.sort(key=lambda row: _comparable(getattr(row, by)), reverse=descending)
    return (*known, *(row for row in rows if getattr(row, by) is None))


def _comparable(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def matching(
    rows: Iterable[Row], text: str = "", *, states: Collection[str] = (), tags: Collection[str] = ()
) -> tuple[Row, ...]:
    """The rows with every word of a text in name, data, base, notes or tags, one of the states and all the tags."""
    words = unicodedata.normalize("NFC", text).casefold().split()
    return tuple(
        row
        for row in rows
        if (not states or row.state in states)
        and set(tags) <= set(row.tags)
        and all(word in _searched(row) for word in words)
    )


def _searched(row: Row) -> str:
    return unicodedata.normalize("NFC", "\n".join((row.name, row.data, row.base, row.notes, *row.tags))).casefold()

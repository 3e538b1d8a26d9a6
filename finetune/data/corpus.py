"""Clean question-and-answer rows, and count what was dropped and why.

Rows stream through one at a time, so that a million of them need no more memory than a thousand.
It does not know files (`sources.py`), does not split (`splits.py`) and does not know the chat format
(`prompts.py`). Near-identical rows are kept here: they are grouped when splitting, only exact repeats
are dropped.

Row numbers count data rows from 1, the header aside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from finetune import bengali
from finetune.data.sources import FIELDS, SURPLUS, read_rows
from finetune.errors import DataError
from finetune.recipe import Data

REASONS = ("missing", "empty", "too_short", "corrupted", "not_bengali", "duplicate")
"""Why a row is dropped, in the order the checks are made: a row is counted under the first that holds."""


@dataclass
class Report:
    """What cleaning found; filled while the rows stream through."""

    source: str = ""
    rows: int = 0
    kept: int = 0
    dropped_rows: dict[str, list[int]] = field(default_factory=lambda: {reason: [] for reason in REASONS})
    repaired_rows: list[int] = field(default_factory=list)

    def to_dict(self) -> dict:
        """The report as it is written to `report.json`."""
        return {
            "source": self.source,
            "rows": self.rows,
            "kept": self.kept,
            "dropped": {reason: len(numbers) for reason, numbers in self.dropped_rows.items()},
            "dropped_rows": self.dropped_rows,
            "repaired_rows": self.repaired_rows,
        }


def clean_rows(data: Data, report: Report, limit: int | None = None) -> Iterator[dict[str, str]]:
    """Yield the rows worth training on as `{topic, title, question, answer}`, filling the report.

    Raises DataError where the source cannot be read, lacks the columns, or not one row is left.
    """
    report.source = Path(data.source).name
    seen: set[bytes] = set()
    for number, raw in enumerate(islice(read_rows(data), limit), start=1):
        report.rows = number
        row, reason, repaired = _clean_row(raw, data)
        if not reason and data.deduplicate:
            key = hashlib.blake2b(f"{row['question']}\0{row['answer']}".encode(), digest_size=12).digest()
            reason = "duplicate" if key in seen else ""
            seen.add(key)
        if reason:
            report.dropped_rows[reason].append(number)
            continue
        if repaired:
            report.repaired_rows.append(number)
        report.kept += 1
        yield row
    if not report.rows:
        raise DataError(
            f"{report.source} has no rows. Choose a file with at least a few hundred questions and answers.",
            key="data.no_rows",
            file=report.source,
        )
    if not report.kept:
        most = max(REASONS, key=lambda reason: len(report.dropped_rows[reason]))
        raise DataError(
            f"None of the {report.rows:,} rows of {report.source} can be used: {len(report.dropped_rows[most]):,} are"
            f" {_SPOKEN[most]}. Choose a file with Bengali questions and answers, or set the columns that hold them.",
            key=f"data.none_left.{most}",
            file=report.source,
            rows=report.rows,
            count=len(report.dropped_rows[most]),
        )


_SPOKEN = {
    "missing": "without a question or an answer",
    "empty": "blank",
    "too_short": "too short",
    "corrupted": "corrupted beyond repair",
    "not_bengali": "mostly not in Bengali script",
    "duplicate": "repeats of an earlier row",
}


def _clean_row(raw: dict, data: Data) -> tuple[dict[str, str], str, bool]:
    row, repaired = {}, False
    for name in FIELDS:
        value = raw.get(getattr(data, name))
        if value is None or value != value:  # NaN, as Parquet and pandas write a missing value
            if name in ("question", "answer"):
                return {}, "missing", False
            value = ""
        text = str(value)
        if bengali.looks_like_mojibake(text):
            fixed = bengali.repair_mojibake(text)
            repaired, text = repaired or fixed != text, fixed
        row[name] = bengali.clean(text)
    for name in ("question", "answer"):
        text = row[name]
        if not text:
            return row, "empty", False
        if len(text) < data.min_characters:
            return row, "too_short", False
        if SURPLUS in raw or bengali.REPLACEMENT in text or bengali.looks_like_mojibake(text):
            return row, "corrupted", False
        if bengali.script_share(text) < data.min_bengali:
            return row, "not_bengali", False
    return row, "", repaired

"""Read question-and-answer rows from a file or the Hub, clean them, and count what was dropped.

Rows stream through one at a time, so that a million of them need no more memory than a thousand.
It does not split (`splits.py`) and does not know the chat format (`prompts.py`). Near-identical
rows are kept here: they are grouped when splitting, only exact repeats are dropped.

Row numbers count data rows from 1, the header aside.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from finetune import bengali
from finetune.errors import DataError
from finetune.recipe import ROOT, Data

FIELDS = ("topic", "title", "question", "answer")

KAGGLE_NAMES = ("BengaliEmpatheticConversationsCorpus .csv", "BengaliEmpatheticConversationsCorpus.csv")
"""The corpus' file on Kaggle has a blank before .csv; people rename it, so either finds the other."""

REASONS = ("missing", "empty", "too_short", "corrupted", "not_bengali", "duplicate")
"""Why a row is dropped, in the order the checks are made: a row is counted under the first that holds."""

_NOT_TEXT = {b"%PDF": "a PDF", b"PK\x03\x04": "an Excel or ZIP file", b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture"}


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
        if bengali.REPLACEMENT in text or bengali.looks_like_mojibake(text):
            return row, "corrupted", False
        if bengali.script_share(text) < data.min_bengali:
            return row, "not_bengali", False
    return row, "", repaired


def read_rows(data: Data) -> Iterator[dict]:
    """The raw rows of the source, as dictionaries by column; DataError where it cannot be read."""
    path = find_file(data.source)
    if path is None:
        if _looks_like_hub_id(data.source):
            yield from _read_hub(data)
            return
        raise DataError(
            f"There is no file {data.source}. Check the path, or upload the file again.",
            key="data.no_file",
            file=data.source,
        )
    if path.stat().st_size == 0:
        raise DataError(
            f"{path.name} is empty. Choose a file with question and answer columns.", key="data.empty", file=path.name
        )
    if path.suffix.lower() == ".parquet":
        yield from _read_parquet(path, data)
        return
    _refuse_what_is_not_text(path)
    if path.suffix.lower() in (".jsonl", ".json", ".ndjson"):
        yield from _read_jsonl(path, data)
    else:
        yield from _read_csv(path, data)


def find_file(source: str) -> Path | None:
    """The file a source names: as given, from the project's folder, or under the corpus' other spelling."""
    for path in (Path(source), ROOT / source):
        candidates = [path]
        if path.name in KAGGLE_NAMES:
            candidates += [path.with_name(name) for name in KAGGLE_NAMES]
        if path.is_dir():
            candidates = [path / name for name in KAGGLE_NAMES]
        for candidate in candidates:
            if candidate.is_file():
                return candidate
    return None


def _looks_like_hub_id(source: str) -> bool:
    return source.count("/") == 1 and not source.startswith((".", "/")) and not Path(source).suffix


def _refuse_what_is_not_text(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(4096)
    kind = next((kind for magic, kind in _NOT_TEXT.items() if head.startswith(magic)), "")
    if not kind and b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        kind = "not a text file"
    if kind:
        raise DataError(
            f"{path.name} is {kind}, whatever its name says. Save the table as CSV (UTF-8) and choose that file.",
            key="data.not_text",
            file=path.name,
        )


def _encoding(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(2)
    return "utf-16" if head in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"


def _not_unicode(path: Path) -> DataError:
    return DataError(
        f"{path.name} is not saved as UTF-8, so its Bengali letters cannot be read. Save it as CSV (UTF-8) and try again.",
        key="data.not_unicode",
        file=path.name,
    )


def _check_columns(found: list[str], data: Data, name: str) -> None:
    needed = [data.question, data.answer]
    lacking = [column for column in needed if column not in found]
    if lacking:
        raise DataError(
            f"{name} has no column {' and no column '.join(lacking)}. It has: {', '.join(found) or 'none'}."
            " Say which columns hold the question and the answer (data.question, data.answer).",
            key="data.columns",
            file=name,
            lacking=", ".join(lacking),
            found=", ".join(found),
        )


def _read_csv(path: Path, data: Data) -> Iterator[dict]:
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        with path.open(encoding=_encoding(path), newline="") as file:
            head = file.readline()
            file.seek(0)
            wanted = {data.question, data.answer}
            delimiter = max(",;\t", key=lambda d: (len(wanted & set(_header(head, d))), d == ","))
            reader = csv.reader(file, delimiter=delimiter)
            found = [column.strip() for column in next(reader, [])]
            _check_columns(found, data, path.name)
            for values in reader:
                if values:
                    yield dict(zip(found, values, strict=False))
    except UnicodeError as error:
        raise _not_unicode(path) from error
    except csv.Error as error:
        raise DataError(
            f"{path.name} is damaged near line {reader.line_num}: {error}. Save it again as CSV (UTF-8).",
            key="data.damaged",
            file=path.name,
            line=reader.line_num,
        ) from error


def _header(line: str, delimiter: str) -> list[str]:
    return [column.strip() for column in next(csv.reader([line], delimiter=delimiter), [])]


def _read_jsonl(path: Path, data: Data) -> Iterator[dict]:
    try:
        with path.open(encoding=_encoding(path)) as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except json.JSONDecodeError as error:
                    row = error
                if not isinstance(row, dict):
                    raise DataError(
                        f"Line {number} of {path.name} is not a JSON object. Write one object a line,"
                        ' {"Questions": …, "Answers": …}.',
                        key="data.not_jsonl",
                        file=path.name,
                        line=number,
                    )
                if number == 1:
                    _check_columns(list(row), data, path.name)
                yield row
    except UnicodeError as error:
        raise _not_unicode(path) from error


def _read_parquet(path: Path, data: Data) -> Iterator[dict]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(path)
    except pyarrow.ArrowException as error:
        raise DataError(
            f"{path.name} is not a readable Parquet file. Export it again, or use CSV (UTF-8).",
            key="data.damaged_parquet",
            file=path.name,
        ) from error
    found = table.schema_arrow.names
    _check_columns(found, data, path.name)
    wanted = [getattr(data, name) for name in FIELDS if getattr(data, name) in found]
    for batch in table.iter_batches(batch_size=4096, columns=wanted):
        yield from batch.to_pylist()


def _read_hub(data: Data) -> Iterator[dict]:
    import datasets

    try:
        rows = iter(datasets.load_dataset(data.source, split="train", streaming=True))
        first = next(rows, None)
    except Exception as error:  # datasets, huggingface_hub and httpx each raise their own kinds here
        raise DataError(
            f"The data set {data.source} cannot be read from the Hugging Face Hub ({type(error).__name__})."
            " Check its name and your network, log in if it is private, or use a file.",
            key="data.hub",
            file=data.source,
        ) from error
    if first is not None:
        _check_columns(list(first), data, data.source)
        yield first
        yield from rows

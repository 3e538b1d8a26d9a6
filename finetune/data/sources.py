"""Read question-and-answer rows from a CSV, JSONL or Parquet file or the Hub, as they stand there.

Whatever keeps a source from being read becomes a DataError that says what to do. It does not
judge the rows (`corpus.py`).
"""

from __future__ import annotations

import csv
import json
import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from finetune.errors import DataError
from finetune.recipe import ROOT, Data

FIELDS = ("topic", "title", "question", "answer")

SURPLUS = None
"""The key (csv.DictReader's) of what stands beyond a CSV row's last column: the row has an unquoted comma."""

KAGGLE_NAMES = ("BengaliEmpatheticConversationsCorpus .csv", "BengaliEmpatheticConversationsCorpus.csv")
"""The corpus' file on Kaggle has a blank before .csv; people rename it, so either finds the other."""

_NOT_TEXT = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "an Excel or ZIP file",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}

_ENDINGS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".xls", ".zip", ".gz")
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)

_MOST_LINES = 500
"""A longer CSV record is taken for one whose closing quotation mark is missing."""

_END = "\0end of the file"
"""Read after a CSV file's last line: a record of its own, unless a quotation mark is open."""


def read_rows(data: Data) -> Iterator[dict]:
    """The raw rows of the source, as dictionaries by column; DataError where it cannot be read."""
    path = find_file(data.source)
    if path is None:
        if _looks_like_hub_id(data.source):
            yield from _read_hub(data)
            return
        named = textwrap.shorten(data.source, 300, placeholder=" …")  # whole texts get pasted here
        raise DataError(
            f"There is no file {named}. Check the path, or upload the file again.", key="data.no_file", file=named
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
        if os.path.isdir(path):
            candidates = [path / name for name in KAGGLE_NAMES]
        for candidate in candidates:
            if os.path.isfile(candidate):  # Path.is_file would raise where a long text was pasted for a path
                return candidate
    return None


def _looks_like_hub_id(source: str) -> bool:
    return bool(_HUB_ID.fullmatch(source)) and not source.lower().endswith(_ENDINGS)


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
        f"{path.name} is not saved as UTF-8, so its Bengali letters cannot be read."
        " Save it as CSV (UTF-8) and try again.",
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
            records = _records(file, delimiter, path.name)
            found = [column.strip() for column in next(records, [])]
            _check_columns(found, data, path.name)
            for values in records:
                row = dict(zip(found, values, strict=False))
                if any(value.strip() for value in values[len(found) :]):
                    row[SURPLUS] = values[len(found) :]
                if values:
                    yield row
    except UnicodeError as error:
        raise _not_unicode(path) from error


def _records(file: Iterable[str], delimiter: str, name: str) -> Iterator[list[str]]:
    """The values of every record. A quotation mark that is not closed would swallow what follows: DataError."""
    reader = csv.reader(chain(file, [_END]), delimiter=delimiter)
    began = 0
    try:
        for values in reader:
            if values == [_END]:
                return
            if reader.line_num - began > _MOST_LINES or (values and values[-1].endswith(_END)):
                raise _damaged_csv(name, began + 1, "a quotation mark opens there and is not closed")
            began = reader.line_num
            yield values
    except csv.Error as error:
        raise _damaged_csv(name, reader.line_num, str(error)) from error


def _damaged_csv(name: str, line: int, reason: str) -> DataError:
    return DataError(
        f"{name} is damaged near line {line}: {reason}. Save it again as CSV (UTF-8).",
        key="data.damaged",
        file=name,
        line=line,
    )


def _header(line: str, delimiter: str) -> list[str]:
    return [column.strip() for column in next(csv.reader([line], delimiter=delimiter), [])]


def _read_jsonl(path: Path, data: Data) -> Iterator[dict]:
    checked = False
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
                if not checked:
                    _check_columns(list(row), data, path.name)
                    checked = True
                yield row
    except UnicodeError as error:
        raise _not_unicode(path) from error


def _read_parquet(path: Path, data: Data) -> Iterator[dict]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as table:
            found = table.schema_arrow.names
            _check_columns(found, data, path.name)
            wanted = [getattr(data, name) for name in FIELDS if getattr(data, name) in found]
            for batch in table.iter_batches(batch_size=4096, columns=wanted):
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError, UnicodeError) as error:
        raise DataError(
            f"{path.name} is not a readable Parquet file. Export it again, or use CSV (UTF-8).",
            key="data.damaged_parquet",
            file=path.name,
        ) from error


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

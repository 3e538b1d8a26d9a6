"""Messages in a maker's own file: which column of a table holds them, which their topics; or the text of a .txt.

Tables are read as training data is (`data/sources.py`), so that the same files do and the same errors are told. It does
not judge what the messages say, nor count them (`prompt_sets.py`).
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from finetune.data import sources
from finetune.errors import DataError
from finetune.recipe import Data

COLUMNS = ("question", "questions", "prompt", "prompts", "message", "messages", "text", "প্রশ্ন", "কথা")
"""Names by which the column with the messages is found, in this order; in small letters, or with a capital."""

TOPICS = ("Topics", "topics", "Topic", "topic", "বিষয়")

ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet", ".txt")


def check(path: Path) -> None:
    """DataError where a path is no file, or one that is not read here by its ending."""
    if path.suffix.lower() not in ENDINGS:
        raise DataError(
            f"{path.name} is no kind of file that messages are read from. Give a CSV, JSONL or Parquet file, or a .txt"
            " with one message a line.",
            key="prompts.unreadable",
            file=path.name,
        )
    if not path.is_file():  # which the reader of tables would look for on the Hub
        raise DataError(
            f"There is no file {path.name}. Check the path, or upload the file again.",
            key="data.no_file",
            file=path.name,
        )


def text(path: Path) -> str:
    """A .txt file's text, be it UTF-8 or, with its mark, UTF-16."""
    raw = path.read_bytes()
    try:
        return raw.decode("utf-16" if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
    except UnicodeError as error:
        raise DataError(
            f"{path.name} is not saved as UTF-8, so its Bengali letters cannot be read. Save it as UTF-8 and"
            " try again.",
            key="data.not_unicode",
            file=path.name,
        ) from error


def table(path: Path, column: str = "") -> Iterator[tuple[str, str]]:
    """Message and topic of each row of a CSV, JSONL or Parquet file; a cell that holds no text is empty.

    column: where the messages stand; if empty, one of COLUMNS, or the only one there is. Topics are read from a column
    of TOPICS, of a Parquet file only from the first of them. DataError where there is no such column.
    """
    column, rows = _opened(path, column)
    for number, row in enumerate(rows, start=2):
        message = row.get(column)
        beyond = row.get(sources.SURPLUS)
        if beyond:
            if list(row)[-2] != column:
                raise DataError(
                    f"{path.name} is damaged near line {number}: it has more values than columns. Put texts with commas"
                    " between quotation marks, or save the file again as CSV (UTF-8).",
                    key="data.damaged",
                    file=path.name,
                    line=number,
                )
            message = ",".join([message, *beyond])  # of the last column: what a comma cut up was one message
        topic = next((row[name] for name in TOPICS if row.get(name)), "")
        yield message if isinstance(message, str) else "", topic if isinstance(topic, str) else ""


def _opened(path: Path, column: str) -> tuple[str, Iterator[dict]]:
    """The name of the column with the messages, and all rows."""
    known = (column,) if column else tuple(name for one in COLUMNS for name in (one, one.capitalize()))
    found = ""
    for name in known:
        try:
            return name, _rows(path, name)
        except DataError as error:
            if error.key != "data.columns":
                raise
            found = str(error.facts["found"])
    if found and not column and ", " not in found:
        return found, _rows(path, found)
    wanted = column or ", ".join(COLUMNS)
    raise DataError(
        f"{path.name} has no column {wanted if column else 'of a known name (' + wanted + ')'}. It has:"
        f" {found or 'none'}. Name the one with the messages `question`.",
        key="prompts.no_column",
        file=path.name,
        columns=found,
    )


def _rows(path: Path, column: str) -> Iterator[dict]:
    """All rows; DataError at once where the file cannot be read or has no such column."""
    rows = sources.read_rows(Data(source=str(path), question=column, answer=column))
    first = next(rows, None)
    return iter(()) if first is None else chain([first], rows)

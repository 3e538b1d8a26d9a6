"""Read a preference file, TRL's conversational `{"prompt", "chosen", "rejected"}` a line, as rows worth training on.

A row is a question-and-answer row whose answer is the preferred reply, with the other one beside it, so that splits,
scores and prompts treat both kinds alike. It does not know where preferences come from (`review/preferences.py`), and
does not split. What is asked may be in any script, and so may the rejected reply: an answer in the wrong language is
a good reason to reject it. Conversations of several turns are refused, for a run learns single replies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from finetune import bengali
from finetune.data.corpus import Report
from finetune.data.sources import read_rows
from finetune.errors import DataError
from finetune.recipe import Data

REASONS = ("empty", "too_short", "corrupted", "not_bengali", "same", "duplicate")
"""Why a row is dropped, in the order in which it is looked at; `same`: both replies say the same."""

EXAMPLE = (
    '{"prompt": [{"role": "user", …}], "chosen": [{"role": "assistant", …}], "rejected": [{"role": "assistant", …}]}'
)


def clean_rows(data: Data, report: Report, limit: int | None = None) -> Iterator[dict[str, str]]:
    """Yield `{topic, title, question, answer, rejected}`, filling the report; topic and title are empty.

    Raises DataError where the file cannot be read, and where a line is no preference (with its number among the rows).
    """
    report.source = Path(data.source).name
    report.dropped_rows = {reason: [] for reason in REASONS}
    seen: set[bytes] = set()
    for number, raw in enumerate(islice(_read(data), limit), start=1):
        report.rows = number
        texts = [_text(raw, key, role) for key, role in _ROLES.items()]
        if None in texts:
            raise _no_preference(report.source, number)
        question, answer, rejected = (bengali.clean(text) for text in texts)
        reason = _reason(question, answer, rejected, data)
        if not reason and data.deduplicate:
            key = hashlib.blake2b(f"{question}\0{answer}\0{rejected}".encode(), digest_size=12).digest()
            reason = "duplicate" if key in seen else ""
            seen.add(key)
        if reason:
            report.dropped_rows[reason].append(number)
            continue
        report.kept += 1
        yield {"topic": "", "title": "", "question": question, "answer": answer, "rejected": rejected}


_ROLES = {"prompt": "user", "chosen": "assistant", "rejected": "assistant"}


def _read(data: Data) -> Iterator[dict[str, Any]]:
    try:
        yield from read_rows(replace(data, question="prompt", answer="chosen"))
    except DataError as error:
        if error.key != "data.columns":
            raise
        raise _no_preference(Path(data.source).name, 1) from error


def _text(raw: dict[str, Any], key: str, role: str) -> str | None:
    """What the only message of a side says; None where it is not one message of that role."""
    messages = raw.get(key)
    if not isinstance(messages, list) or len(messages) != 1 or not isinstance(messages[0], dict):
        return None
    content = messages[0].get("content")
    return content if messages[0].get("role") == role and isinstance(content, str) else None


def _reason(question: str, answer: str, rejected: str, data: Data) -> str:
    """Why a row is dropped; empty where it is kept."""
    if not (question and answer and rejected):
        return "empty"
    if len(question) < data.min_characters or len(answer) < data.min_characters:
        return "too_short"
    if any(bengali.REPLACEMENT in text or bengali.looks_like_mojibake(text) for text in (question, answer)):
        return "corrupted"
    if bengali.script_share(answer) < data.min_bengali:
        return "not_bengali"
    return "same" if answer == rejected else ""


def _no_preference(name: str, row: int) -> DataError:
    return DataError(
        f"Row {row} of {name} is no preference of one reply over another. A row holds one user message and two"
        f" assistant messages: {EXAMPLE}.",
        key="data.no_preference",
        file=name,
        row=row,
    )

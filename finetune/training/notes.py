"""What a person noted about a run: a text and tags, in `notes.json` in the run's folder.

They stay there: no export takes them along. It does not know where they are shown.
"""

from __future__ import annotations

import json
import os
import threading
import unicodedata
from collections.abc import Iterable

from finetune.errors import RunError
from finetune.training.runs import Run

FILE = "notes.json"

LONGEST_TEXT, LONGEST_TAG, MOST_TAGS = 2000, 32, 12
"""Characters, characters, tags: a note is no document, and a tag fits into a table's cell."""


def read(run: Run) -> tuple[str, tuple[str, ...]]:
    """What a person noted about a run, and the tags; RunError where `notes.json` is damaged."""
    try:
        raw = json.loads((run.folder / FILE).read_text(encoding="utf-8"))
        return str(raw["text"]), tuple(str(tag) for tag in raw["tags"])
    except FileNotFoundError:
        return "", ()
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(
            f"{FILE} of the run {run.name} is damaged. Write the note and the tags again; that replaces it.",
            key="run.damaged_notes",
            run=run.name,
        ) from error


def set_notes(run: Run, text: str, tags: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """Write a run's note and tags, and return them as kept: in NFC, without blank or repeated tags.

    Readers see the old file or the new one, never half of it. Raises RunError over the limits.
    """
    text = unicodedata.normalize("NFC", text).strip()
    cleaned = (" ".join(unicodedata.normalize("NFC", tag).split()) for tag in tags)
    kept = tuple(dict.fromkeys(tag for tag in cleaned if tag))
    if len(text) > LONGEST_TEXT:
        raise RunError(
            f"The note has {len(text)} characters; {LONGEST_TEXT} fit. Shorten it.",
            key="run.long_note",
            length=len(text),
            most=LONGEST_TEXT,
        )
    if len(kept) > MOST_TAGS or any(len(tag) > LONGEST_TAG for tag in kept):
        raise RunError(
            f"A run can have {MOST_TAGS} tags of {LONGEST_TAG} characters. Use fewer or shorter ones.",
            key="run.tags",
            most=MOST_TAGS,
            longest=LONGEST_TAG,
        )
    part = run.folder / f"{FILE}.{os.getpid()}.{threading.get_ident()}"
    part.write_text(json.dumps({"text": text, "tags": kept}, ensure_ascii=False, indent=1), encoding="utf-8")
    part.replace(run.folder / FILE)
    return text, kept

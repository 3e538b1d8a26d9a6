"""Files that are whole whatever is killed or switched off: added to, replaced, and written by one process at a time.

What is added stands on the disk when the call returns; a torn last line is for whoever reads to mend.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from finetune.errors import FinetuneError


def append(file: Path, text: str) -> None:
    """Add to a file and have it on the disk before it counts as done."""
    with file.open("ab") as opened:
        opened.write(text.encode())
        opened.flush()
        os.fsync(opened.fileno())


def replace(file: Path, text: str) -> None:
    """Write a file so that there is the old one or the whole new one."""
    part = file.with_name(f"{file.name}.part")
    with part.open("w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())  # else a power cut may leave an empty file under the final name
    part.replace(file)


@contextlib.contextmanager
def alone(folder: Path, busy: FinetuneError) -> Iterator[None]:
    """A lock on a folder while a process writes in it; raises `busy` where another one does.

    The system lets go of the lock when its process dies.
    """
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise busy from error
        yield

"""The metrics log of a run: one JSON object a line, flushed, read back however it was cut off.

Keys: step, epoch, loss, eval_loss, learning_rate, grad_norm, tokens, tokens_per_second,
gpu_memory_gb, elapsed_s; absent when not measured. `not_finite` names what was measured and was no
number. Knows nothing about trainers or plots.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

FILE = "metrics.jsonl"


def append(folder: Path, line: dict[str, Any]) -> None:
    """Add one line and hand it to the operating system, so that a killed process loses none.

    Numbers that JSON does not know, such as the loss of a training run that diverged, are left out and their
    keys listed under `not_finite`.
    """
    lost = [key for key, value in line.items() if isinstance(value, float) and not math.isfinite(value)]
    known = {key: value for key, value in line.items() if key not in lost}
    append_line(folder / FILE, {**known, "not_finite": lost} if lost else known)


def append_line(path: Path, line: dict[str, Any]) -> None:
    """Add one JSON line to a file as `append` does; what it holds must be JSON."""
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # a killed process left half a line: this one must not hang on to it
                file.write(b"\n")
        file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


def read(folder: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The lines from a byte offset on, and the offset to go on from; a half-written last line waits."""
    return read_lines(folder / FILE, offset)


def read_lines(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The JSON lines of a file as `read` gives them."""
    if not path.is_file():
        return [], 0
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read()
    whole = data[: data.rfind(b"\n") + 1]
    lines = []
    for line in whole.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:  # half a line from a killed process, or the NUL bytes that a crashed file system leaves
            continue
    return lines, offset + len(whole)


def series(lines: list[dict[str, Any]], key: str) -> tuple[list[int], list[float]]:
    """Steps and values of one key, as the run went last; of a step's several values the latest counts."""
    values = {line["step"]: line[key] for line in as_it_went(lines) if line.get(key) is not None}
    return list(values), list(values.values())


def as_it_went(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines without what a resumed run had measured beyond its checkpoint: those weights were given up.

    A run that began anew before its first update repeats step 0 at once.
    """
    kept: list[dict[str, Any]] = []
    for line in lines:
        if kept and line["step"] <= kept[-1]["step"]:
            while kept and kept[-1]["step"] > line["step"]:
                kept.pop()
            # Of the step itself, which may be the checkpoint's, only what is measured anew.
            while kept and kept[-1]["step"] == line["step"] and _losses(kept[-1]) & _losses(line):
                kept.pop()
        kept.append(line)
    return kept


def _losses(line: dict[str, Any]) -> set[str]:
    return {key for key in ("loss", "eval_loss") if key in line or key in line.get("not_finite", ())}

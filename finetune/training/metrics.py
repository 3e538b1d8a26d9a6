"""The metrics log of a run: one JSON object a line, flushed, read back however it was cut off.

Keys: step, epoch, loss, eval_loss, learning_rate, grad_norm, tokens, tokens_per_second,
gpu_memory_gb, elapsed_s; absent when not measured. Knows nothing about trainers or plots.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = "metrics.jsonl"


def append(folder: Path, line: dict[str, Any]) -> None:
    """Add one line and hand it to the operating system, so that a killed process loses none."""
    with (folder / FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()


def read(folder: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The lines from a byte offset on, and the offset to go on from; a half-written last line waits."""
    path = folder / FILE
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
        except json.JSONDecodeError:  # the torn end of a line from a killed process, before a resume went on
            continue
    return lines, offset + len(whole)


def series(lines: list[dict[str, Any]], key: str) -> tuple[list[int], list[float]]:
    """Steps and values of one key. Where a resumed run wrote a step again, the later value counts."""
    values = {line["step"]: line[key] for line in lines if line.get(key) is not None}
    steps = sorted(values)
    return steps, [values[step] for step in steps]

"""What the latest evaluation of a run came to, kept in the run's folder for its history and its model card.

    RUN/evaluation.json   the headline figures with their intervals; replaced atomically

It evaluates nothing: `review/evaluating.py` does, and the whole result lies in that evaluation's own folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from finetune.errors import RunError
from finetune.training.runs import Run

FILE = "evaluation.json"

FIGURES = ("bits_per_character", "chrf", "rougeL", "script_share", "truncated", "on_the_point")
"""Of all figures those that a card has room for."""

COPIED = ("first_line", "name", "split", "prompts", "references", "bits_saved", "saved", "fingerprint", "resident")


def headline(result: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a result: `result` is what an evaluation's scores.json holds."""
    kept = {key: result[key] for key in COPIED}
    kept["figures"] = {
        name: {side: result["intervals"][side][name] for side in ("base", "tuned")}
        | {"difference": result["difference"][name]}
        for name in FIGURES
    }
    return kept


def keep(run: Run, result: Mapping[str, Any]) -> None:
    """Let a run's history and card tell of an evaluation, in a few figures."""
    kept = headline(result)
    part = run.folder / f"{FILE}.{os.getpid()}"
    part.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    part.replace(run.folder / FILE)


def read(run: Run) -> dict[str, Any] | None:
    """What was kept; None where nothing was, or where the adapter was written again since. RunError where damaged."""
    file, weights = run.folder / FILE, run.adapter / "adapter_model.safetensors"
    try:
        if weights.stat().st_mtime_ns > file.stat().st_mtime_ns:
            return None
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise RunError(
            f"{FILE} of the run {run.name} is damaged. Evaluate the run again, or delete that file.",
            key="run.damaged_evaluation",
            run=run.name,
        ) from error


def lines(kept: Mapping[str, Any]) -> list[str]:
    """It as Markdown for a card: leakage first, then a table with 95 % intervals, then what it does not say."""
    rows = [
        f"| {name.replace('_', ' ')} | {_shown(one['base'])} | {_shown(one['tuned'])} |"
        f" {_shown(one['difference'], '+')} |"
        for name, one in kept["figures"].items()
    ]
    return [
        kept["first_line"],
        "",
        f"{kept['prompts']:,} questions of the {kept['split']} split, {kept['references']:,} references, greedy replies"
        f" on {kept['resident']}. 95 % intervals in brackets; differences question by question.",
        "",
        "| | base | fine-tuned | difference |",
        "|---|---|---|---|",
        *rows,
        "",
        "Shares are 0 to 1, chrF++ is 0 to 100. No figure here measures empathy; people do that, in blind review.",
    ]


def _shown(figure: Mapping[str, Any], sign: str = "") -> str:
    if figure["mean"] is None:
        return "–"
    told = f"{figure['mean']:{sign}.3f}"
    return told if figure["low"] is None else f"{told} [{figure['low']:{sign}.3f}, {figure['high']:{sign}.3f}]"

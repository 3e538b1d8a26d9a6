"""What the evaluations of a run came to, kept in the run's folder for its history and its model card.

    RUN/evaluation.json   by split the headline figures with their intervals; replaced atomically

Of a split the evaluation that asked most questions is kept, so that a quick look never stands in for the whole. It
evaluates nothing: `review/evaluating.py` does, and the whole result lies in that evaluation's own folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from finetune.errors import RunError
from finetune.review.contestants import Contestant
from finetune.training.runs import Run

FILE = "evaluation.json"

FIGURES = ("bits_per_character", "chrf", "rougeL", "script_share", "truncated", "on_the_point")
"""Of all figures those that a card has room for."""

FIRST = "test"
"""The split that a card and the history begin with: the other one may have chosen the checkpoint."""

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
    """Let a run's history and card tell of an evaluation, unless they tell of a larger one of its adapter and split."""
    split = result["split"]
    try:
        kept = _kept(run)
    except RunError:  # nobody can read what is there
        kept = {}
    before = kept.get(split)
    if before and before["fingerprint"] == result["fingerprint"] and before["prompts"] > result["prompts"]:
        return
    kept[split] = headline(result)
    part = run.folder / f"{FILE}.{os.getpid()}"
    part.write_text(json.dumps(kept, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    part.replace(run.folder / FILE)


def read(run: Run) -> list[dict[str, Any]]:
    """What was kept of the adapter as it is now, the test split's first; RunError where the file is damaged.

    Whose figures they are the weights say, not the files' times, which a copy of the folder sets anew.
    """
    kept = _kept(run)
    if not kept:
        return []
    now = Contestant(run.name, run.adapter).fingerprint()
    return [kept[split] for split in sorted(kept, key=lambda one: one != FIRST) if kept[split]["fingerprint"] == now]


def _kept(run: Run) -> dict[str, dict[str, Any]]:
    """By split what the file holds, whichever adapter it is of."""
    try:
        found = json.loads((run.folder / FILE).read_text(encoding="utf-8"))
        return {one["split"]: one for one in ([found] if "split" in found else found.values())}  # once it was one only
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunError(
            f"{FILE} of the run {run.name} is damaged. Evaluate the run again, or delete that file.",
            key="run.damaged_evaluation",
            run=run.name,
        ) from error


def card(kept: Sequence[Mapping[str, Any]]) -> list[str]:
    """All that `read` gives as Markdown, one evaluation after the other."""
    return [line for place, one in enumerate(kept) for line in ([""] if place else []) + lines(one)]


def lines(kept: Mapping[str, Any]) -> list[str]:
    """One as Markdown for a card: leakage first, then a table with 95 % intervals, then what it does not say."""
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

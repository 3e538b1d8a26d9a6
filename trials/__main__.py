"""Run trials: `python -m trials [NAME …] [--size N] [--seed N]`, by default all of them at full size.

A trial takes too long for a test. Each writes its figures to results/NAME.json and, for people, to results/NAME.md,
with the date, the commit, the machine and the command; the exit code is 1 where one did not pass.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from finetune.recipe import ROOT
from trials import chats, coverage, kills, refresh, streams, votes

RESULTS = Path(__file__).parent / "results"

TRIALS: dict[str, tuple[Callable[[Path, int, int], dict[str, Any]], int]] = {
    "kills": (kills.trial, 20),
    "refresh": (refresh.trial, 100_000),
    "coverage": (coverage.trial, 5_000),
    "votes": (votes.trial, 10_000),
    "streams": (streams.trial, 10_000),
    "chats": (chats.trial, 50),
}
"""Each trial with its full size. It gets a folder of its own, a size and a seed; it returns `passed`, `claim`, figures,
and under `rows` one dictionary for each thing tried."""


def main(
    names: Annotated[list[str] | None, typer.Argument(help=f"Some of: {', '.join(TRIALS)}.")] = None,
    size: Annotated[int | None, typer.Option(help="How much is tried; by default as much as the trial asks.")] = None,
    seed: Annotated[int, typer.Option(help="Of the random moments.")] = 0,
) -> None:
    """Run the trials and write down what came out."""
    chosen = names or list(TRIALS)
    unknown = [name for name in chosen if name not in TRIALS]
    if unknown:
        raise typer.BadParameter(f"no such trial: {', '.join(unknown)}; choose from {', '.join(TRIALS)}.")
    passed = []
    for name in chosen:
        trial, full = TRIALS[name]
        began = datetime.now().astimezone()
        with tempfile.TemporaryDirectory(prefix=f"trial-{name}-") as folder:
            result = trial(Path(folder), size or full, seed)
        result = {**_circumstances(began, f"python -m trials {name} --size {size or full} --seed {seed}"), **result}
        RESULTS.mkdir(exist_ok=True)
        text = json.dumps(result, ensure_ascii=False, indent=1)
        (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        (RESULTS / f"{name}.md").write_text(_page(name, result), encoding="utf-8")
        print(f"{name}: {'passed' if result['passed'] else 'FAILED'}; see {RESULTS / name}.md", flush=True)
        passed.append(result["passed"])
    sys.exit(0 if all(passed) else 1)


def _circumstances(began: datetime, command: str) -> dict[str, Any]:
    """When, with which code, on what machine and how."""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return {
        "date": began.isoformat(timespec="seconds"),
        "seconds": round((datetime.now().astimezone() - began).total_seconds()),
        "commit": done.stdout.strip() or "unknown",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}",
        "command": command,
    }


def _page(name: str, result: dict[str, Any]) -> str:
    """The result as a page of Markdown: what was claimed, the figures, and a table of what was tried."""
    rows = result["rows"]
    facts = {key: value for key, value in result.items() if key not in ("rows", "claim", "passed")}
    lines = [f"# {name}: {'passed' if result['passed'] else 'FAILED'}", "", result["claim"], ""]
    lines += [f"- {key.replace('_', ' ')}: {value}" for key, value in facts.items()]
    if rows:
        lines += ["", "| " + " | ".join(key.replace("_", " ") for key in rows[0]) + " |"]
        lines += ["|" + "---|" * len(rows[0])]
        lines += ["| " + " | ".join(str(value) for value in row.values()) + " |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    typer.run(main)

"""How long the page takes to refresh a long run that is being watched, and what it sends.

Everything that the server does for one refresh: the new lines are read, alerts looked for, the card, the replies and
all five figures made. Not what the network and the browser add.
"""

from __future__ import annotations

import json
import math
import random
import time
from pathlib import Path
from statistics import median
from typing import Any

from finetune.inference.backends import ScriptedBackend
from finetune.recipe import Recipe
from finetune.training import alerts, checkpoints, curves, metrics, runs, samples
from ui import plots
from ui.services import Services
from ui.train.run_card import card_html, samples_html

CLAIM = "A refresh of a run of so many steps takes at most 100 ms, and sends at most 1,500 points a line."
MOST_MS = 100.0
REFRESHES, NEW_LINES = 20, 7
EVALUATIONS = 2_000
"""With three replies each; every 50 steps, as the reference recipe evaluates."""


def trial(folder: Path, size: int, seed: int) -> dict[str, Any]:
    """Watch a run of `size` steps; what came out, as `trials/__main__.py` wants it."""
    chance = random.Random(seed)
    run = runs.create(folder, Recipe.read("demo"))
    with (run.folder / metrics.FILE).open("w", encoding="utf-8") as file:
        for step in range(1, size + 1):
            file.write(json.dumps(line(step, size, chance)) + "\n")
            if step % 500 == 0:
                evaluated = {"step": step, "eval_loss": 1.1 + 9 * math.exp(-step / 3000), "elapsed_s": step * 0.29}
                file.write(json.dumps(evaluated) + "\n")
    for step in range(0, size + 1, max(1, size // EVALUATIONS)):
        for number in range(3):
            reply = " ".join(chance.choice(("মনটা", "ভালো", "নেই", "শুনছি", "বলুন", "আজ", "পাশে")) for _ in range(30))
            answer = {"step": step, "eval_loss": 1.0, "prompt": f"কথা {number}", "reply": f"{reply}।"}
            metrics.append_line(run.folder / samples.FILE, answer)
    services = Services(folder, ScriptedBackend(""))
    run.set_status(state="training", step=size, total_steps=2 * size)
    began = time.perf_counter()
    refresh(services, run)
    first = time.perf_counter() - began
    taken, figures = [], {}
    for number in range(REFRESHES):
        for offset in range(NEW_LINES):
            metrics.append(run.folder, line(size + number * NEW_LINES + offset + 1, size, chance))
        began = time.perf_counter()
        figures = refresh(services, run)
        taken.append(1000 * (time.perf_counter() - began))
    drawn = [figure for figure in figures.values() if figure is not None]
    points = max(len(trace["x"]) for figure in drawn for trace in json.loads(figure.plot)["data"])
    return {
        "claim": CLAIM,
        "passed": median(taken) <= MOST_MS and points <= curves.MOST_POINTS,
        "steps": size,
        "refresh_median_ms": round(median(taken), 1),
        "refresh_longest_ms": round(max(taken), 1),
        "first_look_ms": round(1000 * first),
        "most_points_of_a_line": points,
        "bytes_of_all_figures": sum(len(figure.plot.encode()) for figure in drawn),
        "rows": [],
    }


def refresh(services: Services, run: runs.Run) -> dict[str, Any]:
    """What the server does for one refresh; returns the figures."""
    lines, status = services.lines(run), run.status()
    alerts.current(lines, status, alerts.disk(run))
    card_html(run, status, lines, "bn")
    samples_html(samples.read(run.folder), "bn")
    run.log_tail()
    checkpoints.of(run)
    return plots.figures(services.curves(run), "bn", plots.View(), run.name)


def line(step: int, size: int, chance: random.Random) -> dict[str, Any]:
    """A metrics line as training would write it."""
    return {
        "step": step,
        "epoch": round(step / 5000, 6),
        "loss": round(1 + 9 * math.exp(-step / 3000) + chance.gauss(0, 0.1), 4),
        "learning_rate": 2e-4 * max(0.0, 1 - step / (2 * size)),
        "grad_norm": abs(chance.gauss(1, 0.3)),
        "tokens": step * 4096,
        "tokens_per_second": round(chance.gauss(14000, 400), 2),
        "gpu_memory_gb": 9.873,
        "elapsed_s": round(step * 0.29, 3),
    }

"""What a maker should hear of while a run trains: read from its metrics, its status and the disk, never from a guess.

Pure functions but for `disk`, which looks. Each alert says what happened and what to do next, in words for people,
with a key and facts for translators. This module stops nothing (`stopping.py` does) and does not know who is told.
"""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, variance
from typing import Any, Literal

from finetune.training import checkpoints, metrics
from finetune.training.runs import Run, Status

LATEST = 2_000
"""Lines looked at, but for evaluations: enough for every window here, few enough for a page that refreshes."""

WINDOW = 25
"""Logged steps that are averaged: with 16 examples a step a loss scatters by a fifth (the demo run), the mean of so
many by a twenty-fifth."""

LOSS_RISE = 0.25
"""Share by which the train loss must rise: of 80 such means the lowest lies a tenth below their middle by chance, and
the last may lie as much above it."""

LOSS_SURENESS = 5.0
"""Standard errors of the difference that a rise must exceed, for runs that scatter more than most."""

EVALUATIONS = 2
"""Evaluations in a row that must be worse than the one before: the rows are the same each time, so little is chance."""

GRADIENT_FACTOR = 10.0
"""How many times its usual length a gradient must be: clipping takes care of lone spikes, and warm-up's are smaller."""

GRADIENT_RECENT, GRADIENT_LONG = 5, 3
"""Of the latest logged gradients so many must be that long, or it is a spike."""

GRADIENT_USUAL = 20
"""Gradients needed before there is a usual length."""

ASSUMED_ADAPTER, ASSUMED_CHECKPOINT = 168_000_000, 252_000_000
"""Bytes, before a checkpoint is there to be measured: rank 16 on Llama 3.1 8B are 42M weights of 4 bytes, and 8-bit
Adam keeps 2 more for each."""

LOSSES = ("loss", "eval_loss")

MB = 1_000_000

Lines = list[dict[str, Any]]


@dataclass(frozen=True)
class Alert:
    """One thing to tell; (key, step) stays the same however often it is looked for while it lasts."""

    key: str
    facts: dict[str, Any]
    message: str
    level: Literal["info", "warning", "error"]
    step: int
    """Where it began; 0 where it has no step."""


@dataclass(frozen=True)
class Disk:
    """What is free where a run lives and what the run writes there, in bytes."""

    free: int
    checkpoint: int = ASSUMED_CHECKPOINT
    adapter: int = ASSUMED_ADAPTER

    @property
    def needed(self) -> int:
        """A new checkpoint is whole before an old one goes, and the adapter is saved at the end."""
        return 2 * self.checkpoint + self.adapter


def disk(run: Run) -> Disk:
    """The disk as it is now; the largest whole checkpoint stands for the next."""
    free = shutil.disk_usage(run.folder).free
    sizes = [_sizes(path.parent) for path in run.checkpoints.glob(f"checkpoint-*/{checkpoints.STATE}")]
    largest = max(sizes, key=lambda files: sum(files.values()), default={})
    if not largest:
        return Disk(free)
    return Disk(free, sum(largest.values()), largest.get("adapter_model.safetensors", 0))


def _sizes(folder: Path) -> dict[str, int]:
    """Each file's bytes; none where the trainer has just removed the checkpoint."""
    try:
        return {file.name: file.stat().st_size for file in folder.iterdir()}
    except FileNotFoundError:
        return {}


def current(lines: Lines, status: Status, space: Disk) -> tuple[Alert, ...]:
    """Everything to tell of a run, the gravest first. What only matters while it trains is not told of an ended one."""
    found = [not_finite(lines), evaluation_rising(lines), second_try(status), ended(status)]
    if status.active:
        found += [loss_rising(lines), gradient_exploding(lines), disk_nearly_full(space)]
    grave = ("error", "warning", "info")
    return tuple(sorted((alert for alert in found if alert), key=lambda alert: grave.index(alert.level)))


def not_finite(lines: Lines) -> Alert | None:
    """The train or evaluation loss was no number: an error while it is so, a warning once it is one again."""
    told = []
    for line in metrics.as_it_went(lines[-LATEST:]):
        lost = any(key in LOSSES for key in line.get("not_finite", ()))
        if lost or any(key in line for key in LOSSES):
            told.append((line["step"], lost))
    last = max((i for i, (_, lost) in enumerate(told) if lost), default=None)
    if last is None:
        return None
    first = last
    while first and told[first - 1][1]:
        first -= 1
    began, step = told[first][0], told[last][0]
    if last + 1 < len(told):
        text = (
            f"The loss was no number (NaN or infinite) at step {step:,}, and is one again. If it comes back, lower"
            " training.learning_rate."
        )
        return Alert("alert.not_finite_once", {"step": step}, text, "warning", began)
    text = (
        f"The loss is no number (NaN or infinite) at step {step:,}. Stop, and start anew with a lower"
        " training.learning_rate and training.max_grad_norm at 1 or less."
    )
    return Alert("alert.not_finite", {"step": step}, text, "error", began)


def loss_rising(lines: Lines) -> Alert | None:
    """The mean train loss of the last WINDOW logged steps lies above the lowest mean of any window before."""
    steps, losses = _series(lines[-LATEST:], "loss")
    ends = range(len(losses), WINDOW - 1, -WINDOW)
    windows = [losses[end - WINDOW : end] for end in ends]
    if len(windows) < 2:
        return None
    means = [fmean(window) for window in windows]
    lowest = min(range(1, len(means)), key=means.__getitem__)
    rise = means[0] - means[lowest]
    error = math.sqrt((variance(windows[0]) + variance(windows[lowest])) / WINDOW)
    if rise <= LOSS_RISE * means[lowest] or rise <= LOSS_SURENESS * error:
        return None
    began = steps[ends[lowest] - 1]
    percent = round(100 * rise / means[lowest])
    return Alert(
        "alert.loss_rising",
        {"percent": percent, "step": began},
        f"The train loss has risen by {percent:,} % since step {began:,}. If it goes on, stop and start anew with a"
        " lower training.learning_rate.",
        "warning",
        began,
    )


def evaluation_rising(lines: Lines, evaluations: int = EVALUATIONS) -> Alert | None:
    """Each of the last `evaluations` evaluation losses is higher than the one before it."""
    steps, losses = _series([line for line in lines if "eval_loss" in line], "eval_loss")
    rises = 0
    while rises + 1 < len(losses) and losses[-1 - rises] > losses[-2 - rises]:
        rises += 1
    if rises < evaluations:
        return None
    best = min(range(len(losses)), key=losses.__getitem__)
    facts = {"count": rises, "step": steps[best], "best": f"{losses[best]:.3f}", "last": f"{losses[-1]:.3f}"}
    return Alert(
        "alert.evaluation_rising",
        facts,
        f"The evaluation loss has risen {rises:,} times in a row, to {losses[-1]:.3f}; the best was {losses[best]:.3f}"
        f" at step {steps[best]:,}. It may be learning the examples by heart (overfitting): fewer steps would do, or"
        " let training.early_stopping_patience end it.",
        "warning",
        steps[-rises],
    )


def gradient_exploding(lines: Lines) -> Alert | None:
    """Most of the latest gradients are many times as long as those before them usually were."""
    steps, norms = _series(lines[-LATEST:], "grad_norm")
    before, latest = norms[:-GRADIENT_RECENT], norms[-GRADIENT_RECENT:]
    if len(before) < GRADIENT_USUAL:
        return None
    usual = median(before)
    long = [i for i, norm in enumerate(latest) if norm > GRADIENT_FACTOR * usual]
    if usual == 0 or len(long) < GRADIENT_LONG:
        return None
    began = steps[len(before) + long[0]]
    times = round(max(latest) / usual)
    return Alert(
        "alert.gradient_exploding",
        {"times": times, "step": began},
        f"Since step {began:,} gradients are up to {times:,} times as long as usual. If the loss rises as well, stop"
        " and start anew with a lower training.learning_rate or training.max_grad_norm at 1 or less.",
        "warning",
        began,
    )


def disk_nearly_full(space: Disk) -> Alert | None:
    """Less is free than the run may need before it frees anything."""
    if space.free >= space.needed:
        return None
    free, needed = space.free // MB, math.ceil(space.needed / MB)
    return Alert(
        "alert.disk",
        {"free": free, "needed": needed},
        f"Only {free:,} MB are free on the disk, and checkpoints and adapter may need {needed:,} MB. Free some space"
        " before the next checkpoint, for example by deleting runs that you no longer need.",
        "warning",
        0,
    )


def second_try(status: Status) -> Alert | None:
    """Memory ran out once, and the run went on by itself with less in memory at once."""
    facts = status.second_try
    if not facts:
        return None
    begin = f"Memory ran out at step {facts['step']:,}, and the run went on by itself from step {facts['start']:,} with"
    if "tokens" in facts:
        key = "alert.second_try.tokens"
        text = f"{begin} at most {facts['fewer']:,} tokens a pass instead of {facts['tokens']:,}; it learns the same."
    else:
        key = "alert.second_try.batch"
        text = (
            f"{begin} training.per_device_train_batch_size at {facts['smaller']:,} instead of {facts['batch']:,} and"
            f" training.gradient_accumulation_steps at {facts['more']:,} instead of {facts['steps']:,}; it learns the"
            " same."
        )
    return Alert(key, facts, text, "info", facts["step"])


def ended(status: Status) -> Alert | None:
    """The run has finished, finished early, stopped or failed; its card says why it failed."""
    step, total = status.step, status.total_steps
    if status.state == "failed":
        text = f"Training failed at step {step:,}. The run says why and what to do."
        return Alert("alert.failed", {"step": step}, text, "error", step)
    if status.state == "stopped":
        if status.cancelled:
            text = (
                f"Training was cancelled at step {step:,} of {total:,}. No adapter was saved; where there is a"
                " checkpoint you can resume from it."
            )
            return Alert("alert.cancelled", {"step": step, "total": total}, text, "info", step)
        text = f"Training was stopped at step {step:,} of {total:,}. Resume goes on from its last checkpoint."
        return Alert("alert.stopped", {"step": step, "total": total}, text, "info", step)
    if status.state != "finished":
        return None
    if step < total:
        text = (
            f"Training ended by itself at step {step:,} of {total:,}, for the evaluation loss no longer fell. The"
            " adapter is saved; compare it or talk to it."
        )
        return Alert("alert.finished_early", {"step": step, "total": total}, text, "info", step)
    text = f"Training finished after {step:,} steps. The adapter is saved; compare it or talk to it."
    return Alert("alert.finished", {"step": step}, text, "info", step)


def _series(lines: Lines, key: str) -> tuple[list[int], list[float]]:
    """Steps and values of one key in the run's last history; of a step's several values the latest counts."""
    values = {line["step"]: line[key] for line in metrics.as_it_went(lines) if line.get(key) is not None}
    return list(values), list(values.values())

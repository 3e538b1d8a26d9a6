"""How far a job of one or more evaluations is as a whole, and how long it still takes.

Stages weigh by the tokens they read and write, so that one bar goes through all of them, and through every run, without
turning back. What lay on the disk already counts as done and says nothing of the pace. It asks no model and knows no
widgets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from finetune.review.evaluating import Progress
from finetune.review.evaluation_order import Order, Question

TOKENS_A_CHARACTER = 1.25
"""Of Bengali in a Llama 3 tokenizer: 1.21 were measured on the corpus."""

WRITTEN = 6.0
"""What a token that is written weighs where one that is read weighs 1, on the demo's base without a GPU."""

SCORED = 140.0
"""What the figures of one question weigh, counting and resampling; the same."""


@dataclass
class Pace:
    """Takes note of what is reported; `weights` are those of the run under way, by stage."""

    runs: int = 1
    weights: Mapping[str, float] = field(default_factory=dict)
    number: int = 0
    """Of the run under way, from 1; 0 before the first."""
    clock: Callable[[], float] = time.monotonic
    shares: dict[str, float] = field(default_factory=dict)
    worked: dict[str, tuple[float, float]] = field(default_factory=dict)
    """By stage, of all runs: what was done here, by weight, and in how many seconds."""
    stage: str = ""
    at: float = 0.0

    def begin(self, weights: Mapping[str, float]) -> None:
        """The next run begins."""
        self.number, self.weights, self.shares, self.stage = self.number + 1, weights, {}, ""

    def report(self, progress: Progress) -> None:
        """A stage came so far."""
        now, stage = self.clock(), progress.stage
        share = progress.done / progress.total if progress.total else 1.0
        gained = share - self.shares.get(stage, 0.0)
        if stage == self.stage and gained > 0:
            done, seconds = self.worked.get(stage, (0.0, 0.0))
            self.worked[stage] = (done + gained * self.weights.get(stage, 0.0), seconds + now - self.at)
        self.stage, self.at = stage, now
        self.shares[stage] = share

    @property
    def share(self) -> float:
        """How much of the whole job is done, from 0 to 1."""
        if not self.number:
            return 0.0
        whole = sum(self.weights.values())
        done = sum(weight * self.shares.get(stage, 0.0) for stage, weight in self.weights.items())
        return (self.number - 1 + (done / whole if whole else 0.0)) / self.runs

    @property
    def left(self) -> float | None:
        """Seconds that the whole job still takes, counted down between two reports; None while nothing tells the pace.

        A stage that was not begun yet is taken to go as fast, by weight, as what was done so far; a run, to be like the
        one under way.
        """
        done, seconds = (sum(both) for both in zip(*self.worked.values(), strict=True)) if self.worked else (0.0, 0.0)
        if not done:
            return None
        left = 0.0
        for stage, weight in self.weights.items():
            own, took = self.worked.get(stage, (0.0, 0.0))
            pace = took / own if own else seconds / done
            left += pace * weight * (1 - self.shares.get(stage, 0.0) + self.runs - self.number)
        return max(0.0, left - (self.clock() - self.at))


def weights(order: Order, asked: tuple[Question, ...] = (), checkpoints: int = 0) -> dict[str, float]:
    """What each stage of an evaluation weighs; `asked` is what each of so many checkpoints reads."""
    tokens = 2 * len(order.questions) * order.settings.max_new_tokens
    found = {
        "bits": 2 * _read(order.questions),
        "replies": WRITTEN * tokens,
        "scores": SCORED * len(order.questions),
    }
    return found | ({"steps": checkpoints * _read(asked)} if checkpoints else {})


def _read(asked: tuple[Question, ...]) -> float:
    """How many tokens one side reads of these questions with each of their references."""
    return TOKENS_A_CHARACTER * sum(len(one.text) + len(reference) for one in asked for reference in one.references)

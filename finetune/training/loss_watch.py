"""What each update came to: whether its loss was a number, and its line in the log, told without holding up the card.

transformers' trainer can hide a loss that is NaN or infinite (`logging_nan_inf_filter`), and waits for the card after
every pass to do so. Here it is seen, and told to every log. An update is read when all its work has been given out, or,
where that is asked for, when all of the next one's has: the card then never waits for the host. It ends no run, which
is `stopping.py`'s, and knows no folders.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from finetune.training import processes
from finetune.training.delayed import Clock, Delayed

MOST_NOT_FINITE = 3
"""Updates in a row. One can be a bad batch, and float16's loss scaler skips such updates; after a NaN that reached the
weights every later loss is NaN, so that more patience would only cost time."""


@dataclass
class LossWatch:
    """Whether the losses of updates were numbers, and what is told of an update when."""

    late: bool = False
    """An update is read and logged when the next one has been given out, or before anything is saved or evaluated."""
    streak: int = 0
    """Updates in a row whose loss was no number."""
    unread: Any = None
    """Whether the losses of all passes of the update in hand are finite, as a tensor where they are; None: no pass."""
    unlogged: Any = None
    """The same of all passes since the last update that is to be logged."""
    ended: deque[tuple[int, Delayed]] = field(default_factory=deque)
    """Steps of updates that have ended and were not read, each with how many processes saw a loss that is none."""
    step: int = 0
    """Of the last update that was read."""
    as_of: float | None = None
    """When the update that is told just now had ended."""

    def see(self, finite: Any) -> None:
        """Take note of one forward pass, without waiting for it: `finite` is a tensor of one truth value."""
        self.unread = finite if self.unread is None else self.unread & finite
        self.unlogged = finite if self.unlogged is None else self.unlogged & finite

    def end_update(self, step: int) -> None:
        """Take note that the weights have been updated for the `step`th time."""
        if self.unread is not None:
            self.ended.append((step, Delayed(processes.summed((~self.unread).int()))))
        self.unread = None

    def read(self, *, due: bool) -> None:
        """Wait for what the updates were that have ended; for the last one only where that is due or nothing is late.

        What one of several processes saw, its share of the update, counts in all of them.
        """
        while len(self.ended) > (self.late and not due):
            self.step, lost = self.ended.popleft()
            self.streak = self.streak + 1 if lost.read() else 0

    def time(self) -> float:
        """When what is being told was so, in seconds as `time.perf_counter` counts them."""
        return time.perf_counter() if self.as_of is None else self.as_of


def due(control: Any) -> bool:
    """Whether something follows this update that has to know of it, by transformers' TrainerControl."""
    return control.should_save or control.should_evaluate or control.should_training_stop or control.should_epoch_stop


@dataclass(frozen=True, eq=False)
class Told:
    """What an update's line in the log says, and of when."""

    step: int
    epoch: float | None
    tokens: Delayed
    """That had been learnt from, where the trainer counts them."""
    updates: int
    """Since the line before."""
    numbers: Delayed
    """The sum of their losses, NaN where one was no number, and the last one's gradient norm if it has one."""
    learning_rate: float


def watched(trainer: type, watch: LossWatch) -> type:
    """A trainer class like `trainer` (transformers') whose log tells a loss that was no number as NaN."""
    import torch
    from transformers.trainer_pt_utils import nested_gather

    class WatchedTrainer(trainer):
        """Hands every loss to the watch; adds 0 for one that is no number, which the sum would never get rid of."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.untold: deque[Told] = deque()
            self.clock: Clock | None = None

        def training_step(self, *args: Any, **kwargs: Any) -> Any:
            loss = super().training_step(*args, **kwargs)
            finite = loss.isfinite()
            watch.see(finite)
            return loss.where(finite, 0.0)

        def _maybe_log_save_evaluate(
            self, tr_loss: Any, grad_norm: Any, *args: Any, learning_rate: float | None = None, **kwargs: Any
        ) -> None:
            """As transformers' own, but that a line may be written when the next update has been given out."""
            control = self.control
            if control.should_log and self.state.global_step > self._globalstep_last_logged:
                self.untold.append(self.noted(tr_loss, grad_norm, learning_rate))
                tr_loss -= tr_loss
                self._globalstep_last_logged = self.state.global_step
                self.store_flos()
                control.should_log = False  # to the lines below
            at_once = not watch.late or due(control) or watch.streak >= MOST_NOT_FINITE
            while len(self.untold) > (not at_once):
                self.tell(self.untold.popleft())
            super()._maybe_log_save_evaluate(tr_loss, grad_norm, *args, learning_rate=learning_rate, **kwargs)

        def noted(self, tr_loss: Any, grad_norm: Any, learning_rate: float | None) -> Told:
            """What to tell of the update that has just been given out."""
            if self.clock is None:
                self.clock = Clock()
            loss = tr_loss if watch.unlogged is None else tr_loss.where(watch.unlogged, math.nan)
            watch.unlogged = None
            numbers = [nested_gather(loss, self.args.parallel_mode).mean()]
            if grad_norm is not None:
                norm = grad_norm.full_tensor() if hasattr(grad_norm, "full_tensor") else grad_norm
                numbers.append(torch.as_tensor(norm, dtype=loss.dtype, device=loss.device))
            return Told(
                step=self.state.global_step,
                epoch=self.state.epoch,
                tokens=Delayed(torch.as_tensor(getattr(self, "tokens_seen", 0))),
                updates=self.state.global_step - self._globalstep_last_logged,
                numbers=Delayed(torch.stack(numbers)),
                learning_rate=self._get_learning_rate() if learning_rate is None else learning_rate,
            )

        def tell(self, told: Told) -> None:
            """Write a line of the log; whoever hears of it finds the trainer as it was then."""
            loss, *norm = told.numbers.read()
            self._total_loss_scalar += loss
            now = self.state.global_step, self.state.epoch, getattr(self, "tokens_seen", 0)
            self.state.global_step, self.state.epoch, self.tokens_seen = told.step, told.epoch, told.tokens.read()
            watch.as_of = self.clock.time(told.numbers) if watch.late else None
            try:
                logs = {"loss": loss / told.updates}
                if norm:
                    logs["grad_norm"] = norm[0]
                self.log({**logs, "learning_rate": told.learning_rate})
            finally:
                self.state.global_step, self.state.epoch, self.tokens_seen = now
                watch.as_of = None

    return WatchedTrainer

"""When training ends by itself: the loss is no number any more, or the evaluation no longer gets better.

transformers' trainer can hide a loss that is NaN or infinite (`logging_nan_inf_filter`), and waits for the card after
every pass to do so. Here it is seen, told to every log, and ends the run before it burns hours. What an update was is
read when all its work has been given out, or, where that is asked for, when all of the next one's has: the card then
never waits for the host. This module does not know folders; what it tells people is raised.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from finetune.errors import RunError
from finetune.recipe import Training
from finetune.training import processes
from finetune.training.delayed import Clock, Delayed

MOST_NOT_FINITE = 3
"""Updates in a row. One can be a bad batch, and float16's loss scaler skips such updates; after a NaN that reached the
weights every later loss is NaN, so that more patience would only cost time."""

CAREFUL_GRAD_NORM = 0.3
"""What QLoRA clips at (Dettmers et al. 2023, appendix B.2), for whom 1 was not enough."""


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
    """Steps of updates that have ended and were not read, each with its `unread`."""
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
            self.ended.append((step, Delayed(self.unread)))
        self.unread = None

    def read(self, *, due: bool) -> None:
        """Wait for what the updates were that have ended; for the last one only where that is due or nothing is late.

        What one of several processes saw, its share of the update, counts in all of them.
        """
        while len(self.ended) > (self.late and not due):
            self.step, finite = self.ended.popleft()
            lost = processes.anywhere(not finite.read())
            self.streak = self.streak + 1 if lost else 0

    def time(self) -> float:
        """When what is being told was so, in seconds as `time.perf_counter` counts them."""
        return time.perf_counter() if self.as_of is None else self.as_of


@dataclass(frozen=True, eq=False)
class Told:
    """What an update's line in the log says, and of when."""

    step: int
    epoch: float | None
    tokens: int
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
            due = control.should_save or control.should_evaluate
            due = due or control.should_training_stop or control.should_epoch_stop
            ends = watch.streak >= MOST_NOT_FINITE
            while len(self.untold) > (watch.late and not due and not ends):
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
                tokens=getattr(self, "tokens_seen", 0),
                updates=self.state.global_step - self._globalstep_last_logged,
                numbers=Delayed(torch.stack(numbers)),
                learning_rate=self._get_learning_rate() if learning_rate is None else learning_rate,
            )

        def tell(self, told: Told) -> None:
            """Write a line of the log; whoever hears of it finds the trainer as it was then."""
            loss, *norm = told.numbers.read()
            self._total_loss_scalar += loss
            now = self.state.global_step, self.state.epoch, getattr(self, "tokens_seen", 0)
            self.state.global_step, self.state.epoch, self.tokens_seen = told.step, told.epoch, told.tokens
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


def callbacks(training: Training, watch: LossWatch) -> list[Any]:
    """The callbacks that end training or have its best state kept, behind those that write logs and obey a stop."""
    chosen = [_divergence(training, watch)]
    if training.load_best_model_at_end:
        chosen.append(_best_saved())
    if training.early_stopping_patience:
        chosen.append(_early_stopping(training.early_stopping_patience))
    return chosen


def _divergence(training: Training, watch: LossWatch) -> Any:
    from transformers import TrainerCallback

    class Divergence(TrainerCallback):
        """Raises RunError after MOST_NOT_FINITE updates, or where such updates would be the last."""

        ends = False

        def on_step_end(self, args, state, control, **_):  # noqa: ANN001
            watch.end_update(state.global_step)
            watch.read(due=control.should_save or control.should_evaluate or control.should_training_stop)
            if watch.streak:  # the weights may be no numbers now: nothing to keep, nothing to resume from
                control.should_save = control.should_evaluate = False
                self.ends = watch.streak >= MOST_NOT_FINITE or control.should_training_stop
                control.should_log = control.should_log or self.ends

        def on_log(self, args, state, control, logs=None, **_):  # noqa: ANN001
            if self.ends and "loss" in (logs or {}) and state.global_step >= watch.step:  # others are told first
                raise diverged(training, watch.step, watch.streak)

    return Divergence()


def diverged(training: Training, step: int, count: int) -> RunError:
    """What to tell where the loss was no number for `count` updates, the last of them at `step`."""
    norm = 1.0 if not 0 < training.max_grad_norm <= 1 else min(CAREFUL_GRAD_NORM, training.max_grad_norm / 2)
    rate, lower, norm = f"{training.learning_rate:g}", f"{training.learning_rate / 3:.1g}", f"{norm:g}"
    return RunError(
        f"The loss was no number any more (NaN or infinite) in the last {count} updates, up to step {step:,}, so"
        f" training has ended itself. Start a new run with training.learning_rate at {lower} or less (it was {rate})"
        f" and training.max_grad_norm at {norm}.",
        key="run.diverged",
        count=count,
        step=step,
        rate=rate,
        lower=lower,
        norm=norm,
    )


def _best_saved() -> Any:
    from transformers import TrainerCallback

    class BestSaved(TrainerCallback):
        """Has the best evaluation saved, whatever save_steps says: else the best may be a state that nobody kept."""

        began = 0

        def on_train_begin(self, args, state, control, **_):  # noqa: ANN001
            self.began = state.global_step

        def on_step_end(self, args, state, control, **_):  # noqa: ANN001
            if control.should_evaluate:
                control.should_log = True  # it may be saved, and a resume looks for the token count at its checkpoint

        def on_evaluate(self, args, state, control, **_):  # noqa: ANN001
            if state.global_step != self.began and since_best(state.log_history) == 0:
                control.should_save = True

    return BestSaved()


def _early_stopping(patience: int) -> Any:
    from transformers import EarlyStoppingCallback

    class EarlyStopping(EarlyStoppingCallback):
        """Counts on where a resumed run had been."""

        def on_train_begin(self, args, state, control, **kwargs):  # noqa: ANN001
            super().on_train_begin(args, state, control, **kwargs)
            self.began = state.global_step
            self.early_stopping_patience_counter = since_best(state.log_history)

        def on_evaluate(self, args, state, control, metrics, **kwargs):  # noqa: ANN001
            if state.global_step != self.began:  # not the base's own, nor what a resumed run made before it was saved
                super().on_evaluate(args, state, control, metrics, **kwargs)

    return EarlyStopping(early_stopping_patience=patience)


def since_best(log_history: list[dict[str, float]]) -> int:
    """Evaluations after the best one in a trainer's log; the base's, at step 0, does not count."""
    losses = {entry["step"]: entry["eval_loss"] for entry in log_history if entry["step"] and "eval_loss" in entry}
    best, count = math.inf, 0
    for step in sorted(losses):
        best, count = (losses[step], 0) if losses[step] < best else (best, count + 1)
    return count

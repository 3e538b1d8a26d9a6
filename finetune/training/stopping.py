"""When training ends by itself: the loss is no number any more, or the evaluation no longer gets better.

A run whose loss is NaN or infinite ends before it burns hours; `loss_watch.py` sees it. This module does not know
folders; what it tells people is raised.
"""

from __future__ import annotations

import math
from typing import Any

from finetune.errors import RunError
from finetune.recipe import Training
from finetune.training.loss_watch import MOST_NOT_FINITE, LossWatch, due

CAREFUL_GRAD_NORM = 0.3
"""What QLoRA clips at (Dettmers et al. 2023, appendix B.2), for whom 1 was not enough."""


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
            watch.read(due=due(control))
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

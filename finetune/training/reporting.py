"""What a training process tells the run's folder while it trains: its log, metrics and status.

Also obeys the stop and cancel requests that lie there, in the same step in every process (`processes.py`), of which the
first alone writes. It does not know how the trainer was set up.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from finetune.training import metrics, processes
from finetune.training.runs import Run


class Cancelled(Exception):
    """The run is to end here, without saving."""


KEYS = (
    "loss", "eval_loss", "learning_rate", "grad_norm",
    "rewards/margins", "rewards/accuracies", "eval_rewards/margins", "eval_rewards/accuracies",
)  # fmt: skip
"""Of what the trainer logs; the second line is DPO's: by how much, and how often, the preferred reply is likelier."""


def obey_cancel(run: Run) -> None:
    """Raises Cancelled where the run's cancel request lies; in all processes, whichever of them has seen it."""
    if processes.anywhere(run.cancel_request.exists()):
        raise Cancelled


def tell(run: Run, **changes: Any) -> None:
    """Change the run's status, as the first of its processes."""
    if processes.first():
        run.set_status(**changes)


def enter(run: Run, **changes: Any) -> None:
    """Change the status to what begins now; raises Cancelled where the run is to end here.

    All processes have come so far before it is changed, and none goes on before: it cannot undo what one of them says
    when it fails.
    """
    obey_cancel(run)
    processes.from_first(lambda: run.set_status(**changes))


STANDARD_OUTPUT = 1
"""The file descriptor, which stays what it is when `sys.stdout` is exchanged."""


@contextlib.contextmanager
def logged(run: Run) -> Iterator[None]:
    """While it lasts, what this process prints also goes to the log, unless `jobs` has led it there already.

    Of several processes the first alone is heard; the others print the same.
    """
    if not processes.first():
        with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
            yield
        return
    with run.log.open("a", encoding="utf-8") as log:
        if os.path.sameopenfile(log.fileno(), STANDARD_OUTPUT):
            yield
            return
        with (
            contextlib.redirect_stdout(_Tee(sys.stdout, log)),
            contextlib.redirect_stderr(_Tee(sys.stderr, log)),
        ):
            yield


def trace(run: Run) -> None:
    """Print the error in hand with all that led to it; into the log as well where this process is not heard there."""
    traceback.print_exc()
    if not processes.first():
        with run.log.open("a", encoding="utf-8") as log:
            traceback.print_exc(file=log)


class _Tee(io.TextIOBase):
    """Writes to the terminal and to the log."""

    def __init__(self, terminal: TextIO, log: TextIO) -> None:
        self.terminal, self.log = terminal, log

    @property
    def encoding(self) -> str:
        """The terminal's, which decides how progress bars are drawn."""
        return self.terminal.encoding

    def isatty(self) -> bool:
        """True where a person watches."""
        return self.terminal.isatty()

    def write(self, text: str) -> int:
        """Hands the text to both at once, so that the log is whole however the process ends.

        Whoever took this for standard error while the run lasted, as transformers' logging does where a notebook
        imports it only then, still writes to it afterwards: to the terminal alone.
        """
        if not self.log.closed:
            self.log.write(text)
            self.log.flush()
        return self.terminal.write(text)

    def flush(self) -> None:
        """Flushes the terminal; the log is never behind."""
        self.terminal.flush()


def folder_callback(run: Run, clock: Callable[[], float] = time.perf_counter, *, late: bool = False) -> Any:
    """A callback for transformers' trainer that writes to the run's folder; `clock` tells when what is told was so.

    late: several processes obey a request one update later, so that none of them waits for its card.
    """
    import torch
    from transformers import TrainerCallback

    class FolderCallback(TrainerCallback):
        """Writes metrics and status to the run's folder, and obeys its stop request."""

        def __init__(self) -> None:
            self.earlier, _ = metrics.read(run.folder)
            self.began = time.perf_counter() - (self.earlier[-1]["elapsed_s"] if self.earlier else 0.0)
            self.last: tuple[float, float] | None = None
            self.earlier_tokens = 0
            self.asked = processes.Asked(late=late)

        def on_train_begin(self, args, state, control, **_):  # noqa: ANN001
            # The trainer counts tokens from 0 again after a resume; steps after the checkpoint are repeated.
            before = [line for line in self.earlier if line["step"] <= state.global_step]
            self.earlier_tokens = max((line["tokens"] for line in before if "tokens" in line), default=0)

        def on_log(self, args, state, control, logs=None, **_):  # noqa: ANN001
            line: dict[str, Any] = {"step": state.global_step, "epoch": round(state.epoch or 0.0, 6)}
            now = clock()
            for key in KEYS:
                if key in logs:
                    line[key] = float(logs[key])
            if "loss" in logs and "num_tokens" in logs:
                tokens = self.earlier_tokens + float(logs["num_tokens"])
                line["tokens"] = int(tokens)
                if self.last and tokens > self.last[0]:
                    line["tokens_per_second"] = round((tokens - self.last[0]) / (now - self.last[1]), 2)
                self.last = (tokens, now)
            if torch.cuda.is_available():
                line["gpu_memory_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 3)
            line["elapsed_s"] = round(now - self.began, 3)
            if processes.first() and ("loss" in line or "eval_loss" in line):
                metrics.append(run.folder, line)

        def on_evaluate(self, args, state, control, **_):  # noqa: ANN001
            if self.last:  # time spent on evaluation is not training time
                self.last = (self.last[0], time.perf_counter())

        def on_substep_end(self, args, state, control, **_):  # noqa: ANN001
            if not late or processes.count() == 1:
                obey_cancel(run)

        def on_prediction_step(self, args, state, control, **_):  # noqa: ANN001
            obey_cancel(run)

        def on_step_end(self, args, state, control, **_):  # noqa: ANN001
            cancel, stop = self.asked(run.cancel_request.exists(), run.stop_request.exists())
            if cancel:
                raise Cancelled
            tell(run, step=state.global_step)
            if stop:
                control.should_training_stop = True
                control.should_save = True
                control.should_evaluate = args.load_best_model_at_end
            if control.should_save:
                control.should_log = True  # so that a resume finds the token count at its checkpoint

    return FolderCallback()

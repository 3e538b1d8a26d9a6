"""The evaluation that the app is making, or the last one that it made: one at a time, in a thread of its own.

Every batch is on the disk before the next is begun, so an app that is killed loses three seconds of work, and asking
for the same evaluation again goes on from there. It knows no widgets.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from finetune.data import splits
from finetune.errors import FinetuneError, ReviewError
from finetune.inference.backends import Backend, LocalBackend
from finetune.models import DEMO
from finetune.review import bits_over_steps, evaluating, evaluation_order, unfinished
from finetune.review.evaluating import Progress
from finetune.review.evaluation import Evaluation
from finetune.review.evaluation_order import Order, Question
from finetune.review.unfinished import Unfinished
from finetune.training import checkpoints, evaluated, runs
from finetune.training.runs import Run
from ui.errors import of_background
from ui.evaluate import pace
from ui.evaluate.pace import Pace

EVALUATION, JUDGE = "evaluation", "judge"
"""Kinds of jobs, each of which one page of the tab begins, shows and stops."""


@dataclass
class Job:
    """What is under way, and how far it is; `error` is why it ended before its time, `made` the last folder."""

    kind: str
    names: Sequence[str] = ()
    name: str = ""
    progress: Progress | None = None
    pace: Pace = field(default_factory=Pace)
    whole: bool = False
    """True where all that was asked for is there, stopped or not."""
    over: bool = False
    error: FinetuneError | None = None
    made: Path | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def stopping(self) -> bool:
        """True from a stop until what is under way has heeded it."""
        return self.stop.is_set() and not self.over

    @property
    def stopped(self) -> bool:
        """True where it is over and something that was asked for is missing, without an error."""
        return self.over and self.error is None and not self.whole

    def report(self, progress: Progress) -> None:
        """Take note of how far it is."""
        self.progress = progress
        self.pace.report(progress)


@dataclass
class Background:
    """Begins jobs for the tab's pages, one after the other."""

    home: Path
    backend: Backend
    job: Job | None = None
    changing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def busy(self) -> bool:
        """True while a job goes on."""
        return self.job is not None and not self.job.over

    @property
    def asking(self) -> bool:
        """True while an evaluation asks the model of this app, which its last stage does not."""
        job = self.job
        return self.busy and job.kind == EVALUATION and (job.progress is None or job.progress.stage != "scores")

    def evaluate(self, names: Sequence[str], split: str, limit: int | None, *, over_steps: bool) -> Job:
        """Begin to evaluate these runs (or the demo), one after the other; what is there already is not made again.

        ReviewError where nothing is chosen, something is under way, or the model is on another machine.
        """
        if not names:
            raise ReviewError("Choose what to evaluate first.", key="evaluation.nothing")
        backend = _local(self.backend)
        evaluation_order.check_split(split)

        def work(job: Job) -> bool:
            for name in names:
                if job.stop.is_set():
                    return False
                job.name, job.progress = name, None
                if not self._one(job, backend, name, split, limit, over_steps):
                    return False
            return True

        return self.begin(EVALUATION, names, work)

    def go_on(self, one: Unfinished) -> Job:
        """Begin to evaluate what is missing of an unfinished evaluation; ReviewError as from `evaluate`."""
        backend = _local(self.backend)

        def work(job: Job) -> bool:
            job.name = one.name
            return self._one(job, backend, one.name, one.split, one.questions, False, one)

        return self.begin(EVALUATION, (one.name,), work)

    def begin(self, kind: str, names: Sequence[str], work: Callable[[Job], bool]) -> Job:
        """Do work in the background, which says whether all of it is there; ReviewError while other is under way."""
        with self.changing:
            if self.busy:
                raise ReviewError(
                    "An evaluation is under way. Start the next one when it is done, or stop it first.",
                    key="evaluation.under_way",
                )
            self.job = job = Job(kind, tuple(names), pace=Pace(len(names) or 1))
        threading.Thread(target=self._do, args=(job, work), name="evaluation", daemon=True).start()
        return job

    def end(self, kind: str) -> None:
        """Ask a job of this kind to stop; it does so after what it has in hand."""
        if self.job is not None and self.job.kind == kind:
            self.job.stop.set()

    def _do(self, job: Job, work: Callable[[Job], bool]) -> None:
        try:
            job.whole = work(job)
        except Exception as error:
            job.error = of_background(error, "An evaluation could not be made")
        finally:
            job.over = True

    def _one(
        self, job: Job, backend: LocalBackend, name: str, split: str, limit: int | None, over_steps: bool,
        begun: Unfinished | None = None,
    ) -> bool:  # fmt: skip
        """Evaluate one, or what is missing of one that was begun; True where all of it is there."""
        run = None if name == DEMO else runs.find(self.home, name)
        new_tokens = None if begun is None else begun.new_tokens
        if run is None:
            order = evaluation_order.of_demo(backend, split, limit, new_tokens)
        else:
            order = evaluation_order.of_run(run, backend, split, limit, new_tokens)
        if begun is not None:
            unfinished.check_same(begun, order)
        folder = evaluation_order.place(self.home, run, order)
        job.pace.begin(pace.weights(order, *(_over_steps(run) if run is not None and over_steps else ())))
        found = _evaluated(folder, order, backend, job)
        if found.result is None:  # it was stopped
            return False
        job.made = folder
        if run is None:
            return True
        evaluated.keep(run, found.result)
        if not over_steps:
            return True
        # Always on the validation split: whoever chose a checkpoint by the test split would have no test left.
        bits_over_steps.over_steps(run, backend, stop=job.stop, report=job.report)
        return job.progress is not None and job.progress.done == job.progress.total


def _local(backend: Backend) -> LocalBackend:
    """The backend where it is a model on this machine; ReviewError else."""
    if not isinstance(backend, LocalBackend):
        raise ReviewError(
            "Evaluating needs the model on this machine, and this app asks another server. Start it without"
            " SHOHOMORMI_BACKEND_URL, or use `python -m finetune evaluate` where the model is.",
            key="evaluation.remote",
        )
    return backend


def _evaluated(folder: Path, order: Order, backend: LocalBackend, job: Job) -> Evaluation:
    """What an order comes to; made anew where nobody can read what is there."""
    try:
        return evaluating.run(folder, order, backend, job.stop, job.report)
    except ReviewError as error:
        if error.key != "evaluation.damaged":
            raise
    evaluating.forget(folder)
    return evaluating.run(folder, order, backend, job.stop, job.report)


def _over_steps(run: Run) -> tuple[tuple[Question, ...], int]:
    """What is read at each of a run's checkpoints and before the first, and how many that are."""
    rows = splits.read_split(run.data, bits_over_steps.SPLIT)
    number = 1 + sum(point.complete for point in checkpoints.of(run))
    return evaluation_order.questions(rows, bits_over_steps.QUESTIONS), number

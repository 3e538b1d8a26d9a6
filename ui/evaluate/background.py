"""The evaluation that the app is making, or the last one that it made: one at a time, in a thread of its own.

Every batch is on the disk before the next is begun, so an app that is killed loses three seconds of work, and asking
for the same evaluation again goes on from there. It knows no widgets.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from finetune.errors import FinetuneError, ReviewError
from finetune.inference.backends import Backend, LocalBackend
from finetune.models import DEMO
from finetune.review import bits_over_steps, evaluating, evaluation_order
from finetune.review.evaluating import Progress
from finetune.training import evaluated, runs

log = logging.getLogger("shohomormi")


@dataclass
class Job:
    """What is under way, and how far it is; `error` is why it ended before its time, `made` the last folder."""

    names: Sequence[str]
    name: str = ""
    progress: Progress | None = None
    over: bool = False
    stopped: bool = False
    error: FinetuneError | None = None
    made: Path | None = None
    stop: threading.Event = field(default_factory=threading.Event)

    def report(self, progress: Progress) -> None:
        """Take note of how far it is."""
        self.progress = progress


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

    def evaluate(self, names: Sequence[str], split: str, limit: int | None, *, over_steps: bool) -> Job:
        """Begin to evaluate these runs (or the demo), one after the other; what is there already is not made again.

        ReviewError where nothing is chosen, something is under way, or the model is on another machine.
        """
        if not names:
            raise ReviewError("Choose what to evaluate first.", key="evaluation.nothing")
        backend = self.backend
        if not isinstance(backend, LocalBackend):
            raise ReviewError(
                "Evaluating needs the model on this machine, and this app asks another server. Start it without"
                " SHOHOMORMI_BACKEND_URL, or use `python -m finetune evaluate` where the model is.",
                key="evaluation.remote",
            )
        evaluation_order.check_split(split)

        def work(job: Job) -> None:
            for name in names:
                if not job.stop.is_set():
                    job.name, job.progress = name, None
                    self._one(job, backend, name, split, limit, over_steps)

        return self.begin(names, work)

    def begin(self, names: Sequence[str], work: Callable[[Job], None]) -> Job:
        """Do some work in the background; ReviewError while other work is under way."""
        with self.changing:
            if self.busy:
                raise ReviewError(
                    "An evaluation is under way. Start the next one when it is done, or stop it first.",
                    key="evaluation.under_way",
                )
            self.job = job = Job(tuple(names))
        threading.Thread(target=self._do, args=(job, work), name="evaluation", daemon=True).start()
        return job

    def _do(self, job: Job, work: Callable[[Job], None]) -> None:
        try:
            work(job)
        except FinetuneError as error:
            job.error = error
        except Exception as error:
            log.exception("An evaluation could not be made: %s", type(error).__name__)
            job.error = ReviewError("Something went wrong inside. The log has the details.", key="busy")
        finally:
            job.stopped = job.stop.is_set() and job.error is None
            job.over = True

    def _one(self, job: Job, backend: LocalBackend, name: str, split: str, limit: int | None, over_steps: bool) -> None:
        run = None if name == DEMO else runs.find(self.home, name)
        if run is None:
            order = evaluation_order.of_demo(backend, split, limit)
        else:
            order = evaluation_order.of_run(run, backend, split, limit)
        folder = evaluation_order.place(self.home, run, order)
        try:
            found = evaluating.run(folder, order, backend, job.stop, job.report)
        except ReviewError as error:
            if error.key != "evaluation.damaged":
                raise
            evaluating.forget(folder)  # nobody can read what is there
            found = evaluating.run(folder, order, backend, job.stop, job.report)
        if found.result is None:  # it was stopped
            return
        job.made = folder
        if run is not None:
            evaluated.keep(run, found.result)
            if over_steps:
                bits_over_steps.over_steps(run, backend, split, stop=job.stop, report=job.report)

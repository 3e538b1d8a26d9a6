"""The set of pairs that the app is writing, or the last one that it wrote: one at a time, in a thread of its own.

Every pair is on the disk before the next is begun (`pair_sets.py`). It knows no widgets.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from finetune.errors import FinetuneError, ReviewError
from finetune.inference import remote
from finetune.inference.backends import Backend
from finetune.review import pair_sets
from finetune.review.contestants import Contestant
from ui.errors import of_background


@dataclass
class Writing:
    """A set of pairs on its way; `error` is why it ended before its time."""

    set_id: str
    done: int = 0
    total: int = 0
    seconds: float = 0.0
    over: bool = False
    error: FinetuneError | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    remote: bool = False
    """True where other servers write both sides."""

    def report(self, done: int, total: int, seconds: float) -> None:
        """Take note of how far it is."""
        self.done, self.total, self.seconds = done, total, seconds


@dataclass
class PairWriting:
    """Begins sets of pairs; `backend` writes every side that names no server of its own."""

    home: Path
    backend: Backend
    writing: Writing | None = None
    changing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def asking(self) -> bool:
        """True while a set asks the backend."""
        return self.writing is not None and not self.writing.over and not self.writing.remote

    def begin(self, order: pair_sets.Order) -> None:
        """Begin to write a set in the background; ReviewError while another one is being written."""
        with self.changing:
            if self.writing is not None and not self.writing.over:
                raise ReviewError(
                    "A set is being written. Start the next one when it is done, or stop it first.", key="pairs.busy"
                )
            self.writing = Writing(
                order.set_id, total=len(order.prompts.prompts), remote=order.base.remote and order.tuned.remote
            )
        threading.Thread(target=self._write, args=(order, self.writing), name="pairs", daemon=True).start()

    def end(self) -> None:
        """Ask the set that is being written to stop; it does so after the pair in hand."""
        if self.writing is not None:
            self.writing.stop.set()

    def _write(self, order: pair_sets.Order, writing: Writing) -> None:
        try:
            backends = (self._backend_of(order.base), self._backend_of(order.tuned))
            pair_sets.generate(self.home, order, backends, writing.stop, writing.report)
        except Exception as error:
            writing.error = of_background(error, "A set of pairs could not be written")
        finally:
            writing.over = True

    def _backend_of(self, one: Contestant) -> Backend:
        return remote.RemoteBackend(one.url, one.model) if one.remote else self.backend

"""The one long-lived object: where things lie, the resident model, and who asked to stop.

Built in `app.py` and handed to every tab; there is no other state in the app's process. Runs live in
their folders, conversations in the browser. No widgets here.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finetune import models
from finetune.errors import FinetuneError
from finetune.inference import remote
from finetune.inference.backends import Backend, LocalBackend, Served
from finetune.models import DEMO
from finetune.recipe import Generation, Recipe
from finetune.review import feedback
from finetune.review.feedback import FeedbackStore
from finetune.review.reviewing import Reviewing
from finetune.training import curves, metrics, queue, runs, sharing
from finetune.training.curves import Reader
from finetune.training.history import History
from finetune.training.machine import machine_now
from finetune.training.memory import shape
from ui import served
from ui.compare.pair_writing import PairWriting
from ui.evaluate.background import Background
from ui.replies import Replies
from ui.served import SERVER, Server

PATH = "review"
"""Where reviewers find the blind review by itself: `/review`, or `/review?set=NAME` for one set."""

BROWSER_KEY = "secret.key"
PRIVATE_KEY = "private.key"
"""The home's two secrets. The first locks what browsers keep, and goes to everybody who opens the page, for it is the
page that unlocks it; the second never leaves the server, and who holds it could be any reviewer who logs in.

The older file is the browsers': what people keep is locked with it, and since every page has carried it, it can prove
nothing any more.
"""

QUEUE_SECONDS = 2.0
"""Between two looks at the queue, so that it moves on also where nobody has the page open."""

log = logging.getLogger("shohomormi")


@dataclass
class Services:
    """Everything the tabs share."""

    home: Path
    backend: Backend
    replies: Replies = field(default_factory=Replies)
    """What is being written for each browser session, in chat and in Compare."""
    history: History = field(default_factory=History)
    readers: dict[Path, Reader] = field(default_factory=dict)
    """Metrics logs that a page looks at, read as far as they went."""
    logs: dict[Path, tuple[list[dict[str, Any]], int]] = field(default_factory=dict)
    """The same as lines, with the byte to read on from."""
    reading: threading.Lock = field(default_factory=threading.Lock)
    password: str = field(default="", repr=False)
    """The maker's; empty where everybody who reaches the page is the maker (see `maker.py`)."""
    makers: set[str] = field(default_factory=set)
    """Browser sessions that have entered it."""
    lent_to: str = ""
    """The run that has the memory of the chat's base; there are no replies until it has ended."""

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.browser_key = kept_secret(self.home, BROWSER_KEY)
        """For `gr.BrowserState` alone, which sends it to every visitor."""
        self.reviewing = Reviewing(self.home, kept_secret(self.home))
        self.server = Server(self.backend) if isinstance(self.backend, remote.RemoteBackend) else None
        """The other server that writes the replies, where one does."""
        self.feedback = FeedbackStore(self.home / feedback.FILE)
        """What people gave of their chats to learn from."""
        self.background = Background(self.home, self.backend)
        """The evaluations."""
        self.pairs = PairWriting(self.home, self.backend)
        """The sets of pairs."""
        self._scratch = tempfile.TemporaryDirectory(prefix="shohomormi-")

    @property
    def scratch(self) -> Path:
        """A folder for files on their way to a browser, which Gradio copies; it goes with the app."""
        return Path(self._scratch.name)

    def warm_up(self) -> None:
        """Make the base resident in the background, so that the first message does not wait for it.

        Begun when somebody opens the page that chats and compares, not with the app: a room of blind reviewers needs
        no model, and while one is being loaded their votes wait for Python's lock.
        """
        if self.backend.loaded or self.lent_to:
            return
        threading.Thread(target=self._load, name="warm-up", daemon=True).start()

    def _load(self) -> None:
        try:
            self.backend.load()
        except FinetuneError as error:
            log.error("The base cannot be loaded: %s", error)

    def mind_queue(self) -> None:
        """Start the runs whose turn it is, from now on and in the background; the chat's base makes room for them."""
        queue.ask_first(self.home, self.make_room)
        self.share()  # a run that an earlier app has started may have the memory to itself
        threading.Thread(target=self._advance, name="queue", daemon=True).start()

    def _advance(self) -> None:
        while True:
            try:
                queue.advance(self.home)
                self.share()
            except Exception:  # a full disk, say; whatever it is, the runs wait meanwhile, and it is tried again
                log.exception("The queue of runs cannot move on.")
            time.sleep(QUEUE_SECONDS)

    def make_room(self, run: runs.Run, card: str) -> bool:
        """Whether a run can start on a card now. Where it does not fit beside the chat's base, that goes first.

        False while a reply is still being written, after which no other begins: the queue asks again.
        """
        backend = self.backend
        if not isinstance(backend, LocalBackend) or not sharing.same_card(card, os.environ.get("CUDA_VISIBLE_DEVICES")):
            return True
        alone = not self._both_fit(run, backend)
        if alone:
            self._lend(backend, run.name)
            if not backend.unload(wait=False):
                return False
        run.set_status(alone=alone)
        return True

    def _both_fit(self, run: runs.Run, backend: LocalBackend) -> bool:
        try:
            recipe = run.recipe()
        except FinetuneError:  # its process will say what is wrong with it
            return True
        here = machine_now(self.home)
        to_come = 0.0
        if not backend.loaded:
            to_come = sharing.chat_gb(backend.model, backend.four_bit, here, shape(backend.model))
        return sharing.both_fit(recipe, here, shape(recipe.base.model), to_come)

    def share(self) -> None:
        """Let replies come again once no run needs the memory of the chat's base; the next message loads that."""
        if not isinstance(self.backend, LocalBackend):
            return
        with queue.locked(self.home):  # or a run that gets its room just now would lose it again
            known = []
            for run in self.runs():
                with contextlib.suppress(FinetuneError):  # a damaged status: it neither waits nor trains
                    known.append((run.name, run.status()))
            self._lend(self.backend, sharing.holder(known, self.lent_to))

    def _lend(self, backend: LocalBackend, name: str) -> None:
        self.lent_to = name
        backend.lend((lambda: sharing.busy(name)) if name else None)

    @property
    def occupied(self) -> bool:
        """True while a set of pairs or an evaluation asks the model too: a reply begins when a batch of theirs ends."""
        return self.background.asking or (self.pairs.asking and isinstance(self.backend, LocalBackend))

    def forget(self, session: str) -> None:
        """A browser tab was closed: end what it was waiting for."""
        self.replies.forget(session)

    def adapters(self) -> list[str]:
        """Names of the adapters to talk to: the demo's, and every run that left one, the newest first."""
        made = [run.name for run in runs.all_runs(self.home) if (run.adapter / "adapter_config.json").is_file()]
        return [DEMO, *made]

    def answering(self) -> list[str]:
        """Names to choose from where one talks: the adapters, or what another server offers."""
        if self.server is None:
            return self.adapters()
        return self.server.names({name: self._folder(name) for name in self.adapters()})

    @property
    def first(self) -> str:
        """Who answers where nobody has been chosen."""
        return DEMO if self.server is None else SERVER

    def adapter(self, name: str) -> Path | Served:
        """The folder of an adapter by its name, or another server's own model; ModelError where it has none (yet)."""
        name = self.server.meant(name) if self.server else name
        if self.server and (model := served.own(name)):
            return model
        models.read_adapter_config(self._folder(name))
        return self._folder(name)

    def _folder(self, name: str) -> Path:
        return models.DEMO_ADAPTER if name == DEMO else runs.find(self.home, name).adapter

    def generation(self, name: str) -> Generation:
        """How the recipe of an adapter writes replies; another server's own models have none."""
        name = self.server.meant(name) if self.server else name
        if self.server and served.own(name):
            return Generation()
        recipe = Recipe.read(DEMO) if name == DEMO else runs.find(self.home, name).recipe()
        return recipe.generation

    def curves(self, run: runs.Run) -> curves.History:
        """All that a run has measured so far; only what is new is read."""
        reader = self.readers.setdefault(run.folder, Reader(run.folder))
        reader.refresh()
        return reader.history

    def lines(self, run: runs.Run) -> list[dict[str, Any]]:
        """All lines of a run's metrics log; only what is new is read."""
        with self.reading:
            known, offset = self.logs.get(run.folder, ([], 0))
            log_file = run.folder / metrics.FILE
            if log_file.is_file() and log_file.stat().st_size < offset:  # another file than the one that was read
                known, offset = [], 0
            new, offset = metrics.read(run.folder, offset)
            known = [*known, *new] if new else known
            self.logs[run.folder] = (known, offset)
            return known

    def drop(self, run: runs.Run) -> None:
        """Forget what was read of a deleted run: the next one may get its name."""
        with self.reading:
            self.logs.pop(run.folder, None)
            self.readers.pop(run.folder, None)

    def runs(self) -> list[runs.Run]:
        """Every run, the newest first."""
        return runs.all_runs(self.home)


def build(home: Path, password: str = "") -> Services:
    """The services of an app that works in this folder."""
    backend = remote.from_environment() or LocalBackend(str(models.DEMO_BASE))
    return Services(home, backend, password=password)


def kept_secret(home: Path, name: str = PRIVATE_KEY) -> str:
    """One of the home's secrets, made once, whole from its first moment, and readable by nobody else."""
    file = home / name
    if not file.is_file():
        descriptor, made = tempfile.mkstemp(dir=home)  # mode 600
        with os.fdopen(descriptor, "w") as new:
            new.write(secrets.token_urlsafe(24))
        with contextlib.suppress(FileExistsError):  # another process was faster: its secret holds
            os.link(made, file)
        os.unlink(made)
    return file.read_text(encoding="utf-8")

"""What another server offers to talk to, where SHOHOMORMI_BACKEND_URL names one: its own models, and of the adapters
here those that it has too.

It is asked when somebody looks, not at the start, so that an app may be started before its server; while it does not
answer, what it offered last stays known. It knows no widgets and writes no replies.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path

from finetune.errors import BackendError
from finetune.inference.backends import Served
from finetune.inference.openai_server import Timeouts
from finetune.inference.remote import RemoteBackend, served_name
from finetune.models import DEMO

SERVER = "server"
"""Names whatever the server answers with by itself: the demo's adapter where it has it, else its first model."""

OWN = "server:"
"""Stands before the name of a model of its own; no run's name has a colon."""

PATIENCE = Timeouts(connect=2.0, first=4.0)
"""Seconds that a page waits for the list; a reply is waited for longer."""

FRESH = 5.0
"""Seconds for which a list is not asked for again, nor a server that did not answer."""


class Server:
    """The server of a RemoteBackend, and what it was last seen to offer."""

    def __init__(self, backend: RemoteBackend) -> None:
        self._model = backend.model
        self._asked = RemoteBackend(backend.address, timeouts=PATIENCE)
        self._offered: dict[str, str | None] = {}
        self._error: BackendError | None = None
        self._at = float("-inf")
        self._asking = threading.Lock()

    def look(self) -> BackendError | None:
        """Ask what it offers, unless that was just done; why it could not be asked, None where it could."""
        with self._asking:
            if time.monotonic() - self._at > FRESH:
                try:
                    self._offered, self._error = self._asked.offered(), None
                except BackendError as error:
                    self._error = error
                self._at = time.monotonic()
            return self._error

    def names(self, adapters: Mapping[str, Path]) -> list[str]:
        """Whom to choose from: the server as it is, its models by name, and of these adapters those that it has."""
        self.look()
        shared = {served_name(folder): name for name, folder in adapters.items()}
        own = [f"{OWN}{model}" for model in self._offered if model not in shared]
        return [SERVER, *own, *(name for model, name in shared.items() if model in self._offered)]

    def meant(self, name: str) -> str:
        """The name of whoever answers: SERVER as what it stands for just now; BackendError where nobody can tell."""
        if name != SERVER:
            return name
        error = self.look()
        if not self._offered:
            raise error or BackendError("The server offers no model yet. Load one there.", key="backend.no_model")
        if DEMO in self._offered:
            return DEMO
        return f"{OWN}{self._first()}"

    def base(self) -> Served | None:
        """What is compared with: what RemoteBackend takes for the base, or the first of several."""
        self.look()
        return Served(self._first()) if self._model is None and len(self._bases()) > 1 else None

    def _first(self) -> str:
        return self._model or [*self._bases(), *self._offered][0]

    def _bases(self) -> list[str]:
        return [model for model, parent in self._offered.items() if parent is None]


def own(name: str) -> Served | None:
    """The server's model of this name; None where it is another kind of name."""
    return Served(name.removeprefix(OWN)) if name.startswith(OWN) else None

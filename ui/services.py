"""The one long-lived object: where things lie, the resident model, and who asked to stop.

Built in `app.py` and handed to every tab; there is no other state in the app's process. Runs live in
their folders, conversations in the browser. No widgets here.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from pathlib import Path

from finetune import models
from finetune.errors import FinetuneError
from finetune.inference.backends import Backend, LocalBackend
from finetune.recipe import Generation, Recipe
from finetune.training import jobs, runs

DEMO = "demo"
"""How the adapter that ships with the project is called in choices and in the API."""

log = logging.getLogger("shohomormi")


@dataclass
class Services:
    """Everything the tabs share."""

    home: Path
    backend: Backend
    stops: dict[str, threading.Event] = field(default_factory=dict)
    """By browser session and tab: set to end the reply that is being written there."""

    def warm_up(self) -> None:
        """Make the base resident in the background, so that the first message does not wait for it."""
        threading.Thread(target=self._load, name="warm-up", daemon=True).start()

    def _load(self) -> None:
        try:
            self.backend.load()
        except FinetuneError as error:
            log.error("The base cannot be loaded: %s", error)

    def stop_event(self, key: str) -> threading.Event:
        """A fresh stop event for a reply that begins; an earlier reply of the same place ends."""
        self.stop(key)
        self.stops[key] = threading.Event()
        return self.stops[key]

    def stop(self, key: str) -> None:
        """End the reply that is being written there, if any."""
        if key in self.stops:
            self.stops[key].set()

    def forget(self, session: str) -> None:
        """A browser tab was closed: end what it was waiting for."""
        for key in [key for key in self.stops if key.startswith(f"{session}/")]:
            self.stops.pop(key).set()

    def adapters(self) -> list[str]:
        """Names of the adapters to talk to: the demo's, and every run that left one, the newest first."""
        made = [run.name for run in runs.all_runs(self.home) if (run.adapter / "adapter_config.json").is_file()]
        return [DEMO, *made]

    def adapter(self, name: str) -> Path:
        """The folder of an adapter by its name; ModelError where it has none (yet)."""
        folder = models.DEMO_ADAPTER if name == DEMO else runs.find(self.home, name).adapter
        models.read_adapter_config(folder)
        return folder

    def generation(self, name: str) -> Generation:
        """How the recipe of an adapter writes replies."""
        recipe = Recipe.read(DEMO) if name == DEMO else runs.find(self.home, name).recipe()
        return recipe.generation

    def runs(self) -> list[runs.Run]:
        """Every run, the newest first; ended child processes are collected on the way."""
        jobs.collect()
        return runs.all_runs(self.home)


def build(home: Path) -> Services:
    """The services of an app that works in this folder."""
    home.mkdir(parents=True, exist_ok=True)
    return Services(home, LocalBackend(str(models.DEMO_BASE)))

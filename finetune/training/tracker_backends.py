"""A run in Weights & Biases, and a run in Trackio: take one row after another, and say where some were lost.

Each may raise and may take its time; who calls it (`trackers.py`) keeps that from the training. No key is seen here:
wandb finds it in the process' environment or where `wandb login` has put it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from finetune.errors import Problem
from finetune.recipe import Recipe
from finetune.training.runs import Run

INIT_S = 20.0
"""Seconds in which W&B must have taken up the run; then its data stays here. wandb adds up to 10 of its own."""

FINISH_S = 30.0
"""Seconds that an ended run waits for W&B to upload the rest."""

FLUSH_S = 1.0
"""Seconds that rows may lie in wandb's memory, where its process would take them along; its own default is 15."""

LEAST_FREE = 1_000_000
"""Bytes that must be free on W&B's disk at the end, or what it wrote last may be missing."""


class Unsent(Exception):
    """The tracker holds lines on this machine that have not reached where they should go."""


class Lost(Exception):
    """The tracker has dropped lines."""


class Tracker(Protocol):
    """What records rows somewhere."""

    def log(self, line: dict[str, Any]) -> None:
        """Takes one line of the metrics log."""

    def close(self, exit_code: int) -> None:
        """Writes out the rest; raises Lost or Unsent where that is not all."""

    def abandon(self) -> None:
        """Lets go of it after it has raised; raises nothing itself."""


def row(line: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a line under the names that transformers gives its metrics in W&B: train/loss, eval/loss, …"""
    names = {key: f"eval/{key[5:]}" if key.startswith("eval_") else f"train/{key}" for key in line}
    names["step"] = "train/global_step"
    return {names[key]: value for key, value in line.items() if isinstance(value, int | float)}


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain dictionaries, without the messages that evaluations answer: those are chat text."""
    raw = recipe.to_dict()
    del raw["training"]["sample_prompts"]
    return raw


def trackio_folder(run: Run) -> Path:
    """Where Trackio keeps its database: under the home whose runs it compares, or in a run that lies elsewhere."""
    return (run.folder.parents[1] if run.folder.parent.name == "runs" else run.folder) / "trackio"


class WandbTracker:
    """A run in W&B, online where that can be, else in the run's folder; `tell` takes the reason."""

    def __init__(self, run: Run, identity: str, resumed: bool, tell: Callable[[Problem], None]) -> None:
        del resumed  # "allow" finds out for itself
        import wandb

        self.wandb = wandb
        if run.recipe().tracking.mode == "online":
            try:
                if _logged_in():
                    self._start(run, identity, "online")
                    return
                text = (
                    "W&B has no key, so this run's data stays in its folder. Give a key (WANDB_API_KEY or"
                    " `wandb login`), then send it with wandb sync."
                )
                tell(Problem(text, "tracker.no_key"))
            except Exception as error:  # refused, no network, too slow: offline always works
                kind = type(error).__name__
                text = (
                    f"W&B could not be reached ({kind}), so this run's data stays in its folder. Check the network and"
                    " the key, then send it with wandb sync."
                )
                tell(Problem(text, "tracker.offline", kind=kind))
            self.wandb.teardown()  # the process behind it still holds the run under this id
        try:
            self._start(run, identity, "offline")
        except Exception:
            self.abandon()
            raise

    def _start(self, run: Run, identity: str, mode: str) -> None:
        self.mode = mode
        recipe = run.recipe()
        self.run = self.wandb.init(
            dir=str(run.folder),
            project=recipe.tracking.project,
            name=recipe.tracking.run_name or run.name,
            id=identity,
            resume="allow",
            mode=mode,  # said here, so that no WANDB_MODE of the environment changes it
            config=settings_of(recipe),
            settings=self.wandb.Settings(
                console="off",  # the log stays in the run's folder
                symlink=False,  # a run's folder is copied and zipped
                disable_git=True,
                disable_code=True,
                save_code=False,
                quiet=True,
                allow_val_change=True,  # of a resumed run's recipe
                init_timeout=INIT_S,
                finish_timeout=FINISH_S,
                finish_timeout_raises=True,
                x_transaction_log_flush_interval=FLUSH_S,
                stop_fn=run.stop_request.touch,  # W&B's stop button stops and saves, as the page's does
            ),
        )
        # Each line is a row of its own: by its own step W&B would merge two of one step and drop repeated ones.
        self.run.define_metric("train/global_step")
        self.run.define_metric("*", step_metric="train/global_step", step_sync=True)

    def log(self, line: dict[str, Any]) -> None:
        """One row of the history; its x axis is train/global_step."""
        self.run.log(row(line))

    def close(self, exit_code: int) -> None:
        """Ends the run and the process behind it.

        Raises Unsent where not all was uploaded in FINISH_S, Lost where not all could be written here: of that wandb
        tells its own log alone.
        """
        try:
            self.run.finish(exit_code)
        except TimeoutError as error:
            raise Unsent from error
        self.wandb.teardown(exit_code)
        if self.mode == "offline":
            log = Path(self.run.settings.log_internal)
            full = shutil.disk_usage(log.parent).free < LEAST_FREE  # then that log has lost its end, too
            if full or not log.is_file() or b"failed to save record" in log.read_bytes():
                raise Lost

    def abandon(self) -> None:
        """Ends the process behind the run, so that wandb's exit handler has nothing to wait for."""
        with contextlib.suppress(Exception):  # what broke is already on its way to be told
            self.wandb.teardown(1)


class TrackioTracker:
    """A run in Trackio's database on this machine."""

    def __init__(self, run: Run, identity: str, resumed: bool, tell: Callable[[Problem], None]) -> None:
        del identity, tell  # Trackio knows runs by their names, and has nowhere else to go
        for name in ("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_BUCKET_ID", "TRACKIO_WEBHOOK_URL"):
            os.environ.pop(name, None)  # they would send the run elsewhere without anyone having asked
        os.environ["TRACKIO_DIR"] = str(trackio_folder(run))  # trackio reads it once, when it is imported
        import trackio

        recipe = run.recipe()
        shown = recipe.tracking.run_name
        self.run = trackio.init(
            project=recipe.tracking.project,
            name=f"{shown}-{run.name}" if shown else run.name,  # two runs of one name would become one
            resume="allow" if resumed else "never",
            config=settings_of(recipe),
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )

    def log(self, line: dict[str, Any]) -> None:
        """One row at the line's step."""
        self.run.log(row(line), step=line["step"])

    def close(self, exit_code: int) -> None:
        """Ends the run; raises Lost where trackio, which only warns, could not write."""
        del exit_code  # Trackio has no word for a run that failed
        self.run.finish()
        if any("write" in failure or "sender" in failure for failure in self.run._warned_failures):
            raise Lost

    def abandon(self) -> None:
        """Nothing to let go of: its threads end with the process."""


BACKENDS = {"wandb": WandbTracker, "trackio": TrackioTracker}


def _logged_in() -> bool:
    """True where W&B finds a key. `wandb.init` itself would ask for one in the terminal, and wait."""
    import wandb
    from wandb.sdk.lib import wbauth

    host = wandb.setup().settings.base_url
    return wbauth.authenticate_session(host=host, source="shohomormi", prompt=False) is not None

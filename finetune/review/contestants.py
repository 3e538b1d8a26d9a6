"""Contestants: whatever can answer in a pair. The base, an adapter of a run, a checkpoint, the Hub, a remote model.

A contestant is spelt in one short word (`base`, `demo`, `run:NAME`, `run:NAME/checkpoint-50`, `hub:OWNER/NAME`,
`remote:MODEL@URL`), and its fingerprint says which weights and which format answered. It does not answer itself.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from finetune import models
from finetune.data.prompts import FILE as FORMAT_FILE
from finetune.data.prompts import PromptFormat
from finetune.errors import ReviewError
from finetune.training import checkpoints, runs

BASE = "base"
_HUB = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
_FILES = ("adapter_config.json", "adapter_model.safetensors", FORMAT_FILE)
"""What an adapter is, and all that is fetched of one from the Hub; the format alone may be missing."""


@dataclass(frozen=True)
class Contestant:
    """One side of a pair; `adapter` is None for the bare base, `url` is set where another machine answers."""

    spelling: str
    adapter: Path | None = None
    model: str = ""
    url: str = ""

    @property
    def remote(self) -> bool:
        """True where the weights are not on this machine."""
        return bool(self.url)

    @property
    def title(self) -> str:
        """What people call it: `base` and `demo` as they are, a run by its name."""
        return self.spelling.partition(":")[2] or self.spelling

    def fingerprint(self) -> str:
        """Tells contestants apart: sha256 over weights, configuration and prompt format; of a remote one its address.

        The base in memory is the same for both sides of a pair and is named in the set, not here.
        """
        digest = hashlib.sha256()
        if self.remote:
            digest.update(f"{self.model}@{self.url}".encode())
        elif self.adapter is None:
            digest.update(b"base")
        else:
            for name in _FILES:
                digest.update(name.encode() + b"\0" + _sum_of(self.adapter / name))
        return digest.hexdigest()


def contestant(spelling: str, home: Path) -> Contestant:
    """A contestant by its spelling; ReviewError, RunError or ModelError say what is wrong with it."""
    spelling = spelling.strip()
    kind, _, name = spelling.partition(":")
    if spelling == BASE:
        return Contestant(BASE)
    if spelling == models.DEMO:
        return Contestant(models.DEMO, models.DEMO_ADAPTER)
    if kind == "remote":
        model, at, url = name.rpartition("@")
        if not (at and model and url):
            raise _unknown(spelling)
        from finetune.inference.openai_server import checked

        return Contestant(spelling, model=model, url=checked(url))
    if kind == "hub" and _HUB.fullmatch(name) and ".." not in name:
        folder = _from_hub(name)
    elif kind in ("run", spelling):
        folder = _of_run(name or spelling, home)
    else:
        raise _unknown(spelling)
    models.read_adapter_config(folder)
    return Contestant(spelling if ":" in spelling else f"run:{spelling}", folder)


def known(home: Path) -> list[str]:
    """Spellings of all that is here: the base, the demo's adapter, every run's adapter and its whole checkpoints."""
    found = [BASE, models.DEMO]
    for run in runs.all_runs(home):
        if (run.adapter / "adapter_config.json").is_file():
            found.append(f"run:{run.name}")
        found += [f"run:{run.name}/checkpoint-{point.step}" for point in checkpoints.of(run) if point.complete]
    return found


def _of_run(name: str, home: Path) -> Path:
    run_name, _, part = name.partition("/")
    run = runs.find(home, run_name)
    if not part:
        return run.adapter
    step = part.removeprefix("checkpoint-")
    if not step.isdecimal():
        raise _unknown(f"run:{name}")
    folder = checkpoints.chosen(run, int(step)).folder
    if not (folder / FORMAT_FILE).is_file():  # the trainer writes weights only; a pair needs the format as well
        PromptFormat.of(run.recipe().data).save(folder)
    return folder


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        folder = Path(snapshot_download(name, allow_patterns=list(_FILES)))
    except GatedRepoError as error:
        raise ReviewError(
            f"{name} is gated: accept its terms on its Hugging Face page and log in (`hf auth login`, or HF_TOKEN).",
            key="review.hub_gated",
            name=name,
        ) from error
    except RepositoryNotFoundError as error:
        raise ReviewError(
            f"There is no {name} on the Hub, or it is private. Check the name and, where it is private, HF_TOKEN.",
            key="review.hub_missing",
            name=name,
        ) from error
    except Exception as error:  # no network, no disk, a proxy, a broken download: no common class but this
        raise ReviewError(
            f"The adapter {name} cannot be fetched from the Hub ({type(error).__name__}). Check its name, the network"
            " and, where it is private, HF_TOKEN.",
            key="review.hub",
            name=name,
            kind=type(error).__name__,
        ) from error
    if not all((folder / file).is_file() for file in _FILES[:2]):
        raise ReviewError(
            f"{name} holds no adapter that can be used here: {_FILES[0]} and {_FILES[1]} must lie at its top. Choose"
            " another one.",
            key="review.hub_no_adapter",
            name=name,
        )
    return folder


def _sum_of(file: Path) -> bytes:
    """A file's sha256, empty where there is none; read again only when the file has changed."""
    if not file.is_file():
        return b""
    now = file.stat()
    return _sum(file, now.st_mtime_ns, now.st_size)


@lru_cache(maxsize=64)
def _sum(file: Path, modified: int, size: int) -> bytes:
    """The adapter of a large base takes a good second to read, and a set asks for it at every batch."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


def _unknown(spelling: str) -> ReviewError:
    return ReviewError(
        f"{spelling[:80]} is no model to compare. Write base, demo, run:NAME, run:NAME/checkpoint-50, hub:OWNER/NAME or"
        " remote:MODEL@URL.",
        key="review.unknown_contestant",
        name=spelling[:80],
    )

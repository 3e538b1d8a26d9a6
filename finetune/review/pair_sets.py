"""A set of pairs in its folder: proven first, written batch by batch, picked up again after any interruption.

    HOME/reviews/SET/set.json     who met whom, how, the proof, how many prompts; replaced atomically
    HOME/reviews/SET/pairs.jsonl  one line a pair, appended and synced a batch at a time

The folder's name holds a key of all that determines the replies (weights, format, prompts, settings, seed), so that
asking for the same set again opens the same folder and writes only what is missing; a set that is whole needs no model
any more. It knows no reviewers and no votes.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from finetune.data.prompts import PromptFormat
from finetune.errors import ReviewError
from finetune.inference.backends import Backend
from finetune.recipe import Generation
from finetune.review import durable, pairs
from finetune.review.contestants import Contestant
from finetune.review.pairs import Pair
from finetune.review.prompt_sets import Prompt, PromptSet
from finetune.review.proof import Proof, check, seen
from finetune.training.metrics import read_lines

FOLDER, SET, PAIRS = "reviews", "set.json", "pairs.jsonl"

Progress = Callable[[int, int, float], None]
"""Told how many pairs there are, of how many, and how many seconds so many take at the present pace."""


@dataclass(frozen=True)
class Order:
    """A set to be made: two contestants, what they answer, and how."""

    base: Contestant
    tuned: Contestant
    prompts: PromptSet
    settings: Generation = field(default_factory=Generation)
    resident: str = ""
    """The base in memory, by name, and in how many bits."""

    @property
    def style(self) -> PromptFormat:
        """The format in which both sides are asked; ReviewError where no one format fits both."""
        return pairs.format_of((self.base, self.tuned))

    @property
    def key(self) -> str:
        """What determines the replies, as 8 hexadecimal digits."""
        parts = [self.base.fingerprint(), self.tuned.fingerprint(), self.resident, asdict(self.settings)]
        parts += [asdict(self.style), sorted(prompt.id for prompt in self.prompts.prompts)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def set_id(self) -> str:
        """A name that people can tell apart and a folder can have."""
        names = "-".join(re.sub(r"[^a-zA-Z0-9_.-]+", "-", one.title)[:40] for one in (self.base, self.tuned))
        return f"{names}-{self.key}"


@dataclass(frozen=True)
class PairSet:
    """What lies in a set's folder. `refused` is why it may not be reviewed, `refused_key` names that sentence."""

    set_id: str
    folder: Path
    base: str
    tuned: str
    total: int
    pairs: tuple[Pair, ...]
    left_out: dict[str, int]
    settings: dict[str, Any]
    proof: Proof | None
    refused: str = ""
    refused_key: str = ""
    refused_facts: dict[str, Any] = field(default_factory=dict)
    resident: str = ""
    prompts: str = ""
    at: str = ""
    spellings: dict[str, str] = field(default_factory=dict)
    """By role, as `contestants.py` reads them."""
    fingerprints: dict[str, str] = field(default_factory=dict)
    format: dict[str, str] = field(default_factory=dict)
    """`name` and `system_prompt` of the format in which both sides were asked."""

    @property
    def title(self) -> str:
        """How people call the set."""
        return f"{self.base} · {self.tuned} · {self.total}"

    @cached_property
    def shown(self) -> dict[str, Pair]:
        """The pairs that are put before reviewers, by prompt id: those with something to choose between."""
        return {pair.prompt.id: pair for pair in self.pairs if not pair.same}

    @property
    def whole(self) -> bool:
        """True where every pair has been written and the proof holds."""
        return not self.refused and self.proof is not None and len(self.pairs) >= self.total

    @property
    def reviewable(self) -> bool:
        """True where there is something to judge and it is what it claims to be."""
        return self.whole and bool(self.shown)


def generate(
    home: Path,
    order: Order,
    backends: tuple[Backend, Backend],
    stop: threading.Event | None = None,
    on_progress: Progress = lambda done, total, seconds: None,
) -> PairSet:
    """Write the pairs of a set that are missing, and prove it first; the set as far as it came.

    ReviewError where the proof fails (kept in the folder as refused), where another process is writing the set, or
    where a side's weights change on the way.
    """
    set_id, total = order.set_id, len(order.prompts.prompts)
    folder = home / FOLDER / set_id
    folder.mkdir(parents=True, exist_ok=True)
    with durable.alone(folder, _busy()):
        if (folder / SET).is_file() and (there := read(home, set_id)).whole:
            on_progress(total, total, 0.0)
            return there
        _prove(folder, order, backends)
        _mend(folder / PAIRS)
        done = {pair.prompt.id for pair in read(home, set_id).pairs}
        began, before = time.monotonic(), len(done)
        on_progress(len(done), total, 0.0)
        for batch in pairs.batches(order.prompts.prompts, backends):
            if all(prompt.id in done for prompt in batch):
                continue
            made = pairs.written(batch, (order.base, order.tuned), order.settings, backends, stop)
            written = [pair for pair in made if pair.prompt.id not in done]
            if not written:  # stopped
                break
            _refuse_changed(order, set_id)
            durable.append(
                folder / PAIRS, "".join(json.dumps(line_of(pair), ensure_ascii=False) + "\n" for pair in written)
            )
            done |= {pair.prompt.id for pair in written}
            on_progress(len(done), total, (time.monotonic() - began) * len(done) / (len(done) - before))
        return read(home, set_id)


def _prove(folder: Path, order: Order, backends: tuple[Backend, Backend]) -> None:
    proof = seen(order.base, order.tuned, backends)
    try:
        check(proof, order.base, order.tuned)
    except ReviewError as error:
        _describe(folder, order, proof, refused=str(error), refused_key=error.key, refused_facts=error.facts)
        raise
    _describe(folder, order, proof)


def _refuse_changed(order: Order, set_id: str) -> None:
    if order.set_id != set_id:  # a run that was taken up again, say, has replaced its adapter
        raise ReviewError(
            f"The weights of {order.base.title} or {order.tuned.title} changed while their pairs were being written."
            " Make the set again when that training is over.",
            key="review.changed",
            base=order.base.title,
            tuned=order.tuned.title,
        )


def read(home: Path, set_id: str) -> PairSet:
    """A set as it lies there; ReviewError where there is none. A line that a killed process left half is no pair."""
    folder = _folder(home, set_id)
    try:
        raw = json.loads((folder / SET).read_text(encoding="utf-8"))
        raw["proof"] = raw["proof"] and _known(Proof, raw["proof"])
        lines, _ = read_lines(folder / PAIRS)
        found = {line["prompt_id"]: _pair(line) for line in lines}
        return _known(PairSet, {**raw, "set_id": set_id, "folder": folder, "pairs": tuple(found.values())})
    except (ValueError, KeyError, TypeError) as error:
        raise ReviewError(
            f"The files of the set {set_id} are damaged. Delete it and make it again; its votes stay.",
            key="review.damaged_set",
            set=set_id,
        ) from error


def _folder(home: Path, set_id: str) -> Path:
    folder = home / FOLDER / set_id
    if not set_id or Path(set_id).name != set_id or not (folder / SET).is_file():
        raise ReviewError(f"There is no set {set_id[:80]}. Make it first.", key="review.no_set", set=set_id[:80])
    return folder


def _known(kind: type, raw: dict[str, Any]) -> Any:
    """An object of a file's description; what a later version may add to it is passed over."""
    names = {one.name for one in fields(kind)}
    return kind(**{name: value for name, value in raw.items() if name in names})


def all_sets(home: Path) -> list[str]:
    """Every set's name, the newest first."""
    found = [file.parent for file in (home / FOLDER).glob(f"*/{SET}")]
    return [folder.name for folder in sorted(found, key=lambda folder: -(folder / SET).stat().st_mtime)]


def delete(home: Path, set_id: str) -> None:
    """Remove a set's folder; its votes are not touched. ReviewError while it is being written."""
    folder = _folder(home, set_id)
    with durable.alone(folder, _busy()):
        shutil.rmtree(folder)


def line_of(pair: Pair) -> dict[str, Any]:
    """A pair as it stands in the file."""
    described = {key: value for key, value in asdict(pair.prompt).items() if key not in ("id", "text")}
    return {"prompt_id": pair.prompt.id, "prompt": pair.prompt.text, **described, "base": pair.base,
            "tuned": pair.tuned, "seed": pair.seed, "same": pair.same}  # fmt: skip


def _pair(line: dict[str, Any]) -> Pair:
    described = {key: line[key] for key in ("topic", "register", "script", "length", "care")}
    return Pair(Prompt(line["prompt_id"], line["prompt"], **described), line["base"], line["tuned"], line["seed"])


def _mend(file: Path) -> None:
    """Drop the half line that a killed process may have left at the end."""
    with file.open("ab+") as opened:
        opened.seek(0)
        opened.truncate(opened.read().rfind(b"\n") + 1)


def _busy() -> ReviewError:
    return ReviewError("This set is being written just now. Wait until it is done, or stop it.", key="review.busy")


def _describe(folder: Path, order: Order, proof: Proof, **refused: Any) -> None:
    described = {
        "base": order.base.title, "tuned": order.tuned.title, "total": len(order.prompts.prompts),
        "left_out": order.prompts.left_out, "settings": asdict(order.settings), "proof": asdict(proof),
        "spellings": {"base": order.base.spelling, "tuned": order.tuned.spelling},
        "fingerprints": {"base": order.base.fingerprint(), "tuned": order.tuned.fingerprint()},
        "resident": order.resident, "prompts": order.prompts.name, "format": asdict(order.style),
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **refused,
    }  # fmt: skip
    durable.replace(folder / SET, json.dumps(described, ensure_ascii=False, indent=1))

"""A set of pairs in its folder: proven first, written batch by batch, picked up again after any interruption.

    HOME/reviews/SET/set.json     who met whom, how, the proof, how many prompts; replaced atomically
    HOME/reviews/SET/pairs.jsonl  one line a pair, appended and synced a batch at a time

The folder's name holds a key of all that determines the replies (weights, format, prompts, settings, seed), so that
asking for the same set again opens the same folder and writes only what is missing. It knows no reviewers and no votes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from finetune.errors import ReviewError
from finetune.inference import safety
from finetune.inference.backends import Backend
from finetune.recipe import Generation
from finetune.review import pairs
from finetune.review.contestants import Contestant
from finetune.review.prompt_sets import Prompt, PromptSet
from finetune.review.proof import Proof, prove
from finetune.training.metrics import read_lines

FOLDER, SET, PAIRS = "reviews", "set.json", "pairs.jsonl"
BATCH = 8
"""Prompts decoded together, two rows each: more rows cost hardly less each on two cores, and stop later."""

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
    def key(self) -> str:
        """What determines the replies, as 8 hexadecimal digits."""
        parts = [self.base.fingerprint(), self.tuned.fingerprint(), self.resident, asdict(self.settings)]
        parts.append(sorted(prompt.id for prompt in self.prompts.prompts))
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]

    @property
    def set_id(self) -> str:
        """A name that people can tell apart and a folder can have."""
        names = "-".join(re.sub(r"[^\w.-]+", "-", one.title)[:40] for one in (self.base, self.tuned))
        return f"{names}-{self.key}"


@dataclass(frozen=True)
class Pair:
    """One prompt and what both sides answered; `seed` made both. `care` also where a reply calls for it."""

    prompt: Prompt
    base: str
    tuned: str
    seed: int

    @property
    def same(self) -> bool:
        """True where there is nothing to choose between."""
        return self.base.strip() == self.tuned.strip()


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

    ReviewError where the proof fails (kept in the folder as refused) or another process is writing the set.
    """
    folder = home / FOLDER / order.set_id
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        try:
            proof = prove(order.base, order.tuned, *backends)
        except ReviewError as error:
            told = {"refused": str(error), "refused_key": error.key, "refused_facts": error.facts}
            _describe(folder, order, None, told)
            raise
        _describe(folder, order, proof, {})
        done = {pair.prompt.id for pair in read(home, order.set_id).pairs}
        # Always the same batches: a reply may depend, in its last bits, on what is decoded beside it.
        prompts = sorted(order.prompts.prompts, key=lambda prompt: (len(prompt.text), prompt.id))
        batches = [prompts[begin : begin + BATCH] for begin in range(0, len(prompts), BATCH)]
        began, before = time.monotonic(), len(done)
        on_progress(len(done), len(prompts), 0.0)
        for batch in batches:
            if stop is not None and stop.is_set():
                break
            if all(prompt.id in done for prompt in batch):
                continue
            written = [pair for pair in _written(order, batch, backends) if pair.prompt.id not in done]
            _append(folder / PAIRS, written)
            done |= {pair.prompt.id for pair in written}
            on_progress(len(done), len(prompts), (time.monotonic() - began) * len(done) / max(1, len(done) - before))
    return read(home, order.set_id)


def _written(order: Order, prompts: list[Prompt], backends: tuple[Backend, Backend]) -> list[Pair]:
    settings = [replace(order.settings, seed=seed_of(prompt, order.settings.seed)) for prompt in prompts]
    texts = pairs.matched([p.text for p in prompts], (order.base, order.tuned), settings, backends)
    made = []
    for prompt, how, (base, tuned) in zip(prompts, settings, texts, strict=True):
        care = prompt.care or any(safety.screen(text) != "none" for text in (base, tuned))
        made.append(Pair(replace(prompt, care=care), base, tuned, how.seed))
    return made


def seed_of(prompt: Prompt, seed: int) -> int:
    """Each prompt's own seed, the same for both sides and in every set with the same seed."""
    return int(hashlib.sha256(f"{seed} {prompt.id}".encode()).hexdigest()[:8], 16) % 2**31


def read(home: Path, set_id: str) -> PairSet:
    """A set as it lies there; ReviewError where there is none. A line that a killed process left half is no pair."""
    folder = home / FOLDER / set_id
    if not set_id or Path(set_id).name != set_id or not (folder / SET).is_file():
        raise ReviewError(f"There is no set {set_id[:80]}. Make it first.", key="review.no_set", set=set_id[:80])
    raw = json.loads((folder / SET).read_text(encoding="utf-8"))
    proof = raw.pop("proof")
    lines, _ = read_lines(folder / PAIRS)
    found = {line["prompt_id"]: _pair(line) for line in lines}
    return PairSet(set_id, folder, pairs=tuple(found.values()), proof=proof and Proof(**proof), **raw)


def all_sets(home: Path) -> list[str]:
    """Every set's name, the newest first."""
    found = [file.parent for file in (home / FOLDER).glob(f"*/{SET}")]
    return [folder.name for folder in sorted(found, key=lambda folder: -(folder / SET).stat().st_mtime)]


def delete(home: Path, set_id: str) -> None:
    """Remove a set's folder; its votes are not touched."""
    shutil.rmtree(read(home, set_id).folder)


def line_of(pair: Pair) -> dict[str, Any]:
    """A pair as it stands in the file."""
    described = {key: value for key, value in asdict(pair.prompt).items() if key not in ("id", "text")}
    return {"prompt_id": pair.prompt.id, "prompt": pair.prompt.text, **described, "base": pair.base,
            "tuned": pair.tuned, "seed": pair.seed}  # fmt: skip


def _pair(line: dict[str, Any]) -> Pair:
    described = {key: line[key] for key in ("topic", "register", "script", "length", "care")}
    return Pair(Prompt(line["prompt_id"], line["prompt"], **described), line["base"], line["tuned"], line["seed"])


def _append(file: Path, written: list[Pair]) -> None:
    """Add a batch and have it on the disk before it counts as done."""
    with file.open("ab+") as opened:
        if opened.tell():
            opened.seek(-1, os.SEEK_END)
            if opened.read(1) != b"\n":
                opened.write(b"\n")  # a killed process left half a line: this batch must not hang on to it
        for pair in written:
            opened.write(json.dumps(line_of(pair), ensure_ascii=False).encode() + b"\n")
        opened.flush()
        os.fsync(opened.fileno())


def _describe(folder: Path, order: Order, proof: Proof | None, refused: dict[str, Any]) -> None:
    described = {
        "base": order.base.title, "tuned": order.tuned.title, "total": len(order.prompts.prompts),
        "left_out": order.prompts.left_out, "settings": asdict(order.settings), "proof": proof and asdict(proof),
        "spellings": {"base": order.base.spelling, "tuned": order.tuned.spelling},
        "fingerprints": {"base": order.base.fingerprint(), "tuned": order.tuned.fingerprint()},
        "resident": order.resident, "prompts": order.prompts.name,
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **refused,
    }  # fmt: skip
    part = folder / f"{SET}.part"
    part.write_text(json.dumps(described, ensure_ascii=False, indent=1), encoding="utf-8")
    part.replace(folder / SET)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """A lock on the folder while a process writes its pairs; the system lets go of it when that process dies."""
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ReviewError(
                "This set is being written by another process. Wait until it is done.", key="review.busy"
            ) from error
        yield

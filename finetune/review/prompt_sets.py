"""What both sides answer: the curated hundred, a run's own test rows, a pasted list, or a file.

Every prompt knows its topic, register, script and length, so that a verdict can be looked at in slices; where a source
does not say, they are read off the text by plain rules. What the crisis screen calls strong is left out, for no model
should answer it. This module asks no model.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import regex
import yaml

from finetune import bengali
from finetune.data import splits
from finetune.errors import DataError
from finetune.inference import safety
from finetune.recipe import ROOT

CURATED = ROOT / "assets" / "review" / "prompts.yaml"
LONGEST = 4_000
"""Characters; a longer text is no message but a document."""
MOST = 2_000
LONG_FROM = 140
"""Characters from which a prompt counts as long: about three spoken sentences."""
PREFERRED = ("question", "questions", "prompt", "text", "message", "প্রশ্ন", "কথা")
"""Names by which a file's column with the prompts is found, in this order, whatever their case."""

TOPICS = ("topics", "topic", "বিষয়")

_NUMBERED = regex.compile(r"^\s*(?:[-*•–]|[0-9০-৯]{1,4}[.)।:])\s+")
_REGISTERS = (
    ("apni", regex.compile(r"\b(?:আপনি|আপনার|আপনাকে|আপনারা|apni|apnar|apnake)\b", regex.I)),
    ("tui", regex.compile(r"\b(?:তুই|তোর|তোকে|তোরা|tui|tor|toke|tora)\b", regex.I)),
    ("tumi", regex.compile(r"\b(?:তুমি|তোমার|তোমাকে|তোমরা|tumi|tomar|tomake)\b", regex.I)),
)


@dataclass(frozen=True)
class Prompt:
    """One message to answer. register: apni, tumi, tui or empty; script: bengali, banglish, mixed; length: short, long.

    `care` marks what needs care in every use of it: the screen says soft, or whoever wrote it said so.
    """

    id: str
    text: str
    topic: str = ""
    register: str = ""
    script: str = ""
    length: str = ""
    care: bool = False


@dataclass(frozen=True)
class PromptSet:
    """Prompts of one source, and how many were left out of it as `duplicate`, `strong`, `too_long` or `empty`."""

    name: str
    prompts: tuple[Prompt, ...]
    left_out: dict[str, int] = field(default_factory=dict)


def described(text: str, **known: object) -> Prompt:
    """A prompt with what can be read off its text; whatever is `known` (topic, register, …) stands as it is."""
    text = bengali.clean(text)
    share = bengali.script_share(text)
    found = {
        "register": next((name for name, words in _REGISTERS if words.search(text)), ""),
        "script": "bengali" if share >= 0.8 else "banglish" if share <= 0.2 else "mixed",
        "length": "long" if len(text) >= LONG_FROM else "short",
        "care": safety.screen(text) != "none",
    }
    given = {key: value for key, value in known.items() if value not in ("", None)}
    given["care"] = bool(given.get("care")) or found["care"]
    return Prompt(hashlib.sha256(text.encode()).hexdigest()[:12], text, **{**found, **given})


def curated() -> PromptSet:
    """The hundred messages that were written for this project."""
    return PromptSet("curated", _curated())


@lru_cache(maxsize=1)
def _curated() -> tuple[Prompt, ...]:
    raw = yaml.safe_load(CURATED.read_text(encoding="utf-8"))
    return _gathered("curated", (described(entry.pop("text"), **entry) for entry in raw)).prompts


def from_run(data: Path, count: int, seed: int, name: str = "test") -> PromptSet:
    """So many questions of a run's own test split (`data` is its data folder), as many of each topic as there are."""
    rows = splits.read_split(data, "test")
    found = _gathered(name, (described(row["question"], topic=row.get("topic", "")) for row in rows))
    return replace(found, prompts=sampled(found.prompts, count, seed))


def pasted(text: str) -> PromptSet:
    """One prompt a line; where blank lines part the text, one a paragraph. Numbers and bullets are taken off."""
    parts = re.split(r"\n\s*\n", text.strip()) if re.search(r"\n\s*\n", text.strip()) else text.splitlines()
    return _checked(_gathered("pasted", (described(_NUMBERED.sub("", part)) for part in parts)))


def from_file(path: Path, column: str = "") -> PromptSet:
    """The first MOST prompts of a CSV, JSONL or Parquet file; a .txt holds one a line. DataError where none is."""
    if path.suffix.lower() == ".txt":
        return replace(pasted(path.read_text(encoding="utf-8-sig")), name=path.name)
    table = _table(path)
    names = [str(name) for name in table.columns]
    chosen = column if column in names else _column(names, path.name)
    topic = next((name for name in names if name.strip().casefold() in TOPICS), None)
    rows = table.head(MOST).fillna("").astype(str)
    topics = rows[topic] if topic else [""] * len(rows)
    prompts = (described(text, topic=said) for text, said in zip(rows[chosen], topics, strict=True))
    return _checked(_gathered(path.name, prompts))


def _table(path: Path) -> Any:
    """A file as a pandas table, every kind of damage as one DataError."""
    import pandas

    readers = {".csv": pandas.read_csv, ".tsv": partial(pandas.read_csv, sep="\t"), ".parquet": pandas.read_parquet,
               ".jsonl": partial(pandas.read_json, lines=True), ".json": pandas.read_json}  # fmt: skip
    reader = readers.get(path.suffix.lower())
    try:
        if reader is None:
            raise ValueError(f"files ending in {path.suffix or 'nothing'} are not read")
        return reader(path)
    except (ValueError, OSError, UnicodeError) as error:  # pandas' parser errors are ValueErrors
        raise DataError(
            f"{path.name} cannot be read as a table ({type(error).__name__}). Give a CSV, JSONL or Parquet file, or a"
            " .txt with one message a line.",
            key="prompts.unreadable",
            file=path.name,
        ) from error


def sampled(prompts: tuple[Prompt, ...], count: int, seed: int) -> tuple[Prompt, ...]:
    """So many prompts, one of each topic in turn, so that no topic crowds the others out; 0 takes all.

    The same seed gives the same prompts, and a smaller count the first of a larger.
    """
    chance = random.Random(seed)
    by_topic: dict[str, list[Prompt]] = {}
    for prompt in sorted(prompts, key=lambda prompt: prompt.id):
        by_topic.setdefault(prompt.topic, []).append(prompt)
    piles = [by_topic[topic] for topic in sorted(by_topic)]
    for pile in piles:
        chance.shuffle(pile)
    chance.shuffle(piles)
    order = [pile[turn] for turn in range(max(map(len, piles), default=0)) for pile in piles if turn < len(pile)]
    return tuple(order[:count] if count else order)


def _gathered(name: str, prompts: Iterable[Prompt]) -> PromptSet:
    kept: dict[str, Prompt] = {}
    left_out = {"empty": 0, "too_long": 0, "strong": 0, "duplicate": 0}
    for prompt in prompts:
        reason = (
            "empty" if not prompt.text.strip()
            else "too_long" if len(prompt.text) > LONGEST
            else "strong" if safety.screen(prompt.text) == "strong"
            else "duplicate" if prompt.id in kept
            else ""
        )  # fmt: skip
        if reason:
            left_out[reason] += 1
        else:
            kept[prompt.id] = prompt
    return PromptSet(name, tuple(kept.values()), {reason: number for reason, number in left_out.items() if number})


def _checked(found: PromptSet) -> PromptSet:
    if not found.prompts:
        why = ", ".join(f"{reason}: {number}" for reason, number in found.left_out.items()) or "no text"
        raise DataError(
            f"No prompt is left of {found.name} ({why}). Give at least one message.",
            key="prompts.none",
            name=found.name,
        )
    return found


def _column(names: list[str], file: str) -> str:
    folded = {name.strip().casefold(): name for name in names}
    for preferred in PREFERRED:
        if preferred in folded:
            return folded[preferred]
    if len(names) == 1:
        return names[0]
    raise DataError(
        f"{file} has no column of a known name ({', '.join(PREFERRED)}), but {', '.join(names)}. Rename the one with"
        " the messages to `question`.",
        key="prompts.no_column",
        file=file,
        columns=", ".join(names),
    )

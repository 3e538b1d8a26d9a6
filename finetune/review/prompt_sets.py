"""What both sides answer: the curated hundred, a run's own test rows, a pasted list, or a file.

Every prompt knows its topic, register, script and length, so that a verdict can be looked at in slices; where a source
does not say, they are read off the text by plain rules (`described`). What the crisis screen calls strong is left out,
for no model should answer it. It asks no model, and cannot tell a good prompt from a poor one.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import regex
import yaml

from finetune import bengali
from finetune.data import splits
from finetune.errors import DataError
from finetune.inference import safety
from finetune.recipe import ROOT
from finetune.review import prompt_files
from finetune.review.address import register_of

CURATED = ROOT / "assets" / "review" / "prompts.yaml"

LONGEST = 4_000
"""Characters; a longer text is no message but a document."""

MOST = 2_000
"""Prompts of one list or file: twenty times what reviewers judge. A file with more is as a rule a training corpus."""

LONG_FROM = 140
"""Characters from which a prompt counts as long: about three spoken sentences."""

ONE_SCRIPT = 0.9
"""Share of letters from which a text is in one script; below, whole phrases are in the other (`data/findings.py`)."""

WRAPPED_FROM = 60
"""Characters that a paragraph's lines have on average where they are one message broken up, not a message each."""

_BLANK_LINES = regex.compile(r"\n\s*\n")
_NUMBERED = regex.compile(r"^\s*(?:[-*•–—]|\(?[0-9০-৯]{1,3}[.)।])(?:\s+|$)")
_LETTER = regex.compile(r"\p{L}")


@dataclass(frozen=True)
class Prompt:
    """One message to answer. register: apni, tumi, tui or empty; script: bengali, banglish, mixed; length: short, long.

    `id` is the text's, the first 12 hex digits of its SHA-256 in NFC. `care` marks what needs care in every use of it:
    the screen says soft, or whoever wrote it said so.
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


def described(
    text: str, topic: str = "", register: str = "", script: str = "", length: str = "", care: bool = False
) -> Prompt:
    """A prompt, in NFC, with what can be read off its text; what is given stands as it is, but care is only added to.

    Whatever is in Latin letters counts as banglish, be it English; a text without letters has no script.
    """
    text = bengali.clean(text)
    if not script and _LETTER.search(text):
        share = bengali.script_share(text)
        script = "bengali" if share >= ONE_SCRIPT else "banglish" if share <= 1 - ONE_SCRIPT else "mixed"
    return Prompt(
        _id(text),
        text,
        topic,
        register or register_of(text),
        script,
        length or ("long" if len(text) >= LONG_FROM else "short"),
        care or safety.screen(text) != "none",
    )


def curated() -> PromptSet:
    """The hundred messages that were written for this project."""
    return PromptSet("curated", _curated())


@lru_cache(maxsize=1)
def _curated() -> tuple[Prompt, ...]:
    return tuple(described(**entry) for entry in yaml.safe_load(CURATED.read_text(encoding="utf-8")))


def from_run(data: Path, count: int, seed: int, name: str = "test") -> PromptSet:
    """So many questions of a run's own test split (`data` is its data folder), one of each topic in turn; 0 takes all.

    What is left out is counted among the rows looked at until there were enough. DataError where none is left.
    """
    asked = [(bengali.clean(row["question"]), row.get("topic", "")) for row in splits.read_split(data, "test")]
    order = sampled(tuple(Prompt(_id(text), text, topic) for text, topic in asked), 0, seed)
    return _gathered(name, ((one.text, one.topic) for one in order), count)


def pasted(text: str, name: str = "pasted") -> PromptSet:
    """One prompt a line, or a paragraph where lines are long and blank lines part them; numbers and bullets come off.

    DataError where nothing is left, or more than MOST.
    """
    return _gathered(name, _limited(name, ((_NUMBERED.sub("", message), "") for message in _messages(text))))


def from_file(path: Path, column: str = "") -> PromptSet:
    """The prompts of a CSV, JSONL or Parquet file, from its column of that name or a known one; of a .txt as if pasted.

    DataError where the file cannot be read, nothing is left, or there are more than MOST.
    """
    prompt_files.check(path)
    if path.suffix.lower() == ".txt":
        return pasted(prompt_files.text(path), path.name)
    return _gathered(path.name, _limited(path.name, prompt_files.table(path, column)))


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


def _id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _gathered(name: str, messages: Iterable[tuple[str, str]], count: int = 0) -> PromptSet:
    """The first so many usable messages of (text, topic); 0 takes all."""
    kept: dict[str, Prompt] = {}
    left_out = {"empty": 0, "too_long": 0, "strong": 0, "duplicate": 0}
    for text, topic in messages:
        if count and len(kept) == count:
            break
        text = bengali.clean(text)
        reason = (
            "empty" if not text
            else "too_long" if len(text) > LONGEST
            else "duplicate" if _id(text) in kept
            else "strong" if safety.screen(text) == "strong"
            else ""
        )  # fmt: skip
        if reason:
            left_out[reason] += 1
            continue
        kept[_id(text)] = described(text, topic=bengali.clean(topic))
    told = {reason: number for reason, number in left_out.items() if number}
    if not kept:
        why = ", ".join(f"{reason}: {number}" for reason, number in told.items()) or "no text"
        raise DataError(
            f"No prompt is left of {name} ({why}). Give at least one message.", key="prompts.none", name=name
        )
    return PromptSet(name, tuple(kept.values()), told)


def _limited(name: str, messages: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for number, message in enumerate(messages):
        if number == MOST:
            raise DataError(
                f"{name} holds more than {MOST:,} messages, more than anybody reviews. Keep those that matter to you,"
                " or take the test rows of a run.",
                key="prompts.too_many",
                name=name,
                most=MOST,
            )
        yield message


def _messages(text: str) -> list[str]:
    paragraphs = [part.strip().splitlines() for part in _BLANK_LINES.split(text.strip().replace("\r\n", "\n"))]
    broken_up = [line for lines in paragraphs if len(lines) > 1 for line in lines]
    listed = any(_NUMBERED.match(line) for lines in paragraphs for line in lines[1:])
    if len(paragraphs) > 1 and not listed and sum(map(len, broken_up)) >= WRAPPED_FROM * max(1, len(broken_up)):
        return ["\n".join(lines) for lines in paragraphs]
    return [line for lines in paragraphs for line in lines]

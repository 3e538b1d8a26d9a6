"""Pairs: two sides answer the same prompt with the same format, sampling and random numbers.

Both rows are decoded in one batch on one resident base, the adapter's gate shut for the base row; only where a side is
on another machine do they part. Both are asked in one format, the adapter's own: in another one it would answer worse
than it can, so two adapters of two formats never make a pair. It does not show or judge pairs.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finetune import models
from finetune.data.prompts import PromptFormat, conversation
from finetune.errors import ReviewError
from finetune.inference import safety
from finetune.inference.backends import Backend, LocalBackend, Served, Side, replies
from finetune.inference.reply_screen import unsafe
from finetune.recipe import Generation
from finetune.review.contestants import Contestant
from finetune.review.prompt_sets import Prompt

BATCH = 8
"""Prompts decoded together on a CPU, two rows each: more rows cost hardly less each on two cores."""

LARGE_BATCH = 16
"""The same on a GPU or a server, where a step reads all weights however many rows there are."""

BATCH_CHARACTERS = 8_000
"""Of a batch, its longest prompt counted for each. Two rows of up to a token a character, at 128 KiB a token in an 8B
Llama (32 layers, 8 heads of 128, keys and values, 16 bits): 2 GiB, which a card of 16 GB has beside the 4-bit base."""


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


def sides(
    prompt: str, adapter: Path | Served | None, settings: Generation, untuned: Served | None = None
) -> list[Side]:
    """The base's side and the tuned side of one prompt, in this order; `untuned` is a server's in the base's place."""
    messages = conversation(prompt)
    return [Side(messages, untuned, settings), Side(messages, adapter, settings)]


def stream(
    backend: Backend,
    prompt: str,
    adapter: Path | Served | None,
    settings: Generation,
    stop: threading.Event | None = None,
    *,
    untuned: Served | None = None,
) -> Iterator[tuple[str, str]]:
    """Yield both replies as far as they are written, (base, tuned)."""
    base = tuned = ""
    for base_piece, tuned_piece in backend.stream(sides(prompt, adapter, settings, untuned), stop):
        base, tuned = base + base_piece, tuned + tuned_piece
        yield base, tuned


def batch(backend: Backend, prompts: Sequence[str], adapter: Path, settings: Generation) -> list[tuple[str, str]]:
    """Whole pairs for several prompts, all decoded together."""
    texts = replies(backend, [side for prompt in prompts for side in sides(prompt, adapter, settings)])
    return list(zip(texts[::2], texts[1::2], strict=True))


def batches(prompts: Sequence[Prompt], backends: tuple[Backend, Backend]) -> list[list[Prompt]]:
    """Prompts of about one length together, and for one set always the same: a reply may depend, in its last bits, on
    what is decoded beside it."""
    here = any(isinstance(backend, LocalBackend) for backend in backends)
    most = BATCH if here and models.device() == "cpu" else LARGE_BATCH
    found: list[list[Prompt]] = [[]]
    for prompt in sorted(prompts, key=lambda prompt: (len(prompt.text), prompt.id)):
        if len(found[-1]) == most or (len(found[-1]) + 1) * len(prompt.text) > BATCH_CHARACTERS:
            found.append([])
        found[-1].append(prompt)
    return found


def written(
    prompts: Sequence[Prompt],
    contestants: tuple[Contestant, Contestant],
    settings: Generation,
    backends: tuple[Backend, Backend],
    stop: threading.Event | None = None,
) -> list[Pair]:
    """A batch of pairs, each with its own seed; none once `stop` is set."""
    hows = [replace(settings, seed=seed_of(prompt, settings.seed)) for prompt in prompts]
    texts = matched([prompt.text for prompt in prompts], contestants, hows, backends, stop)
    if not texts:
        return []
    made = []
    for prompt, how, (base, tuned) in zip(prompts, hows, texts, strict=True):
        care = prompt.care or any(safety.screen(text) != "none" or unsafe(text) for text in (base, tuned))
        made.append(Pair(replace(prompt, care=care), base, tuned, how.seed))
    return made


def seed_of(prompt: Prompt, seed: int) -> int:
    """Each prompt's own seed, the same for both sides and in every set with the same seed."""
    return int(hashlib.sha256(f"{seed} {prompt.id}".encode()).hexdigest()[:8], 16) % 2**31


def format_of(contestants: tuple[Contestant, Contestant]) -> PromptFormat:
    """The format in which both sides are asked; ReviewError where two adapters were trained in two."""
    styles = {PromptFormat.load(one.adapter) for one in contestants if one.adapter is not None}
    if len(styles) > 1:
        base, tuned = (one.title for one in contestants)
        raise ReviewError(
            f"{base} and {tuned} were trained with different prompt formats or system prompts, so one of them would be"
            " asked in a way that it did not learn. Compare each with the base instead, in a set of its own.",
            key="review.two_formats",
            base=base,
            tuned=tuned,
        )
    return styles.pop() if styles else PromptFormat()


def matched(
    prompts: Sequence[str],
    contestants: tuple[Contestant, Contestant],
    settings: Sequence[Generation],
    backends: tuple[Backend, Backend],
    stop: threading.Event | None = None,
) -> list[tuple[str, str]]:
    """Both sides' whole replies to several prompts, each with its own settings; all rows together on one backend.

    None at all once `stop` is set: what was written by then may be half a reply.
    """
    style = format_of(contestants)
    asked = [[_asked(one, *each, style) for each in zip(prompts, settings, strict=True)] for one in contestants]
    if backends[0] is backends[1]:
        texts = replies(backends[0], [*asked[0], *asked[1]], stop)
    else:
        texts = [text for backend, its in zip(backends, asked, strict=True) for text in replies(backend, its, stop)]
    if stop is not None and stop.is_set():
        return []
    return list(zip(texts[: len(prompts)], texts[len(prompts) :], strict=True))


def _asked(one: Contestant, prompt: str, how: Generation, style: PromptFormat) -> Side:
    # A model elsewhere cannot know what came with the adapter it meets, so the system prompt goes with the message;
    # the template around both is its server's own.
    system = [{"role": "system", "content": style.system_prompt}] if one.remote else []
    return Side([*system, *conversation(prompt)], one.adapter, how)

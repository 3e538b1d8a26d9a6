"""Pairs: two sides answer the same prompt with the same format, sampling and random numbers.

Both rows are decoded in one batch on one resident base, the adapter's gate shut for the base row; only where a side is
on another machine do they part. It does not show or judge pairs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from finetune.data.prompts import conversation
from finetune.inference.backends import Backend, Side, replies
from finetune.recipe import Generation
from finetune.review.contestants import Contestant


def sides(prompt: str, adapter: Path, settings: Generation) -> list[Side]:
    """The base's side and the tuned side of one prompt, in this order."""
    messages = conversation(prompt)
    return [Side(messages, None, settings), Side(messages, adapter, settings)]


def stream(
    backend: Backend, prompt: str, adapter: Path, settings: Generation, stop: threading.Event | None = None
) -> Iterator[tuple[str, str]]:
    """Yield both replies as far as they are written, (base, tuned)."""
    base = tuned = ""
    for base_piece, tuned_piece in backend.stream(sides(prompt, adapter, settings), stop):
        base, tuned = base + base_piece, tuned + tuned_piece
        yield base, tuned


def batch(backend: Backend, prompts: Sequence[str], adapter: Path, settings: Generation) -> list[tuple[str, str]]:
    """Whole pairs for several prompts, all decoded together."""
    texts = replies(backend, [side for prompt in prompts for side in sides(prompt, adapter, settings)])
    return list(zip(texts[::2], texts[1::2], strict=True))


def matched(
    prompts: Sequence[str],
    contestants: tuple[Contestant, Contestant],
    settings: Sequence[Generation],
    backends: tuple[Backend, Backend],
) -> list[tuple[str, str]]:
    """Both sides' whole replies to several prompts, each with its own settings; all rows together on one backend."""
    asked = [
        [Side(conversation(prompt), one.adapter, how) for prompt, how in zip(prompts, settings, strict=True)]
        for one in contestants
    ]
    if backends[0] is backends[1]:
        texts = replies(backends[0], [*asked[0], *asked[1]])
        return list(zip(texts[: len(prompts)], texts[len(prompts) :], strict=True))
    return list(zip(replies(backends[0], asked[0]), replies(backends[1], asked[1]), strict=True))

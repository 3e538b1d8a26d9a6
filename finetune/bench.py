"""Measure the demo model on this machine: `python -m finetune bench chat|pair`.

Every figure is the median of several replies after a warm-up, on one machine in one run. It does
not judge what was said.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from finetune import models
from finetune.data.prompts import conversation
from finetune.inference.backends import LocalBackend, Side
from finetune.recipe import Generation, Recipe

PROMPT = "আজ অফিসে সবার সামনে বস আমাকে বকলেন, তারপর থেকে কোনো কাজে মন বসাতে পারছি না।"
TOKENS = 100


def chat(repeats: int) -> dict[str, Any]:
    """First token and rate of one reply: 4-bit base with the demo adapter, as the chat tab runs it."""
    backend, settings = _backend(), Recipe.read("demo").generation
    side = Side(conversation(PROMPT), models.DEMO_ADAPTER, settings)
    first, rates = [], []
    for number in range(repeats + 1):
        began = time.perf_counter()
        token_times = _token_times(backend, [side])
        if number:  # the first reply is the warm-up
            first.append((token_times[0] - began) * 1000)
            rates.append((len(token_times) - 1) / (token_times[-1] - token_times[0]))
    return {
        "first_token_ms": statistics.median(first),
        "tokens_per_second": statistics.median(rates),
        "repeats": repeats,
        "device": models.device(),
    }


def pair(repeats: int) -> dict[str, Any]:
    """Time of base and tuned in one batch over the time of the tuned reply alone, same number of tokens."""
    backend = _backend()
    settings = Generation(max_new_tokens=TOKENS, temperature=0.7, seed=1)
    messages = conversation(PROMPT)
    tuned = Side(messages, models.DEMO_ADAPTER, settings)
    base = Side(messages, None, settings)
    alone, both = [], []
    for number in range(repeats + 1):
        for sides, times in (([tuned], alone), ([base, tuned], both)):
            began = time.perf_counter()
            _token_times(backend, sides, to_the_end=True)
            if number:
                times.append(time.perf_counter() - began)
    one, two = statistics.median(alone), statistics.median(both)
    return {"ratio": two / one, "pair_s": two, "reply_s": one, "tokens": TOKENS, "repeats": repeats}


def _backend() -> LocalBackend:
    backend = LocalBackend(str(models.DEMO_BASE))
    backend.load()
    return backend


def _token_times(backend: LocalBackend, sides: Sequence[Side], to_the_end: bool = False) -> list[float]:
    """When each step's tokens were there; to_the_end ignores the end of a reply, so that lengths are equal."""
    return [time.perf_counter() for _ in backend.tokens(sides, ignore_end=to_the_end)]


BENCHES: dict[str, Callable[[int], dict[str, Any]]] = {"chat": chat, "pair": pair}

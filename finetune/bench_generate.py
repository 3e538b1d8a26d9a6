"""Replies of a model's own `generate`, timed: what the benches of decoding set ours beside.

Sampled, and as many tokens whatever is said, so that every reply is the same work; all other settings are the model's
own. It does not judge what is written.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any

from finetune import models

TEMPERATURE, TOP_P = 0.7, 0.9
"""Of every reply that is measured, ours and peers'."""


@dataclass(frozen=True)
class Load:
    """What a reply is: tokens of the prompt, tokens written, and how often it is measured after a warm-up."""

    prompt: int = 200
    tokens: int = 128
    repeats: int = 3


USUAL = Load()


def prompt(load: Load) -> list[int]:
    """Tokens that stand for a prompt of a load, where weights are random and it does not matter which."""
    return [17 + number % 400 for number in range(load.prompt)]


def generate(model: Any, load: Load, ids: list[int] | None = None) -> dict[str, Any]:
    """Tokens a second and first token, medians after a warm-up; `ids`: another prompt than the load's."""
    firsts, rates = [], []
    for number in range(load.repeats + 1):
        times = _reply(model, load, ids or prompt(load))
        if number:
            firsts.append(times[0] * 1000)
            rates.append(rate(times))
    return {"tokens_per_second": statistics.median(rates), "first_token_ms": statistics.median(firsts), **peak()}


def pair(model: Any, load: Load, ids: list[int] | None = None) -> dict[str, float]:
    """What base and tuned cost, over the tuned reply alone: one after the other, as a PEFT model gives them."""
    replies, pairs = [], []
    for number in range(load.repeats + 1):
        tuned = _reply(model, load, ids or prompt(load))[-1]
        with model.disable_adapter():
            base = _reply(model, load, ids or prompt(load))[-1]
        if number:
            replies.append(tuned)
            pairs.append(base + tuned)
    one, two = statistics.median(replies), statistics.median(pairs)
    return {"pair": two / one, "pair_s": two, "reply_s": one}


def rate(times: list[float]) -> float:
    """Tokens a second behind the first token."""
    return (len(times) - 1) / (times[-1] - times[0])


def peak() -> dict[str, float]:
    """The most memory of a card since it was forgotten; nothing where there is no card."""
    import torch

    return {"memory_gb": torch.cuda.max_memory_allocated() / 1e9} if torch.cuda.is_available() else {}


def forget_peak() -> None:
    """A part's memory is its own: what building the model or another part has needed does not count."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _reply(model: Any, load: Load, ids: list[int]) -> list[float]:
    """Seconds until each token of one reply was there."""
    import torch
    from transformers.generation.streamers import BaseStreamer

    class Clock(BaseStreamer):
        """Notes when each token is given out; the prompt comes first."""

        def __init__(self) -> None:
            self.times: list[float] = []

        def put(self, value: Any) -> None:
            self.times.append(time.perf_counter())

        def end(self) -> None:
            """Nothing to do."""

    asked = torch.tensor([ids], device=models.device())
    clock, began = Clock(), time.perf_counter()
    with torch.inference_mode():
        model.generate(
            input_ids=asked,
            attention_mask=torch.ones_like(asked),
            do_sample=True,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            min_new_tokens=load.tokens,
            max_new_tokens=load.tokens,
            eos_token_id=None,
            pad_token_id=0,
            streamer=clock,
        )
    return [at - began for at in clock.times[1:]]

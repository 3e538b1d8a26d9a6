"""One row of a batch: what it asks for, and how its next token is chosen.

It draws row by row and looks at each token; `sampling.py` does the same arithmetic for all rows where the logits lie.
It knows nothing about models or text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from finetune.inference.adapters import Adapter
from finetune.recipe import Generation

CANDIDATES = 256
"""Likeliest tokens looked at first when sampling; all are sorted only where these hold less than top_p."""


@dataclass(frozen=True)
class Request:
    """One row: its prompt's token ids, its adapter or None for the base, and its settings."""

    prompt: list[int]
    adapter: Adapter | None
    settings: Generation


class Sampler:
    """Chooses a row's next token: greedy at temperature 0, else by one random number a step.

    The number is turned into a token through the cumulative distribution, likeliest first, so two
    rows with the same seed and the same distribution choose the same token.
    """

    def __init__(self, request: Request, device: Any) -> None:
        import torch

        s = self.settings = request.settings
        random = torch.Generator().manual_seed(s.seed)
        self.numbers = torch.rand(s.max_new_tokens + 1, generator=random, dtype=torch.float64).tolist()
        self.taken = 0
        self.seen = torch.tensor(sorted(set(request.prompt)), device=device) if s.repetition_penalty != 1 else None

    @staticmethod
    def all(samplers: Sequence[Sampler], logits: Any) -> list[int]:
        """The tokens for logits (rows, vocabulary); together where all take the likeliest, as an evaluation does."""
        if any(one.seen is not None or one.settings.temperature for one in samplers):
            return [sampler.next(row) for sampler, row in zip(samplers, logits, strict=True)]
        for sampler in samplers:
            sampler.taken += 1
        return logits.argmax(-1).tolist()

    def next(self, logits: Any) -> int:
        """The token for these logits (vocabulary,)."""
        s = self.settings
        logits = logits.float()
        if self.seen is not None:
            logits = self._penalised(logits)
        number = self.numbers[min(self.taken, s.max_new_tokens)]
        self.taken += 1
        token = int(logits.argmax()) if s.temperature == 0 else self._sample(logits / s.temperature, number)
        if self.seen is not None:
            self.seen = self.seen.new_tensor(sorted({*self.seen.tolist(), token}))
        return token

    def _sample(self, logits: Any, number: float) -> int:
        import torch

        total = torch.logsumexp(logits, dim=-1)
        count = min(CANDIDATES, logits.shape[-1])
        values, tokens = logits.topk(count)
        shares = (values - total).exp().double().cumsum(-1)
        if shares[-1] < self.settings.top_p and count < logits.shape[-1]:
            values, tokens = logits.sort(descending=True)
            shares = (values - total).exp().double().cumsum(-1)
        kept = int(torch.searchsorted(shares, self.settings.top_p)) + 1  # the token that crosses top_p stays
        kept = min(kept, len(shares))
        place = int(torch.searchsorted(shares[:kept], number * float(shares[kept - 1]), right=True))
        return int(tokens[min(place, kept - 1)])

    def _penalised(self, logits: Any) -> Any:
        # Keskar et al. 2019, section 4.1, as in transformers: divide positive logits, multiply negative ones.
        import torch

        seen = logits[self.seen]
        p = self.settings.repetition_penalty
        return logits.scatter(0, self.seen, torch.where(seen > 0, seen / p, seen * p))

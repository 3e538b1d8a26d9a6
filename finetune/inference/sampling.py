"""Draw the next token of every row at once, where the logits lie, in steps that a CUDA graph can hold.

The arithmetic is that of `sampler.Sampler`, which draws row by row and looks at each token: the same random numbers,
the same cumulative distribution, likeliest first. Nothing here depends on what the logits hold, so the same operations
serve every step; the one case that would (a distribution so flat that `CANDIDATES` tokens hold less than top_p) is
marked for the reader, who draws those rows by `redraw`. It knows nothing about models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from finetune.inference.sampler import CANDIDATES, Request, Sampler


@dataclass(frozen=True)
class Manner:
    """What the rows of a batch ask for; each manner is a graph of its own, for the likeliest token costs least."""

    sampled: bool
    """Whether any row has a temperature."""

    penalised: bool
    """Whether any row has a repetition penalty."""

    @staticmethod
    def of(requests: list[Request]) -> Manner:
        """The manner that these rows need."""
        settings = [request.settings for request in requests]
        return Manner(any(s.temperature > 0 for s in settings), any(s.repetition_penalty != 1 for s in settings))


class Sampling:
    """The settings and random numbers of a batch, in buffers whose addresses stay.

    rows: of the batch, idle ones included, which take the likeliest token. room: the most tokens that are drawn.
    """

    def __init__(self, rows: int, room: int, vocabulary: int, device: Any) -> None:
        import torch

        self.device, self.vocabulary = device, vocabulary
        self.temperature = torch.zeros(rows, 1, device=device)
        self.top_p = torch.ones(rows, 1, dtype=torch.float64, device=device)
        self.penalty = torch.ones(rows, 1, device=device)
        self.numbers = torch.zeros(rows, room, dtype=torch.float64, device=device)
        self.taken = torch.zeros(1, dtype=torch.long, device=device)
        self.seen: Any = None
        """(rows, vocabulary): which tokens occurred in each row; only there once a penalty has asked for it."""

    def begin(self, requests: list[Request]) -> None:
        """Take over the settings of new rows."""
        import torch

        rows, room = self.numbers.shape
        idle = rows - len(requests)
        settings = [request.settings for request in requests]
        numbers = torch.zeros(rows, room, dtype=torch.float64)
        for row, request in enumerate(requests):
            drawn = Sampler(request, "cpu").numbers[:room]
            numbers[row, : len(drawn)] = torch.tensor(drawn, dtype=torch.float64)
        self.numbers.copy_(numbers)
        for buffer, values in (
            (self.temperature, [s.temperature for s in settings] + [0.0] * idle),
            (self.top_p, [s.top_p for s in settings] + [1.0] * idle),
            (self.penalty, [s.repetition_penalty for s in settings] + [1.0] * idle),
        ):
            buffer.copy_(torch.tensor(values, dtype=buffer.dtype)[:, None])
        self.taken.zero_()
        if Manner.of(requests).penalised:
            if self.seen is None:
                self.seen = torch.zeros(rows, self.vocabulary, dtype=torch.bool, device=self.device)
            self.seen.zero_()
            for row, request in enumerate(requests):
                self.seen[row, torch.tensor(sorted(set(request.prompt)), device=self.device)] = True

    def note(self, tokens: Any) -> None:
        """Let tokens (rows,) count as having occurred."""
        self.seen.scatter_(1, tokens[:, None], True)

    def draw(self, logits: Any, manner: Manner) -> Any:
        """Each row's token and 1 where it must be drawn again, (rows, 2), from logits (rows, vocabulary)."""
        import torch

        logits = self._penalised(logits.float(), slice(None), manner)
        tokens, flat = logits.argmax(-1), torch.zeros_like(self.taken).expand(len(logits))
        if manner.sampled:
            number = self.numbers.index_select(1, self.taken)
            count = min(CANDIDATES, self.vocabulary)
            warmed = logits / self._warmth(slice(None))
            values, candidates = warmed.topk(count)
            shares = self._shares(warmed, values)
            kept = ((shares < self.top_p).sum(-1, keepdim=True) + 1).clamp(max=count)  # what crosses top_p stays
            place = (shares <= number * shares.gather(1, kept - 1)).sum(-1, keepdim=True)
            drawn = candidates.gather(1, torch.minimum(place, kept - 1))[:, 0]
            warm = self.temperature[:, 0] > 0
            tokens = torch.where(warm, drawn, tokens)
            if count < self.vocabulary:
                flat = (warm & (shares[:, -1] < self.top_p[:, 0])).long()
        self.taken.add_(1)
        return torch.stack([tokens, flat], dim=1)

    def redraw(self, logits: Any, rows: list[int], manner: Manner) -> list[int]:
        """The tokens of rows whose first candidates did not suffice, from the logits of all (rows, vocabulary)."""
        import torch

        which = torch.tensor(rows, device=self.device)
        logits = self._penalised(logits[which].float(), which, manner)
        warmed = logits / self._warmth(which)
        values, tokens = warmed.sort(descending=True)
        shares = self._shares(warmed, values)
        number = self.numbers[which].gather(1, (self.taken - 1).expand(len(rows), 1))
        kept = (torch.searchsorted(shares, self.top_p[which]) + 1).clamp(max=self.vocabulary)
        place = torch.searchsorted(shares, number * shares.gather(1, kept - 1), right=True)
        return tokens.gather(1, torch.minimum(place, kept - 1))[:, 0].tolist()

    def _warmth(self, rows: slice) -> Any:
        import torch

        temperature = self.temperature[rows]
        return torch.where(temperature > 0, temperature, 1.0)  # a greedy row's share of the work is thrown away

    @staticmethod
    def _shares(logits: Any, likeliest: Any) -> Any:
        """The probability of the likeliest so far, in float64; both are (rows, …), and so is the result."""
        import torch

        return (likeliest - torch.logsumexp(logits, dim=-1, keepdim=True)).exp().double().cumsum(-1)

    def _penalised(self, logits: Any, rows: slice, manner: Manner) -> Any:
        # Keskar et al. 2019, section 4.1, as in transformers: divide positive logits, multiply negative ones.
        import torch

        if not manner.penalised:
            return logits
        p = self.penalty[rows]
        return torch.where(self.seen[rows], torch.where(logits > 0, logits / p, logits * p), logits)

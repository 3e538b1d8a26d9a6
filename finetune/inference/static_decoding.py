"""The token loop over static caches: `Decoder.generate` with the same shapes for every step.

Sizes come in buckets, so that few caches serve every conversation: rows 1, 2, 4, … and room 512, 1,024, … tokens, each
made when it is first needed, the longest unused given up; a batch of more than 32 rows gets a cache of its own size. On
its own it is no faster than `Decoder`; `captured.py` is what it is for, and on a machine without a GPU it is the same
code that tests can see. One batch at a time: whoever shares a decoder between threads guards it, as
`backends.LocalBackend` does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from finetune.inference.adapter_slots import AdapterSlots
from finetune.inference.decoding import Decoder, Request
from finetune.inference.sampling import Manner
from finetune.inference.static_cache import Plain, StaticPass

MOST_ROWS = 32
"""Of a batch whose cache is kept in buckets; of larger ones, where a decoder allows them (`most_rows`), one is kept."""

ROWS_STEP, ROOM_STEP = 32, 128
"""What the rows and the room of a larger batch are rounded up to: in powers of two its cache could take four times what
it needs."""

LEAST_ROOM = 512
PROMPTS = (32, 64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
"""Lengths that prompts are filled up to; longer ones to the room there is."""

SLOTS = 2
"""Adapters held at once at first: two contestants of a review."""

KEPT = 4
"""Caches held at once: a chat's and a pair's, short and long."""


@dataclass(frozen=True)
class Work:
    """What a pass does in one go: read prompts of up to `tokens` tokens, or with 0 take one step."""

    tokens: int
    manner: Manner

    def do(self, state: StaticPass, arithmetic: Any) -> None:
        """Do it."""
        if self.tokens:
            state.read_prompts(self.tokens, self.manner)
        else:
            state.step(self.manner, arithmetic)


class StaticDecoder(Decoder):
    """A decoder whose every step has the same shapes."""

    most_rows = MOST_ROWS
    """A larger batch goes through `Decoder`."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.arithmetic: Any = Plain()
        self._slots: AdapterSlots | None = None
        self._passes: dict[tuple[int, int], StaticPass] = {}
        """By rows and room, the last used last."""

    def generate(
        self, requests: list[Request], stop_ids: set[int], stop: threading.Event | None = None
    ) -> Iterator[list[int | None]]:
        """See Decoder. A step is under way while the one before it is read; prompts are read in one go."""
        import torch

        if not self._fits(requests):
            yield from super().generate(requests, stop_ids, stop)
            return
        if stop is not None and stop.is_set():
            return
        manner, rows = Manner.of(requests), len(requests)
        longest = max(request.settings.max_new_tokens for request in requests)
        with torch.inference_mode():
            state, prompts = self._begin(requests)
            self._run(state, Work(prompts, manner))
        ended = [False] * rows
        for number in range(longest):
            with torch.inference_mode():
                tokens = state.tokens(rows, manner)
                for row, (token, request) in enumerate(zip(tokens, requests, strict=True)):
                    ended[row] |= token in stop_ids or number >= request.settings.max_new_tokens
                if all(ended):
                    return
                if number + 1 < longest:
                    self._run(state, Work(0, manner))
            yield [None if done else token for done, token in zip(ended, tokens, strict=True)]

    def generate_alone(
        self, requests: list[Request], stop_ids: set[int], stop: threading.Event | None = None
    ) -> Iterator[list[int | None]]:
        """See Decoder. Adapters are added up in the order of their slots, which is that of earlier batches: here slots
        and cache are made for this batch and given up behind it."""
        kept = self._slots, self._passes
        self._slots, self._passes = None, {}
        try:
            yield from self.generate(requests, stop_ids, stop)
        finally:
            self._slots, self._passes = kept

    def first_logits(self, requests: list[Request]) -> Any:
        """See Decoder: from the same cache, and by the same operations, as `generate` would begin with."""
        import torch

        if not self._fits(requests):
            return super().first_logits(requests)
        with torch.inference_mode():
            state, prompts = self._begin(requests)
            self._run(state, Work(prompts, Manner.of(requests)))
            return state.logits[: len(requests)].clone()

    def _fits(self, requests: list[Request]) -> bool:
        return len(requests) <= self.most_rows and _room(requests) <= self.longest

    def _begin(self, requests: list[Request]) -> tuple[StaticPass, int]:
        """A pass with these rows in it, and how many tokens its prompts are filled up to."""
        slots, listening = self._slots_for(requests)
        key = rows, room = _sizes(len(requests), _room(requests))
        state = self._passes.pop(key, None)
        if state is None:
            if rows > MOST_ROWS:
                self._passes = {other: one for other, one in self._passes.items() if other[0] <= MOST_ROWS}
            while len(self._passes) >= KEPT:
                self._passes.pop(next(iter(self._passes)))
            state = self._new_pass(slots, rows, room)
        self._passes[key] = state
        state.begin(requests, listening)
        longest = max(len(request.prompt) for request in requests)
        sizes = PROMPTS if rows <= MOST_ROWS else range(ROOM_STEP, room, ROOM_STEP)  # only the former are captured
        return state, next((size for size in sizes if longest <= size <= room), room)

    def _new_pass(self, slots: AdapterSlots, rows: int, room: int) -> StaticPass:
        import torch

        try:
            return StaticPass(self, slots, rows, room)
        except torch.OutOfMemoryError:
            if not self._passes:
                raise
            self._passes.clear()
            return StaticPass(self, slots, rows, room)

    def _slots_for(self, requests: list[Request]) -> tuple[AdapterSlots, list[int | None]]:
        """Slots with the adapters of these rows in them, and which one each row listens to."""
        adapters = list({id(r.adapter): r.adapter for r in requests if r.adapter is not None}.values())
        count, rank = AdapterSlots.needed(adapters)
        if self._slots is None or count > self._slots.slots or rank > self._slots.rank:
            self._passes.clear()  # what was captured reads the old slots
            had = self._slots
            self._slots = AdapterSlots(self, max(SLOTS, count), max(rank, had.rank if had else 0))
        where = dict(zip(map(id, adapters), self._slots.load(adapters), strict=True))
        return self._slots, [where.get(id(request.adapter)) for request in requests]

    def _run(self, state: StaticPass, work: Work) -> None:
        work.do(state, self.arithmetic)


def _sizes(rows: int, room: int) -> tuple[int, int]:
    """Rows and room of the cache for a batch that needs so much."""
    if rows > MOST_ROWS:
        return -(-rows // ROWS_STEP) * ROWS_STEP, -(-room // ROOM_STEP) * ROOM_STEP
    return 1 << (rows - 1).bit_length(), max(LEAST_ROOM, 1 << (room - 1).bit_length())


def _room(requests: list[Request]) -> int:
    """Tokens that the longest row may come to."""
    return max(len(r.prompt) for r in requests) + max(r.settings.max_new_tokens for r in requests)

"""Backends write replies: messages in, whole graphemes of Bengali text out, piece by piece.

`LocalBackend` keeps one base resident in 4 bits, switches adapters per row, and can lend its memory;
`ScriptedBackend` says what it is told, for tests. Both run in the caller's thread: closing the stream,
or setting `stop`, ends the work before the next token, and what goes wrong is raised where the stream
is read. They do not screen what people write (`safety.py`), and they log no text.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from finetune import bengali, models
from finetune.data.prompts import Message, PromptFormat, encode_example, encode_prompt, stop_ids
from finetune.errors import BackendError
from finetune.inference import context, cpu_memory
from finetune.inference.graphemes import TokenText
from finetune.recipe import Generation, default


@dataclass(frozen=True)
class Served:
    """A model that another server has under this name; it takes an adapter's place there, and only there."""

    name: str


@dataclass(frozen=True)
class Side:
    """One reply to write: the conversation, and the adapter's folder or None for the base alone."""

    messages: Sequence[Message]
    adapter: Path | Served | None
    settings: Generation = field(default_factory=Generation)


class Backend(Protocol):
    """Anything that writes replies."""

    def stream(self, sides: Sequence[Side], stop: threading.Event | None = None) -> Iterator[list[str]]:
        """Yield, step by step, the new text of each side; rows of one call are decoded together.

        Every piece consists of whole graphemes. Raises FinetuneError for what people can mend.
        """

    def fit(self, side: Side) -> tuple[Side, int]:
        """The side with as many of its last turns as the model can take, and how many were left out before them.

        BackendError where the last message alone is too long.
        """


WAIT = 0.05
"""Seconds after which whoever waits for a turn looks whether they are still wanted."""


KEPT_ADAPTERS = 2
"""Adapters that stay on the card, the last used ones: two contestants of a review. More of one batch are read again."""


class LocalBackend:
    """The resident base with its adapters, on this machine's GPU or CPU."""

    def __init__(self, model: str = default("base.model"), *, four_bit: bool = True) -> None:
        self.model = model
        self.four_bit = four_bit
        self._lock = threading.Lock()
        """Guards loading and decoding: one batch at a time uses the machine."""
        self._decoder: Any = None
        self._tokenizer: Any = None
        self._adapters: dict[tuple[Path, float], Any] = {}
        self._refusal: Callable[[], BackendError] | None = None

    @property
    def loaded(self) -> bool:
        """True once the base is resident."""
        return self._decoder is not None

    def load(self) -> None:
        """Make the base resident; does nothing where it already is."""
        with self._lock:
            self._load()

    def lend(self, refusal: Callable[[], BackendError] | None) -> None:
        """From now on raise this in place of any reply that has not begun, `unload` frees the memory; None ends it."""
        self._refusal = refusal

    def unload(self, *, wait: bool = True) -> bool:
        """Free the base's memory once the reply in hand has ended; the next use loads it again, unless it was lent.

        With wait=False nothing is freed, and False comes back, where a reply is being written.
        """
        if not self._lock.acquire(blocking=wait):
            return False
        try:
            self._decoder = self._tokenizer = None
            self._adapters = {}
            models.free_memory()
            cpu_memory.give_back_freed()
        finally:
            self._lock.release()
        return True

    def _load(self) -> None:
        if self._refusal is not None:
            raise self._refusal()
        if self._decoder is None:
            cpu_memory.bound()
            from finetune.inference.captured import decoder_for

            model, self._tokenizer = models.load_base(self.model, four_bit=self.four_bit)
            self._decoder = decoder_for(model)

    def _adapter(self, folder: Path | None) -> Any:
        if folder is None:
            return None
        from finetune.inference import adapters

        models.read_adapter_config(folder)
        key = (folder, (folder / "adapter_model.safetensors").stat().st_mtime)
        adapter = self._adapters.pop(key, None)
        if adapter is None:
            adapter = adapters.read(folder, self._decoder.dtype, str(self._decoder.device))
            adapters.check_fits(adapter, self._decoder, self.model)
            self._adapters = dict([one for one in self._adapters.items() if one[0][0] != folder][1 - KEPT_ADAPTERS :])
        self._adapters[key] = adapter  # the last used last
        return adapter

    def stream(self, sides: Sequence[Side], stop: threading.Event | None = None) -> Iterator[list[str]]:
        """See Backend. Waits for its turn where another stream is being written."""
        writers: list[TokenText] = []
        with contextlib.closing(self.tokens(sides, stop=stop)) as steps:  # which ends the work, frees the lock at once
            for tokens in steps:
                if stop is not None and stop.is_set():
                    break
                writers = writers or [TokenText(self._tokenizer) for _ in sides]
                pieces = [writer.add(token) for writer, token in zip(writers, tokens, strict=True)]
                if any(pieces):
                    yield pieces
        rest = [writer.end() for writer in writers]
        if any(rest):
            yield rest

    def fit(self, side: Side) -> tuple[Side, int]:
        """See Backend."""
        decoder, tokenizer = self._decoder, self._tokenizer
        if decoder is None or tokenizer is None:  # else nobody waits for another's reply
            with self._lock:
                self._load()
                decoder, tokenizer = self._decoder, self._tokenizer
        style = self._style([side])
        room = min(context.WINDOW, decoder.longest) - side.settings.max_new_tokens
        kept, left_out = context.within(
            cleaned(side.messages), room, lambda messages: len(encode_prompt(tokenizer, messages, style))
        )
        return replace(side, messages=kept), left_out

    def tokens(
        self,
        sides: Sequence[Side],
        *,
        ignore_end: bool = False,
        alone: bool = False,
        stop: threading.Event | None = None,
    ) -> Iterator[list[int | None]]:
        """The token ids behind `stream`, a list a step; ignore_end goes on to max_new_tokens whatever is said.

        alone: the same to the last bit whatever this process answered before, as two processes need that go on with
        each other's work; on a GPU whatever a batch needs is then made for it alone.
        `stop` is heeded before the prompts are read and while they are; between two steps who iterates does so.
        """
        if not sides:
            return
        from finetune.inference.decoding import Request

        with self._turn(stop) as come:
            if not come:
                return
            self._load()
            style = self._style(sides)
            requests = [
                Request(
                    encode_prompt(self._tokenizer, cleaned(side.messages), style),
                    self._adapter(side.adapter),
                    side.settings,
                )
                for side in sides
            ]
            ends = set() if ignore_end else stop_ids(self._tokenizer)
            generate = self._decoder.generate_alone if alone else self._decoder.generate
            yield from generate(requests, ends, stop)

    @contextlib.contextmanager
    def _turn(self, stop: threading.Event | None) -> Iterator[bool]:
        """The machine for one batch, once it is free; False where a stop came first."""
        while not self._lock.acquire(timeout=WAIT if stop else -1):
            if stop.is_set():
                yield False
                return
        try:
            yield True
        finally:
            if self.loaded and self._decoder.device.type == "cpu":
                cpu_memory.give_back_freed()
            self._lock.release()

    def first_logits(self, sides: Sequence[Side], style: PromptFormat | None = None) -> list[Any]:
        """What each side would draw its first token from, (vocabulary,) a row, all rows in one batch as in `stream`.

        style: another format than `stream` would take for these sides.
        """
        from finetune.inference.decoding import Request

        with self._lock:
            self._load()
            style = style or self._style(sides)
            ids = [encode_prompt(self._tokenizer, cleaned(side.messages), style) for side in sides]
            rows = zip(ids, sides, strict=True)
            return list(self._decoder.first_logits([Request(i, self._adapter(s.adapter), s.settings) for i, s in rows]))

    def answer_bits(
        self, conversations: Sequence[Sequence[Message]], adapter: Path | None, style: PromptFormat | None = None
    ) -> list[float]:
        """How many bits each conversation's last reply costs this model, its `<|eot_id|>` included.

        style: another format than the adapter's own, or the default one of the base; two models are compared in one.
        """
        import math

        import torch
        import torch.nn.functional as F

        with self._lock:
            self._load()
            style = style or (PromptFormat() if adapter is None else PromptFormat.load(adapter))
            encoded = [encode_example(self._tokenizer, cleaned(c), style, sys.maxsize) for c in conversations]
            loaded = self._adapter(adapter)
            costs = [0.0] * len(encoded)
            by_length = sorted(range(len(encoded)), key=lambda place: len(encoded[place][0]))
            every = self._decoder.logits([encoded[place][0] for place in by_length], loaded)
            for place, logits in zip(by_length, every, strict=True):
                wanted = torch.tensor(encoded[place][1][1:], device=logits.device)
                costs[place] = F.cross_entropy(logits[:-1].float(), wanted, reduction="sum").item() / math.log(2)
            return costs

    def _style(self, sides: Sequence[Side]) -> PromptFormat:
        """One format for all rows: the tuned side's, so that a pair differs in the adapter alone; else the model's.

        A merged model has the format of the adapter that is in it (`merging.py`), any other base has the default.
        """
        for side in sides:
            if side.adapter is not None:
                return PromptFormat.load(side.adapter)
        return PromptFormat.load(Path(models.resolve(self.model)))


class ScriptedBackend:
    """Answers every side with the given pieces; an exception among them is raised. For tests."""

    def __init__(self, *pieces: str | Exception) -> None:
        self.pieces = pieces
        self.asked: list[Sequence[Side]] = []
        self.loaded = True

    def load(self) -> None:
        """Nothing to load."""

    def fit(self, side: Side) -> tuple[Side, int]:
        """See Backend: everything fits."""
        return side, 0

    def stream(self, sides: Sequence[Side], stop: threading.Event | None = None) -> Iterator[list[str]]:
        """See Backend."""
        self.asked.append(sides)
        for piece in self.pieces:
            if stop is not None and stop.is_set():
                return
            if isinstance(piece, Exception):
                raise piece
            yield [piece for _ in sides]


def cleaned(messages: Sequence[Message]) -> list[Message]:
    """Messages in the Unicode form the model was trained on."""
    return [{**message, "content": bengali.clean(message["content"])} for message in messages]


def reply(backend: Backend, side: Side) -> str:
    """A whole reply at once."""
    return replies(backend, [side])[0]


def replies(backend: Backend, sides: Sequence[Side], stop: threading.Event | None = None) -> list[str]:
    """Whole replies of several sides, decoded together; once `stop` is set, what there is by then."""
    texts = [""] * len(sides)
    for pieces in backend.stream(sides, stop):
        texts = [text + piece for text, piece in zip(texts, pieces, strict=True)]
    return [text.strip() for text in texts]

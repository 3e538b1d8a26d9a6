"""Replies from another machine: a Backend over any OpenAI-compatible server, vLLM with LoRA modules first of all.

    SHOHOMORMI_BACKEND_URL     its address, http://localhost:8000/v1 for example
    SHOHOMORMI_BACKEND_MODEL   the model to ask for; by default the only base that the server offers
    SHOHOMORMI_BACKEND_KEY     its key, if it wants one

The sides of a call are asked for at the same time, each by a request of its own; whether the server decodes them in
one batch, and whether equal seeds give equal replies, is its own affair, and so are the chat template around our
messages and what it makes of special tokens that a person types. Our system prompt is sent along. What HTTP has to do
with it is in `openai_server.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import httpx

from finetune.data.prompts import PromptFormat
from finetune.errors import BackendError
from finetune.inference import context, server_errors
from finetune.inference.backends import Served, Side, cleaned
from finetune.inference.graphemes import GraphemeText
from finetune.inference.openai_server import OpenAIServer, Timeouts
from finetune.inference.server_errors import MODEL, URL

AT_ONCE = 32
"""Requests of one call that are under way together; the others of a large batch of pairs wait here, where no timeout
runs, not in the server's queue."""

POLL_S = 0.05
"""Seconds between two looks at whether the reader wants to go on."""

CLOSE_S = 0.15
"""Seconds, at most, that leaving a stream waits for its connections to close; a slow name lookup holds its thread for
longer, but no connection."""

T = TypeVar("T")


def served_name(adapter: Path) -> str:
    """What a server should call an adapter: its run's name, `demo`, or `RUN-checkpoint-40`.

    For vLLM: `--enable-lora --lora-modules demo=assets/demo/adapter RUN=HOME/runs/RUN/adapter`.
    """
    if adapter.name.startswith("checkpoint-"):
        return f"{adapter.parent.parent.name}-{adapter.name}"
    return adapter.parent.name if adapter.name == "adapter" else adapter.name


def from_environment() -> RemoteBackend | None:
    """The engine that SHOHOMORMI_BACKEND_URL names, None where it names none; BackendError for a wrong address."""
    url = os.environ.get(URL, "").strip()
    return RemoteBackend(url, os.environ.get(MODEL, "").strip() or None) if url else None


class RemoteBackend:
    """A server's base and adapters as a Backend; nothing is asked of the server before the first use."""

    def __init__(
        self,
        url: str,
        model: str | None = None,
        *,
        adapters: Callable[[Path], str] = served_name,
        timeouts: Timeouts | None = None,
    ) -> None:
        """model: the base's id on the server, or None for the only one. adapters: an adapter's id by its folder,
        which need not exist on this machine."""
        self._server = OpenAIServer(url, timeouts)
        self._adapters = adapters
        self._offered: set[str] = set()
        """Adapters that the server was seen to offer."""
        self.address = self._server.address
        self.model = model
        self.loaded = False
        """True once the server has answered."""

    def __repr__(self) -> str:
        return f"RemoteBackend({self.address!r}, {self.model!r})"

    def load(self) -> None:
        """Find the server and the model to ask for; BackendError where there is none."""
        self._now(self._find)

    def models(self) -> list[str]:
        """The ids that the server offers, in its order, adapters among them."""
        return list(self.offered())

    def offered(self) -> dict[str, str | None]:
        """The same, and with an adapter (vLLM) the id of its base."""
        return self._now(self._server.models)

    def stream(self, sides: Sequence[Side], stop: threading.Event | None = None) -> Iterator[list[str]]:
        """See Backend. A stop, or closing the stream, closes the connections, and so ends the server's work."""
        if not sides:
            return
        writers = [GraphemeText() for _ in sides]
        failure: BackendError | None = None
        with contextlib.closing(_arriving(lambda put: self._write(sides, put), stop)) as arrivals:
            try:
                for together in arrivals:
                    if stop is not None and stop.is_set():
                        break
                    pieces = [""] * len(sides)
                    for number, text in together:
                        pieces[number] += writers[number].end() if text is None else writers[number].add(text)
                    if any(pieces):
                        yield pieces
            except BackendError as error:
                failure = error
        rest = [writer.end() for writer in writers]
        if any(rest):
            yield rest
        if failure is not None:
            raise failure

    def fit(self, side: Side) -> tuple[Side, int]:
        """See Backend. Its tokenizer is not here: a letter is taken for a token, which is seldom too little."""
        room = context.WINDOW - side.settings.max_new_tokens
        kept, left_out = context.within(
            side.messages, room, lambda messages: sum(len(message["content"]) for message in messages)
        )
        return replace(side, messages=kept), left_out

    def _now(self, ask: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
        """The answer to one question, asked outside of any stream."""

        async def work(put: Callable[[T], None]) -> None:
            async with self._server.client() as client:
                put(await ask(client))

        [[answer]] = _arriving(work, None)
        return answer

    async def _write(self, sides: Sequence[Side], put: Callable[[tuple[int, str | None]], None]) -> None:
        """Put the number of a side with each piece of its text, and with None when it has ended."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def write(number: int, body: dict[str, Any]) -> None:
            async with turns:
                await self._server.reply(client, body, lambda text: put((number, text)))
            put((number, None))

        async with self._server.client() as client:
            bodies = await self._requests(client, sides)
            try:
                async with asyncio.TaskGroup() as group:  # the first that fails ends the others
                    for number, body in enumerate(bodies):
                        group.create_task(write(number, body))
            except BaseExceptionGroup as failed:
                raise failed.exceptions[0] from failed.exceptions[0].__cause__
        self.loaded = True

    async def _requests(self, client: httpx.AsyncClient, sides: Sequence[Side]) -> list[dict[str, Any]]:
        folders = [side.adapter for side in sides if isinstance(side.adapter, Path)]
        models = [self._named(side.adapter) for side in sides]
        if None in models and self.model is None:
            await self._find(client)
        await self._see_offered(client, {self._adapters(folder) for folder in folders})
        tuned = next(iter(folders), None)
        style = PromptFormat() if tuned is None else PromptFormat.load(tuned)  # one for all sides, as in LocalBackend
        return [_request(side, model or self.model, style) for side, model in zip(sides, models, strict=True)]

    def _named(self, adapter: Path | Served | None) -> str | None:
        if isinstance(adapter, Served):
            return adapter.name
        return None if adapter is None else self._adapters(adapter)

    async def _find(self, client: httpx.AsyncClient) -> None:
        """See that the server is there, and which base to ask for where nobody has said."""
        offered = await self._server.models(client)
        if self.model is None:
            bases = [name for name, parent in offered.items() if parent is None]
            if len(bases) != 1:
                raise server_errors.which_model(self.address, bases)
            self.model = bases[0]
        self.loaded = True

    async def _see_offered(self, client: httpx.AsyncClient, adapters: set[str]) -> None:
        """Refuse an adapter that the server does not list: llama.cpp, for one, would answer as the base instead."""
        if adapters <= self._offered:
            return
        offered = await self._server.models(client)
        if lacking := sorted(adapters - offered.keys()):
            raise server_errors.unknown_adapter(self.address, lacking[0], offered)
        self._offered |= adapters


def _request(side: Side, model: str | None, style: PromptFormat) -> dict[str, Any]:
    """One side as the body of a request; max_tokens, not its successor, is what all three servers read."""
    messages = cleaned(side.messages)
    if not messages or messages[0]["role"] != "system":
        messages = [{"role": "system", "content": style.system_prompt}, *messages]
    how = side.settings
    body = {
        "model": model,
        "messages": messages,
        "stream": True,
        "max_tokens": how.max_new_tokens,
        "temperature": how.temperature,
        "top_p": how.top_p,
        "seed": how.seed,
    }
    if how.repetition_penalty != 1:  # vLLM's; not in OpenAI's schema, so a strict server refuses it rather than ignores
        body["repetition_penalty"] = how.repetition_penalty
    return body


class _Ended:
    """Comes after the last thing; carries what went wrong, if anything did."""

    def __init__(self, failure: BaseException | None) -> None:
        self.failure = failure


def _arriving(
    work: Callable[[Callable[[T], None]], Awaitable[None]], stop: threading.Event | None
) -> Iterator[list[T]]:
    """What asynchronous work puts, read from this thread: as lists of all that has come since the last one.

    The work runs in a thread of its own, is cancelled where the reader leaves or `stop` is set, also while nothing
    arrives, and what it raises is raised here.
    """
    arrived: queue.SimpleQueue[Any] = queue.SimpleQueue()
    left = threading.Event()

    async def supervise() -> None:
        task = asyncio.ensure_future(work(arrived.put))
        while not (task.done() or left.is_set() or (stop is not None and stop.is_set())):
            await asyncio.wait([task], timeout=POLL_S)
        if not task.done():
            task.cancel()
        [result] = await asyncio.gather(task, return_exceptions=True)
        stopped = isinstance(result, asyncio.CancelledError)
        arrived.put(_Ended(result if isinstance(result, BaseException) and not stopped else None))

    def run() -> None:
        try:
            asyncio.run(supervise())
        except BaseException as error:  # no loop could be made, for want of file descriptors, say
            arrived.put(_Ended(error))

    thread = threading.Thread(target=run, name="remote-engine", daemon=True)
    thread.start()
    ended: _Ended | None = None
    try:
        while ended is None:
            together = [arrived.get()]
            with contextlib.suppress(queue.Empty):
                while True:
                    together.append(arrived.get_nowait())
            if isinstance(together[-1], _Ended):
                ended = together.pop()
            if together:
                yield together
        if ended.failure is not None:
            raise ended.failure
    finally:
        left.set()
        thread.join(CLOSE_S)

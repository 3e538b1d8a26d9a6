"""Talk to a server that speaks OpenAI's chat completions: which models it offers, and replies as they are written.

vLLM, llama.cpp's server and `transformers serve` do. A request is tried again only while nothing of its reply has
come. This module does not know sides, adapters or Bengali (`remote.py`), nor the chat template that the server applies.

The key, where one is needed, is read from SHOHOMORMI_BACKEND_KEY for each client and kept nowhere else. It goes to no
other server than the one that SHOHOMORMI_BACKEND_URL names, where that is set: an address that somebody types into
the page must not collect it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import random
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from httpx_sse import SSEError, aconnect_sse

from finetune.errors import BackendError, chain_of
from finetune.inference import server_errors
from finetune.inference.server_errors import KEY, URL

WAITS = (0.5, 1.5)
"""Seconds before the second try, and before the third and last; a server's Retry-After may lengthen them."""

LONGEST_WAIT = 10.0
"""Seconds; a server that asks for more is not waited for."""

BUSY = (429, 502, 503, 504)
"""What says: later. llama.cpp answers 503 while it loads its model, a proxy 502 or 504 while its server starts."""

TOO_LONG_SIGNS = ("context length", "context size", "context_length", "context_size")
"""In small letters, in the body of the HTTP 400 with which vLLM and llama.cpp refuse what does not fit."""

T = TypeVar("T")


@dataclass(frozen=True)
class Timeouts:
    """Seconds that are waited: for a connection, for the first text of a reply, between two pieces of it."""

    connect: float = 5.0
    first: float = 120.0
    """Loading the model and reading the prompt fall into it, and so does every further try."""
    between: float = 30.0


class OpenAIServer:
    """One server, by the address under which `chat/completions` and `models` lie; its methods raise BackendError."""

    def __init__(self, url: str, timeouts: Timeouts | None = None) -> None:
        self.address = checked(url)
        self.timeouts = timeouts or Timeouts()

    def client(self) -> httpx.AsyncClient:
        """An HTTP client for one event loop, to be used as an async context; leaving it closes its connections."""
        return httpx.AsyncClient(
            headers=self._authorization(),
            timeout=httpx.Timeout(None, connect=self.timeouts.connect),  # the rest is timed in `_tried`
            limits=httpx.Limits(max_connections=None),
            verify=_certificates(),
        )

    async def models(self, client: httpx.AsyncClient) -> dict[str, str | None]:
        """The ids of the models on offer, in the server's order; with an adapter (vLLM) the id of its base."""
        return await self._tried(lambda came: self._list(client))

    async def reply(self, client: httpx.AsyncClient, body: dict[str, Any], write: Callable[[str], None]) -> None:
        """Have a reply written, and hand each piece of its text to `write` as it comes.

        body: what POST chat/completions takes, with `stream` and `model`.
        """

        async def attempt(came: Callable[[], None]) -> None:
            def wrote(text: str) -> None:
                came()
                write(text)

            await self._stream(client, body, wrote)

        await self._tried(attempt)

    async def _tried(self, attempt: Callable[[Callable[[], None]], Awaitable[T]]) -> T:
        """The result of an attempt, which calls what it is given at each piece that comes, and is repeated before any.

        What can go wrong on the way becomes a BackendError.
        """
        begun = False

        def came() -> None:
            nonlocal begun
            begun = True
            deadline.reschedule(asyncio.get_running_loop().time() + self.timeouts.between)

        waits = iter(WAITS)
        try:
            async with asyncio.timeout(self.timeouts.first) as deadline:
                while True:
                    try:
                        return await attempt(came)
                    except (httpx.RequestError, _Busy, BackendError) as error:
                        if begun:
                            raise server_errors.broke_off(self.address) from error
                        if isinstance(error, BackendError):
                            raise
                        if _in_handshake(error):
                            raise server_errors.insecure(self.address) from error
                        busy = error if isinstance(error, _Busy) else None
                        asked, wait = busy.wait if busy else 0.0, next(waits, None)
                        if wait is None or asked > LONGEST_WAIT:
                            told = server_errors.unreachable(self.address)
                            if busy:
                                told = server_errors.busy(self.address, busy.code)
                            raise told from error
                        # Many that were refused at once come back apart.
                        await asyncio.sleep(max(wait, asked) * random.uniform(1, 1.3))
        except TimeoutError as error:
            told = server_errors.slow(self.address, self.timeouts.first)
            raise (server_errors.broke_off(self.address) if begun else told) from error

    async def _stream(self, client: httpx.AsyncClient, body: dict[str, Any], write: Callable[[str], None]) -> None:
        async with aconnect_sse(client, "POST", f"{self.address}/chat/completions", json=body) as source:
            await self._refuse(client, source.response, body["model"])
            source.response.encoding = "utf-8"  # as event streams are, whatever a header says
            try:
                async with contextlib.aclosing(source.aiter_sse()) as events:
                    async for event in events:
                        text, ended = self._piece(event.data)
                        if text:
                            write(text)
                        if ended:
                            return
            except SSEError as error:
                raise server_errors.no_openai(self.address) from error
        raise httpx.RemoteProtocolError("the event stream ended before the reply did")

    def _piece(self, data: str) -> tuple[str, bool]:
        """The text of one event, and whether the reply ends with it."""
        if data == "[DONE]":
            return "", True
        if data.startswith('{"error"'):  # without reading it: `transformers serve` puts a text in without escaping it
            raise server_errors.failed(self.address)
        try:
            chunk = json.loads(data)
            if not chunk["choices"]:  # counts of tokens come alone
                return "", False
            choice = chunk["choices"][0]
            text = (choice.get("delta") or {}).get("content") or ""
            if not isinstance(text, str):
                raise TypeError
            return text, bool(choice.get("finish_reason"))
        except (ValueError, TypeError, LookupError, AttributeError):
            raise server_errors.no_openai(self.address) from None  # a JSON error carries the text

    async def _list(self, client: httpx.AsyncClient) -> dict[str, str | None]:
        response = await client.get(f"{self.address}/models")
        if response.status_code == 404:
            raise server_errors.no_openai(self.address)
        await self._refuse(client, response, "")
        try:
            return {str(model["id"]): model.get("parent") for model in response.json()["data"]}
        except (ValueError, TypeError, LookupError, AttributeError):
            raise server_errors.no_openai(self.address) from None

    async def _refuse(self, client: httpx.AsyncClient, response: httpx.Response, model: str) -> None:
        """Raise what an answer means that is not HTTP 200."""
        code = response.status_code
        if code == 200:
            return
        if code in BUSY:
            raise _Busy(code, response.headers.get("retry-after", ""))
        if code in (401, 403):
            raise server_errors.refused_key(self.address, code)
        if code == 404:
            offered = await self._list(client)
            if model not in offered:
                raise server_errors.unknown_model(self.address, model, offered)
        if code in (400, 413, 422):
            told = (await response.aread()).decode("utf-8", "replace").casefold()
            if any(sign in told for sign in TOO_LONG_SIGNS):
                raise server_errors.too_long()
            raise server_errors.rejected(self.address, code, model)
        if code >= 500 and code != 501:  # 501: a mere file server does not know POST
            raise server_errors.failed(self.address)
        raise server_errors.no_openai(self.address)

    def _authorization(self) -> dict[str, str]:
        key, url = os.environ.get(KEY, "").strip(), os.environ.get(URL, "").strip()
        if not key or (url and _origin(checked(url)) != _origin(self.address)):
            return {}
        if not (key.isascii() and key.isprintable()):
            raise server_errors.damaged_key()  # h11's own error would show it
        return {"Authorization": f"Bearer {key}"}


class _Busy(Exception):
    """The server says: later."""

    def __init__(self, code: int, retry_after: str) -> None:
        super().__init__(f"HTTP {code}")
        self.code = code
        self.wait = float(retry_after) if retry_after.isdecimal() else 0.0
        """Seconds; a date, the other form of Retry-After, counts as nothing said."""


def checked(url: str) -> str:
    """A server's address as it is used and shown: no slash at its end, and /v1 where it has no path.

    Raises BackendError for another scheme than http or https, and for a user name, a password or a query.
    """
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL:
        raise server_errors.wrong_address() from None
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo or parsed.query:
        raise server_errors.wrong_address()
    path = parsed.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    return str(parsed.copy_with(path=path, fragment=None))


def _in_handshake(error: BaseException) -> bool:
    """True where TLS is what went wrong, which no further try mends."""
    return any(isinstance(one, ssl.SSLError) for one in chain_of(error))


def _origin(address: str) -> tuple[str, str, int | None]:
    url = httpx.URL(address)
    return url.scheme, url.host, url.port


@functools.cache
def _certificates() -> ssl.SSLContext:
    """The authorities that are trusted; read once, for it takes longer than a whole request."""
    return httpx.create_ssl_context()

"""What to tell of a server that does not do what it is asked: one BackendError for each thing that can go wrong.

Nothing that a server says of an error is repeated here, for it may quote the conversation; addresses come without
credentials (`openai_server.checked`). This module talks to no server.
"""

from __future__ import annotations

from collections.abc import Iterable

from finetune.errors import BackendError

URL = "SHOHOMORMI_BACKEND_URL"
MODEL = "SHOHOMORMI_BACKEND_MODEL"
KEY = "SHOHOMORMI_BACKEND_KEY"

MOST_NAMED = 10
"""Models that one error lists."""


def wrong_address() -> BackendError:
    """The address is none, or holds what should not be shown; so it is not repeated."""
    return BackendError(
        "The address of a remote engine looks like http://localhost:8000/v1, without user name, password or question"
        f" mark. Correct it; a key belongs in {KEY}.",
        key="backend.url",
    )


def damaged_key() -> BackendError:
    """The key cannot be sent."""
    return BackendError(
        f"The key in {KEY} holds signs that no key has. Copy it again, without line breaks.", key="backend.damaged_key"
    )


def refused_key(address: str, code: int) -> BackendError:
    """HTTP 401 or 403."""
    return BackendError(
        f"The server at {address} refuses the key (HTTP {code}). Put the right one in {KEY}, see that {URL} names this"
        " server, and start the app anew.",
        key="backend.refused_key",
        address=address,
        code=code,
    )


def unreachable(address: str) -> BackendError:
    """No connection, or one that was closed before anything came."""
    return BackendError(
        f"The server at {address} does not answer. Start it, or correct its address.",
        key="backend.unreachable",
        address=address,
    )


def insecure(address: str) -> BackendError:
    """The TLS handshake failed."""
    return BackendError(
        f"No secure connection to {address} comes about: its certificate is not trusted, or it speaks plain http."
        " Correct the address, or name the file of its authority in SSL_CERT_FILE.",
        key="backend.insecure",
        address=address,
    )


def busy(address: str, code: int) -> BackendError:
    """It was too much for the server on every try."""
    return BackendError(
        f"The server at {address} is busy or still starting (HTTP {code}). Try again in a minute.",
        key="backend.busy",
        address=address,
        code=code,
    )


def slow(address: str, seconds: float) -> BackendError:
    """Nothing has come in that time."""
    return BackendError(
        f"The server at {address} has written nothing for {seconds:g} seconds. It may be loading its model, or have too"
        " much to do; try again in a minute.",
        key="backend.slow",
        address=address,
        seconds=f"{seconds:g}",
    )


def broke_off(address: str) -> BackendError:
    """Something has come, and then no more."""
    return BackendError(
        f"The server at {address} broke off in the middle of the reply. What came stays; ask again for a whole one.",
        key="backend.broke_off",
        address=address,
    )


def too_long() -> BackendError:
    """The prompt does not fit the model's context."""
    return BackendError(
        "The conversation is longer than the server's model can read. Begin a new one, or start the server with a"
        " longer context.",
        key="backend.too_long",
    )


def rejected(address: str, code: int, model: str) -> BackendError:
    """HTTP 4xx, for a reason that only the server knows."""
    return BackendError(
        f"The server at {address} does not accept the request for the model {model} (HTTP {code}). See that it serves"
        " this model and takes these settings; its own log says more.",
        key="backend.rejected",
        address=address,
        code=code,
        model=model,
    )


def failed(address: str) -> BackendError:
    """HTTP 500, or an error in place of text."""
    return BackendError(
        f"The server at {address} could not do what it was asked. Its own log says why; see that it serves the model"
        " that is asked for.",
        key="backend.failed",
        address=address,
    )


def no_openai(address: str) -> BackendError:
    """Something else than an OpenAI-compatible server answers."""
    return BackendError(
        f"What answers at {address} is no OpenAI-compatible server. Correct its address, which often ends in /v1.",
        key="backend.no_openai",
        address=address,
    )


def unknown_model(address: str, model: str, offered: Iterable[str]) -> BackendError:
    """The server has no such model."""
    known = _named(offered)
    return BackendError(
        f"The server at {address} has no model {model}, but: {known}. Choose one of these, or serve that one.",
        key="backend.unknown_model",
        address=address,
        model=model,
        known=known,
    )


def unknown_adapter(address: str, adapter: str, offered: Iterable[str]) -> BackendError:
    """The server has no such adapter, and might answer as the base instead."""
    known = _named(offered)
    return BackendError(
        f"The server at {address} has no adapter {adapter}, but: {known}. Start it with the adapter under this name"
        " (vLLM: --lora-modules), or choose another one.",
        key="backend.unknown_adapter",
        address=address,
        adapter=adapter,
        known=known,
    )


def which_model(address: str, offered: Iterable[str]) -> BackendError:
    """No base, or several."""
    known = _named(offered)
    return BackendError(
        f"The server at {address} does not offer one base, but: {known}. Say in {MODEL} which to ask for.",
        key="backend.which_model",
        address=address,
        known=known,
    )


def _named(offered: Iterable[str]) -> str:
    names = list(offered)
    return ", ".join(names[:MOST_NAMED] + ["…"] * (len(names) > MOST_NAMED)) or "-"

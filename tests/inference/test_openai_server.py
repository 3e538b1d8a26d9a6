"""Whatever a server does, its text comes out as it was said, or one sentence says what went wrong.

On a tiny local server over real sockets, which can refuse, break off and hang; a real one is in `test_remote.py`.
"""

import asyncio
import logging
import socket
import traceback
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from finetune.errors import BackendError
from finetune.inference import openai_server
from finetune.inference.openai_server import OpenAIServer, Timeouts, checked
from tests.inference.chat_server import Answer, ChatServer, event, refusal, running, said

PROMPT = "কাউকে বলবেন না"
BODY = {"model": "base", "stream": True, "messages": [{"role": "user", "content": PROMPT}]}
IMPATIENT = Timeouts(connect=5, first=0.3, between=0.3)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    """A running server, no waiting between tries, and nothing in the environment."""
    monkeypatch.setattr(openai_server, "WAITS", (0.0, 0.0))
    for name in (openai_server.URL, openai_server.KEY):
        monkeypatch.delenv(name, raising=False)
    with running() as started:
        yield started


def carried_out(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a thread of its own: Playwright keeps a loop running in the tests' own thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def reply(server: ChatServer, timeouts: Timeouts | None = None, into: list[str] | None = None) -> str:
    """The whole reply of a server; `into` keeps what had come when it failed."""
    pieces = [] if into is None else into

    async def work() -> None:
        asked = OpenAIServer(server.address, timeouts)
        async with asked.client() as client:
            await asked.reply(client, BODY, pieces.append)

    carried_out(asyncio.wait_for(work(), 20))  # a wait that nobody ends fails, and does not hang
    return "".join(pieces)


def models(server: ChatServer) -> dict[str, str | None]:
    """What a server offers."""

    async def work() -> dict[str, str | None]:
        asked = OpenAIServer(server.address)
        async with asked.client() as client:
            return await asked.models(client)

    return carried_out(work())


def failure(server: ChatServer, timeouts: Timeouts | None = None, into: list[str] | None = None) -> BackendError:
    """The error that a reply ends with."""
    with pytest.raises(BackendError) as raised:
        reply(server, timeouts, into)
    return raised.value


# What is said


def test_a_reply_comes_piece_by_piece(server):
    pieces: list[str] = []
    assert reply(server, into=pieces) == "আমি শুনছি।"
    assert pieces == ["আমি ", "শুনছি।"]
    assert server.asked == [BODY]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_events_cut_anywhere_by_the_network_are_put_together_again(server, size):
    raw = b"".join(said("হ্যাঁ", ", শুনছি।"))
    server.answers = [Answer([raw[i : i + size] for i in range(0, len(raw), size)])]
    assert reply(server) == "হ্যাঁ, শুনছি।"


def test_line_separators_within_a_text_do_not_end_an_event(server):
    text = "এক\u2028দুই\x85তিন\x0bচার"
    server.answers = [Answer([event('{"choices": [{"delta": {"content": "এক\u2028দুই\x85তিন"}}]}'), *said("\x0bচার")])]
    assert reply(server) == text


def test_comments_lone_counts_and_reasoning_are_passed_over(server):
    server.answers = [
        Answer(
            [
                b": keep-alive\r\n\r\n",
                event('{"choices": [{"delta": {"reasoning_content": "hm", "content": null}}]}'),
                *said("শুনছি।", finish=None),
                event('{"choices": [], "usage": {"total_tokens": 9}}'),
                event("[DONE]"),
            ]
        )
    ]
    assert reply(server) == "শুনছি।"


def test_text_is_utf_8_whatever_the_header_says(server):
    server.answers = [Answer(said("শুনছি।"), kind="text/event-stream; charset=iso-8859-1")]
    assert reply(server) == "শুনছি।"


@pytest.mark.parametrize("finish", ["stop", "length", "content_filter"])
def test_a_reply_ends_with_its_last_event_though_the_connection_stays(server, finish):
    server.answers = [Answer(said("শুনছি।", finish=finish), then="hang")]
    assert reply(server) == "শুনছি।"


# Before the first text: tried again


def test_a_busy_server_is_asked_again(server):
    server.answers = [refusal(503), refusal(429), Answer(said("শুনছি।"))]
    assert reply(server) == "শুনছি।"
    assert len(server.asked) == 3


def test_a_connection_that_breaks_before_any_text_is_made_again(server):
    server.answers = [Answer(then="break"), Answer(said(finish=None)), Answer(said("শুনছি।"))]
    assert reply(server) == "শুনছি।"
    assert len(server.asked) == 3


@pytest.mark.parametrize("code", [429, 503])
def test_a_server_that_stays_busy_is_said_to_be(server, code):
    server.answers = [refusal(code)]
    error = failure(server)
    assert error.key == "backend.busy"
    assert error.facts["code"] == code
    assert len(server.asked) == 3


def test_a_server_that_wants_to_be_left_alone_for_long_is_left_alone(server):
    server.answers = [refusal(429, retry_after="600")]
    assert failure(server).key == "backend.busy"
    assert len(server.asked) == 1


def test_the_time_that_a_server_asks_for_is_waited(server, monkeypatch):
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(openai_server.asyncio, "sleep", sleep)
    server.answers = [refusal(429, retry_after="7"), refusal(429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT")]
    server.answers.append(Answer(said("শুনছি।")))
    reply(server)
    assert 7 <= slept[0] <= 7 * 1.3
    assert slept[1] == 0


def test_a_server_that_is_not_there_is_said_not_to_answer(server):
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        server.address = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        error = failure(server)
    assert error.key == "backend.unreachable"
    assert error.facts["address"] == server.address


def test_a_connection_that_cannot_be_made_secure_is_told_so_at_once(server):
    server.address = server.address.replace("http:", "https:")  # it speaks plain http
    assert failure(server).key == "backend.insecure"


def test_a_server_that_only_listens_is_slow(server):
    server.answers = [Answer(then="hang")]
    error = failure(server, IMPATIENT)
    assert error.key == "backend.slow"
    assert "0.3 seconds" in str(error)
    assert server.left.acquire(timeout=10)


def test_signs_of_life_are_no_text(server):
    server.answers = [Answer([*said(finish=None), b": ping\n\n"], then="hang")]
    assert failure(server, IMPATIENT).key == "backend.slow"


# After the first text: told, never asked again


@pytest.mark.parametrize(
    "rest",
    [
        Answer(then="break"),
        Answer(then="end"),
        Answer(then="hang"),
        Answer([event('{"error": {"message": "out of memory"}}')]),
        Answer([event('{"error": "CUDA said "no" and no more"}')]),
        Answer([event("<html>")]),
    ],
    ids=["connection breaks", "no last event", "silence", "error", "error with bare quotes", "nonsense"],
)
def test_what_breaks_off_in_the_middle_keeps_what_came_and_is_not_asked_again(server, rest):
    server.answers = [Answer([*said("আমি ", "শুন", finish=None), *rest.parts], then=rest.then)]
    pieces: list[str] = []
    assert failure(server, IMPATIENT, pieces).key == "backend.broke_off"
    assert pieces == ["আমি ", "শুন"]
    assert len(server.asked) == 1


# Refusals


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        (refusal(401), "backend.refused_key"),
        (refusal(403), "backend.refused_key"),
        (refusal(400), "backend.rejected"),
        (refusal(422), "backend.rejected"),
        (refusal(400, "This model's maximum context length is 2048 tokens."), "backend.too_long"),
        (refusal(400, "the request exceeds the available context size"), "backend.too_long"),
        (refusal(500), "backend.failed"),
        (refusal(405), "backend.no_openai"),
        (refusal(501), "backend.no_openai"),
        (refusal(301), "backend.no_openai"),
        (Answer([b"<html>hello"], kind="text/html"), "backend.no_openai"),
        (Answer([b'{"choices": []}'], kind="application/json"), "backend.no_openai"),
        (Answer([event("<html>")]), "backend.no_openai"),
        (Answer([event("[]")]), "backend.no_openai"),
        (Answer([event('{"choices": [{"delta": {"content": 5}}]}')]), "backend.no_openai"),
        (Answer([event('{"error": {"message": "no"}}')]), "backend.failed"),
    ],
)
def test_a_refusal_is_told_once_and_in_words(server, answer, key):
    server.answers = [answer]
    error = failure(server)
    assert error.key == key
    assert len(server.asked) == 1


def test_an_unknown_model_is_told_with_those_on_offer(server):
    server.answers = [refusal(404, "The model `base` does not exist.")]
    server.offered = {"data": [{"id": "llama"}, {"id": "demo", "parent": "llama"}]}
    error = failure(server)
    assert error.key == "backend.unknown_model"
    assert "llama, demo" in str(error)


def test_a_path_that_does_not_exist_is_no_unknown_model(server):
    server.answers, server.offered = [refusal(404)], None
    assert failure(server).key == "backend.no_openai"


def test_a_server_without_chat_is_no_unknown_model(server):
    server.answers = [refusal(404)]
    assert failure(server).key == "backend.no_openai"


@pytest.mark.parametrize(
    "answer", [refusal(400, PROMPT), refusal(500, PROMPT), Answer([event('{"x": "কাউকে বলবেন না"')])]
)
def test_what_was_asked_stands_in_no_error_no_traceback_and_no_log(server, answer, caplog):
    caplog.set_level(logging.DEBUG)
    server.answers = [answer]
    error = failure(server)
    seen = "".join(traceback.format_exception(error)) + repr(error.__cause__) + repr(error.__context__) + caplog.text
    assert seen
    assert PROMPT not in seen


# Models


def test_models_are_listed_in_their_order_with_the_base_of_an_adapter(server):
    server.offered = {"data": [{"id": "llama", "parent": None}, {"id": "demo", "parent": "llama"}]}
    assert models(server) == {"llama": None, "demo": "llama"}


@pytest.mark.parametrize("offered", [None, [], {"data": 5}, {"data": ["a"]}, Answer([b"<html>"], kind="text/html")])
def test_what_is_no_list_of_models_comes_from_no_openai_server(server, offered):
    server.offered = offered
    with pytest.raises(BackendError) as raised:
        models(server)
    assert raised.value.key == "backend.no_openai"


# Addresses and keys


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        (" http://localhost:8000/ ", "http://localhost:8000/v1"),
        ("http://localhost:8000/v1/", "http://localhost:8000/v1"),
        ("https://Example.org/api/v1/chat/completions", "https://example.org/api/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("https://example.org/v1#top", "https://example.org/v1"),
    ],
)
def test_an_address_is_brought_into_one_form(url, address):
    assert checked(url) == address


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8000",
        "ftp://example.org",
        "file:///etc/passwd",
        "http://",
        "http://host:port/",
        "http://me:s3cret@example.org/v1",
        "https://example.org/v1?key=s3cret",
    ],
)
def test_what_is_no_plain_web_address_is_refused_and_not_repeated(url):
    with pytest.raises(BackendError) as raised:
        OpenAIServer(url)
    assert raised.value.key == "backend.url"
    assert "s3cret" not in "".join(traceback.format_exception(raised.value))


def test_the_key_goes_along_and_shows_nowhere(server, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv(openai_server.KEY, "s3cret\n")
    server.answers = [refusal(401)]
    error = failure(server)
    assert server.headers[0]["Authorization"] == "Bearer s3cret"
    asked = OpenAIServer(server.address)
    shown = f"{error!r} {''.join(traceback.format_exception(error))} {asked!r} {vars(asked)} {caplog.text}"
    assert "s3cret" not in shown


def test_a_key_is_for_the_server_that_the_environment_names_and_for_no_other(server, monkeypatch):
    monkeypatch.setenv(openai_server.KEY, "s3cret")
    monkeypatch.setenv(openai_server.URL, "http://127.0.0.1:1/v1")
    reply(server)
    assert "Authorization" not in server.headers[0]
    monkeypatch.setenv(openai_server.URL, server.address.removesuffix("/v1"))
    reply(server)
    assert server.headers[1]["Authorization"] == "Bearer s3cret"


@pytest.mark.parametrize("key", ["s3cret\nX-Other: 1", "s3cretচাবি"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(server, monkeypatch, key):
    monkeypatch.setenv(openai_server.KEY, key)
    error = failure(server)
    assert error.key == "backend.damaged_key"
    assert "s3cret" not in "".join(traceback.format_exception(error))


def test_trusted_authorities_are_read_once():
    assert openai_server._certificates() is openai_server._certificates()
    assert openai_server._certificates().verify_mode.name == "CERT_REQUIRED"
    assert isinstance(OpenAIServer("https://example.org").client(), httpx.AsyncClient)

"""A tiny local server that answers as it is told, for what a real one does not do on demand: refuse, break off, hang.

It speaks HTTP/1.1 over a real socket. What a real server says is tested on a real one, in `test_remote.py`.
"""

import contextlib
import json
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

EVENTS = "text/event-stream"


@dataclass(frozen=True)
class Answer:
    """What to answer: parts of a body, sent one by one, and what then becomes of the connection."""

    parts: Sequence[bytes] = ()
    status: int = 200
    kind: str = EVENTS
    headers: dict[str, str] = field(default_factory=dict)
    then: str = "end"
    """`end` as it should, `break` without an end, or `hang` until the client leaves."""
    gate: threading.Event | None = None
    """The last part is held back until it is set."""


def said(*texts: str, finish: str | None = "stop") -> list[bytes]:
    """The events of a reply in these pieces."""
    deltas: list[dict[str, Any]] = [{"role": "assistant"}, *({"content": text} for text in texts)]
    events = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    if finish:
        events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    return [event(json.dumps(one, ensure_ascii=False)) for one in events]


def event(data: str) -> bytes:
    """One event of a stream."""
    return f"data: {data}\n\n".encode()


def refusal(status: int, text: str = "", **headers: str) -> Answer:
    """An error as vLLM words it."""
    body = json.dumps({"object": "error", "message": text, "code": status}).encode()
    return Answer([body], status, "application/json", {name.replace("_", "-"): is_ for name, is_ in headers.items()})


class ChatServer:
    """The server while it runs: give it `answers`, one a request (the last for all that follow), and read `asked`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answers: list[Answer] = [Answer(said("আমি ", "শুনছি।"))]
        self.by_model: dict[str, Answer] = {}
        self.offered: Any = {"data": [{"id": "base", "parent": None}]}
        self.asked: list[dict[str, Any]] = []
        """The bodies of the requests for a reply."""
        self.headers: list[dict[str, str]] = []
        self.lists = 0
        """How often the list of models was read."""
        self.left = threading.Semaphore(0)
        """Released each time a client leaves an answer that hangs."""
        self._lock = threading.Lock()

    def next(self, body: dict[str, Any]) -> Answer:
        """The answer to a request, which is remembered."""
        with self._lock:
            self.asked.append(body)
            if body.get("model") in self.by_model:
                return self.by_model[body["model"]]
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextlib.contextmanager
def running(port: int = 0) -> Iterator[ChatServer]:
    """Start a server on a port, by default a free one, and end it with all its connections."""
    state = ChatServer("")
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    state.address = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: ChatServer

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # a client may leave between two requests
            super().handle()

    def do_GET(self) -> None:
        self.state.lists += 1
        self.state.headers.append(dict(self.headers))
        if self.path != "/v1/models" or self.state.offered is None:
            self._send(Answer([b"not here"], 404, "text/plain"))
        elif isinstance(self.state.offered, Answer):
            self._send(self.state.offered)
        else:
            self._send(Answer([json.dumps(self.state.offered).encode()], kind="application/json"))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.state.headers.append(dict(self.headers))
        self._send(self.state.next(body) if self.path == "/v1/chat/completions" else Answer(status=404))

    def _send(self, answer: Answer) -> None:
        with contextlib.suppress(OSError):  # a client may leave in the middle
            self.send_response(answer.status)
            for name, value in {"Content-Type": answer.kind, "Transfer-Encoding": "chunked", **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            for number, part in enumerate(answer.parts, 1):
                if answer.gate is not None and number == len(answer.parts):
                    answer.gate.wait(10)
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            if answer.then == "end":
                self.wfile.write(b"0\r\n\r\n")
                return
            if answer.then == "hang":
                self.connection.recv(1)
            else:
                self.connection.shutdown(socket.SHUT_RDWR)
        if answer.then == "hang":
            self.state.left.release()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Tests print nothing."""

"""Which reply is being written in a place, such as a browser session's chat: the last that was asked for, no other.

A page may ask for a reply while another is being written: with Enter, by editing an earlier message, by opening
another conversation. Gradio would write both, and the older one's words could come last. So each reply that is asked
for has a ticket; who asks for the next one, or leaves, ends the one before it, and goes on once nothing more of it
comes. It knows neither texts nor widgets.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

ON_THE_WAY = 0.15
"""Seconds for the last words of a reply that ended to reach the page, which come by another way than answers to events
do: Gradio looks for them every 50 ms."""

LONGEST_END = 2.0
"""Seconds that an ending reply is waited for at most; one is at rest 0.2 s after its stop at the latest."""


@dataclass
class _Reply:
    ticket: str = field(default_factory=lambda: uuid.uuid4().hex)
    stop: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    begun: bool = False
    ended: float = 0.0


class Replies:
    """The replies of all places; each holds at most one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._replies: dict[str, _Reply] = {}

    def begin(self, place: str) -> str:
        """The ticket of a reply that is asked for; the one before it is settled first."""
        self.settle(place)
        reply = _Reply()
        with self._lock:
            self._replies[place] = reply
        return reply.ticket

    def settle(self, place: str) -> None:
        """End what is written in the place, and what waits to be; afterwards nothing more of it comes."""
        with self._lock:
            reply = self._replies.pop(place, None)
            begun = reply is not None and reply.begun
        if reply is None:
            return
        reply.stop.set()
        if begun and reply.over.wait(LONGEST_END):
            time.sleep(max(0.0, reply.ended + ON_THE_WAY - time.monotonic()))

    def stop(self, place: str) -> bool:
        """End what is written there; what it has said so far stays. True where it had not begun, and never will."""
        with self._lock:
            reply = self._replies.get(place)
            if reply is None:
                return False
            reply.stop.set()
            return not reply.begun

    def busy(self, place: str) -> bool:
        """True while a reply is asked for there that is neither over nor stopped."""
        with self._lock:
            reply = self._replies.get(place)
        return reply is not None and not reply.over.is_set() and not reply.stop.is_set()

    def current(self, place: str, ticket: str) -> bool:
        """True while nobody has asked for another one, or left."""
        with self._lock:
            reply = self._replies.get(place)
        return reply is not None and reply.ticket == ticket

    @contextlib.contextmanager
    def writing(self, place: str, ticket: str) -> Iterator[threading.Event | None]:
        """While a reply is written: its stop event, or None where it must not be written any more."""
        with self._lock:
            reply = self._replies.get(place)
            if reply is not None and (reply.ticket != ticket or reply.stop.is_set() or reply.begun):
                reply = None
            if reply is not None:
                reply.begun = True
        if reply is None:
            yield None
            return
        try:
            yield reply.stop
        finally:
            reply.ended = time.monotonic()
            reply.over.set()

    def forget(self, session: str) -> None:
        """End and forget every reply of a browser session; nobody is there to read it."""
        with self._lock:
            for place in [place for place in self._replies if place.startswith(f"{session}/")]:
                self._replies.pop(place).stop.set()

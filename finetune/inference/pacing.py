"""A reply at a steady pace: text comes in bursts (a sentence at a time, or all at once) and goes out letter by letter.

A thread reads on while the letters are given out, so that a model is not kept waiting for a reader's eyes. The pace is
the one at which the text itself arrives, within what eyes follow; once everything is there, the rest is not held back.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from finetune import bengali

SLOWEST, FASTEST = 30.0, 150.0
"""Graphemes a second. A fluent reader of Bengali takes in about 15 to 20; slower than that two-fold feels like waiting,
and beyond the upper bound letters jump."""

LAST_SECONDS = 0.8
"""Within this time the rest is given out when the source has ended."""

FRAME_SECONDS = 0.05
"""Between two pieces: faster than the eye tells apart, slow enough for a phone to draw."""


def due(arrived: int, given: int, seconds: float, *, over: bool) -> int:
    """How many more graphemes to give out in one frame.

    arrived, given: graphemes so far; seconds: since the source was asked; over: it has ended.
    """
    rate = min(max(arrived / seconds if seconds > 0 else FASTEST, SLOWEST), FASTEST)
    if over:
        rate = max(rate, (arrived - given) / LAST_SECONDS)
    return min(arrived - given, max(1, round(rate * FRAME_SECONDS)))


def paced(
    source: Iterator[str], stop: threading.Event | None = None, sleep: Callable[[float], Any] = time.sleep
) -> Iterator[str]:
    """The source's text in small pieces of whole graphemes at a steady pace; what it raises is raised after its text.

    The source must give whole graphemes. It is read, and closed, by a thread of its own; closing this, or setting
    `stop`, ends that before the next piece.
    """
    arrivals: queue.Queue[str | BaseException | None] = queue.Queue()
    ended = threading.Event()
    reader = threading.Thread(target=_read, args=(source, arrivals, ended), name="reply", daemon=True)
    reader.start()
    waiting: list[str] = []
    arrived, given, began, over = 0, 0, time.monotonic(), False
    failure: BaseException | None = None
    try:
        while not (over and not waiting) and not (stop is not None and stop.is_set()):
            try:  # with nothing to give out it waits for the source, but not deaf to a stop
                piece = arrivals.get_nowait() if waiting else arrivals.get(timeout=FRAME_SECONDS)
            except queue.Empty:
                piece = ""
            if piece is None or isinstance(piece, BaseException):
                over, failure = True, piece
            elif piece:
                new = bengali.graphemes(piece)
                waiting += new
                arrived += len(new)
                continue  # take all that is there
            if waiting:
                number = due(arrived, given, time.monotonic() - began, over=over)
                yield "".join(waiting[:number])
                del waiting[:number]
                given += number
                if waiting:
                    sleep(FRAME_SECONDS)
        if failure is not None and not (stop is not None and stop.is_set()):
            raise failure
    finally:
        ended.set()


def _read(source: Iterator[str], arrivals: queue.Queue, ended: threading.Event) -> None:
    """Put every piece, then None, or what the source raised."""
    try:
        for piece in source:
            if ended.is_set():
                break
            arrivals.put(piece)
        arrivals.put(None)
    except BaseException as error:  # raised again where the text is read
        arrivals.put(error)
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()

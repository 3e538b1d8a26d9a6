"""What the app writes to its log: where something went wrong and what kind of error it was, never what a person wrote.

An error's own words can quote anybody: Gradio's own say what it was sent. So a traceback is written without its last
words, but for errors of the machine (a file, a disk, a package), whose words name no more than a path. The same holds
for what libraries log: of their lines stays what stands so in their code, and numbers. This is done to each record
before any handler sees it, whoever made the handler (uvicorn and transformers bring their own) and whatever the level.
It does not know what libraries print by themselves.
"""

from __future__ import annotations

import errno
import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Mapping
from numbers import Number
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any

FORMAT = "%(asctime)s %(name)s %(levelname)s %(message)s"

OURS = "shohomormi"
"""The logger whose words are our own, in the app and in `finetune`."""

WITHHELD = "…"
"""Stands where somebody's words may have been."""

log = logging.getLogger(OURS)


class Record(logging.LogRecord):
    """One line of the log, without anybody's words from its first moment."""

    def __init__(
        self, name: str, level: int, pathname: str, lineno: int, msg: object, args: Any, exc_info: Any,
        func: str | None = None, sinfo: str | None = None, **more: Any,
    ) -> None:  # fmt: skip
        if name != OURS:
            msg, args = _without_words(msg, args, pathname, lineno)
        super().__init__(name, level, pathname, lineno, msg, args, None, func, sinfo, **more)
        if exc_info and exc_info[1] is not None:
            self.exc_text = told(exc_info[1])  # what every formatter takes where it is there already


def begin() -> None:
    """Let everything be written so that is logged, warned of, or printed of an error that nobody handles."""
    from gradio import queueing, route_utils, routes

    logging.setLogRecordFactory(Record)
    logging.basicConfig(level=logging.INFO, format=FORMAT, force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    quiet = SimpleNamespace(print_exc=lambda: log.error("A handler failed.", exc_info=True))
    for module in (queueing, route_utils, routes):  # each prints with `traceback.print_exc()`, and has no other hook
        module.traceback = quiet
    threading.excepthook = _of_thread
    sys.unraisablehook = _unraisable
    warnings.showwarning = _warned


def told(error: BaseException) -> str:
    """The error as places in the code and its kind, and before it whatever it came from, as Python orders them."""
    found: list[tuple[BaseException, str]] = []
    one: BaseException | None = error
    while one is not None and not any(one is known for known, _ in found):
        found.append((one, "".join(traceback.format_tb(one.__traceback__))))
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return "\n".join(f"{frames}{_kind(each)}" for each, frames in reversed(found))


def _kind(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{name}: {error}" if _of_the_machine(error) else name


def _of_the_machine(error: BaseException) -> bool:
    """True where an error's words name no more than a path of the maker's, or of a folder that the app has named.

    An OSError without a number is a library's own, and the name that is too long for a file is somebody's text.
    """
    if isinstance(error, OSError):
        return error.errno not in (None, errno.ENAMETOOLONG)
    return isinstance(error, ImportError)


def _without_words(msg: object, args: Any, pathname: str, lineno: int) -> tuple[str, Any]:
    """A library's line as it stands in its code, with the numbers that belong into it; else the place of it."""
    if not _stands_in_code(msg, pathname, lineno):
        return f"{WITHHELD} ({Path(pathname).name}:{lineno})", ()
    if len(args or ()) == 1 and isinstance(args[0], Mapping):  # as in `log.info("%(count)d rows", {"count": 3})`
        return str(msg), ({key: _number(value) for key, value in args[0].items()},)
    return str(msg), tuple(_number(value) for value in args or ())


def _number(value: object) -> object:
    return value if isinstance(value, Number) else WITHHELD


def _stands_in_code(msg: object, pathname: str, lineno: int) -> bool:
    """True where a text is a constant of the code that logs it just now, and not one that was put together."""
    frame = sys._getframe(1)
    while frame is not None and (frame.f_code.co_filename, frame.f_lineno) != (pathname, lineno):
        frame = frame.f_back
    return isinstance(msg, str) and frame is not None and msg in frame.f_code.co_consts


def _of_thread(failed: threading.ExceptHookArgs) -> None:
    if not issubclass(failed.exc_type, SystemExit):
        log.error("A thread failed.", exc_info=_all_of(failed.exc_value, failed.exc_traceback))


def _unraisable(failed: sys.UnraisableHookArgs) -> None:
    log.error("Something failed where nobody could be told.", exc_info=_all_of(failed.exc_value, failed.exc_traceback))


def _all_of(error: BaseException | None, frames: TracebackType | None) -> Any:
    return (type(error), error, frames)


def _warned(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
) -> None:
    log.warning("%s at %s:%s", category.__name__, filename, lineno)

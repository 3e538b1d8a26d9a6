"""What the app writes to its log: where something went wrong and what kind of error it was, never what a person wrote.

An error's own words can quote anybody: Gradio's own say what it was sent. So a traceback is written without its last
words, but for errors of the machine (a file, a disk, a package), whose words name no more than a path. It does not
know what libraries print by themselves.
"""

from __future__ import annotations

import logging
import traceback
from types import SimpleNamespace, TracebackType

FORMAT = "%(asctime)s %(name)s %(levelname)s %(message)s"

SPEAKING = (OSError, ImportError)
"""Errors whose words are written too. A path in them is the maker's, or of a folder that the app has named."""

log = logging.getLogger("shohomormi")


class FramesOnly(logging.Formatter):
    """Log lines whose tracebacks hold places in the code, and of an error its kind."""

    def formatException(self, ei: tuple[type[BaseException], BaseException, TracebackType | None]) -> str:  # noqa: N802
        """The error, and before it whatever it came from, as Python orders them."""
        told, error = [], ei[1]
        while error is not None and error not in [one for one, _ in told]:
            told.append((error, "".join(traceback.format_tb(error.__traceback__))))
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n".join(f"{frames}{_kind(error)}" for error, frames in reversed(told))


def begin() -> None:
    """Let everything that is logged, and what Gradio would print of an error in a handler, be written so."""
    from gradio import queueing, route_utils, routes

    handler = logging.StreamHandler()
    handler.setFormatter(FramesOnly(FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    quiet = SimpleNamespace(print_exc=lambda: log.error("A handler failed.", exc_info=True))
    for module in (queueing, route_utils, routes):  # each prints with `traceback.print_exc()`, and has no other hook
        module.traceback = quiet


def _kind(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"{name}: {error}" if isinstance(error, SPEAKING) else name

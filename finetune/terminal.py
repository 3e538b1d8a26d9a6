"""How a command speaks: JSON alone or lines for people, and what a person can mend in one line with exit code 2.

It knows no command. Tracebacks are for what nobody could have mended.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from finetune.errors import FinetuneError, Problem, RecipeError

Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def home() -> Path:
    """Where runs, votes and uploads live: $SHOHOMORMI_HOME, by default ./workspace."""
    return Path(os.environ.get("SHOHOMORMI_HOME", "workspace")).resolve()


@contextlib.contextmanager
def told_to_user() -> Iterator[None]:
    """Turns what a person can mend into one line on standard error and exit code 2."""
    try:
        yield
    except FinetuneError as error:
        tell(str(error).replace("\n", "; "))
        raise typer.Exit(2) from error
    except OSError as error:  # a file where a folder belongs, a full disk, a folder of somebody else's
        what = f"{error.filename}: {error.strerror}" if error.filename else " ".join(str(error).split())
        tell(f"{what}. Check the path, its permissions and the free disk space.")
        raise typer.Exit(2) from error


def end_when_asked() -> None:
    """Let SIGTERM end this process as Ctrl-C does: temporary folders go, and processes that it waits for."""

    def ended(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, ended)


def tell(text: str) -> None:
    """One line on standard error."""
    print(f"error: {text}", file=sys.stderr)


@contextlib.contextmanager
def only_json(wanted: bool) -> Iterator[None]:
    """While it lasts, everything that libraries print goes to standard error."""
    if not wanted:
        yield
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield


def show(result: Any, as_json: bool, lines: list[str]) -> None:
    """The result as JSON, or as lines for people."""
    print(json.dumps(result, ensure_ascii=False) if as_json else "\n".join(lines))


def usage(option: str, text: str) -> RecipeError:
    """What is wrong with a command's own options."""
    return RecipeError({option: Problem(text, "")})

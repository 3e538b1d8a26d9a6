"""How an error reaches a person: one boundary, one toast, in the person's language.

Use it as `with shown_to_user(language):` *inside* a streaming handler; around a generator it would
see nothing. What people cannot mend goes to the log with its traceback, never with what they wrote.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import gradio as gr

from finetune.errors import FinetuneError, ReviewError
from ui import wording

log = logging.getLogger("shohomormi")


def begin() -> None:
    """Let Gradio quote nothing of a call that reached no handler: its own errors repeat what was sent.

    It has no hook for what it answers then; an error that a handler has put into words passes as it is.
    """
    from gradio import queueing, utils

    known = utils.error_payload

    def payload(error: BaseException | None, show_error: bool) -> dict[str, Any]:
        if error is not None and not isinstance(error, gr.Error):
            error = gr.Error(" · ".join(wording.sentence("call.no_fit", language) for language in wording.LANGUAGES))
        return known(error, show_error)

    queueing.error_payload = utils.error_payload = payload


@contextlib.contextmanager
def shown_to_user(language: str) -> Iterator[None]:
    """Turns an error into gr.Error with a sentence for people."""
    title = wording.sentence("error.title", language)
    try:
        yield
    except FinetuneError as error:
        raise gr.Error(wording.error(error, language), duration=15, title=title, print_exception=False) from error
    except (gr.Error, GeneratorExit):
        raise
    except Exception as error:
        log.exception("unexpected %s", type(error).__name__)
        raise gr.Error(wording.sentence("busy", language), duration=15, title=title, print_exception=False) from error


def of_background(error: Exception, what: str) -> FinetuneError:
    """What a page shows of an error that a thread of the app met: its own sentence, else that the log has more."""
    if isinstance(error, FinetuneError):
        return error
    log.exception("%s: %s", what, type(error).__name__)
    return ReviewError("Something went wrong inside. The log has the details.", key="busy")


def language_of(request: gr.Request | None) -> str:
    """The language of a page: its cookie, else the browser's preference, else Bengali."""
    if request is None:
        return "bn"
    chosen = (request.cookies or {}).get("shohomormi_language")
    if chosen in wording.LANGUAGES:
        return chosen
    accepted = (request.headers or {}).get("accept-language", "")
    return "en" if accepted.lower().startswith("en") else "bn"

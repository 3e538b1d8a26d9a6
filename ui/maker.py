"""What only the maker may do, where SHOHOMORMI_ADMIN_PASSWORD is set: train, make pairs, read the verdict.

Without a password everybody who reaches the page is the maker: right on one's own machine, wrong on a public one.
Chat, free comparison and the blind review are for everybody. The password is compared in constant time, a wrong one
takes a second, and it stands in no log. Who is admitted is forgotten when their page is closed.
"""

from __future__ import annotations

import contextlib
import hmac
import time
from collections.abc import Iterator

import gradio as gr

from finetune.errors import AccessError
from ui import wording
from ui.errors import language_of, shown_to_user
from ui.layout_parts import label
from ui.services import Services

HEADER = "x-shohomormi-password"
"""How another program says the password: `Client(address, headers={HEADER: …})`."""

WRONG_SECONDS = 1.0
"""A wrong password's answer waits so long: about 86,000 guesses a day and page, too few for a sane password."""


@contextlib.contextmanager
def for_maker(services: Services, request: gr.Request) -> Iterator[str]:
    """`shown_to_user` for a handler that is the maker's; gives the page's language."""
    language = language_of(request)
    with shown_to_user(language):
        if not admitted(services, request):
            raise AccessError(
                "Only the person who runs this page can do that. Enter the password at the top of the page.",
                key="access.maker",
            )
        yield language


def admitted(services: Services, request: gr.Request) -> bool:
    """Whether a request comes from the maker."""
    if not services.password or request.session_hash in services.makers:
        return True
    said = (request.headers or {}).get(HEADER, "")
    return _equal(said, services.password)


def build(services: Services, page: gr.Blocks) -> None:
    """A field for the password at the top of the page, where one is set."""
    if not services.password:
        return
    with gr.Row(elem_id="maker"):
        field = gr.Textbox(
            type="password", label=label("maker.password"), info=label("maker.password.info"), elem_id="maker-password"
        )

    def entered(said: str, request: gr.Request) -> gr.Textbox:
        language = language_of(request)
        with shown_to_user(language):
            if not _equal(said, services.password):
                time.sleep(WRONG_SECONDS)
                raise AccessError("That is not the password. Try again.", key="access.wrong_password")
            services.makers.add(request.session_hash)
            gr.Info(wording.sentence("maker.admitted", language))
            return gr.Textbox(value="", visible=False)

    def forgotten(request: gr.Request) -> None:
        services.makers.discard(request.session_hash)

    field.submit(entered, field, field, api_visibility="private", show_progress="hidden", concurrency_limit=1)
    page.unload(forgotten)


def _equal(said: str, password: str) -> bool:
    return hmac.compare_digest(said.encode(), password.encode())

"""The page `/privacy`: what is kept where, who can see it, how to delete it, as it stands while the app runs.

Finds out what differs from one app to the next: another server that answers, a password, a Space, a public link, a
connection without https. It cannot see whether somebody has changed the code around it, and says so.
"""

from __future__ import annotations

import html
import ipaddress
import os
from dataclasses import dataclass
from urllib.parse import urlsplit

import gradio as gr

from ui import wording
from ui.chat import opinion
from ui.errors import language_of, shown_to_user
from ui.layout_parts import label
from ui.services import Services

PATH = "privacy"
"""Where the page is: `/privacy`."""

FORGET = """() => {
  for (const storage of [localStorage, sessionStorage])
    for (const key of Object.keys(storage))
      if (key.startsWith("shohomormi_") && key !== "shohomormi_language") storage.removeItem(key);
}"""
"""Everything of ours that a browser keeps has this beginning (`gr.BrowserState(storage_key=…)`); the language stays."""


@dataclass(frozen=True)
class Situation:
    """What decides which sentences are true."""

    server: str = ""
    """The host that writes the replies; empty where the app's own model does."""
    locked: bool = False
    """Whether a password is set."""
    space: str = ""
    """The Hugging Face Space the app runs in."""
    shared: bool = False
    """Whether Gradio's tunnel makes the page public."""
    plain: bool = False
    """Whether words go over a network without encryption."""


def situation(services: Services, page: gr.Blocks, request: gr.Request | None) -> Situation:
    """How it stands for the person who asks."""
    return Situation(
        server=urlsplit(getattr(services.backend, "address", "")).hostname or "",
        locked=bool(services.password),
        space=os.environ.get("SPACE_ID", ""),
        shared=page.share,
        plain=request is not None and _plain(request),
    )


def sections(now: Situation) -> dict[str, list[str]]:
    """The keys of the sentences that are true, by the key of their heading."""
    return {
        "privacy.chat": [
            "privacy.chat.kept",
            "privacy.chat.elsewhere" if now.server else "privacy.chat.here",
            "privacy.chat.crisis",
            "privacy.chat.feedback",
            "privacy.chat.delete",
        ],
        "privacy.review": [
            "privacy.review.kept",
            *(["privacy.review.account"] if now.space else []),
            "privacy.review.seen",
            "privacy.review.delete",
        ],
        "privacy.train": [
            "privacy.train.kept",
            "privacy.train.trackers",
            "privacy.train.hub",
            "privacy.train.locked" if now.locked else "privacy.train.open",
        ],
        "privacy.place": [
            "privacy.place.space" if now.space else "privacy.place.computer",
            *(["privacy.place.shared"] if now.shared else []),
            *(["privacy.place.plain"] if now.plain else []),
            "privacy.place.changed",
        ],
        "privacy.browser": ["privacy.browser.kept", "privacy.browser.fetched"],
    }


def page_html(now: Situation, language: str) -> str:
    """The page in one language."""
    facts = {"privacy.chat.elsewhere": {"host": now.server}, "privacy.place.space": {"name": now.space}}

    def say(key: str) -> str:
        return html.escape(wording.sentence(key, language, **facts.get(key, {})))

    told = "".join(
        f"<section><h3>{say(heading)}</h3><ul>{''.join(f'<li>{say(key)}</li>' for key in keys)}</ul></section>"
        for heading, keys in sections(now).items()
    )
    head = f'<p><a href="./">{say("privacy.back")}</a></p>'
    head += f"<h2>{say('privacy.title')}</h2><p>{say('privacy.intro')}</p>"
    return f'<article class="privacy" lang="{language}">{head}{told}</article>'


def build(services: Services, page: gr.Blocks) -> None:
    """Lay out the page and wire it."""
    shown = gr.HTML(padding=False, elem_id="privacy")
    given = gr.BrowserState([], storage_key=opinion.STORAGE_KEY, secret=services.browser_key)
    with gr.Accordion(label("privacy.forget"), open=False, elem_id="privacy-forget"):
        gr.Markdown(label("privacy.forget.sure"), elem_classes="quiet")
        forget = gr.Button(label("privacy.forget.yes"), variant="stop", size="sm", elem_id="privacy-forget-yes")
        told = gr.HTML(padding=False, elem_id="privacy-forgotten")

    def opened(request: gr.Request) -> str:
        return page_html(situation(services, page, request), language_of(request))

    def withdrawn(ids: list[list[str]], request: gr.Request) -> list[list[str]]:
        """First what was given for teaching: only this browser knows which rows those are."""
        with shown_to_user(language_of(request)):
            for one, _ in ids:
                services.feedback.withdraw(one)
            return []

    def forgotten(request: gr.Request) -> str:
        language = language_of(request)
        words = html.escape(wording.sentence("privacy.forgotten", language))
        return f'<ul class="findings" lang="{language}"><li class="info">{words}</li></ul>'

    private = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
    page.load(opened, None, shown, **private)
    gone = forget.click(withdrawn, given, given, **private).success(None, None, None, js=FORGET, **private)
    gone.success(forgotten, None, told, **private)


def link() -> None:
    """One quiet line at the foot of a page that leads here."""
    gr.Markdown(label("privacy.link"), elem_classes=["quiet", "foot"], container=False)


def _plain(request: gr.Request) -> bool:
    headers = request.headers or {}
    scheme = headers.get("x-forwarded-proto", request.url.scheme if request.url else "https")
    host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    return scheme.split(",")[0].strip() == "http" and not _this_machine(host)


def _this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

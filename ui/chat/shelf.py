"""Conversations as this browser keeps them: none of it passes through the server. What the shelf does is `chat.js`,
and how it stays one in several tabs of a browser, `tabs.js`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui import wording
from ui.layout_parts import label
from ui.services import Services
from ui.wording_chat import SHELF

STORAGE_KEY = "shohomormi_conversations"

WORDS = {language: {key: texts[n] for key, texts in SHELF.items()} for n, language in enumerate(wording.LANGUAGES)}

KEEP = "(store, id, turns, tier) => shohomormi.keep(store, id, turns, tier)"

SPEAKERS = {language: {who: said[who] for who in ("me", "model")} for language, said in WORDS.items()}

ACT = f"""(store, id, turns, tier) => {{
  const [now, opened] = shohomormi.act(store, id, turns, tier, {json.dumps(SPEAKERS, ensure_ascii=False)});
  return opened ? [now, opened.id, opened.turns, opened.tier] : [now, id, turns, tier];
}}"""


@dataclass(frozen=True)
class Shelf:
    """The shelf, and what is on it."""

    store: gr.BrowserState
    shown: gr.HTML
    current: gr.Textbox
    """The id of the conversation that is open; empty before its first message."""


def build(services: Services, current: gr.Textbox) -> Shelf:
    """Lay out the shelf; `wire` connects it with a conversation."""
    store = gr.BrowserState({"on": True, "list": []}, storage_key=STORAGE_KEY, secret=services.browser_key)
    with gr.Accordion(label("chat.shelf"), open=False, elem_id="chat-shelf"):
        shown = gr.HTML(
            {"on": True, "list": []},
            html_template="${shohomormi.shelf(value, words)}",
            js_on_load="shohomormi.mind(element, props, trigger, props.words)",
            words=WORDS,
        )
    return Shelf(store, shown, current)


PRIVATE = {"api_visibility": "private", "show_progress": "hidden", "queue": False}


def wire(shelf: Shelf, chat: gr.Chatbot, tier: gr.Textbox) -> Any:
    """Show the store; returns what to attach to an event after which the conversation is kept, with its tier."""
    # Also when the store has been read from the browser, which is after the page has been loaded.
    shelf.store.change(None, shelf.store, shelf.shown, js="(store) => store", **PRIVATE)
    shelf.shown.input(None, shelf.store, shelf.store, js="(store) => shohomormi.tabs.current(store)", **PRIVATE)

    def keep_after(event: Any) -> Any:
        return event(
            None, [shelf.store, shelf.current, chat, tier], shelf.store, js=KEEP, trigger_mode="multiple", **PRIVATE
        )

    return keep_after


def obey(shelf: Shelf, event: Any, chat: gr.Chatbot, tier: gr.Textbox) -> Any:
    """Do what a click on the shelf asked for: `select`, or `submit` where the open conversation makes room."""
    held = [shelf.store, shelf.current, chat, tier]
    return event(None, held, held, js=ACT, **PRIVATE)

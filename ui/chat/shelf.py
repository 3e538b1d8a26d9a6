"""Conversations as this browser keeps them: none of it passes through the server. What the shelf does is `chat.js`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui import wording
from ui.layout_parts import label
from ui.services import Services
from ui.wording_chat import SHELF

STORAGE_KEY = "shohomormi_conversations"

WORDS = {language: {key: texts[n] for key, texts in SHELF.items()} for n, language in enumerate(wording.LANGUAGES)}

KEEP = "(store, id, turns) => shohomormi.keep(store, id, turns)"

ACT = """(shelf, store, id, turns) => {
  const [now, current, opened] = shohomormi.act(shelf, store, id);
  return [now, current ?? id, opened ?? turns];
}"""


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


def wire(shelf: Shelf, chat: gr.Chatbot) -> Any:
    """Let the shelf open conversations in a chatbot; returns what to attach to an event after which one is kept."""
    private = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
    # Also when the store has been read from the browser, which is after the page has been loaded.
    shelf.store.change(None, shelf.store, shelf.shown, js="(store) => store", **private)
    inputs = [shelf.shown, shelf.store, shelf.current, chat]
    shelf.shown.select(None, inputs, [shelf.store, shelf.current, chat], js=ACT, **private)

    def keep_after(event: Any) -> Any:
        return event(None, [shelf.store, shelf.current, chat], shelf.store, js=KEEP, **private)

    return keep_after

"""From the field into the conversation: nothing that a person sends is lost or said twice, however slow the way.

`outbox.js` takes what the field holds and keeps it until it has arrived. It does not know who answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from ui.chat.shelf import PRIVATE

MOVED = "() => { shohomormi.outbox.moved(); return []; }"
"""With an event before which another conversation opens: what was still to follow into this one comes back."""


def build(longest: int) -> gr.Textbox:
    """The message that is on its way; after an answer the one that has to wait, or nothing."""
    return gr.Textbox(visible=False, max_length=longest, elem_id="chat-outbox")


def wire(
    page: gr.Blocks,
    tab: gr.Tab,
    outbox: gr.Textbox,
    triggers: Sequence[Any],
    field: gr.Textbox,
    take: Callable[..., Any],
    inputs: list[Any],
    outputs: list[Any],
) -> Any:
    """Let `take` have what was sent, one message at a time; returns the event after which it has been taken.

    take: gets the message and the inputs; the outputs it gives may have the outbox among them.
    """
    go = "(_, ...inputs) => [shohomormi.outbox.go(), ...inputs]"
    # always_last: what is sent while another message is on its way goes once that has arrived.
    taken = gr.on(triggers, take, [outbox, *inputs], [outbox, *outputs], js=go, trigger_mode="always_last", **PRIVATE)
    taken.success(None, outbox, outbox, js="(kept) => { shohomormi.outbox.arrived(kept); return ''; }", **PRIVATE)
    taken.failure(None, js="() => shohomormi.outbox.lost()", **PRIVATE)
    tab.select(None, field, field, js="(typed) => shohomormi.outbox.left(typed)", **PRIVATE)
    page.load(None, js="() => shohomormi.outbox.lead()", **PRIVATE)
    return taken

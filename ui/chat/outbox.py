"""From the field into the conversation: nothing that a person sends is lost or said twice, however slow the way.

`outbox.js` holds what has been sent and has not arrived. It does not know what a message is answered with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

QUICK = {"api_visibility": "private", "show_progress": "hidden", "queue": False}


def build(longest: int) -> gr.Textbox:
    """The message that is on its way; after an answer the one that has to wait, or nothing."""
    return gr.Textbox(visible=False, max_length=longest, elem_id="chat-outbox")


def wire(
    tab: gr.Tab,
    outbox: gr.Textbox,
    triggers: Sequence[Any],
    field: gr.Textbox,
    take: Callable[..., Any],
    inputs: list[Any],
    outputs: list[Any],
) -> Any:
    """Let `take` have what the field holds, one message at a time; returns the event after which it has been taken.

    take: gets the message and the inputs; the outputs it gives may have the outbox among them.
    """
    sent = gr.on(triggers, None, field, field, js="(text) => shohomormi.outbox.send(text)", **QUICK)
    go = "(_, ...inputs) => [shohomormi.outbox.go(), ...inputs]"
    # always_last: what is sent while another message is on its way goes once that has arrived.
    taken = sent.then(take, [outbox, *inputs], [outbox, *outputs], js=go, trigger_mode="always_last", **QUICK)
    back = "(kept, typed) => ['', shohomormi.outbox.arrived(kept, typed)]"
    taken.success(None, [outbox, field], [outbox, field], js=back, **QUICK)
    taken.failure(None, field, field, js="(typed) => shohomormi.outbox.lost(typed)", **QUICK)
    tab.select(None, field, field, js="(typed) => shohomormi.outbox.left(typed)", **QUICK)
    return taken

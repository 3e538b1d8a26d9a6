"""What a person thinks of a reply: reasons, and, only where they say so, the reply as training data.

Without the tick nothing leaves the browser. Ids of what was given stay there; they are all that ties a row to a person,
and taking it back needs nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from finetune.review.feedback import CONSENT, Feedback, new_id
from finetune.review.votes import DISLIKED_FOR, LIKED_FOR
from ui import history as histories
from ui import wording
from ui.chat.answering import tier_of
from ui.errors import language_of, shown_to_user
from ui.layout_parts import label
from ui.services import Services

STORAGE_KEY = "shohomormi_given"


@dataclass(frozen=True)
class About:
    """What an opinion is about: the place of a reply in the conversation, and what it was chosen over."""

    place: int
    liked: bool
    rejected: str | None = None


@dataclass(frozen=True)
class Opinion:
    """The panel's parts that the tab wires."""

    panel: gr.Column
    about: gr.State
    reasons: gr.CheckboxGroup
    given: gr.BrowserState


def build(services: Services, chat: gr.Chatbot, adapter: gr.Dropdown, current: gr.Textbox) -> Opinion:
    """Lay out the panel, shown once there is an opinion, and wire it."""
    about = gr.State(None)
    given = gr.BrowserState([], storage_key=STORAGE_KEY, secret=services.browser_key)
    with gr.Column(visible=False, elem_id="chat-opinion") as panel:
        reasons = gr.CheckboxGroup([], label=label("chat.liked_for"), elem_id="chat-reasons")
        consent = gr.Checkbox(
            False, label=label("chat.consent"), info=label("chat.consent.info"), elem_id="chat-consent"
        )
        with gr.Row(elem_classes="actions"):
            give = gr.Button(label("chat.give"), size="sm", variant="primary", elem_id="chat-give")
            withdraw = gr.Button(label("chat.withdraw"), size="sm", elem_id="chat-withdraw")

    def liked(event: gr.LikeData, turns: list[Any]) -> list[Any]:
        if histories.is_fixed(turns[histories.place_of(event)]):  # no model wrote it, and none should learn it
            return [gr.Column(visible=False), None, gr.skip(), False]
        return shown_for(About(histories.place_of(event), event.liked == "Like" or event.liked is True))

    def kept(
        request: gr.Request, about: About | None, why: list[str], agreed: bool, turns: list[Any], name: str,
        conversation: str, ids: list[list[str]],
    ) -> Any:  # fmt: skip
        language = language_of(request)
        with shown_to_user(language):
            if about is None or not agreed or histories.is_fixed(turns[about.place]):
                gr.Warning(wording.sentence("chat.consent_first", language))
                return gr.skip(), gr.skip()
            made = feedback(about, turns, why, name)
            if not services.feedback.keep(made, histories.messages(turns)):
                gr.Info(wording.sentence("chat.not_given", language))
                return gr.Column(visible=False), gr.skip()
            gr.Info(wording.sentence("chat.given", language))
            return gr.Column(visible=False), [*ids, [made.id, conversation]]

    def taken_back(request: gr.Request, ids: list[list[str]]) -> Any:
        language = language_of(request)
        with shown_to_user(language):
            for one, _ in ids:
                services.feedback.withdraw(one)
            gr.Info(wording.sentence("chat.withdrawn", language))
            return gr.Column(visible=False), []

    private = {"api_visibility": "private", "show_progress": "hidden"}  # queued: past the queue no toast is shown
    chat.like(liked, chat, [panel, about, reasons, consent], queue=False, **private)
    give.click(kept, [about, reasons, consent, chat, adapter, current, given], [panel, given], **private)
    withdraw.click(taken_back, given, [panel, given], **private)
    return Opinion(panel, about, reasons, given)


def shown_for(about: About) -> list[Any]:
    """The panel, open for an opinion: its reasons, and consent asked for anew."""
    kinds = LIKED_FOR if about.liked else DISLIKED_FOR
    choices = [(label(f"review.reason.{one}"), one) for one in kinds]
    title = label("chat.liked_for" if about.liked else "chat.disliked_for")
    return [gr.Column(visible=True), about, gr.CheckboxGroup(choices=choices, value=[], label=title), False]


def feedback(about: About, turns: list[Any], reasons: list[str], adapter: str) -> Feedback:
    """What is given: the reply, and the conversation before it as the model saw it."""
    before = histories.for_model(turns[: about.place])
    (reply,) = histories.messages(turns[about.place : about.place + 1])
    return Feedback(
        new_id(), tuple(before), reply["content"], about.liked, tuple(reasons), about.rejected, adapter, CONSENT
    )


def withdraw_where_care_is_needed(
    services: Services, turns: list[Any], ids: list[list[str]], conversation: str, meant: Mapping[str, str]
) -> Any:
    """Take back what was given of a conversation that has turned to something that needs care."""
    if not ids or tier_of(turns, meant) == "none":
        return gr.skip()
    of_this = [one for one, where in ids if where == conversation]
    for one in of_this:
        services.feedback.withdraw(one)
    return [pair for pair in ids if pair[0] not in of_this] if of_this else gr.skip()

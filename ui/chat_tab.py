"""The Chat tab: a streaming conversation with the adapter, and everything one does with one. It wires; `chat/` does."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import gradio as gr

from ui import history as histories
from ui import wording
from ui.chat import alternatives, beside, opinion, outbox, shelf
from ui.chat.alternatives import ONE_REPLY
from ui.chat.answering import Asked, answers, help_first, tier_of, understood
from ui.chat.opinion import About
from ui.errors import language_of, shown_to_user
from ui.history import Turn
from ui.layout_parts import (
    MODEL_SLOTS,
    adapter_choices,
    adapter_chooser,
    care_html,
    generation_panel,
    help_fold,
    label,
    system_prompt_field,
)
from ui.services import Services

SIGN_SECONDS = 5
"""Between two looks at whether the chat answers again, on a page that says that it does not."""

LONGEST_MESSAGE = 8_000
"""Characters; more than a model reads, and little enough to be screened at once."""


def build_chat_tab(services: Services, tab: gr.Tab, page: gr.Blocks) -> None:
    """Lay out the tab and wire it."""
    with gr.Row():
        adapter = adapter_chooser(services)
    chat = gr.Chatbot(
        label=label("chat.panel"),
        show_label=False,
        height=480,
        placeholder=label("chat.welcome"),
        buttons=["copy"],
        editable="user",
        layout="bubble",
        elem_id="chat",
        examples=[{"text": text} for text in wording.EXAMPLES],
        latex_delimiters=[],
        autoscroll=False,  # `follow` in chat.js does it
    )
    note = gr.HTML(padding=False, elem_id="chat-note")
    care = gr.HTML(padding=False, elem_id="chat-care")
    sign = gr.HTML(padding=False, elem_id="chat-sign")
    clock = gr.Timer(SIGN_SECONDS, active=False)
    with gr.Row(visible=False, equal_height=True, elem_id="chat-meant") as meant_row:
        meaning = gr.Textbox(
            label=label("chat.meant"), info=label("chat.meant.info"), lines=1, max_lines=4, scale=8, min_width=220
        )
        correct = gr.Button(label("chat.meant.again"), size="sm", scale=1, min_width=140)
    with gr.Row(equal_height=True):
        message = gr.Textbox(
            show_label=False,
            label=label("chat.message"),
            placeholder=label("chat.message.placeholder"),
            lines=1,
            max_lines=6,
            scale=8,
            max_length=LONGEST_MESSAGE,
            elem_id="chat-message",
            autofocus=False,
        )
        send = gr.Button(label("chat.send"), variant="primary", scale=1, min_width=90, elem_id="chat-send")
        stop = gr.Button(label("stop"), variant="stop", scale=1, min_width=90, visible=False)
    with gr.Row(elem_classes="actions"):
        retry = gr.Button(label("chat.retry"), size="sm")
        undo = gr.Button(label("chat.undo"), size="sm")
        listen = gr.Button(label("chat.listen"), size="sm", elem_id="chat-listen")
        clear = gr.Button(label("chat.clear"), size="sm")
    sending = outbox.build(LONGEST_MESSAGE)
    current = gr.Textbox(visible=False)
    ticket = gr.Textbox(visible=False)
    """Of the reply that was asked for last."""
    urgency = gr.Textbox(visible=False)
    """The tier of what the person said last; the shelf keeps it with the conversation."""
    said = opinion.build(services, chat, adapter, current)
    others = gr.HTML(
        ONE_REPLY,
        html_template="${shohomormi.alternatives(value, words)}",
        js_on_load="shohomormi.choose(element, props, trigger)",
        words=shelf.WORDS,
        elem_id="chat-alternatives",
    )
    kept = shelf.build(services, current)
    panel = generation_panel()
    system = system_prompt_field()
    help_fold()
    again = gr.State(0)
    """How often the last message was answered anew: each retry takes the next seed."""
    meant = gr.State({})
    """What the person said that their romanised messages mean, by the message."""

    begun = [chat, current, ticket, again, others, note, care, urgency, meant_row, meaning, said.panel, send, stop,
             sign, clock]  # fmt: skip

    def place(request: gr.Request) -> str:
        return f"{request.session_hash}/chat"

    def begin(
        request: gr.Request, turns: list[Turn], conversation: str, meanings: dict[str, str],
        times: int = 0, options: Any = None,
    ) -> dict[Any, Any]:  # fmt: skip
        """What the page shows between a message and its reply: help where it is needed, how the message was read.

        Words about dying are answered here, whoever has the model. While a run has the memory, the page says so, help
        stands there all the same, and nothing else changes. What was being written before ends first.
        """
        language, tier = language_of(request), tier_of(turns, meanings)
        shown = {care: care_html(tier, language), urgency: tier, **signed(request)}
        if beside.shut(services, turns, meanings):
            return shown
        fixed = help_first(turns, meanings, language)
        asked_for = "" if fixed else services.replies.begin(place(request))
        if fixed:
            services.replies.settle(place(request))
        last = histories.messages(turns[-1:])[0]["content"]
        read = understood(last, meanings)
        return shown | {
            chat: [*turns, fixed] if fixed else turns,
            current: conversation or uuid.uuid4().hex,
            ticket: asked_for,
            again: times,
            others: options or ONE_REPLY,
            note: "",
            meant_row: gr.Row(visible=read != last),
            meaning: read,
            said.panel: gr.Column(visible=False),
            send: gr.Button(visible=bool(fixed)),
            stop: gr.Button(visible=not fixed),
        }

    def signed(request: gr.Request) -> dict[Any, Any]:
        """That a run has the memory or the model is at other work, looked at again for as long as it is so."""
        told = beside.sign_html(services, language_of(request))
        return {sign: told, clock: gr.Timer(active=bool(told))}

    def take(text: str, turns: list[Turn], conversation: str, meanings: dict[str, str], request: gr.Request) -> Any:
        """Put the person's message into the conversation, before any model is asked."""
        if not text.strip():
            return gr.skip()
        turns = [*turns, {"role": "user", "content": text.strip()}]
        waits = text if beside.shut(services, turns, meanings) else ""  # goes back into the field, to be sent then
        return {sending: waits, **begin(request, turns, conversation, meanings)}

    def take_example(chosen: gr.SelectData, meanings: dict[str, str], request: gr.Request) -> Any:
        text = chosen.value["text"]
        turns = [{"role": "user", "content": text}]
        waits = {message: text} if beside.shut(services, turns, meanings) else {}
        return {**waits, **begin(request, turns, "", meanings)}

    def take_edited(
        event: gr.EditData, turns: list[Turn], conversation: str, meanings: dict[str, str], request: gr.Request
    ) -> Any:
        """An earlier message in other words: what came after it goes, and it is answered."""
        if not str(event.value).strip():
            return gr.skip()
        turns = [*turns[: histories.place_of(event)], {"role": "user", "content": str(event.value).strip()}]
        return begin(request, turns, conversation, meanings)

    def take_back(
        turns: list[Turn], conversation: str, meanings: dict[str, str], times: int, options: Any, request: gr.Request
    ) -> Any:
        """The last message once more; the reply that stood there goes beside the new one."""
        before = histories.without_last_reply(turns)
        if not before:
            return gr.skip()
        return begin(request, before, conversation, meanings, times + 1, alternatives.asked_again(turns, options))

    def take_corrected(
        text: str, turns: list[Turn], conversation: str, meanings: dict[str, str], request: gr.Request
    ) -> Any:
        """The last message again, as the person says that it is meant."""
        before = histories.without_last_reply(turns)
        if not before or not text.strip():
            return gr.skip()
        last = histories.messages(before[-1:])[0]["content"]
        meanings = {**meanings, last: text.strip()}
        return {meant: meanings, **begin(request, before, conversation, meanings)}

    def answer(
        request: gr.Request,
        turns: list[Turn],
        asked_for: str,
        name: str,
        times: int,
        meanings: dict[str, str],
        first: str,
        *values: Any,
    ) -> Iterator[Any]:
        with services.replies.writing(place(request), asked_for) as stopping:
            if stopping is None or beside.shut(services, turns, meanings):
                yield gr.skip()
                return
            language = language_of(request)
            asked = Asked(name, values, first or "", times, meanings)
            with shown_to_user(language):
                told = None
                for one in answers(services, turns, asked, language, stopping, pace=True):
                    if not services.replies.current(place(request), asked_for):
                        return
                    news = gr.skip() if one.left_out == told else beside.note_html(one.left_out, language)
                    told = one.left_out
                    yield {chat: one.turns, note: news}

    def end(turns: list[Turn], options: Any, request: gr.Request) -> Any:
        """Give the send button back, and put a reply that was asked for again beside the earlier ones."""
        if services.replies.busy(place(request)):  # the next one has been asked for meanwhile
            return gr.skip()
        return ended(turns, options)

    def ended(turns: list[Turn], options: Any) -> dict[Any, Any]:
        standing, options = alternatives.ended(turns, options)
        shown = {others: options, send: gr.Button(visible=True), stop: gr.Button(visible=False)}
        return shown if standing is turns else {chat: standing, **shown}

    def choose(options: Any, turns: list[Turn], request: gr.Request) -> dict[Any, Any]:
        """Put another of the replies into the conversation; it was preferred to the one that stood there."""
        services.replies.settle(place(request))
        turns, over = alternatives.chosen(turns, options)
        panel_, about, reasons, _ = opinion.shown_for(About(len(turns) - 1, True, over))
        return {chat: turns, said.panel: panel_, said.about: about, said.reasons: reasons, **alone()}

    def undone(turns: list[Turn], request: gr.Request) -> dict[Any, Any]:
        """Drop the last question with its reply, and hand the question back for editing."""
        services.replies.settle(place(request))
        before = histories.without_last_reply(turns)
        last = histories.messages(before[-1:])
        return {chat: before[:-1], message: last[0]["content"] if last else "", **quiet(), **alone()}

    def left(request: gr.Request) -> dict[Any, Any]:
        """Another conversation is about to stand here: what is being written in this one ends."""
        services.replies.settle(place(request))
        return alone()

    def cleared() -> dict[Any, Any]:
        return {chat: [], current: "", **quiet()}

    def reopened(tier: str, request: gr.Request) -> dict[Any, Any]:
        """What stands beside a conversation from the shelf: help where it was needed."""
        return {**quiet(), care: care_html(tier or "none", language_of(request))}

    def quiet() -> dict[Any, Any]:
        """What belongs to the last reply goes with it."""
        empty = {others: ONE_REPLY, note: "", care: ""}
        return empty | {meant_row: gr.Row(visible=False), said.panel: gr.Column(visible=False)}

    def alone() -> dict[Any, Any]:
        """Nothing is being written."""
        return {send: gr.Button(visible=True), stop: gr.Button(visible=False)}

    def withdrawn(
        turns: list[Turn], conversation: str, meanings: dict[str, str], given: list[Any], request: gr.Request
    ) -> Any:
        with shown_to_user(language_of(request)):
            return opinion.withdraw_where_care_is_needed(services, turns, given, conversation, meanings)

    around = [others, note, care, meant_row, said.panel]
    buttons = [send, stop]

    def stopped(turns: list[Turn], options: Any, request: gr.Request) -> Any:
        """End the reply; where it still waited for its turn, the page does not wait for that."""
        return ended(turns, options) if services.replies.stop(place(request)) else gr.skip()

    def forgotten(request: gr.Request) -> None:
        services.forget(request.session_hash)

    private = {"api_visibility": "private"}
    quick = {"queue": False, "show_progress": "hidden", **private}
    keep_after = shelf.wire(kept, chat, urgency)
    # The shelf may open another conversation only once nothing more is written into this one.
    kept.shown.submit(left, None, buttons, js=outbox.MOVED, **quick)
    shelf.obey(kept, kept.shown.submit, chat, urgency).then(reopened, urgency, around, **quick)
    shelf.obey(kept, kept.shown.select, chat, urgency)
    asked = {
        "fn": answer,
        "inputs": [chat, ticket, adapter, again, meant, system, *panel],
        "outputs": [chat, note],
        "concurrency_id": "model",
        "concurrency_limit": MODEL_SLOTS,
        "show_progress": "minimal",
        "trigger_mode": "multiple",  # what is asked for while another reply ends must not be dropped
        **private,
    }
    ending = {"fn": end, "inputs": [chat, others], "outputs": [chat, others, *buttons], "trigger_mode": "multiple"}

    def ask(event: Any) -> None:
        """Let the reply be written after an event, and give the send button back however it ends."""
        keep_after(event.then)  # who closes the page meanwhile finds their words again
        event.then(withdrawn, [*known, said.given], said.given, trigger_mode="multiple", concurrency_limit=4, **private)
        answered = event.then(**asked)
        for over in (answered.success, answered.failure):  # a stream that fails does not reach .then
            keep_after(over(**ending, **quick).then)

    known = [chat, current, meant]
    ask(outbox.wire(page, tab, sending, (send.click, message.submit), message, take, known, begun))
    ask(chat.example_select(take_example, meant, [message, *begun], **quick))
    ask(chat.edit(take_edited, known, begun, **quick))
    ask(retry.click(take_back, [*known, again, others], begun, **quick))
    ask(correct.click(take_corrected, [meaning, *known], [meant, *begun], **quick))
    opened = [said.panel, said.about, said.reasons]
    keep_after(others.select(choose, [others, chat], [chat, *opened, *buttons], **quick).then)
    keep_after(undo.click(undone, chat, [chat, message, *around, *buttons], **quick).then)
    for event in (clear.click, chat.clear):
        keep_after(event(left, None, buttons, js=outbox.MOVED, **quick).then).then(
            cleared, None, [chat, current, *around], **quick
        )
    stop.click(stopped, [chat, others], [chat, others, *buttons], **quick)
    listen.click(None, chat, None, js="(turns) => { shohomormi.listen(turns); }", **quick)
    tab.select(lambda: gr.Dropdown(choices=adapter_choices(services)), None, adapter, queue=False, **private)
    for looked in (tab.select, page.load, clock.tick):
        looked(signed, None, [sign, clock], **quick)
    page.unload(forgotten)

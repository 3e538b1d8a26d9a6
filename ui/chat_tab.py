"""The Chat tab: a streaming conversation with the adapter, and everything one does with one. It wires; `chat/` does."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import gradio as gr

from ui import history as histories
from ui import wording
from ui.chat import beside, opinion, shelf
from ui.chat.answering import Asked, answers, tier_of, understood
from ui.chat.opinion import About
from ui.errors import language_of, shown_to_user
from ui.history import Turn
from ui.layout_parts import (
    MODEL_SLOTS,
    adapter_choices,
    adapter_chooser,
    generation_panel,
    help_html,
    label,
    system_prompt_field,
)
from ui.services import Services

SIGN_SECONDS = 5
"""Between two looks at whether the chat answers again, on a page that says that it does not."""

ONE_REPLY = {"options": [], "chosen": 0}
"""The replies side by side, where the last message has only one."""


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
    current = gr.Textbox(visible=False)
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
    with gr.Accordion(label("help"), open=False):
        card = gr.HTML(padding=False)
    again = gr.State(0)
    """How often the last message was answered anew: each retry takes the next seed."""
    meant = gr.State({})
    """What the person said that their romanised messages mean, by the message."""

    begun = [chat, current, again, others, note, care, meant_row, meaning, said.panel, said.given, send, stop,
             sign, clock]  # fmt: skip

    def begin(
        request: gr.Request, turns: list[Turn], conversation: str, meanings: dict[str, str], given: list[Any],
        times: int = 0, options: Any = None,
    ) -> list[Any]:  # fmt: skip
        """What the page shows between a message and its reply: help where it is needed, how the message was read.

        While a run has the memory, it says so, help stands there all the same, and nothing else changes.
        """
        language = language_of(request)
        if beside.shut(services, turns, meanings):
            waiting = [*nothing()[:-2], *signed(request)]
            waiting[begun.index(care)] = beside.care_html(tier_of(turns, meanings), language)
            return waiting
        services.stop_event(f"{request.session_hash}/chat")
        conversation = conversation or uuid.uuid4().hex
        last = histories.messages(turns[-1:])[0]["content"]
        read = understood(last, meanings)
        return [
            turns,
            conversation,
            times,
            options or ONE_REPLY,
            "",
            beside.care_html(tier_of(turns, meanings), language),
            gr.Row(visible=read != last),
            read,
            gr.Column(visible=False),
            opinion.withdraw_where_care_is_needed(services, turns, given, conversation),
            gr.Button(visible=False),
            gr.Button(visible=True),
            *signed(request),
        ]

    def signed(request: gr.Request) -> list[Any]:
        """That a run has the memory, looked at again for as long as it is so."""
        return [beside.sign_html(services, language_of(request)), gr.Timer(active=bool(services.lent_to))]

    def nothing() -> list[Any]:
        return [gr.skip() for _ in begun]

    def take(
        text: str, turns: list[Turn], conversation: str, meanings: dict[str, str], given: list[Any], request: gr.Request
    ) -> list[Any]:
        """Put the person's message into the conversation, before any model is asked."""
        if not text.strip():
            return [gr.skip(), *nothing()]
        turns = [*turns, {"role": "user", "content": text.strip()}]
        return [unsent(text, turns, meanings), *begin(request, turns, conversation, meanings, given)]

    def unsent(text: str, turns: list[Turn], meanings: dict[str, str]) -> str:
        """What stays in the field: a message that has to wait, for the person to send it then."""
        return text if beside.shut(services, turns, meanings) else ""

    def take_example(
        chosen: gr.SelectData, meanings: dict[str, str], given: list[Any], request: gr.Request
    ) -> list[Any]:
        turns = [{"role": "user", "content": chosen.value["text"]}]
        return [unsent(chosen.value["text"], turns, meanings), *begin(request, turns, "", meanings, given)]

    def take_edited(
        event: gr.EditData, turns: list[Turn], conversation: str, meanings: dict[str, str], given: list[Any],
        request: gr.Request,
    ) -> list[Any]:  # fmt: skip
        """An earlier message in other words: what came after it goes, and it is answered."""
        if not str(event.value).strip():
            return nothing()
        turns = [*turns[: histories.place_of(event)], {"role": "user", "content": str(event.value).strip()}]
        return begin(request, turns, conversation, meanings, given)

    def take_back(
        turns: list[Turn], conversation: str, meanings: dict[str, str], given: list[Any], times: int, options: Any,
        request: gr.Request,
    ) -> list[Any]:  # fmt: skip
        """The last message once more; the reply that stood there goes beside the new one."""
        before = histories.without_last_reply(turns)
        if not before:
            return nothing()
        standing = histories.messages(histories.for_model(turns)[len(histories.for_model(before)) :])
        listed = [*options["options"]] or [one["content"] for one in standing]
        return begin(
            request, before, conversation, meanings, given, times + 1, {"options": listed, "chosen": len(listed)}
        )

    def take_corrected(
        text: str, turns: list[Turn], conversation: str, meanings: dict[str, str], given: list[Any], request: gr.Request
    ) -> list[Any]:
        """The last message again, as the person says that it is meant."""
        before = histories.without_last_reply(turns)
        if not before or not text.strip():
            return [gr.skip(), *nothing()]
        last = histories.messages(before[-1:])[0]["content"]
        meanings = {**meanings, last: text.strip()}
        return [meanings, *begin(request, before, conversation, meanings, given)]

    def answer(
        request: gr.Request,
        turns: list[Turn],
        name: str,
        times: int,
        meanings: dict[str, str],
        first: str,
        *values: Any,
    ) -> Iterator[tuple[list[Turn], Any]]:
        if not turns or turns[-1]["role"] != "user" or beside.shut(services, turns, meanings):
            yield turns, gr.skip()
            return
        language = language_of(request)
        asked = Asked(name, values, first or "", times, meanings)
        with shown_to_user(language):
            told = None
            for one in answers(services, turns, asked, language, f"{request.session_hash}/chat", pace=True):
                news = gr.skip() if one.left_out == told else beside.note_html(one.left_out, language)
                told = one.left_out
                yield one.turns, news

    def end(turns: list[Turn], options: Any) -> list[Any]:
        """Give the send button back, and put a reply that was asked for again beside the earlier ones."""
        last = histories.messages(turns[-1:])
        if options["options"] and last and last[0]["role"] == "assistant" and not histories.is_fixed(turns[-1]):
            listed = [*options["options"], last[0]["content"]]
            options = {"options": listed, "chosen": len(listed) - 1}
        return [options, gr.Button(visible=True), gr.Button(visible=False)]

    def choose(options: Any, turns: list[Turn]) -> list[Any]:
        """Put another of the replies into the conversation; it was preferred to the one that stood there."""
        texts, place = options["options"], options["chosen"]
        before = histories.without_last_reply(turns)
        over = texts[options.get("before", place)]
        chosen = [*before, {"role": "assistant", "content": texts[place]}]
        return [chosen, *opinion.shown_for(About(len(before), True, over if over != texts[place] else None))[:3]]

    def undone(turns: list[Turn]) -> list[Any]:
        """Drop the last question with its reply, and hand the question back for editing."""
        before = histories.without_last_reply(turns)
        last = histories.messages(before[-1:])
        return [before[:-1], last[0]["content"] if last else "", *quiet()]

    def cleared() -> list[Any]:
        return [[], "", *quiet()]

    def quiet() -> list[Any]:
        """What belongs to the last reply goes with it."""
        return [ONE_REPLY, "", "", gr.Row(visible=False), gr.Column(visible=False)]

    around = [others, note, care, meant_row, said.panel]

    def help_card(request: gr.Request) -> str:
        return help_html(language_of(request))

    def stopped(request: gr.Request) -> None:
        services.stop(f"{request.session_hash}/chat")

    def forgotten(request: gr.Request) -> None:
        services.forget(request.session_hash)

    private = {"api_visibility": "private"}
    quick = {"queue": False, "show_progress": "hidden", **private}
    keep_after = shelf.wire(kept, chat)
    asked = {
        "fn": answer,
        "inputs": [chat, adapter, again, meant, system, *panel],
        "outputs": [chat, note],
        "concurrency_id": "model",
        "concurrency_limit": MODEL_SLOTS,
        "show_progress": "minimal",
        **private,
    }

    def ask(event: Any) -> None:
        """Let the reply be written after an event, and give the send button back however it ends."""
        answered = event.then(**asked)
        for ended in (answered.success, answered.failure):  # a stream that fails does not reach .then
            keep_after(ended(end, [chat, others], [others, send, stop], **quick).then)

    known = [chat, current, meant, said.given]
    for event in (send.click, message.submit):
        ask(event(take, [message, *known], [message, *begun], **quick))
    ask(chat.example_select(take_example, [meant, said.given], [message, *begun], **quick))
    ask(chat.edit(take_edited, known, begun, **quick))
    ask(retry.click(take_back, [*known, again, others], begun, **quick))
    ask(correct.click(take_corrected, [meaning, *known], [meant, *begun], **quick))
    keep_after(others.select(choose, [others, chat], [chat, said.panel, said.about, said.reasons], **quick).then)
    keep_after(undo.click(undone, chat, [chat, message, *around], **quick).then)
    for event in (clear.click, chat.clear):
        event(stopped, None, None, **quick).then(cleared, None, [chat, current, *around], **quick)
    kept.shown.select(quiet, None, around, **quick)
    stop.click(stopped, None, None, **quick)
    listen.click(None, chat, None, js="(turns) => { shohomormi.listen(turns); }", **quick)
    tab.select(lambda: gr.Dropdown(choices=adapter_choices(services)), None, adapter, queue=False, **private)
    for looked in (tab.select, page.load, clock.tick):
        looked(signed, None, [sign, clock], **quick)
    page.load(help_card, None, card, **private)
    page.unload(forgotten)

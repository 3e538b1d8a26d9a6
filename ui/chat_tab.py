"""The Chat tab: a streaming conversation with the adapter, with stop, retry, undo and a new beginning."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from finetune.inference import safety
from finetune.inference.backends import Side
from ui import history as histories
from ui import wording
from ui.errors import language_of, shown_to_user
from ui.layout_parts import (
    adapter_choices,
    adapter_chooser,
    crisis_text,
    generation_panel,
    help_html,
    label,
    settings_of,
)
from ui.services import Services

Turn = dict[str, Any]


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
        layout="bubble",
        elem_id="chat",
        examples=[{"text": text} for text in wording.EXAMPLES],
        latex_delimiters=[],
    )
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
        clear = gr.Button(label("chat.clear"), size="sm")
    panel = generation_panel()
    with gr.Accordion(label("help"), open=False):
        card = gr.HTML(padding=False)
    again = gr.State(0)
    """How often the last message was answered anew: each retry takes the next seed."""

    def take(text: str, turns: list[Turn], request: gr.Request) -> list[Any]:
        """Put the person's message into the conversation, before any model is asked."""
        if not text.strip():
            return [gr.skip(), gr.skip(), 0, gr.skip(), gr.skip()]
        services.stop_event(f"{request.session_hash}/chat")
        return [
            "",
            [*turns, {"role": "user", "content": text.strip()}],
            0,
            gr.Button(visible=False),
            gr.Button(visible=True),
        ]

    def take_example(chosen: gr.SelectData, request: gr.Request) -> list[Any]:
        return take(chosen.value["text"], [], request)

    def take_back(turns: list[Turn], times: int, request: gr.Request) -> list[Any]:
        kept = histories.without_last_reply(turns)
        if not kept:
            return [gr.skip(), gr.skip(), gr.skip(), gr.skip()]
        services.stop_event(f"{request.session_hash}/chat")
        return [kept, times + 1, gr.Button(visible=False), gr.Button(visible=True)]

    def answer(request: gr.Request, turns: list[Turn], name: str, times: int, *values: Any) -> Iterator[list[Turn]]:
        if not turns or turns[-1]["role"] != "user":
            yield turns
            return
        language = language_of(request)
        with shown_to_user(language):
            yield from reply(services, turns, name, values, times, language, f"{request.session_hash}/chat")

    def end() -> list[Any]:
        return [gr.Button(visible=True), gr.Button(visible=False)]

    def undone(turns: list[Turn]) -> tuple[list[Turn], str]:
        """Drop the last question with its reply, and hand the question back for editing."""
        kept = histories.without_last_reply(turns)
        last = histories.messages(kept[-1:])
        return kept[:-1], last[0]["content"] if last else ""

    def help_card(request: gr.Request) -> str:
        return help_html(language_of(request))

    def stopped(request: gr.Request) -> None:
        services.stop(f"{request.session_hash}/chat")

    def forgotten(request: gr.Request) -> None:
        services.forget(request.session_hash)

    private = {"api_visibility": "private"}
    asked = {
        "fn": answer,
        "inputs": [chat, adapter, again, *panel],
        "outputs": chat,
        "concurrency_id": "model",
        "concurrency_limit": 1,
        "show_progress": "minimal",
        **private,
    }
    buttons = [send, stop]

    def ask(begun: Any) -> None:
        """Let the reply be written after an event, and give the send button back however it ends."""
        answered = begun.then(**asked)
        for ended in (answered.success, answered.failure):  # a stream that fails does not reach .then
            ended(end, None, buttons, queue=False, **private)

    for event in (send.click, message.submit):
        begun = event(take, [message, chat], [message, chat, again, *buttons], queue=False, **private)
        ask(begun)
    shown = chat.example_select(take_example, None, [message, chat, again, *buttons], queue=False, **private)
    ask(shown)
    begun = retry.click(take_back, [chat, again], [chat, again, *buttons], queue=False, **private)
    ask(begun)
    undo.click(undone, chat, [chat, message], queue=False, **private)
    clear.click(stopped, None, None, queue=False, **private).then(lambda: [], None, chat, queue=False, **private)
    stop.click(stopped, None, None, queue=False, **private)
    tab.select(lambda: gr.Dropdown(choices=adapter_choices(services)), None, adapter, queue=False, **private)
    page.load(help_card, None, card, **private)
    page.unload(forgotten)


FRAME_SECONDS = 0.05
"""The page is told at most this often: faster than the eye reads, slow enough for a phone."""


def reply(
    services: Services, turns: list[Turn], adapter: str, values: Sequence[Any], times: int, language: str, key: str
) -> Iterator[list[Turn]]:
    """The conversation as the reply grows; the fixed message where the screen says strong."""
    said = [text for text in histories.messages(turns) if text["role"] == "user"]
    if safety.screen_conversation(said) == "strong":
        text = crisis_text(language, again=safety.screen(said[-1]["content"]) != "strong")
        yield [*turns, {"role": "assistant", "content": text, "metadata": {"id": histories.FIXED}}]
        return
    folder = services.adapter(adapter)
    settings = settings_of(services.generation(adapter), *values)
    settings = replace(settings, seed=settings.seed + times)
    written, last = "", 0.0
    for (piece,) in services.backend.stream(
        [Side(histories.for_model(turns), folder, settings)], services.stops.get(key)
    ):
        written += piece
        if time.perf_counter() - last >= FRAME_SECONDS:
            last = time.perf_counter()
            yield [*turns, {"role": "assistant", "content": written}]
    yield [*turns, {"role": "assistant", "content": written.strip()}]

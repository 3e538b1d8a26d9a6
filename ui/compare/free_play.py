"""Free play: one prompt, base and tuned side by side with their names, from one batch with one seed. No votes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from finetune.errors import DataError
from finetune.inference import banglish, safety
from finetune.inference.reply_screen import ReplyScreen, UnsafeReply
from finetune.review import pairs
from ui import wording
from ui.errors import language_of, shown_to_user
from ui.layout_parts import (
    MODEL_SLOTS,
    adapter_choices,
    adapter_chooser,
    care_html,
    crisis_text,
    generation_panel,
    label,
    settings_of,
    withheld_text,
)
from ui.services import Services


def build(services: Services, tab: gr.Tab) -> None:
    """Lay out the page and wire it; `tab` is the Compare tab, whose opening brings new adapters into the chooser."""
    with gr.Row(equal_height=False):
        prompt = gr.Textbox(
            label=label("compare.prompt"),
            placeholder=label("compare.prompt.placeholder"),
            lines=2,
            max_lines=6,
            scale=5,
            elem_id="compare-prompt",
        )
        with gr.Column(scale=2, min_width=200):
            adapter = adapter_chooser(services)
    gr.Examples([[text] for text in wording.EXAMPLES], [prompt], label=label("examples"), api_visibility="private")
    with gr.Row(elem_classes="actions"):
        start = gr.Button(label("compare.start"), variant="primary", elem_id="compare-start")
        stop = gr.Button(label("stop"), interactive=False)
    with gr.Row():
        base, tuned = (
            gr.Textbox(
                label=label(f"compare.{side}"),
                lines=5,
                max_lines=16,
                interactive=False,
                buttons=["copy"],
                elem_classes=["side", side],
                elem_id=f"compare-{side}",
                min_width=280,
            )
            for side in ("base", "tuned")
        )
    care = gr.HTML(padding=False, elem_id="compare-care")
    ticket = gr.Textbox(visible=False)
    """Of the pair that was asked for last."""
    gr.Markdown(label("compare.note"), elem_classes="quiet")
    panel = generation_panel()

    def place(request: gr.Request) -> str:
        return f"{request.session_hash}/compare"

    def begin(text: str, request: gr.Request) -> list[Any]:
        """What the page shows before the replies: empty sides, and help where the words are heavy.

        Words about dying are answered here, whoever has the model. What was being written before ends first.
        """
        language, tier = language_of(request), tier_of(text)
        if tier == "strong":
            services.replies.settle(place(request))
            return [*buttons(False), *[help_on_a_side(language)] * 2, care_html(tier, language), ""]
        asked_for = services.replies.begin(place(request))
        return [*buttons(True), "", "", care_html(tier, language), asked_for]

    def answer(
        request: gr.Request, text: str, asked_for: str, name: str, *values: Any
    ) -> Iterator[tuple[str, str] | Any]:
        with services.replies.writing(place(request), asked_for) as stopping:
            if stopping is None:
                yield gr.skip()
                return
            language = language_of(request)
            with shown_to_user(language):
                for sides in compare(services, text, name, values, language, stopping):
                    if not services.replies.current(place(request), asked_for):
                        return
                    yield sides

    def buttons(writing: bool) -> list[Any]:
        return [gr.Button(interactive=not writing), gr.Button(interactive=writing)]

    def end(request: gr.Request) -> Any:
        """Give the button back, unless the next pair has been asked for meanwhile."""
        return gr.skip() if services.replies.busy(place(request)) else buttons(False)

    def stopped(request: gr.Request) -> Any:
        """End the pair; where it still waited for its turn, the page does not wait for that."""
        return buttons(False) if services.replies.stop(place(request)) else gr.skip()

    private = {"api_visibility": "private"}
    for event in (start.click, prompt.submit):
        begun = event(begin, prompt, [start, stop, base, tuned, care, ticket], queue=False, **private)
        answered = begun.then(
            answer,
            [prompt, ticket, adapter, *panel],
            [base, tuned],
            concurrency_id="model",
            concurrency_limit=MODEL_SLOTS,
            show_progress="minimal",
            trigger_mode="multiple",  # what is asked for while another pair ends must not be dropped
            **private,
        )
        for ended in (answered.success, answered.failure):  # a stream that fails does not reach .then
            ended(end, None, [start, stop], queue=False, trigger_mode="multiple", **private)
    stop.click(stopped, None, [start, stop], queue=False, **private)
    tab.select(lambda: gr.Dropdown(choices=adapter_choices(services)), None, adapter, queue=False, **private)


def tier_of(text: str) -> str:
    """How urgent the words are, as they stand and as they are read in Bengali letters."""
    text = text.strip()
    return max(safety.screen(text), safety.screen(banglish.understood(text) or text), key=safety.TIERS.index)


def help_on_a_side(language: str) -> str:
    """The fixed message as a plain text field shows it."""
    return crisis_text(language, again=False).replace("**", "").replace("*", "")


def compare(
    services: Services,
    text: str,
    adapter: str,
    values: Sequence[Any],
    language: str,
    stop: threading.Event | None = None,
) -> Iterator[tuple[str, str]]:
    """Both replies as they grow; the fixed message on both sides where the screen says strong."""
    text = text.strip()
    if not text:
        raise DataError(wording.sentence("compare.empty", "en"), key="compare.empty")
    if tier_of(text) == "strong":
        yield help_on_a_side(language), help_on_a_side(language)
        return
    read = banglish.understood(text) or text
    folder = services.adapter(adapter)
    settings = settings_of(services.generation(adapter), *values)
    replies = [ReplyScreen(), ReplyScreen()]
    given, shown, open_ = ["", ""], ["", ""], [True, True]
    untuned = services.server.base() if services.server else None
    for grown in pairs.stream(services.backend, read, folder, settings, stop, untuned=untuned):
        for side in (0, 1):
            if open_[side] and grown[side].startswith(given[side]):
                piece, given[side] = grown[side][len(given[side]) :], grown[side]
                open_[side], shown[side] = _passed(replies[side], piece, shown[side], language)
        yield shown[0], shown[1]
    for side in (0, 1):
        if open_[side]:
            _, shown[side] = _passed(replies[side], None, shown[side], language)
    yield shown[0].strip(), shown[1].strip()


def _passed(screen: ReplyScreen, piece: str | None, shown: str, language: str) -> tuple[bool, str]:
    """What a side shows after one more piece, None for its end, and whether it goes on: not once a sentence failed."""
    try:
        return True, shown + (screen.end() if piece is None else screen.add(piece))
    except UnsafeReply:
        told = withheld_text(language).replace("*", "")
        return False, f"{shown.strip()}\n\n{told}".strip()

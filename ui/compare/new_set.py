"""Making pairs for the blind review: who meets whom, on which prompts; written in the background, picked up again.

The handlers only translate between widgets and `finetune.review`. A set lies in its folder from its first pair on, so
closing the page or killing the app loses nothing that was written.
"""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from finetune.errors import DataError, FinetuneError
from finetune.recipe import default
from finetune.review import orders
from ui import wording
from ui.errors import language_of
from ui.layout_parts import label, note_html
from ui.maker import for_maker
from ui.pair_titles import title_of
from ui.services import PATH, Services

SECONDS = 1.0
"""Between two looks at a set that is being written."""


def build(services: Services, tab: gr.Tab) -> None:
    """Lay out the page and wire it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=6, min_width=320):
            with gr.Row():
                base, tuned = (
                    gr.Dropdown(
                        ["base", "demo"],
                        value=value,
                        label=label(f"pairs.{side}"),
                        info=label("pairs.tuned.info") if side == "tuned" else None,
                        allow_custom_value=True,
                        elem_id=f"pairs-{side}",
                        min_width=220,
                    )
                    for side, value in (("base", "base"), ("tuned", "demo"))
                )
            kind = gr.Radio(
                [(label(f"pairs.prompts.{one}"), one) for one in orders.SOURCES],
                value="curated",
                label=label("pairs.prompts"),
            )
            text = gr.Textbox(label=label("pairs.text"), lines=5, max_lines=14, visible=False, elem_id="pairs-text")
            file = gr.File(
                label=label("pairs.file"),
                file_types=[".csv", ".tsv", ".jsonl", ".parquet", ".txt"],
                type="filepath",
                height=120,
                visible=False,
            )
            with gr.Row():
                count = gr.Slider(
                    4,
                    100,
                    orders.PROMPTS,
                    step=1,
                    label=label("pairs.count"),
                    info=label("pairs.count.info"),
                    elem_id="pairs-count",
                    min_width=300,  # on a phone a line of its own: beside the seed its words would stand on end
                )
                seed = gr.Number(default("generation.seed"), precision=0, label=label("pairs.seed"), min_width=120)
            with gr.Row(elem_classes="actions"):
                start = gr.Button(label("pairs.start"), variant="primary", elem_id="pairs-start")
                stop = gr.Button(label("stop"), interactive=False, elem_id="pairs-stop")
        with gr.Column(scale=5, min_width=300):
            card = gr.HTML(padding=False, elem_id="pairs-card")
            chosen = gr.Dropdown([], label=label("pairs.sets"), elem_id="pairs-set")
            about = gr.HTML(padding=False, elem_id="pairs-about")
            with gr.Accordion(label("pairs.delete"), open=False):
                gr.Markdown(label("pairs.delete.sure"), elem_classes="quiet")
                delete = gr.Button(label("pairs.delete.yes"), size="sm", variant="stop")
    timer = gr.Timer(SECONDS, active=False)
    panel = [card, chosen, about, start, stop, timer]

    def looked(request: gr.Request, name: str | None) -> list[Any]:
        language = language_of(request)
        writing = services.pairs.writing
        busy = writing is not None and not writing.over
        sets = services.reviewing.all_sets()
        if writing is not None and writing.set_id in sets and not busy:
            name = writing.set_id
        name = name if name in sets else (sets[0] if sets else None)
        return [
            _card(writing, bool(sets), language),
            gr.Dropdown(choices=[(title_of(services, one, language), one) for one in sets], value=name),
            _about(services, name, language) if name else "",
            gr.Button(interactive=not busy),
            gr.Button(interactive=busy),
            gr.Timer(active=busy),
        ]

    def begun(
        request: gr.Request, first: str, second: str, source: str, pasted: str, path: str | None, most: int,
        number: int | None, name: str | None,
    ) -> list[Any]:  # fmt: skip
        with for_maker(services, request):
            if source == "pasted" and not (pasted or "").strip():
                raise DataError("Write at least one message first.", key="pairs.no_text")
            if source == "file" and not path:
                raise DataError("Choose a file first.", key="pairs.no_file")
            services.pairs.begin(
                orders.order(
                    services.home, services.backend, base=first, tuned=second, source=source,
                    given=(path if source == "file" else pasted) or "", count=int(most), seed=int(number or 0),
                )
            )  # fmt: skip
        return looked(request, name)

    def stopped(request: gr.Request, name: str | None) -> list[Any]:
        with for_maker(services, request):
            services.pairs.end()
        return looked(request, name)

    def deleted(request: gr.Request, name: str | None) -> list[Any]:
        with for_maker(services, request):
            services.reviewing.delete(name or "")
        return looked(request, None)

    def opened(request: gr.Request, first: str, second: str, name: str | None) -> list[Any]:
        names = services.reviewing.contestants()
        kinds = ("base", "demo")
        choices = [(label(f"pairs.kind.{one}") if one in kinds else one, one) for one in names]
        return [
            gr.Dropdown(choices=choices, value=first),
            gr.Dropdown(choices=choices, value=second),
            *looked(request, name),
        ]

    private = {"api_visibility": "private", "show_progress": "hidden"}
    kind.change(
        lambda source: [gr.Textbox(visible=source == "pasted"), gr.File(visible=source == "file")],
        kind, [text, file], queue=False, **private,
    )  # fmt: skip
    asked = [base, tuned, kind, text, file, count, seed, chosen]
    start.click(begun, asked, panel, api_visibility="private", show_progress="minimal")
    stop.click(stopped, chosen, panel, queue=False, **private)
    delete.click(deleted, chosen, panel, **private)
    chosen.input(looked, chosen, panel, **private)
    timer.tick(looked, chosen, panel, **private)
    tab.select(opened, [base, tuned, chosen], [base, tuned, *panel], **private)


def _card(writing: Any, any_sets: bool, language: str) -> str:
    """What is being written, or what became of it."""
    if writing is None:
        return "" if any_sets else note_html("pairs.none", language)
    if writing.error is not None:
        told = html.escape(wording.error(writing.error, language))
        return f'<div class="run-card failed" lang="{language}"><div class="error" role="alert">{told}</div></div>'
    share = 100 * writing.done / writing.total if writing.total else 0
    facts = [wording.sentence("pairs.writing", language, done=writing.done, total=writing.total)]
    if not writing.over and writing.done and writing.seconds:
        left = writing.seconds * (writing.total - writing.done) / writing.done
        facts.append(wording.sentence("pairs.left", language, time=wording.spoken_time(left, language)))
    told = "".join(f"<span>{html.escape(fact)}</span>" for fact in facts)
    kind = "finished" if writing.over else "active"
    return (
        f'<div class="run-card {kind}" lang="{language}">'
        f'<div class="bar"><i style="width:{share:.1f}%"></i></div><div class="facts">{told}</div></div>'
    )


def _about(services: Services, set_id: str, language: str) -> str:
    """A set in a few lines: how many pairs, what was left out, the proof, the link for reviewers."""
    try:
        found = services.reviewing.read(set_id)
    except FinetuneError as error:  # one damaged set must not take the page with it: it can still be deleted
        return note_html("pairs.refused", language, kind="error", reason=wording.error(error, language))
    if found.refused:
        reason = wording.told(found.refused_key, found.refused_facts, found.refused, language)
        return note_html("pairs.refused", language, kind="error", reason=reason)
    key = "pairs.ready" if found.whole else "pairs.partly"
    lines = [wording.sentence(key, language, count=len(found.pairs), done=len(found.pairs), total=found.total)]
    for reason, number in found.left_out.items():
        why = wording.sentence(f"pairs.left_out.{reason}", language)
        lines.append(wording.sentence("pairs.left_out", language, count=number, reason=why))
    if len(found.shown) < len(found.pairs):
        lines.append(wording.sentence("pairs.same", language, count=len(found.pairs) - len(found.shown)))
    if found.proof:
        hashes = {"base": found.proof.base_hash[:8], "tuned": found.proof.tuned_hash[:8]}
        lines.append(wording.sentence(f"pairs.proof.{found.proof.kind}", language, **hashes))
        if found.proof.base_alone_hash:
            lines.append(wording.sentence("pairs.proof.base", language))
    told = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    if found.reviewable:
        address = html.escape(f"/{PATH}?set={set_id}")
        told += f'<li class="info">{html.escape(wording.sentence("pairs.link", language))}<br>'
        told += f'<a href="{address}" target="_blank"><code>{address}</code></a></li>'
    return f'<ul class="findings" lang="{language}">{told}</ul>'

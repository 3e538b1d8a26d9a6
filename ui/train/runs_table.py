"""All runs in one table: sort, read, note, tag, and see in what two recipes differ."""

from __future__ import annotations

import html
import time
from dataclasses import dataclass
from typing import Any

import gradio as gr

from finetune.training import differences, history, notes, runs, sparkline
from finetune.training.history import Row
from ui import wording
from ui.errors import language_of, shown_to_user
from ui.layout_parts import label
from ui.maker import for_maker
from ui.services import Services

COLUMNS = ("name", "state", "loss", "spark", "data", "settings", "time", "size", "started", "tags")
KINDS = ("str", "str", "number", "html", "str", "str", "number", "number", "str", "str")


@dataclass
class RunsTable:
    """The page's parts that others wire."""

    table: gr.Dataframe
    open: gr.Button
    chosen: gr.Dropdown


def build(services: Services, page: gr.Blocks, tab: gr.Tab) -> RunsTable:
    """Lay out the page and wire it."""
    search = gr.Textbox(label=label("history.search"), max_lines=1)
    table = gr.Dataframe(
        headers=headers("bn"),  # until the page has loaded and says its language
        datatype=list(KINDS),
        interactive=False,
        wrap=True,
        show_label=False,
        elem_id="runs-table",
        max_height=460,
    )
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            chosen = gr.Dropdown([], label=label("train.run"), interactive=True, allow_custom_value=True)
            words = gr.Textbox(label=label("history.notes"), lines=2, interactive=False)
            tags = gr.Textbox(
                label=label("history.tags"), info=label("history.tags.info"), max_lines=1, interactive=False
            )
            with gr.Row(elem_classes="actions"):
                keep = gr.Button(label("history.keep"), size="sm")
                opened = gr.Button(label("history.open"), size="sm", variant="primary")
        with gr.Column(min_width=300):
            other = gr.Dropdown([], label=label("history.other"), interactive=True, allow_custom_value=True)
            differing = gr.HTML(padding=False)

    def listed(text: str, name: str | None, beside: str | None, request: gr.Request) -> Any:
        language = language_of(request)
        with shown_to_user(language):
            rows = services.history.rows(services.home)
            names = [row.name for row in rows]
            shown = history.matching(rows, text or "")
            name = name if name in names else (names[0] if names else None)
            return [
                {"headers": headers(language), "data": [cells(row, language) for row in shown]},
                gr.Dropdown(choices=names, value=name),
                gr.Dropdown(choices=names, value=beside if beside in names else None),
            ]  # not the notes: what somebody is writing must not be overwritten

    def picked(event: gr.SelectData) -> Any:
        return event.row_value[0] if event.row_value else gr.skip()

    def read(name: str | None, beside: str | None, request: gr.Request) -> Any:
        with shown_to_user(language_of(request)):
            # Nobody can write before what stands there has come: it would be overwritten.
            fields = [gr.Textbox(value=text, interactive=bool(name)) for text in _noted(services, name)]
            return *fields, _differences(services, name, beside, language_of(request))

    def compared(name: str | None, beside: str | None, request: gr.Request) -> str:
        language = language_of(request)
        with shown_to_user(language):
            return _differences(services, name, beside, language)

    def kept(name: str | None, text: str, marks: str, request: gr.Request) -> None:
        with for_maker(services, request) as language:
            notes.set_notes(runs.find(services.home, name or ""), text or "", (marks or "").split(","))
            gr.Info(wording.sentence("history.kept", language))

    private = {"api_visibility": "private", "show_progress": "hidden"}
    asked, shown = [search, chosen, other], [table, chosen, other]
    for event in (tab.select, page.load, search.change):
        event(listed, asked, shown, **private)
    table.select(picked, None, chosen, **private)
    chosen.change(read, [chosen, other], [words, tags, differing], **private)
    other.change(compared, [chosen, other], differing, **private)  # not the notes: somebody may be writing them
    keep.click(kept, [chosen, words, tags], None, **private).success(listed, asked, shown, **private)
    return RunsTable(table, opened, chosen)


def headers(language: str) -> list[str]:
    """The table's heads."""
    return [wording.sentence(f"history.column.{name}", language) for name in COLUMNS]


def cells(row: Row, language: str) -> list[Any]:
    """A run's line in the table."""
    rate = "" if row.learning_rate is None else f"{row.learning_rate:g}"
    settings = f"{rate} · r {row.r} · {row.effective_batch} · {row.step}/{row.steps}" if rate else ""
    return [
        row.name,
        wording.sentence(f"history.state.{row.state}", language),
        None if row.best_eval_loss is None else round(row.best_eval_loss, 4),
        sparkline.svg(row.spark) if len(row.spark) > 1 else "",
        row.data,
        settings,
        None if row.seconds is None else round(row.seconds / 60, 1),  # a number, so that it sorts as one
        round(row.size_bytes / 1e6, 1),
        time.strftime("%Y-%m-%d %H:%M", time.localtime(row.started)),
        ", ".join(row.tags),
    ]


def _noted(services: Services, name: str | None) -> tuple[str, str]:
    if not name:
        return "", ""
    text, tags = notes.read(runs.find(services.home, name))
    return text, ", ".join(tags)


def _differences(services: Services, name: str | None, other: str | None, language: str) -> str:
    if not name or not other or name == other:
        return ""
    one, two = (runs.find(services.home, run).recipe() for run in (name, other))
    found = differences.between(one, two)
    if not found:
        return f'<p class="quiet" lang="{language}">{html.escape(wording.sentence("history.same", language))}</p>'
    lines = "".join(
        f"<tr><th>{html.escape(_said(difference.name, language))}</th>"
        f"<td>{html.escape(str(difference.one))}</td><td>{html.escape(str(difference.other))}</td></tr>"
        for difference in found
    )
    return (
        f'<table class="differences" lang="{language}"><thead><tr><th></th><th>{html.escape(name)}</th>'
        f"<th>{html.escape(other)}</th></tr></thead><tbody>{lines}</tbody></table>"
    )


def _said(name: str, language: str) -> str:
    return wording.label(name, language) if name in wording.LABELS else name

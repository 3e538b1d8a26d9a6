"""The Train tab: three pages, a new run, watching one, and all of them. Only what lies between the pages is here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from finetune.training import runs
from ui.layout_parts import label
from ui.maker import for_maker
from ui.services import Services
from ui.train import new_run, runs_table, watch

NEW, WATCH, ALL = "new", "watch", "all"


@dataclass
class TrainTab:
    """What lies beyond the tab may fill: the form of a new run (`new_run.filled` says with what), and its pages."""

    form: list[gr.components.Component]
    pages: gr.Tabs


def build_train_tab(services: Services, page: gr.Blocks) -> TrainTab:
    """Lay out the pages and lead from one to the other."""
    with gr.Tabs(elem_id="train-pages") as pages:
        with gr.Tab(label("train.page.new"), id=NEW):
            new = new_run.build(services)
        with gr.Tab(label("train.page.watch"), id=WATCH):
            watched = watch.build(services, page)
        with gr.Tab(label("train.page.all"), id=ALL) as every:
            table = runs_table.build(services, page, every)

    def watch_it(name: str, request: gr.Request, *view: Any) -> dict[Any, Any]:
        name = name.partition("\n")[0]
        return {**watched.show(request, name, *view[1:-1], ""), pages: gr.Tabs(selected=WATCH)}

    def copied(name: str, request: gr.Request) -> Any:
        with for_maker(services, request):
            return [*new_run.filled(runs.find(services.home, name or "").recipe()), gr.Tabs(selected=NEW)]

    private = {"api_visibility": "private", "show_progress": "hidden"}
    outputs = [*watched.panel, pages]
    new.started.change(watch_it, [new.started, *watched.inputs], outputs, **private)
    table.open.click(watch_it, [table.chosen, *watched.inputs], outputs, **private)
    watched.copy.click(copied, watched.chosen, [*new.form, pages], **private)
    return TrainTab(new.form, pages)

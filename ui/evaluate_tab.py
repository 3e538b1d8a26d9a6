"""The Evaluate tab: held-out questions are asked, then the figures, then the replies. It wires; `evaluate/` does."""

from __future__ import annotations

import gradio as gr

from ui.evaluate import asking, figures_view, judge_panel, replies_view
from ui.layout_parts import label
from ui.services import Services


def build_evaluate_tab(services: Services, tab: gr.Tab) -> None:
    """Lay out the pages and lead from one to the other."""
    background = services.background
    with gr.Tabs(elem_id="evaluate-pages"):
        with gr.Tab(label("evaluate.page.ask"), id="ask"):
            asking.build(services, background, tab)
        with gr.Tab(label("evaluate.page.figures"), id="figures") as figures:
            shown = figures_view.build(services, figures)
        with gr.Tab(label("evaluate.page.replies"), id="replies") as replies:
            read = replies_view.build(services, replies)
        with gr.Tab(label("evaluate.page.judge"), id="judge") as judge:
            judge_panel.build(services, background, judge)
    quick = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    for one, other in ((shown, read), (read, shown)):  # who looks at an evaluation looks at its replies
        one.input(None, one, other, js="(name) => name", **quick)

"""The Compare tab: free play, making pairs, the blind review, the verdict. Only what lies between the pages is here."""

from __future__ import annotations

import gradio as gr

from ui.compare import free_play, new_set, review_panel, verdict_view
from ui.layout_parts import label
from ui.services import Services


def build_compare_tab(services: Services, tab: gr.Tab, page: gr.Blocks) -> verdict_view.VerdictView:
    """Lay out the pages; gives what leads on to training."""
    with gr.Tabs(elem_id="compare-pages"):
        with gr.Tab(label("compare.page.play"), id="play"):
            free_play.build(services, tab)
        with gr.Tab(label("compare.page.pairs"), id="pairs") as pairs:
            new_set.build(services, pairs)
        with gr.Tab(label("compare.page.review"), id="review") as review:
            review_panel.build(services, page, review)
        with gr.Tab(label("compare.page.verdict"), id="verdict") as verdict:
            return verdict_view.build(services, verdict)

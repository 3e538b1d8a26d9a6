"""The page: its head, its tabs, its endpoints for other programs. Tabs do not know each other."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui import endpoints, maker, privacy, theme, train_tab
from ui.chat_tab import build_chat_tab
from ui.compare import review_panel, verdict_view
from ui.compare_tab import build_compare_tab
from ui.evaluate_tab import build_evaluate_tab
from ui.layout_parts import I18N, help_fold, label
from ui.services import PATH, Services
from ui.train import new_run
from ui.train_tab import build_train_tab

DAY = (86_400, 86_400)
"""Seconds: once a day, files that went to or from a browser are deleted from Gradio's cache when they are a day old."""


def build(services: Services) -> gr.Blocks:
    """Every widget and every handler of the app."""
    with gr.Blocks(title="সহমর্মী · Shohomormi", analytics_enabled=False, fill_width=True, delete_cache=DAY) as page:
        _top()
        maker.build(services, page)
        with gr.Tabs(elem_id="tabs") as tabs:
            with gr.Tab(label("tab.train"), id="train"):
                training = build_train_tab(services, page)
                help_fold()
            with gr.Tab(label("tab.compare"), id="compare") as compare:
                verdict = build_compare_tab(services, compare, page)
                help_fold()
            with gr.Tab(label("tab.evaluate"), id="evaluate") as evaluate:
                build_evaluate_tab(services, evaluate)
                help_fold()
            with gr.Tab(label("tab.chat"), id="chat") as chat:
                build_chat_tab(services, chat, page)  # has a fold of its own with the helplines
        _lead_to_training(services, verdict, training, tabs)
        page.load(services.warm_up, queue=False, show_progress="hidden", api_visibility="private")
        endpoints.add(services)
        privacy.link()
    with page.route("যাচাই", f"/{PATH}", show_in_navbar=False):
        _top()
        review_panel.build(services, page)
        help_fold()
        privacy.link()
    with page.route("গোপনীয়তা", f"/{privacy.PATH}", show_in_navbar=False):
        _top()
        privacy.build(services, page)
        help_fold()
    return page


def _top() -> None:
    """The name, and the button that changes the language."""
    with gr.Row(elem_id="top"):
        gr.Markdown(label("brand"), elem_classes="brand", container=False)
        language = gr.Button(label("language"), size="sm", elem_id="language")
    language.click(None, None, None, js=theme.SWITCH_LANGUAGE, api_visibility="private")


def _lead_to_training(
    services: Services, verdict: verdict_view.VerdictView, training: train_tab.TrainTab, tabs: gr.Tabs
) -> None:
    """Let the verdict fill the form of a new run with what the votes taught, and open that page."""

    def taken(set_id: str, request: gr.Request) -> list[Any]:
        with maker.for_maker(services, request):
            recipe = verdict_view.recipe(services, set_id)
            return [
                *new_run.filled(recipe, verdict_view.DPO),
                gr.Tabs(selected=train_tab.NEW),
                gr.Tabs(selected="train"),
            ]

    outputs = [*training.form, training.pages, tabs]
    verdict.train.click(taken, verdict.chosen, outputs, api_visibility="private", show_progress="hidden")


def launch_settings() -> dict:
    """What `launch` needs for the page to look and behave as it should; privacy is the default."""
    return {
        "theme": theme.theme(),
        "css_paths": theme.STYLES,
        "head": theme.HEAD,
        "i18n": I18N,
        "run_history": False,  # else the browser would store every message outside the person's control
        "footer_links": [],
        "show_error": True,
        "ssr_mode": False,
    }

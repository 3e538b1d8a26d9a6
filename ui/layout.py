"""The page: its head, its tabs, its endpoints for other programs. Tabs do not know each other."""

from __future__ import annotations

import gradio as gr

from ui import endpoints, theme
from ui.chat_tab import build_chat_tab
from ui.compare_tab import build_compare_tab
from ui.layout_parts import I18N, label
from ui.services import Services
from ui.train_tab import build_train_tab


def build(services: Services) -> gr.Blocks:
    """Every widget and every handler of the app."""
    with gr.Blocks(title="সহমর্মী · Shohomormi", analytics_enabled=False, fill_width=True) as page:
        with gr.Row(elem_id="top"):
            gr.Markdown(label("brand"), elem_classes="brand", container=False)
            language = gr.Button(label("language"), size="sm", elem_id="language")
        with gr.Tabs():
            with gr.Tab(label("tab.train"), id="train"):
                build_train_tab(services, page)
            with gr.Tab(label("tab.compare"), id="compare") as compare:
                build_compare_tab(services, compare)
            with gr.Tab(label("tab.chat"), id="chat") as chat:
                build_chat_tab(services, chat, page)
        endpoints.add(services)
        language.click(None, None, None, js=theme.SWITCH_LANGUAGE, api_visibility="private")
    return page


def launch_settings() -> dict:
    """What `launch` needs for the page to look and behave as it should; privacy is the default."""
    return {
        "theme": theme.theme(),
        "css_paths": [theme.STYLE],
        "head": theme.HEAD,
        "i18n": I18N,
        "run_history": False,  # else the browser would store every message outside the person's control
        "footer_links": [],
        "show_error": True,
        "ssr_mode": False,
    }

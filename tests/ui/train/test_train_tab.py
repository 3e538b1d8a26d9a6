"""The Train tab's pages, and the way from one to the other."""

import gradio as gr

from ui.train import new_run
from ui.train_tab import build_train_tab


def test_the_form_of_a_new_run_holds_a_control_for_the_preset_the_data_and_every_setting(services):
    with gr.Blocks() as page:
        tab = build_train_tab(services, page)
    assert len(tab.form) == 2 + len(new_run.NAMES)


def test_a_started_run_and_an_opened_one_lead_to_the_page_that_watches_it(services):
    with gr.Blocks() as page:
        tab = build_train_tab(services, page)
    leading = [
        function
        for function in page.fns.values()
        if tab.pages in function.outputs and function.fn.__name__ == "watch_it"
    ]
    assert len(leading) == 2

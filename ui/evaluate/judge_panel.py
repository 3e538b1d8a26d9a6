"""Asking a language model which replies are better: off until somebody names one, and beside what people said.

Replies go to the server that is named, but for what needs care. The figures are made by `finetune.review.judging`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from finetune.errors import ReviewError
from finetune.inference.remote import RemoteBackend
from finetune.review import evaluation_report, judging, pair_sets
from finetune.review.evaluating import Progress
from finetune.review.evaluation_words import evaluation_words
from finetune.review.judge_questions import LANGUAGES
from ui.errors import language_of
from ui.evaluate import chosen
from ui.evaluate.asking import SECONDS, shown_html, stoppable
from ui.evaluate.background import JUDGE, Background, Job
from ui.layout_parts import label
from ui.maker import for_maker
from ui.pair_titles import title_of
from ui.services import Services

STAGE = "judge"


def build(services: Services, background: Background, tab: gr.Tab) -> None:
    """Lay out the page and wire it."""
    gr.Markdown(label("judge.note"), elem_classes="quiet")
    with gr.Row(equal_height=False):
        with gr.Column(scale=6, min_width=320):
            what = gr.Dropdown([], label=label("judge.what"), info=label("judge.what.info"), elem_id="judge-what")
            with gr.Row():
                model = gr.Textbox(label=label("judge.model"), max_lines=1, min_width=180, elem_id="judge-model")
                url = gr.Textbox(
                    label=label("judge.url"), placeholder="http://localhost:8000/v1", max_lines=1, min_width=220,
                    elem_id="judge-url",
                )  # fmt: skip
            words = gr.Radio(
                [(label(f"judge.language.{one}"), one) for one in LANGUAGES], value="en", label=label("judge.language")
            )
            with gr.Row(elem_classes="actions"):
                start = gr.Button(label("judge.start"), elem_id="judge-start")
                stop = gr.Button(label("stop"), interactive=False)
        with gr.Column(scale=5, min_width=300):
            card = gr.HTML(padding=False, elem_id="judge-card")
            said = gr.HTML(padding=False, elem_id="judge-said")
    timer = gr.Timer(SECONDS, active=False)
    panel = [card, said, start, stop, timer]

    def looked(name: str | None, request: gr.Request) -> list[Any]:
        language, job = language_of(request), background.job
        with for_maker(services, request):
            told = judging.read(folder_of(services.home, name)) if name else None
        return [
            shown_html(job, JUDGE, language),
            evaluation_report.judgement(told, evaluation_words(language), language) if told else "",
            gr.Button(interactive=not background.busy),
            gr.Button(interactive=stoppable(job, JUDGE)),
            gr.Timer(active=background.busy),
        ]

    def begun(name: str | None, model_: str, url_: str, which: str, request: gr.Request) -> list[Any]:
        with for_maker(services, request):
            if not name:
                raise ReviewError("Make an evaluation or a set of pairs first.", key="judge.nothing")
            if not (model_ or "").strip() or not (url_ or "").strip():
                raise ReviewError("Name the judge's model and its server's address first.", key="judge.unnamed")
            judge(services, background, name, model_.strip(), url_.strip(), which)
        return looked(name, request)

    def stopped(name: str | None, request: gr.Request) -> list[Any]:
        with for_maker(services, request):
            background.end(JUDGE)
        return looked(name, request)

    def opened(name: str | None, request: gr.Request) -> list[Any]:
        language = language_of(request)
        with for_maker(services, request):
            sets = [
                (title_of(services, one, language), f"{pair_sets.FOLDER}/{one}") for one in services.reviewing.sets()
            ]
            made = chosen.titled(services.home, chosen.listed(services.home), language)
        choices = [*sets, *made]
        name = chosen.kept(choices, name)
        return [gr.Dropdown(choices=choices, value=name), *looked(name, request)]

    private = {"api_visibility": "private", "show_progress": "hidden"}
    tab.select(opened, what, [what, *panel], **private)
    what.input(looked, what, panel, trigger_mode="always_last", **private)
    start.click(begun, [what, model, url, words], panel, **private)
    stop.click(stopped, what, panel, **private)
    timer.tick(looked, what, panel, **private)


def judge(services: Services, background: Background, name: str, model: str, url: str, language: str) -> Job:
    """Begin to ask the judge about a set of Compare or an evaluation; what was judged already is not asked again."""
    folder, server, votes = folder_of(services.home, name), RemoteBackend(url, model), []
    set_id = name.removeprefix(f"{pair_sets.FOLDER}/")
    if set_id == name:
        items = judging.of_evaluation(chosen.read(services.home, name))
    else:
        items, votes = judging.of_set(services.reviewing.read(set_id)), services.reviewing.votes.lines(set_id)

    def work(job: Job) -> bool:
        job.pace.begin({STAGE: 1.0})
        made = judging.judge(
            items, server, f"{model}@{url}", folder / judging.FILE, language, job.stop,
            lambda done, total: job.report(Progress(STAGE, done, total)),
        )  # fmt: skip
        if made:
            judging.save(folder, {"judge": model, **judging.figures(items, made, votes)})
        return len(made) == len(items.items)

    return background.begin(JUDGE, (), work)


def folder_of(home: Path, name: str) -> Path:
    """Where a set or an evaluation lies, by the chooser's value; ReviewError for anything else."""
    set_id = name.removeprefix(f"{pair_sets.FOLDER}/")
    return chosen.read(home, name).folder if set_id == name else pair_sets.read(home, set_id).folder

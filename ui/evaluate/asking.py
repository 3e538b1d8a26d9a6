"""Asking held-out questions: of whom, which split, how many; how far it is, and that it may be stopped and taken up."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from finetune.models import DEMO
from finetune.review import evaluation_report, html_page
from finetune.review.evaluation import Evaluation
from finetune.review.evaluation_order import EVALUATED
from finetune.review.spoken import Spoken
from ui import wording
from ui.errors import language_of
from ui.evaluate import chosen
from ui.evaluate.background import Background, Job
from ui.layout_parts import label, local_choices, note_html
from ui.maker import for_maker
from ui.services import Services
from ui.wording_evaluation import evaluation_words

SECONDS = 1.0
"""Between two looks at an evaluation that is being made."""

HEADLINE = ("bits_per_character", "chrf")
"""Of all figures those that tell one evaluation from another."""

MOST, STEP, USUAL = 4000, 20, 400
"""Of the slider; the largest split of the corpus that the reference recipe names has 3,821 rows."""


def build(services: Services, background: Background, tab: gr.Tab) -> None:
    """Lay out the page and wire it."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=6, min_width=320):
            whose = gr.Dropdown(
                local_choices(services), value=[DEMO], multiselect=True, label=label("evaluate.whose"),
                info=label("evaluate.whose.info"), elem_id="evaluate-whose",
            )  # fmt: skip
            split = gr.Radio(
                [(label(f"evaluate.split.{one}.long"), one) for one in reversed(EVALUATED)],
                value="test",
                label=label("evaluate.split"),
                info=label("evaluate.split.info"),
            )
            count = gr.Slider(
                STEP, MOST, USUAL, step=STEP, label=label("evaluate.count"), info=label("evaluate.count.info"),
                elem_id="evaluate-count", min_width=300,
            )  # fmt: skip
            steps = gr.Checkbox(False, label=label("evaluate.steps"), info=label("evaluate.steps.info"))
            with gr.Row(elem_classes="actions"):
                start = gr.Button(label("evaluate.start"), variant="primary", elem_id="evaluate-start")
                stop = gr.Button(label("stop"), interactive=False, elem_id="evaluate-stop")
        with gr.Column(scale=5, min_width=300):
            card = gr.HTML(padding=False, elem_id="evaluate-card")
            table = gr.HTML(padding=False, elem_id="evaluate-all")
    timer = gr.Timer(SECONDS, active=False)
    panel = [card, table, start, stop, timer]

    def looked(request: gr.Request) -> list[Any]:
        language = language_of(request)
        with for_maker(services, request):
            made = chosen.listed(services.home)
        return [
            card_html(background.job, language) if background.job or made else note_html("evaluate.none", language),
            table_html(made, language),
            gr.Button(interactive=not background.busy),
            gr.Button(interactive=background.busy),
            gr.Timer(active=background.busy),
        ]

    def begun(names: list[str], which: str, most: int, over_steps: bool, request: gr.Request) -> list[Any]:
        with for_maker(services, request):
            background.evaluate(names or [], which, int(most), over_steps=bool(over_steps))
        return looked(request)

    def stopped(request: gr.Request) -> list[Any]:
        with for_maker(services, request):
            if background.job is not None:
                background.job.stop.set()
        return looked(request)

    def opened(names: list[str], request: gr.Request) -> list[Any]:
        known = services.adapters()
        kept = [name for name in names or [] if name in known]
        return [gr.Dropdown(choices=local_choices(services), value=kept), *looked(request)]

    private = {"api_visibility": "private", "show_progress": "hidden"}
    start.click(begun, [whose, split, count, steps], panel, **private)
    stop.click(stopped, None, panel, **private)
    timer.tick(looked, None, panel, **private)
    tab.select(opened, whose, [whose, *panel], **private)


def card_html(job: Job | None, language: str) -> str:
    """What is being made, or what became of it."""
    if job is None:
        return ""
    if job.error is not None:
        told = html.escape(wording.error(job.error, language))
        return f'<div class="run-card failed" lang="{language}"><div class="error" role="alert">{told}</div></div>'
    facts = [chosen.whose_of(job.name, language)] if job.name else []
    at = job.progress
    share = 100 * at.done / (at.total or 1) if at else 0.0
    if job.over:
        facts.append(wording.sentence(f"evaluate.{'stopped' if job.stopped else 'done'}", language))
        share = share if job.stopped else 100.0
    elif at is not None:
        facts.append(wording.sentence(f"evaluate.stage.{at.stage}", language, done=at.done, total=at.total))
        if at.left:
            facts.append(wording.sentence("pairs.left", language, time=wording.spoken_time(at.left, language)))
    else:
        facts.append(wording.sentence("evaluate.stage.begin", language))
    told = "".join(f"<span>{html.escape(fact)}</span>" for fact in facts)
    kind = "active" if not job.over else ("stopped" if job.stopped else "finished")
    return (
        f'<div class="run-card {kind}" lang="{language}" role="status">'
        f'<div class="bar"><i style="width:{share:.1f}%"></i></div><div class="facts">{told}</div></div>'
    )


def table_html(made: list[Evaluation], language: str) -> str:
    """All evaluations in a few figures each, the latest first."""
    if not made:
        return ""
    spoken = Spoken(evaluation_words(language), language)
    rows = [
        (
            chosen.title(one, language),
            *(evaluation_report.difference(name, one.result["difference"][name], spoken) for name in HEADLINE),
        )
        for one in made
    ]
    heads = [spoken.say(f"metric.{name}") for name in HEADLINE]
    told = html.escape(wording.sentence("evaluate.all", language))
    table = html_page.table(spoken, ("what",), rows, heads)
    return f'<div class="verdict-plots" lang="{language}"><section><h2>{told}</h2>{table}</section></div>'

"""Asking held-out questions: of whom, which split, how many; how far it is, and that it may be stopped and taken up."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from finetune.models import DEMO
from finetune.review import evaluation_report, html_page, unfinished
from finetune.review.evaluation import Evaluation
from finetune.review.evaluation_shape import EVALUATED
from finetune.review.evaluation_words import evaluation_words
from finetune.review.spoken import Spoken
from finetune.review.unfinished import Unfinished
from ui import wording
from ui.errors import language_of
from ui.evaluate import chosen
from ui.evaluate.background import EVALUATION, Background, Job
from ui.layout_parts import label, local_choices, note_html
from ui.maker import for_maker
from ui.services import Services

SECONDS = 1.0
"""Between two looks at an evaluation that is being made."""

HEADLINE = ("bits_per_character", "chrf")
"""Of all figures those that tell one evaluation from another."""

MOST, STEP, USUAL = 4000, 20, 400
"""Of the slider, for a quick look; the whole split is a box to tick."""


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
            everything = gr.Checkbox(
                False, label=label("evaluate.everything"), info=label("evaluate.everything.info"),
                elem_id="evaluate-everything",
            )  # fmt: skip
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
            left = gr.HTML(padding=False, visible=False, elem_id="evaluate-left")
            go_on = gr.Button(label("evaluate.go_on"), visible=False, elem_id="evaluate-go-on")
            table = gr.HTML(padding=False, elem_id="evaluate-all")
    timer = gr.Timer(SECONDS, active=False)
    panel = [card, table, start, stop, timer, left, go_on]

    def looked(request: gr.Request, *, ended: bool = True) -> list[Any]:
        """The panel as it is now; the table of all evaluations only where one may have come to it."""
        language, job = language_of(request), background.job
        with for_maker(services, request):
            made = chosen.listed(services.home) if ended or not background.busy else None
            begun_ = [] if background.busy else unfinished.listed(services.home, background.backend)
        none = note_html("evaluate.none", language) if made == [] and not begun_ else ""
        return [
            shown_html(job, EVALUATION, language) or none,
            gr.skip() if made is None else table_html(made, language),
            gr.Button(interactive=not background.busy),
            gr.Button(interactive=stoppable(job, EVALUATION)),
            gr.Timer(active=background.busy),
            gr.HTML(left_html(begun_, language), visible=bool(begun_)),
            gr.Button(visible=bool(begun_)),
        ]

    def ticked(request: gr.Request) -> list[Any]:
        return looked(request, ended=False)

    def begun(
        names: list[str], which: str, all_of_it: bool, most: int, over_steps: bool, request: gr.Request
    ) -> list[Any]:
        with for_maker(services, request):
            background.evaluate(names or [], which, None if all_of_it else int(most), over_steps=bool(over_steps))
        return looked(request)

    def taken_up(request: gr.Request) -> list[Any]:
        with for_maker(services, request):
            for newest in unfinished.listed(services.home, background.backend)[:1]:
                background.go_on(newest)
        return looked(request)

    def stopped(request: gr.Request) -> list[Any]:
        with for_maker(services, request):
            background.end(EVALUATION)
        return looked(request)

    def opened(names: list[str], request: gr.Request) -> list[Any]:
        known = services.adapters()
        kept = [name for name in names or [] if name in known]
        return [gr.Dropdown(choices=local_choices(services), value=kept), *looked(request)]

    private = {"api_visibility": "private", "show_progress": "hidden"}
    start.click(begun, [whose, split, everything, count, steps], panel, **private)
    go_on.click(taken_up, None, panel, **private)
    stop.click(stopped, None, panel, **private)
    timer.tick(ticked, None, panel, **private)
    everything.change(lambda all_of_it: gr.Slider(interactive=not all_of_it), everything, count, **private)
    tab.select(opened, whose, [whose, *panel], **private)


def shown_html(job: Job | None, kind: str, language: str) -> str:
    """The card of a page's own job; of another's only while it keeps this page waiting."""
    return "" if job is None or (job.over and job.kind != kind) else card_html(job, language)


def stoppable(job: Job | None, kind: str) -> bool:
    """True where a page's own job goes on and nobody has asked it to stop."""
    return job is not None and job.kind == kind and not job.over and not job.stopping


def card_html(job: Job, language: str) -> str:
    """What is being made, or what became of it: a state that is heard when it changes, and figures that are not."""
    if job.error is not None:
        told = html.escape(wording.error(job.error, language))
        return f'<div class="run-card failed" lang="{language}"><div class="error" role="alert">{told}</div></div>'
    facts = [chosen.whose_of(job.name, language)] if job.name else []
    if job.pace.runs > 1 and job.pace.number:
        facts.append(wording.sentence("evaluate.run", language, number=job.pace.number, total=job.pace.runs))
    at, share = job.progress, 100 * job.pace.share
    if job.over:
        kind = "stopped" if job.stopped else "finished"
        state = "evaluate.stopped" if job.stopped else "evaluate.done"
        share = share if job.stopped else 100.0
    else:
        kind = "active"
        state = "evaluate.stopping" if job.stopping else f"evaluate.stage.{at.stage if at else 'begin'}"
        if at is not None:
            facts.append(wording.sentence(f"evaluate.at.{at.stage}", language, done=at.done, total=at.total))
        if job.pace.left and not job.stopping:
            facts.append(wording.sentence("pairs.left", language, time=wording.spoken_time(job.pace.left, language)))
    told = "".join(f"<span>{html.escape(fact)}</span>" for fact in facts)
    named = html.escape(wording.sentence("evaluate.bar", language))
    return (
        f'<div class="run-card {kind}" lang="{language}">'
        f'<div class="state"><span class="dot"></span>{html.escape(wording.sentence(state, language))}</div>'
        f'<div class="bar" role="progressbar" aria-label="{named}" aria-valuemin="0" aria-valuemax="100"'
        f' aria-valuenow="{share:.0f}"><i style="width:{share:.1f}%"></i></div><div class="facts">{told}</div></div>'
    )


def left_html(found: list[Unfinished], language: str) -> str:
    """What was begun and is not finished, the newest first: whose, of which split, how far it came."""
    if not found:
        return ""
    key = "evaluate.left" if len(found) == 1 else "evaluate.left.several"
    told = html.escape(wording.sentence(key, language, count=len(found)))
    lines = []
    for one in found:
        done = {"done": one.answered or one.read, "total": one.questions}
        stage = "answered" if one.answered else "read" if one.read else "nothing"
        far = wording.sentence(f"evaluate.left.{stage}", language, **done)
        facts = (chosen.whose_of(one.name, language), wording.sentence(f"evaluate.split.{one.split}", language), far)
        lines.append(f'<div class="facts"><span>{html.escape(" · ".join(facts))}</span></div>')
    if len(found) > 1:
        lines.append(f'<div class="quiet">{html.escape(wording.sentence("evaluate.left.newest", language))}</div>')
    return (
        f'<div class="run-card stopped" lang="{language}">'
        f'<div class="state"><span class="dot"></span>{told}</div>{"".join(lines)}</div>'
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

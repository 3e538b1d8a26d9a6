"""What an evaluation came to: the table with intervals, pictures, another run beside it, the report to take away.

The figures are made by `finetune.review.evaluating`, the pictures by `evaluation_report`; here they are only shown.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from finetune.errors import ReviewError
from finetune.review import bits_over_steps, evaluation_drawing, evaluation_report, judging
from finetune.review.evaluation import SCORES, Evaluation
from finetune.review.evaluation_figures import SIDES
from finetune.review.evaluation_words import evaluation_words
from finetune.review.spoken import Spoken
from ui import wording
from ui.errors import language_of
from ui.evaluate import against, chosen
from ui.layout_parts import label, note_html
from ui.maker import for_maker
from ui.services import Services

SHOWN = ("bits_per_character", "chrf")
"""Scores whose lie the figures show anyway."""


def build(services: Services, tab: gr.Tab) -> gr.Dropdown:
    """Lay out the page and wire it; gives the chooser, so that the replies' page can follow it."""
    with gr.Row():
        which = gr.Dropdown([], label=label("evaluate.which"), min_width=300, elem_id="evaluate-which")
        other = gr.Dropdown(
            [], label=label("evaluate.against"), min_width=300, visible=False, elem_id="evaluate-against"
        )
    between = gr.HTML(padding=False, elem_id="evaluate-between")
    shown = gr.HTML(padding=False, elem_id="evaluation")
    with gr.Accordion(label("evaluate.spread"), open=False):
        score = gr.Dropdown([], label=label("evaluate.spread.of"), elem_id="evaluate-spread-of")
        lying = gr.HTML(padding=False, elem_id="evaluate-spread")
    with gr.Accordion(label("evaluate.take"), open=False):
        with gr.Row(elem_classes="actions"):
            reports = {
                language: gr.Button(
                    label(f"verdict.report.{language}"), size="sm", elem_id=f"evaluate-report-{language}"
                )
                for language in wording.LANGUAGES
            }
            scores = gr.Button(label("evaluate.scores"), size="sm", elem_id="evaluate-scores")
        parcel = gr.File(show_label=False, label=label("train.zip.file"), visible=False, elem_id="evaluate-file")

    def opened(name: str | None, request: gr.Request) -> list[Any]:
        """The chooser with all evaluations there are, and the one that is chosen; the latest where none is."""
        language = language_of(request)
        with for_maker(services, request):
            choices, name = chosen.offered(services.home, name, language)
        return [gr.Dropdown(choices=choices, value=name), *show(name, request)]

    def show(name: str | None, request: gr.Request) -> list[Any]:
        """The figures, the runs and the scores to choose from; what was made of another evaluation is put away."""
        language = language_of(request)
        if not name:
            return [
                note_html("evaluate.none", language),
                gr.File(visible=False),
                gr.Dropdown(choices=[], value=None),
                "",
                gr.Dropdown(choices=[], value=None, visible=False),
                "",
            ]
        with for_maker(services, request):
            one = chosen.read(services.home, name)
            figures = evaluation_report.sections(one, evaluation_words(language), language, **beside(services, one))
            spoken = Spoken(evaluation_words(language), language)
            scored = [(spoken.told(f"metric.{each}", each), each) for each in one.replies[0].scores["base"]]
            first = next(each for _, each in scored if each not in SHOWN)
            others = against.choices(services.home, one, language)
            return [
                figures,
                gr.File(visible=False),
                gr.Dropdown(choices=scored, value=first),
                spread_html(one, first, language),
                gr.Dropdown(choices=others, value=against.NOBODY if others else None, visible=bool(others)),
                "",
            ]

    def compared(name: str | None, against_: str | None, request: gr.Request) -> str:
        """What lies between the chosen evaluation and another run's."""
        with for_maker(services, request):
            return against.section_html(services.home, name, against_, language_of(request))

    def spread(name: str | None, score_: str | None, request: gr.Request) -> str:
        """How one score lies on both sides."""
        if not name or not score_:
            return ""
        with for_maker(services, request):
            return spread_html(chosen.read(services.home, name), score_, language_of(request))

    def taken(ending: str, write: Callable[[Evaluation, Path], Any]) -> Any:
        """A handler that writes a file of the chosen evaluation and offers it."""

        def handler(name: str | None, request: gr.Request) -> gr.File:
            with for_maker(services, request):
                one = chosen.read(services.home, name)
                path = chosen.parcel(services.scratch, one, ending)
                write(one, path)
                return gr.File(value=str(path), visible=True)

        return handler

    def reported(language: str) -> Any:
        def write(one: Evaluation, path: Path) -> None:
            date = time.strftime("%Y-%m-%d")
            told = evaluation_report.page(one, evaluation_words(language), language, date=date, **beside(services, one))
            path.write_text(told, encoding="utf-8")

        return taken(f"{language}.html", write)

    panel = [shown, parcel, score, lying, other, between]
    private = {"api_visibility": "private", "show_progress": "hidden"}
    tab.select(opened, which, [which, *panel], **private)
    which.input(show, which, panel, trigger_mode="always_last", **private)
    other.input(
        compared, [which, other], between, **{**private, "show_progress": "minimal"}, trigger_mode="always_last"
    )
    score.input(spread, [which, score], lying, trigger_mode="always_last", **private)
    for language, button in reports.items():
        button.click(reported(language), which, parcel, **private)
    scores.click(taken("json", copy_scores), which, parcel, **private)
    return which


def beside(services: Services, one: Evaluation) -> dict[str, Any]:
    """What stands beside an evaluation's own figures: its run's checkpoints, and what a judge said of its replies."""
    run = chosen.run_of(services.home, one)
    steps = () if run is None else bits_over_steps.read(run).get(bits_over_steps.SPLIT, ())
    return {"steps": steps, "judged": judging.read(one.folder)}


def spread_html(one: Evaluation, score: str, language: str) -> str:
    """How one score of the replies lies on both sides; ReviewError for what is none."""
    if f"base.{score}" not in one.sorts:
        raise ReviewError(
            f"Replies have no score {score[:60]!r}. Choose one from the list.", key="evaluation.sort", name=score[:60]
        )
    values = {side: [reply.scores[side][score] for reply in one.replies] for side in SIDES}
    plot = evaluation_drawing.spread(values, score, evaluation_words(language), language)
    return f'<div class="verdict-plots" lang="{language}">{plot}</div>'


def copy_scores(one: Evaluation, path: Path) -> None:
    """All figures as they lie on the disk."""
    path.write_bytes((one.folder / SCORES).read_bytes())

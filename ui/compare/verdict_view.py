"""The verdict: what the votes on a set come to, in pictures and one plain sentence; then the report, what follows.

The figures are made by `finetune.review.verdict`, the pictures by `finetune.review.report`; here they are only shown.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from finetune.errors import DataError
from finetune.recipe import Recipe
from finetune.review import outcome, report
from finetune.review import verdict as verdicts
from ui import wording
from ui.errors import language_of
from ui.layout_parts import label, note_html
from ui.maker import for_maker
from ui.pair_titles import spoken, title_of
from ui.services import Services
from ui.wording_review import report_words

DPO = "demo-dpo"
"""The preset that goes on from a reviewed adapter."""


@dataclass
class VerdictView:
    """What the tabs around it wire: the button that takes the preferences to training, and what it needs."""

    train: gr.Button
    chosen: gr.Dropdown


def build(services: Services, tab: gr.Tab) -> VerdictView:
    """Lay out the page and wire it."""
    with gr.Row(equal_height=False):
        chosen = gr.Dropdown([], label=label("verdict.sets"), elem_id="verdict-set", scale=4, min_width=240)
        again = gr.Button(label("verdict.refresh"), size="sm", scale=1, min_width=120, elem_id="verdict-refresh")
    shown = gr.HTML(padding=False, elem_id="verdict")
    with gr.Accordion(label("verdict.report"), open=False):
        with gr.Row(elem_classes="actions"):
            reports = {
                language: gr.Button(
                    label(f"verdict.report.{language}"), size="sm", elem_id=f"verdict-report-{language}"
                )
                for language in wording.LANGUAGES
            }
            export = gr.Button(label("verdict.export"), size="sm", elem_id="verdict-export")
        parcel = gr.File(show_label=False, label=label("train.zip.file"), visible=False, elem_id="verdict-file")
        add = gr.File(label=label("verdict.import"), file_types=[".jsonl"], type="filepath", height=110)
        added = gr.HTML(padding=False)
    with gr.Accordion(label("verdict.preferences"), open=False, elem_id="verdict-preferences"):
        make = gr.Button(label("verdict.preferences.make"), size="sm", elem_id="verdict-make")
        made = gr.HTML(padding=False)
        bundle = gr.File(show_label=False, label=label("verdict.preferences.file"), visible=False)
        train = gr.Button(label("verdict.train"), visible=False, elem_id="verdict-train")

    def opened(request: gr.Request, name: str | None) -> list[Any]:
        language = language_of(request)
        sets = services.reviewing.all_sets()
        if name not in sets:  # the newest that somebody has voted on, else the newest
            voted = (one for one in sets if services.reviewing.votes.standing(one))
            name = next(voted, sets[0] if sets else None)
        return [
            gr.Dropdown(choices=[(title_of(services, one, language), one) for one in sets], value=name),
            *counted(request, name),
        ]

    def counted(request: gr.Request, name: str | None) -> list[Any]:
        """The figures; what was made for another set is put away."""
        language = language_of(request)
        hidden = [gr.File(visible=False), gr.File(visible=False), "", gr.Button(visible=False)]
        if not name:
            return [note_html("pairs.none", language), *hidden]
        with for_maker(services, request):
            votes = outcome.lines(services.reviewing, name)
            if not votes:
                return [note_html("verdict.none", language), *hidden]
            figures = report.sections(
                verdicts.verdict(votes), report_words(language), language, _names(services, name, language)
            )
            return [f'<div class="verdict" lang="{language}">{figures}</div>', *hidden]

    def reported(language: str) -> Any:
        def handler(request: gr.Request, name: str | None) -> gr.File:
            with for_maker(services, request):
                found = services.reviewing.read(name or "")
                facts = outcome.facts(found, _names(services, found.set_id, language))
                figures = verdicts.verdict(outcome.lines(services.reviewing, found.set_id))
                page_ = report.page(figures, report_words(language), facts, language)
                path = Path(tempfile.mkdtemp()) / f"{name}.{language}.html"
                path.write_text(page_, encoding="utf-8")
                return gr.File(value=str(path), visible=True)

        return handler

    def exported(request: gr.Request, name: str | None) -> gr.File:
        with for_maker(services, request):
            path = Path(tempfile.mkdtemp()) / f"{name}.votes.jsonl"
            outcome.export(services.reviewing, services.reviewing.read(name or "").set_id, path)
            return gr.File(value=str(path), visible=True)

    def imported(request: gr.Request, path: str | None, name: str | None) -> list[Any]:
        with for_maker(services, request) as language:
            if not path:
                raise DataError("Choose a file first.", key="pairs.no_file")
            new, known = outcome.take_over(services.reviewing, Path(path))
            told = note_html("verdict.imported", language, added=new, known=known)
        return [told, *opened(request, name)]

    def prepared(request: gr.Request, name: str | None) -> list[Any]:
        with for_maker(services, request) as language:
            folder, found = outcome.preferences(services.reviewing, services.reviewing.read(name or "").set_id)
            archive = shutil.make_archive(str(Path(tempfile.mkdtemp()) / f"{name}.preferences"), "zip", folder)
            told = note_html("verdict.preferences.made", language, dpo=len(found.dpo), kto=len(found.kto))
            return [told, gr.File(value=archive, visible=True), gr.Button(visible=bool(found.dpo))]

    private = {"api_visibility": "private", "show_progress": "hidden"}
    figures = [shown, parcel, bundle, made, train]
    tab.select(opened, chosen, [chosen, *figures], **private)
    for event in (chosen.input, again.click):
        event(counted, chosen, figures, **private)
    for language, button in reports.items():
        button.click(reported(language), chosen, parcel, **private)
    export.click(exported, chosen, parcel, **private)
    add.upload(imported, [add, chosen], [added, chosen, *figures], **private)
    make.click(prepared, chosen, [made, bundle, train], api_visibility="private")
    return VerdictView(train, chosen)


def _names(services: Services, set_id: str, language: str) -> dict[str, str]:
    names = services.reviewing.names(set_id)
    return {role: spoken(title, language) for role, title in names.items()}


def recipe(services: Services, set_id: str) -> Recipe:
    """A recipe that trains on a set's preferences, from the adapter that was reviewed."""
    return Recipe.read(DPO).with_settings(outcome.training_settings(services.reviewing, set_id))

"""All replies of an evaluation, by any score, topic or word: the question, the reference, and what both sides said."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from finetune import bengali
from finetune.review import evaluation_report, html_page
from finetune.review.evaluation import DIFFERENCE, SORTS, Evaluation, Reply
from finetune.review.evaluation_figures import SIDES
from finetune.review.evaluation_words import evaluation_words
from finetune.review.spoken import Spoken
from ui import wording
from ui.errors import language_of
from ui.evaluate import chosen
from ui.layout_parts import label, note_html
from ui.maker import for_maker
from ui.services import Services

ROWS = 10
"""Replies on one page."""

SORT = "chrf"
"""What replies are sorted by at first."""

ANY = "*"
"""The topic chooser's value for all topics; a topic may be empty."""

ORDERS = ("most", "least")


def build(services: Services, tab: gr.Tab) -> gr.Dropdown:
    """Lay out the page and wire it; gives the chooser, so that it can follow the figures' page."""
    which = gr.Dropdown([], label=label("evaluate.which"))
    with gr.Row():
        score = gr.Dropdown([], label=label("evaluate.sort"), min_width=180, elem_id="evaluate-sort")
        kind = gr.Radio(
            [(label(f"evaluate.sort.{one}"), one) for one in reversed(SORTS)],
            value=DIFFERENCE, label=label("evaluate.sort.of"), min_width=260,
        )  # fmt: skip
        order = gr.Radio(
            [(label(f"evaluate.order.{one}"), one) for one in ORDERS],
            value=ORDERS[0], label=label("evaluate.order"), min_width=200,
        )  # fmt: skip
    with gr.Row():
        topic = gr.Dropdown([], label=label("evaluate.topic"), min_width=180, elem_id="evaluate-topic")
        search = gr.Textbox(
            label=label("evaluate.search"), placeholder=label("evaluate.search.hint"), max_lines=1, min_width=220,
            elem_id="evaluate-search",
        )  # fmt: skip
    shown = gr.HTML(padding=False, elem_id="evaluate-replies")
    with gr.Row(elem_classes="actions"):
        before = gr.Button(label("evaluate.before"), size="sm", interactive=False)
        after = gr.Button(label("evaluate.after"), size="sm", interactive=False, elem_id="evaluate-after")
        as_csv = gr.Button(label("evaluate.csv"), size="sm", elem_id="evaluate-csv")
        as_json = gr.Button(label("evaluate.json"), size="sm", elem_id="evaluate-json")
    parcel = gr.File(show_label=False, label=label("train.zip.file"), visible=False)
    start = gr.State(0)
    asked = [which, score, kind, order, topic, search]
    answer = [shown, before, after, start, parcel]

    def opened(
        name: str | None, score_: str | None, kind_: str, order_: str, topic_: str | None, text: str,
        request: gr.Request,
    ) -> list[Any]:  # fmt: skip
        """The choosers as the disk has it now, and the first replies of what is chosen; the latest where nothing is."""
        language = language_of(request)
        with for_maker(services, request):
            choices, name = chosen.offered(services.home, name, language)
        return [
            gr.Dropdown(choices=choices, value=name),
            *another(name, score_, kind_, order_, topic_, text, request),
        ]

    def another(
        name: str | None, score_: str | None, kind_: str, order_: str, topic_: str | None, text: str,
        request: gr.Request,
    ) -> list[Any]:  # fmt: skip
        """The first replies that the controls ask for, with the evaluation's own topics and scores to choose from."""
        language = language_of(request)
        scores: list[tuple[str, str]] = []
        topics = [(wording.sentence("evaluate.topic.any", language), ANY)]
        if name:
            with for_maker(services, request):
                one = chosen.read(services.home, name)
            spoken = Spoken(evaluation_words(language), language)
            scores = [(spoken.told(f"metric.{each}", each), each) for each in one.replies[0].scores[DIFFERENCE]]
            topics += [(topic_ or wording.sentence("evaluate.topic.none", language), topic_) for topic_ in one.topics]
        # The controls keep what they hold, for the list has to be what they say; but for what this one does not have.
        score_, topic_ = held(scores, score_, SORT), held(topics, topic_, ANY)
        return [
            gr.Dropdown(choices=scores, value=score_),
            gr.Dropdown(choices=topics, value=topic_),
            *show(name, score_, kind_, order_, topic_, text, request),
        ]

    def show(
        name: str | None, score_: str | None, kind_: str, order_: str, topic_: str | None, text: str,
        request: gr.Request, at: int = 0,
    ) -> list[Any]:  # fmt: skip
        """Some replies, from `at` on, and whether there are more on either side of them."""
        language = language_of(request)
        if not name or not score_:
            none = gr.Button(interactive=False)
            return [note_html("evaluate.none", language), none, none, 0, gr.File(visible=False)]
        with for_maker(services, request):
            one = chosen.read(services.home, name)
            found = one.rows(**asked_for(score_, kind_, order_, topic_, text), start=at, count=ROWS)
        spoken = Spoken(evaluation_words(language), language)
        told = note_html("evaluate.found.none", language)
        if found.rows:
            span = {"first": at + 1, "last": at + len(found.rows), "total": found.total}
            told = html.escape(wording.sentence("evaluate.found", language, **span))
            told = f'<p class="quiet" role="status">{told}</p>' + "".join(
                reply_html(reply, score_, kind_, spoken) for reply in found.rows
            )
        more = at + len(found.rows) < found.total
        return [
            f'<div lang="{language}">{told}</div>',
            gr.Button(interactive=at > 0),
            gr.Button(interactive=more),
            at,
            gr.File(visible=False),
        ]

    def turned(by: int) -> Any:
        def handler(
            name: str | None, score_: str, kind_: str, order_: str, topic_: str, text: str, at: int, request: gr.Request
        ) -> list[Any]:
            return show(name, score_, kind_, order_, topic_, text, request, max(0, at + by))

        return handler

    def taken(write: Any, ending: str) -> Any:
        def handler(
            name: str | None, score_: str, kind_: str, order_: str, topic_: str, text: str, request: gr.Request
        ) -> gr.File:
            with for_maker(services, request):
                one = chosen.read(services.home, name)
                path = chosen.parcel(services.scratch, one, ending)
                write(one, path, **asked_for(score_, kind_, order_, topic_, text))
                return gr.File(value=str(path), visible=True)

        return handler

    private = {"api_visibility": "private", "show_progress": "hidden"}
    tab.select(opened, asked, [which, score, topic, *answer], **private)
    which.input(another, asked, [score, topic, *answer], trigger_mode="always_last", **private)
    for changed in (score.input, kind.input, order.input, topic.input, search.submit, search.blur):
        changed(show, asked, answer, trigger_mode="always_last", **private)
    before.click(turned(-ROWS), [*asked, start], answer, **private)
    after.click(turned(ROWS), [*asked, start], answer, **private)
    as_csv.click(taken(Evaluation.save_csv, "csv"), asked, parcel, **private)
    as_json.click(taken(Evaluation.save_json, "json"), asked, parcel, **private)
    return which


def asked_for(score: str, kind: str, order: str, topic: str | None, text: str | None) -> dict[str, Any]:
    """What the controls say, as `Evaluation.rows` and the files take it."""
    return {
        "sort": f"{kind}.{score}",
        "topic": None if topic == ANY else topic,
        "search": text or "",
        "descending": order == ORDERS[0],
    }


def held(choices: list[tuple[str, str]], value: str | None, usual: str) -> str | None:
    """What a chooser holds of these choices: what it held, else the usual one, else the first; None where none is."""
    return chosen.kept(choices, value if value in [each for _, each in choices] else usual)


def reply_html(reply: Reply, score: str, kind: str, spoken: Spoken) -> str:
    """One question, its references, and both replies side by side with the score they are sorted by.

    Where that is the difference (`kind`), it stands below the two: nobody should have to subtract.
    """

    def text(told: str) -> str:
        return html.escape(told).replace("\n", "<br>")

    def figure(side: str) -> str:
        value = reply.scores[side][score]
        return html.escape(f"{spoken.told(f'metric.{score}', score)}: {evaluation_report.value(score, value, spoken)}")

    def paragraph(told: str) -> str:
        return f'<p lang="{written_in(told)}">{text(told)}</p>'

    references = "".join(map(paragraph, reply.references))
    sides = "".join(
        f'<article class="reply"><h4>{html_page.said(spoken, f"side.{side}")}</h4>{paragraph(said)}'
        f'<span class="quiet">{figure(side)}</span></article>'
        for side, said in zip(SIDES, (reply.base, reply.tuned), strict=True)
    )
    apart = f'<div class="quiet">{html.escape(apart_of(reply, score, spoken))}</div>' if kind == DIFFERENCE else ""
    topic = f" · {html.escape(reply.topic)}" if reply.topic else ""
    return (
        '<section class="review-item evaluated"><div class="question"><span class="quiet">'
        f"{html_page.said(spoken, 'samples.question')}{topic}</span>{paragraph(reply.question)}</div>"
        f'<div class="replies">{sides}</div>{apart}'
        f"<details><summary>{html_page.said(spoken, 'samples.reference')}</summary>{references}</details></section>"
    )


def apart_of(reply: Reply, score: str, spoken: Spoken) -> str:
    """Tuned less base, with its sign; of shares in percentage points."""
    figure = {"mean": reply.scores[DIFFERENCE][score], "low": None, "high": None}
    points = score not in evaluation_report.DECIMALS and figure["mean"] is not None
    value = evaluation_report.difference(score, figure, spoken)
    return wording.sentence("evaluate.apart.points" if points else "evaluate.apart", spoken.language, value=value)


def written_in(text: str) -> str:
    """The language by which a text is to be read out: by its letters, for a model may answer in English."""
    return "bn" if bengali.script_share(text) >= 0.5 else "en"

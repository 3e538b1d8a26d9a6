"""The blind review as one reviewer goes through it: name, question, two replies, one click; then, if they like, why.

A vote is written by the handler of the click itself, before anything else is shown. Nothing here names a model until
the reviewer asks for it. Works as a page of the Compare tab and by itself under `/review`, where a maker sends people.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr

from finetune.review.reviewing import Ticket
from finetune.review.sessions import CHOICES
from finetune.review.votes import CRITERIA, DISLIKED_FOR, LIKED_FOR, LONGEST_NAME, LONGEST_NOTE
from ui import wording
from ui.compare.review_html import item_html, progress_html, revealed_html
from ui.errors import language_of, shown_to_user
from ui.layout_parts import label, note_html
from ui.pair_titles import spoken
from ui.services import Services

STARS = [(label(f"star.{number}"), number) for number in range(1, 6)]


@dataclass(frozen=True)
class Place:
    """Where a reviewer is: the item on the page, and whether they have voted on it.

    It travels through the browser, not in a server's memory: a click after a restart still means the item that
    the person sees, and a click that was stored but never answered is not stored twice.
    """

    ticket: Ticket | None = None
    voted: bool = False

    def text(self) -> str:
        return json.dumps({"ticket": self.ticket and asdict(self.ticket), "voted": self.voted})

    @staticmethod
    def read(text: str) -> Place:
        raw = json.loads(text or "{}")
        return Place(Ticket(**raw["ticket"]) if raw.get("ticket") else None, bool(raw.get("voted")))


def build(services: Services, page: gr.Blocks, tab: gr.Tab | None = None) -> None:
    """Lay out the panel and wire it; `tab` is the page it stands on, if it is not the whole page."""
    person = gr.BrowserState({}, storage_key="shohomormi_reviewer", secret=services.browser_key)
    place = gr.Textbox(Place().text(), visible=False)
    with gr.Column(elem_id=None if tab else "review-alone") as door:
        intro = gr.HTML(padding=False)
        with gr.Row(equal_height=False):
            chosen = gr.Dropdown([], label=label("review.set"), elem_id="review-set", scale=2, min_width=220)
            name = gr.Textbox(
                label=label("review.name"),
                info=label("review.name.info"),
                max_length=LONGEST_NAME,
                elem_id="review-name",
                scale=3,
                min_width=220,
            )
        if offers_login():
            gr.LoginButton("Hugging Face দিয়ে ঢুকুন", logout_value="বেরিয়ে যান ({})", size="sm")
        begin = gr.Button(label("review.begin"), variant="primary", elem_id="review-begin", interactive=False)
    with gr.Column(visible=False, elem_id="review-desk") as desk:
        progress = gr.HTML(padding=False)
        item = gr.HTML(padding=False, elem_id="review-item")
        with gr.Row(elem_id="review-choices") as choices:
            buttons = [gr.Button(label(f"review.choice.{one}"), elem_id=f"review-{one}") for one in CHOICES]
        said = gr.HTML(padding=False, elem_id="review-said")
        with gr.Row(elem_classes="actions"):
            onward = gr.Button(label("review.next"), variant="primary", elem_id="review-next", visible=False)
            undo = gr.Button(label("review.undo"), size="sm", elem_id="review-undo", visible=False)
        with gr.Accordion(label("review.more"), open=False, visible=False, elem_id="review-more") as more:
            ratings = []
            for criterion in CRITERIA:
                gr.Markdown(label(f"review.rating.{criterion}"), container=False)
                with gr.Row():
                    ratings += [
                        gr.Radio(
                            STARS, label=label(f"review.side.{side}"), elem_id=f"review-{criterion}-{side}",
                            elem_classes="stars", min_width=160,
                        )
                        for side in ("left", "right")
                    ]  # fmt: skip
            good, bad = (
                gr.CheckboxGroup(
                    [(label(f"review.reason.{one}"), one) for one in reasons], label=label(f"review.{kind}")
                )
                for kind, reasons in (("good", LIKED_FOR), ("bad", DISLIKED_FOR))
            )
            note = gr.Textbox(
                label=label("review.note"), lines=2, max_lines=5, max_length=LONGEST_NOTE, elem_id="review-note"
            )
            keep = gr.Button(label("review.save"), size="sm", elem_id="review-keep")
        with gr.Accordion(label("review.reveal"), open=False, elem_id="review-reveal") as curtain:
            gr.Markdown(label("review.reveal.sure"), elem_classes="quiet")
            reveal = gr.Button(label("review.reveal.yes"), size="sm", variant="stop", elem_id="review-reveal-yes")
    truth = gr.HTML(padding=False, elem_id="review-truth")
    details = [*ratings, good, bad, note]
    view = [place, door, desk, progress, item, choices, said, onward, undo, more, curtain, truth]

    def drawn(now: Place, reviewer: str, set_id: str, language: str, told: str = "") -> list[Any]:
        """The panel for a place, in the order of `view`."""
        done, total = services.reviewing.progress(set_id, reviewer)
        if services.reviewing.revealed(set_id, reviewer):
            names = services.reviewing.names(set_id)
            titles = {role: spoken(title, language) for role, title in names.items()}
            shown = revealed_html(services.reviewing.revealed_rows(set_id, reviewer), titles, language)
            return [now.text(), gr.Column(visible=True), gr.Column(visible=False), "", "", gr.Row(visible=False), told,
                    gr.Button(visible=False), gr.Button(visible=False), gr.Accordion(visible=False),
                    gr.Accordion(visible=False), shown]  # fmt: skip
        if now.ticket is None:
            told, question = told or note_html("review.done", language, count=done), ""
        else:
            shown = services.reviewing.shown(now.ticket, reviewer)
            question = item_html(shown.question, shown.left, shown.right, language)
        return [
            now.text(),
            gr.Column(visible=False),
            gr.Column(visible=True),
            progress_html(done, total, language),
            question,
            gr.Row(visible=now.ticket is not None and not now.voted),
            told,
            gr.Button(visible=now.voted),
            gr.Button(visible=bool(done)),
            gr.Accordion(visible=now.voted, open=False),
            gr.Accordion(visible=bool(done), open=now.ticket is None),
            "",
        ]

    def entered(
        request: gr.Request, known: dict[str, str], set_id: str | None, called: str, profile: gr.OAuthProfile | None
    ) -> tuple[Any, ...]:
        language = language_of(request)
        with shown_to_user(language):
            known = services.reviewing.person(known or {}, called, account_of(profile))
            now = Place(services.reviewing.next(set_id or "", known["reviewer"]))
            return known, *drawn(now, known["reviewer"], set_id or "", language), *blank()

    def voted(choice: str) -> Any:
        def handler(request: gr.Request, known: dict[str, str], now: str) -> list[Any]:
            language = language_of(request)
            with shown_to_user(language):
                ticket = Place.read(now).ticket
                services.reviewing.vote(known, ticket, choice)  # on disk when this returns
                told = note_html("review.saved", language, choice=wording.sentence(f"review.saved.{choice}", language))
                return drawn(Place(ticket, voted=True), known["reviewer"], ticket.set_id, language, told)

        return handler

    def went_on(request: gr.Request, known: dict[str, str], now: str, *values: Any) -> list[Any]:
        language = language_of(request)
        with shown_to_user(language):
            ticket = Place.read(now).ticket
            told = kept_details(known, ticket, values, language)
            following = Place(services.reviewing.next(ticket.set_id, known["reviewer"]))
            return [*drawn(following, known["reviewer"], ticket.set_id, language, told), *blank()]

    def kept(request: gr.Request, known: dict[str, str], now: str, *values: Any) -> str:
        language = language_of(request)
        with shown_to_user(language):
            told = kept_details(known, Place.read(now).ticket, values, language)
            return told or note_html("review.details_saved", language)

    def kept_details(known: dict[str, str], ticket: Ticket, values: Sequence[Any], language: str) -> str:
        """Write what was said beside the vote, if anything; tells only where a note could not be kept."""
        marks, pleased, displeased, text = values[:-3], *values[-3:]
        given = {
            criterion: {side: marks[2 * number + place] for place, side in enumerate(("left", "right"))}
            for number, criterion in enumerate(CRITERIA)
        }
        reasons = [*(pleased or []), *(displeased or [])]
        withheld = services.reviewing.details(known, ticket, given, reasons, text or "")
        return note_html("review.withheld", language, kind="warning") if withheld else ""

    def undone(request: gr.Request, known: dict[str, str], set_id: str | None) -> list[Any]:
        language = language_of(request)
        with shown_to_user(language):
            now = Place(services.reviewing.undo(known, set_id or ""))
            told = note_html("review.undone", language)
            return [*drawn(now, known["reviewer"], set_id or "", language, told), *blank()]

    def revealed(request: gr.Request, known: dict[str, str], set_id: str | None) -> list[Any]:
        language = language_of(request)
        with shown_to_user(language):
            services.reviewing.reveal(known, set_id or "")
            return drawn(Place(), known["reviewer"], set_id or "", language)

    def blank() -> list[Any]:
        return [*(gr.Radio(value=None) for _ in ratings), [], [], ""]

    def arrived(
        request: gr.Request, known: dict[str, str], set_id: str | None, profile: gr.OAuthProfile | None
    ) -> list[Any]:
        """Who comes (back): their name, the sets to choose from, the one a link names."""
        language = language_of(request)
        sets = services.reviewing.sets()
        asked = (request.query_params or {}).get("set") or set_id
        value = next((one for one in sets if one == asked), sets[0] if sets else None)
        told = note_html("review.intro" if sets else "review.no_sets", language)
        return [
            told,
            gr.Dropdown(choices=[(spoken_title(services, one, language), one) for one in sets], value=value),
            _called(account_of(profile), known or {}),
            gr.Button(interactive=bool(sets)),
        ]

    private = {"api_visibility": "private", "show_progress": "hidden"}
    arrival = ([person, chosen], [intro, chosen, name, begin])
    page.load(arrived, *arrival, **private)
    if tab is not None:
        tab.select(arrived, *arrival, queue=False, **private)
    for event in (begin.click, name.submit):
        event(entered, [person, chosen, name], [person, *view, *details], queue=False, **private)
    for button, choice in zip(buttons, CHOICES, strict=True):
        button.click(voted(choice), [person, place], view, queue=False, **private)
    onward.click(went_on, [person, place, *details], [*view, *details], queue=False, **private)
    keep.click(kept, [person, place, *details], said, queue=False, **private)
    undo.click(undone, [person, chosen], [*view, *details], queue=False, **private)
    reveal.click(revealed, [person, chosen], view, queue=False, **private)
    chosen.input(lambda: [gr.Column(visible=False), ""], None, [desk, truth], queue=False, **private)


def offers_login() -> bool:
    """Whether reviewers can log in with Hugging Face: on a Space whose README says `hf_oauth: true`.

    Elsewhere Gradio would log everybody in as the machine's own account.
    """
    return gr.utils.get_space() is not None and bool(os.environ.get("OAUTH_CLIENT_ID"))


def account_of(profile: gr.OAuthProfile | None) -> str:
    """The Hugging Face account that is logged in; empty where there is none."""
    return profile.username if profile is not None and offers_login() else ""


def _called(account: str, known: dict[str, str]) -> Any:
    """The field for the name: an account has one, and what somebody has begun to type stays."""
    if account:
        return gr.Textbox(value=account, interactive=False)
    return known.get("name") or gr.skip()


def spoken_title(services: Services, set_id: str, language: str) -> str:
    """How a set is called before anybody may know what it compares: when it was made, and how many pairs it has."""
    found = services.reviewing.read(set_id)
    return wording.sentence("review.set_title", language, date=found.at[:10], count=len(found.shown))

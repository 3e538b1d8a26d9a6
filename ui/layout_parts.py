"""Pieces that several tabs lay out alike: labels, the adapter chooser, the generation panel, the help card."""

from __future__ import annotations

import html
from dataclasses import replace

import gradio as gr
from gradio.context import Context

from finetune import recipe as recipes
from finetune.inference import safety
from finetune.recipe import Generation, Recipe
from ui import wording
from ui.errors import language_of
from ui.served import OWN, SERVER
from ui.services import DEMO, Services

LOCALES = {"bn": "en", "en": "en-GB"}
"""Gradio has no Bengali and begins every unknown language in its fallback, "en": our Bengali is put there, so
that the page is Bengali from its first moment; our English is "en-GB", which `theme.HEAD` turns on."""

I18N = gr.I18n(
    **{
        LOCALES[language]: {key: texts[number] for key, texts in wording.LABELS.items()}
        for number, language in enumerate(wording.LANGUAGES)
    }
)


MODEL_SLOTS = 3
"""Replies under way at once: one is written while others are still given out at a reader's pace."""

LONGEST_SYSTEM_PROMPT = 2000
"""Characters. Longer ones push the conversation itself out of what a small model can take."""


def label(key: str) -> gr.I18n:
    """A label that the browser puts into the page's language."""
    return I18N(key)


LOOK_SECONDS = 8
"""Between two looks at a server that does not answer, while somebody has the page open."""


def adapter_chooser(services: Services) -> gr.Dropdown:
    """Who answers: the demo adapter and every run that left one, or what another server offers.

    That server is asked once the page is there, and again until it answers; meanwhile the reason stands below.
    """
    server = services.server
    choices = adapter_choices(services) if server is None else [(label("adapter.server"), SERVER)]
    shown = {"label": label("adapter"), "interactive": True, "min_width": 180}
    chooser = gr.Dropdown(choices, value=services.first, **shown)
    if server is None:
        return chooser

    def looked(request: gr.Request) -> list[gr.components.Component]:
        choices, error = adapter_choices(services), server.look()
        told = wording.error(error, language_of(request)) if error else ""
        return [gr.Dropdown(choices=choices, info=told), gr.Timer(active=bool(error))]

    clock = gr.Timer(LOOK_SECONDS, active=False)
    for event in (Context.root_block.load, clock.tick):
        event(looked, None, [chooser, clock], queue=False, show_progress="hidden", api_visibility="private")
    return chooser


def adapter_choices(services: Services) -> list[tuple[object, str]]:
    """Names to show and values of who may answer."""
    return [(_called(name), name) for name in services.answering()]


def local_choices(services: Services) -> list[tuple[object, str]]:
    """The same of the adapters on this machine, whoever answers."""
    return [(_called(name), name) for name in services.adapters()]


def _called(name: str) -> object:
    """The demo's adapter and a server are called by labels, runs and models by what they are called."""
    labels = {DEMO: "adapter.demo", SERVER: "adapter.server"}
    return label(labels[name]) if name in labels else name.removeprefix(OWN)


def generation_panel() -> list[gr.components.Component]:
    """Folded controls for temperature, top-p, length and seed, in the order `settings_of` takes them."""
    shown = Recipe.read(DEMO).generation
    with gr.Accordion(label("generation"), open=False):
        with gr.Row():
            temperature = gr.Slider(
                0, 1.5, shown.temperature, step=0.05, label=label("generation.temperature"), min_width=200
            )
            top_p = gr.Slider(0.05, 1, shown.top_p, step=0.05, label=label("generation.top_p"), min_width=200)
        with gr.Row():
            most = gr.Slider(
                8, 512, shown.max_new_tokens, step=8, label=label("generation.max_new_tokens"), min_width=200
            )
            seed = gr.Number(shown.seed, precision=0, label=label("generation.seed"), min_width=120)
    return [temperature, top_p, most, seed]


def system_prompt_field() -> gr.Textbox:
    """What the model is told before the conversation; empty for what its adapter was trained with."""
    with gr.Accordion(label("chat.system"), open=False):
        return gr.Textbox(
            label=label("chat.system"),
            info=label("chat.system.info"),
            show_label=False,
            placeholder=Recipe.read(DEMO).data.system_prompt,
            lines=2,
            max_lines=6,
            max_length=LONGEST_SYSTEM_PROMPT,
            elem_id="chat-system",
        )


def settings_of(base: Generation, temperature: float, top_p: float, max_new_tokens: int, seed: int) -> Generation:
    """The panel's values as generation settings; RecipeError where one cannot work."""
    checked = Recipe().with_settings(
        {
            "generation.temperature": temperature,
            "generation.top_p": top_p,
            "generation.max_new_tokens": max_new_tokens,
            "generation.seed": recipes.default("generation.seed") if seed is None else seed,
        }
    )
    return replace(checked.generation, repetition_penalty=base.repetition_penalty)


def note_html(key: str, language: str, *, kind: str = "info", **facts: object) -> str:
    """One sentence in a quiet box."""
    told = html.escape(wording.sentence(key, language, **facts))
    return f'<ul class="findings" lang="{language}"><li class="{kind}">{told}</li></ul>'


def help_html(language: str) -> str:
    """The helplines as a card: country, name, number to tap, hours, that nobody has called them yet; folded below,
    where each comes from and when that was looked at last."""
    lines, sources = [], []
    for entry in safety.helplines(language):
        number = html.escape(entry.number)
        country = html.escape(wording.sentence(f"care.{entry.country}", language))
        lines.append(
            f'<li>{country} · {html.escape(entry.name)}<br><a href="tel:{number.replace("-", "")}">{number}</a>'
            f" <span class='quiet'>{html.escape(entry.hours)}</span></li>"
        )
        told = wording.sentence("care.source", language, name=entry.name, source=entry.source, date=entry.checked)
        sources.append(f"<li>{html.escape(told)}</li>")
    note = html.escape(wording.sentence("care.unverified", language))
    heading = html.escape(wording.sentence("care.sources", language))
    return (
        f'<div class="help-card" lang="{language}"><ul>{"".join(lines)}</ul><p class="quiet">{note}</p>'
        f'<details class="quiet"><summary>{heading}</summary><ul>{"".join(sources)}</ul></details></div>'
    )


def care_html(tier: str, language: str) -> str:
    """Help beside a reply, its numbers to tap; where the fixed message is the reply, that has said the rest."""
    if tier == "none":
        return ""
    told = f"<p>{html.escape(wording.sentence('chat.care', language))}</p>" if tier == "soft" else ""
    return f'<div class="care" lang="{language}" role="status">{told}{help_html(language)}</div>'


def help_fold() -> gr.HTML:
    """One quiet line at the foot of a page that unfolds the helplines.

    It comes with the page, in both languages, and the browser takes the page's: so it waits for no event, and is there
    also where the server no longer answers.
    """
    folds = {
        language: f"<details><summary>{html.escape(wording.label('help', language))}</summary>{help_html(language)}"
        "</details>"
        for language in wording.LANGUAGES
    }
    template = "${value[document.documentElement.lang.startsWith('en') ? 'en' : 'bn']}"
    return gr.HTML(folds, html_template=template, padding=False, elem_classes="help-fold")


def crisis_text(language: str, *, again: bool) -> str:
    """The fixed message with the numbers as text, as it stands in a conversation."""
    return _with_numbers(
        wording.sentence("chat.crisis.after", language) if again else safety.message(language), language
    )


def withheld_text(language: str) -> str:
    """What stands where a sentence of a reply was held back."""
    return _with_numbers(wording.sentence("chat.withheld", language), language)


def _with_numbers(text: str, language: str) -> str:
    numbers = [
        f"- {wording.sentence(f'care.{entry.country}', language)}, {entry.name}: **{entry.number}** ({entry.hours})"
        for entry in safety.helplines(language)
    ]
    return "\n".join([text, "", *numbers, "", f"*{wording.sentence('care.unverified', language)}*"])

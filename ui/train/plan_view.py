"""What a run will be, or what keeps its form from being a recipe: HTML beside the start button.

Makes HTML of a plan and of problems; decides nothing.
"""

from __future__ import annotations

import html

from finetune.errors import FinetuneError
from finetune.training.plan import Plan
from ui import wording


def plan_html(estimate: Plan, language: str) -> str:
    """What the run will be: updates, time, memory, and what does not fit."""

    def say(key: str, **facts: object) -> str:
        return html.escape(wording.sentence(key, language, **facts))

    facts = [say("plan.steps", steps=estimate.steps, epochs=f"{estimate.epochs:.2g}")]
    if estimate.seconds_high:
        low, high = (
            wording.spoken_time(seconds, language) for seconds in (estimate.seconds_low, estimate.seconds_high)
        )
        facts.append(say("plan.time", low=low, high=high) if low != high else say("plan.about", time=low))
    if estimate.peak_gb:
        facts.append(say("plan.memory", gb=f"{estimate.peak_gb:.1f}"))
    advice = "".join(
        f'<li class="{"error" if estimate.fits is False else "warning"}">'
        f"{html.escape(wording.told(one.key, one.facts, one.message, language))}</li>"
        for one in estimate.advice
    )
    told = "".join(f"<span>{fact}</span>" for fact in facts)
    return (
        f'<div class="run-card plan" lang="{language}"><div class="state">{say("plan.title")}</div>'
        f'<div class="facts">{told}</div>{f"<ul class=findings>{advice}</ul>" if advice else ""}</div>'
    )


def problems_html(error: FinetuneError, language: str) -> str:
    """Every problem of the form, where the plan would stand."""
    lines = "".join(
        f'<li class="error">{html.escape(line)}</li>' for line in wording.error(error, language).split("\n")
    )
    return f'<div class="run-card plan" lang="{language}" role="alert"><ul class="findings">{lines}</ul></div>'


def note_html(text: str, language: str) -> str:
    """One sentence where the plan would stand."""
    return f'<div class="run-card plan" lang="{language}"><div class="facts">{html.escape(text)}</div></div>'

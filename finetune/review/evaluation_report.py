"""An evaluation as one printable HTML page, in Bengali or English; what was found of leakage is its first line.

The page needs nothing but itself (`html_page.py`); every text from corpus or model is escaped. It states what an
evaluation says (`evaluation_figures.py`) and works no figure out.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from finetune.review import evaluation_drawing, html_page
from finetune.review.evaluation import Evaluation, Reply
from finetune.review.evaluation_figures import BETTER, OTHERS, SIDES
from finetune.review.spoken import Spoken

DECIMALS = {
    "bits_per_character": 3,
    "bits_per_byte": 3,
    "chrf": 1,
    "bleu": 1,
    "bertscore": 3,
    "length_ratio": 2,
    "characters": 0,
}
"""Of figures that are no shares; all others are shares from 0 to 1, shown as per cent."""

INTENT = "intent_"

POOLED = ("chrf", "bleu", "distinct1", "distinct2", "distinct", "commonest_opener")
"""Figures of all replies together, from the plain figures of a side."""

CODES = ("run", "base", "adapter", "format", "settings")
"""Of what the figures depend on: what is spelt as the program spells it."""

SAMPLES = 3
"""Replies shown at either end."""

FINGERPRINT = 12
"""Characters of a fingerprint that are shown: enough to tell two adapters apart by eye (48 bits of a sha256)."""

Figures = Mapping[str, Any]
Words = Mapping[str, str]


def page(
    evaluation: Evaluation,
    words: Words,
    language: str,
    *,
    steps: Sequence[Figures] = (),
    judged: Figures | None = None,
    date: str = "",
) -> str:
    """The whole report of an evaluation that is whole, for A4 or a screen of any width.

    words: what `evaluation_words.evaluation_words(language)` gives. steps: points of `bits_over_steps`. judged:
    what `judging.figures` gives, with the judge's name as `judge`. date: of the report, as it is to be read.
    """
    result, spoken = evaluation.result, Spoken(words, language)
    title = f"{spoken.say('title')}: {result['name']}"
    subtitle = html_page.said(spoken, "subtitle", prompts=result["prompts"])
    body = [
        f"<p>{html.escape(first_line(result, spoken))}</p>",
        f"<header><h1>{html.escape(title)}</h1><p>{subtitle}</p></header>",
        *_parts(evaluation, spoken, steps, judged),
        _samples(evaluation, spoken),
        html_page.columns(_how(result, date, spoken), _limits(spoken)),
    ]
    return html_page.page(title, "".join(body), language)


def sections(
    evaluation: Evaluation, words: Words, language: str, *, steps: Sequence[Figures] = (), judged: Figures | None = None
) -> str:
    """The same for a page that has its own head and colours, and shows all replies elsewhere."""
    result, spoken = evaluation.result, Spoken(words, language)
    shown = [
        f"<p>{html.escape(first_line(result, spoken))}</p>",
        *_parts(evaluation, spoken, steps, judged),
        html_page.columns(_how(result, "", spoken), _limits(spoken)),
    ]
    return f'<div class="verdict-plots" lang="{language}">{"".join(shown)}</div>'


def judgement(judged: Figures, words: Words, language: str) -> str:
    """What a judge said, by itself; `judged` as for `page`."""
    return f'<div class="verdict-plots" lang="{language}">{_judged(judged, Spoken(words, language))}</div>'


def first_line(result: Figures, spoken: Spoken) -> str:
    """What was found of leakage, in the language of the page."""
    leaked = result["leakage"]
    facts = {key: leaked[key] for key in ("train", "others", "exact", "near")}
    found = leaked["exact"] + leaked["near"]
    told = spoken.say(f"leakage.{'found' if found else 'none'}", **facts, percent=spoken.digits(leaked["percent"]))
    if leaked.get("beside"):
        key = "leakage.beside.found" if leaked["shared"] else "leakage.beside.none"
        told += f" {spoken.say(key, beside=leaked['beside'], shared=leaked['shared'])}"
    return f"{told} {spoken.say('leakage.replies', replies=leaked['replies'])}" if leaked["replies"] else told


def shown(name: str, figure: Figures, spoken: Spoken) -> str:
    """A mean with its interval as a person reads it: 33.9 % (32.3 % to 35.6 %)."""
    told = value(name, figure["mean"], spoken)
    if figure["low"] is None:
        return told
    return f"{told} ({spoken.say('between', **{end: value(name, figure[end], spoken) for end in ('low', 'high')})})"


def value(name: str, figure: float | None, spoken: Spoken) -> str:
    """A figure in its own unit: a share as per cent."""
    return spoken.number(figure, DECIMALS[name]) if name in DECIMALS else spoken.share(figure, 1)


def difference(name: str, figure: Figures, spoken: Spoken) -> str:
    """A difference with its interval, marked as better or worse where the interval leaves 0 out and it can be said."""
    share = name not in DECIMALS
    told = evaluation_drawing.difference(figure, DECIMALS.get(name, 1), spoken, 100.0 if share else 1.0)
    if name not in BETTER or figure["low"] is None or figure["low"] <= 0 <= figure["high"]:
        return told
    return f"{told} · {spoken.say('better' if figure['mean'] * BETTER[name] > 0 else 'worse')}"


def samples(evaluation: Evaluation, count: int = SAMPLES) -> tuple[Reply, ...]:
    """Replies at both ends of the gain in chrF++; what the crisis screen marks is for no report that is sent around."""
    every = evaluation.rows(count=len(evaluation.replies)).rows
    ordered = [one for one in every if not one.needs_care]
    return tuple(ordered if len(ordered) <= 2 * count else [*ordered[:count], *ordered[-count:]])


def _parts(evaluation: Evaluation, spoken: Spoken, steps: Sequence[Figures], judged: Figures | None) -> tuple[str, ...]:
    """All that was measured: the headline, tables and pictures."""
    result = evaluation.result
    figures = [name for name in result["difference"] if not name.startswith(INTENT)]
    intents = [name for name in result["difference"] if name.startswith(INTENT)]
    return (
        _headline(result, spoken),
        _noted("figures", _table(result, figures, spoken), spoken),
        html_page.columns(
            _noted("intents", _table(result, intents, spoken), spoken), _pooled(result, spoken) + _steps(steps, spoken)
        ),
        _spread(evaluation, spoken),
        _topics(result, spoken),
        _judged(judged, spoken),
    )


def _headline(result: Figures, spoken: Spoken) -> str:
    saved, sides = result["saved"], {side: result["intervals"][side]["bits_per_character"] for side in SIDES}
    key = "headline.fewer" if saved["mean"] >= 0 else "headline.more"
    bits = {side: spoken.number(sides[side]["mean"], 2) for side in SIDES}
    told = html_page.said(spoken, key, saved=spoken.share(abs(saved["mean"]), 1), **bits)
    basis = [spoken.say("headline.bits")]
    if saved["low"] is not None:
        ends = sorted((abs(saved["low"]), abs(saved["high"]))) if saved["low"] * saved["high"] > 0 else None
        between = spoken.say(
            "between",
            low=spoken.share(ends[0] if ends else saved["low"], 1),
            high=spoken.share(ends[1] if ends else saved["high"], 1),
        )
        basis.insert(0, spoken.say("headline.sure", between=between))
    quiet = html_page.paragraphs(basis)
    return f'<section class="headline"><p class="told">{told}</p><div class="quiet">{quiet}</div></section>'


def _table(result: Figures, names: Sequence[str], spoken: Spoken) -> str:
    rows = [
        (
            spoken.told(f"metric.{name}", name),
            *(shown(name, result["intervals"][side][name], spoken) for side in SIDES),
            difference(name, result["difference"][name], spoken),
        )
        for name in names
    ]
    heads = [*(spoken.say(f"side.{side}") for side in SIDES), spoken.say("table.difference")]
    return html_page.table(spoken, ("what",), rows, heads)


def _pooled(result: Figures, spoken: Spoken) -> str:
    rows = [
        (spoken.say(f"pooled.{name}"), *(value(name, result[side][name], spoken) for side in SIDES)) for name in POOLED
    ]
    perplexity = [result[side]["per_token"]["perplexity_per_token"] for side in SIDES]
    bits = [result[side]["per_token"]["bits_per_character"] for side in SIDES]
    rows.append((spoken.say("metric.bits_per_character"), *(spoken.number(one, 3) for one in bits)))
    rows.append((spoken.say("pooled.perplexity"), *(spoken.number(one, 1) for one in perplexity)))
    heads = [spoken.say(f"side.{side}") for side in SIDES]
    warning = f'<p class="quiet">{html_page.said(spoken, "perplexity.warning")}</p>'
    return _noted("pooled", html_page.table(spoken, ("what",), rows, heads) + warning, spoken)


def _steps(points: Sequence[Figures], spoken: Spoken) -> str:
    if len(points) < 2:
        return ""
    return _noted("steps", evaluation_drawing.steps(points, spoken.words, spoken.language), spoken)


def _spread(evaluation: Evaluation, spoken: Spoken) -> str:
    """How the replies' own figures lie, for the two figures that say most."""
    parts = []
    for name in ("bits_per_character", "chrf"):
        values = {side: [reply.scores[side][name] for reply in evaluation.replies] for side in SIDES}
        plot = evaluation_drawing.spread(values, name, spoken.words, spoken.language)
        parts.append(f"<h3>{html_page.said(spoken, f'metric.{name}')}</h3>{plot}")
    return _noted("spread", html_page.columns(*parts), spoken)


def _topics(result: Figures, spoken: Spoken) -> str:
    found = result["topics"]
    if not found:
        return ""
    parts = []
    for name in ("bits_per_character", "chrf"):
        plot = evaluation_drawing.topics(found, name, spoken.words, spoken.language)
        rows = [
            (
                one["topic"] if one["topic"] != OTHERS else spoken.say("topics.others"),
                spoken.number(one["prompts"]),
                difference(name, one[name], spoken),
            )
            for one in found
        ]
        table = html_page.table(spoken, ("what", "prompts", "difference"), rows)
        parts.append(f"<h3>{html_page.said(spoken, f'topics.{name}')}</h3>{plot}{html_page.details(table, spoken)}")
    return _noted("topics", html_page.columns(*parts), spoken)


def _judged(judged: Figures | None, spoken: Spoken) -> str:
    if judged is None:
        return ""
    decided, judge = judged["tuned"] + judged["base"], judged["judge"]
    told = [spoken.say("judge.none", judge=judge)]
    if decided:
        facts = {"rate": spoken.share(judged["win_rate"]), "between": spoken.between(judged)}
        told = [spoken.say("judge.rate", judge=judge, decided=decided, **facts)]
    told.append(spoken.say("judge.swapped", inconsistent=judged["inconsistent"]))
    shared, observed = judged["agreement"]["shared"], judged["agreement"]["observed"]
    told.append(
        spoken.say("judge.agreement", shared=shared, rate=spoken.share(observed))
        if shared
        else spoken.say("judge.alone")
    )
    return html_page.section(spoken.say("judge.title"), html_page.paragraphs(told))


def _samples(evaluation: Evaluation, spoken: Spoken) -> str:
    parts = []
    for one in samples(evaluation):
        told = {
            "samples.question": one.question,
            "samples.reference": "\n".join(one.references),
            "side.base": one.base,
            "side.tuned": one.tuned,
        }
        lines = "".join(
            f"<dt>{html_page.said(spoken, key)}</dt><dd>{html.escape(text)}</dd>" for key, text in told.items()
        )
        parts.append(f'<div class="slice"><dl>{lines}</dl></div>')
    return _noted("samples", "".join(parts), spoken)


def _how(result: Figures, date: str, spoken: Spoken) -> str:
    """What the figures depend on, with the libraries' signatures."""
    settings = ", ".join(f"{name} {one}" for name, one in result["settings"].items())
    told = {
        "run": result["name"],
        "split": spoken.say(f"split.{result['split']}"),
        "base": result["resident"],
        "adapter": f"{result['adapter']} {result['fingerprint'][:FINGERPRINT]}",
        "format": result["format"]["name"],
        "settings": settings,
        "date": spoken.digits(date),
        "bertscore": result["bertscore"] if "bertscore" in result["difference"] else spoken.say("how.bertscore.none"),
    }
    lines = [
        (html_page.said(spoken, f"how.{key}"), _code(text) if key in CODES else html.escape(text))
        for key, text in told.items()
        if text
    ]
    lines += [(_code(name), _code(text)) for name, text in result["signatures"].items()]
    shown = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in lines)
    return html_page.section(spoken.say("how.title"), f"<dl>{shown}</dl>")


def _code(text: str) -> str:
    """What is spelt the same in every language."""
    return f"<code>{html.escape(text)}</code>"


def _limits(spoken: Spoken) -> str:
    told = html_page.listed(spoken.say(f"limits.{one}") for one in ("empathy", "overlap", "greedy"))
    return html_page.section(spoken.say("limits.title"), told)


def _noted(name: str, inner: str, spoken: Spoken) -> str:
    """A section with its title and a quiet note, from the words by its name; nothing where nothing is in it."""
    note = f'<p class="quiet">{html_page.said(spoken, f"{name}.note")}</p>'
    return html_page.section(spoken.say(f"{name}.title"), note + inner) if inner else ""

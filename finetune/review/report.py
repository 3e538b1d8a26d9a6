"""The verdict as one HTML page that can be sent around and printed, and as sections for the app's own page.

The page needs nothing but itself: no network, no script, its style sheet and pictures inside. Every text that a
person wrote (titles, topics, reasons) is escaped, and reviewers stand in it as numbers, never by name. It states
what a verdict says (`verdict.py`) and works no figure out; it does not know where sets and votes lie.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from finetune.review import drawing, html_page, sentences
from finetune.review.spoken import Spoken

FINGERPRINT = 12
"""Characters of a fingerprint that are shown: enough to tell two contestants apart by eye (48 bits of a sha256)."""

Figures = Mapping[str, Any]
Words = Mapping[str, str]


def page(verdict: Figures, words: Words, facts: Figures, language: str) -> str:
    """The whole report, for A4 or a screen of any width.

    words: what `ui.wording_review.report_words(language)` gives. facts, each of which may be missing:
    `title` and `set_id` of the set, `date` of the report as it is to be read, `names` `{"base", "tuned"}` for people,
    `fingerprints` by the same keys, `settings` of the replies by name, `proof` `{"kind": "logits"|"replies",
    "base", "tuned"}` with both hashes (None where nothing was proved).
    """
    spoken = Spoken(named(words, facts.get("names", {})), language)
    title = ": ".join(filter(None, (spoken.say("title"), facts.get("title"))))
    notes = (
        f'<p><a href="#bear-in-mind">{html_page.said(spoken, "headline.notes")}</a></p>' if verdict["warnings"] else ""
    )
    limits = html_page.listed(spoken.say(f"limits.{one}") for one in ("single", "liking", "others"))
    body = [
        f"<header><h1>{html.escape(title)}</h1><p>{html_page.said(spoken, 'subtitle')}</p></header>",
        _headline(verdict, spoken, notes),
        *_findings(verdict, spoken),
        html_page.columns(
            _compared(facts, spoken) + _warnings(verdict, spoken),
            _reviewers(verdict, spoken) + html_page.section(spoken.say("limits.title"), limits),
        ),
    ]
    return html_page.page(title, "".join(body), language)


def sections(verdict: Figures, words: Words, language: str, names: Mapping[str, str] | None = None) -> str:
    """The same verdict for a page that has its own head and colours: headline, pictures, sentences, warnings."""
    spoken = Spoken(named(words, names or {}), language)
    shown = [_headline(verdict, spoken), _warnings(verdict, spoken), *_findings(verdict, spoken)]
    shown.append(_reviewers(verdict, spoken))
    return f'<div class="verdict-plots" lang="{language}">{"".join(shown)}</div>'


def named(words: Words, names: Mapping[str, str]) -> dict[str, str]:
    """The words with the two sides called by these names (`{"base", "tuned"}`; either may be missing)."""
    # Braces doubled: a name is put in where a template is looked for.
    return {**words, **{f"side.{side}": name.replace("{", "{{").replace("}", "}}") for side, name in names.items()}}


def _headline(verdict: Figures, spoken: Spoken, notes: str = "") -> str:
    told = html.escape(sentences.headline(verdict, spoken))
    if not verdict["votes"]:
        return f'<section class="headline"><p class="told">{told}</p></section>'
    basis = "".join(f"<p>{html.escape(line)}</p>" for line in sentences.basis(verdict, spoken))
    plot = drawing.win_bar(verdict, spoken.words, spoken.language)
    return (
        f'<section class="headline"><div><p class="told">{told}</p>{notes}</div>'
        f'<div>{plot}<div class="quiet">{basis}</div></div></section>'
    )


def _findings(verdict: Figures, spoken: Spoken) -> list[str]:
    """What stands between the headline and who reviewed; a part without figures is left out."""
    if not verdict["votes"]:
        return []
    reasons = html_page.section(spoken.say("reasons.title"), html_page.paragraphs(sentences.reasons(verdict, spoken)))
    biases = html_page.section(spoken.say("bias.title"), html_page.paragraphs(sentences.biases(verdict, spoken)))
    agreement = html_page.section(
        spoken.say("agreement.title"), html_page.paragraphs(sentences.agreement(verdict, spoken))
    )
    return [
        html_page.columns(_choices(verdict, spoken) + reasons + agreement, _ratings(verdict, spoken) + biases),
        _slices(verdict, spoken),
    ]


def _choices(verdict: Figures, spoken: Spoken) -> str:
    rows = [
        (
            drawing.choice_label(choice, spoken),
            spoken.number(verdict[key]),
            spoken.share(verdict[key] / verdict["votes"]),
        )
        for choice, key in drawing.COUNTS.items()
    ]
    table = html_page.table(spoken, ("what", "votes", "share"), rows)
    plot = drawing.choices_bar(verdict, spoken.words, spoken.language)
    return html_page.section(spoken.say("choices.title"), plot + html_page.details(table, spoken))


def _slices(verdict: Figures, spoken: Spoken) -> str:
    """One picture for each dimension that has more than one value: a single slice says what the headline says."""
    shown = {name: slices for name, slices in verdict["slices"].items() if len(slices) > 1}
    if not shown:
        return ""
    parts = []
    for name, slices in shown.items():
        rows = [
            (
                drawing.slice_label(name, one["value"], spoken),
                spoken.share(one["win_rate"]),
                spoken.between(one),
                *(spoken.number(one[count]) for count in ("decided", "prompts", "ties", "both_bad")),
            )
            for one in drawing.in_order(slices)
        ]
        heads = ("what", "rate", "interval", "decided", "prompts", "ties", "both_bad")
        plot = drawing.forest(name, slices, spoken.words, spoken.language, verdict["win_rate"])
        heading = f"<h3>{html_page.said(spoken, f'slice.{name}')}</h3>"
        parts.append(
            f'<div class="slice">{heading}{plot}{html_page.details(html_page.table(spoken, heads, rows), spoken)}</div>'
        )
    note = f'<p class="quiet">{html_page.said(spoken, "slices.note")}</p>'
    return html_page.section(spoken.say("slices.title"), f'{note}<div class="slices">{"".join(parts)}</div>')


def _ratings(verdict: Figures, spoken: Spoken) -> str:
    given = {name: one for name, one in verdict["ratings"].items() if drawing.rated(one)}
    if not given:
        return ""
    rows = [
        (
            spoken.told(f"rating.{name}", name),
            *(f"{spoken.number(one[side]['mean'], 1)} ({spoken.number(one[side]['n'])})" for side in ("base", "tuned")),
            drawing.rating_difference(one["difference"], spoken),
        )
        for name, one in given.items()
    ]
    heads = [f"{spoken.say('table.mean')} (n): {spoken.say(f'side.{side}')}" for side in ("base", "tuned")]
    table = html_page.table(spoken, ("what",), rows, [*heads, spoken.say("table.difference")])
    note = f'<p class="quiet">{html_page.said(spoken, "ratings.note", tuned=spoken.say("side.tuned"))}</p>'
    plot = drawing.ratings(verdict, spoken.words, spoken.language)
    return html_page.section(spoken.say("ratings.title"), plot + note + html_page.details(table, spoken))


def _reviewers(verdict: Figures, spoken: Spoken) -> str:
    """Numbers instead of names: a report is sent to people whom the reviewers do not know."""
    ordered = sorted(verdict["by_reviewer"], key=lambda one: -one["votes"])
    rows = [
        (
            spoken.say("reviewers.one", n=n),
            spoken.number(one["votes"]),
            spoken.share(one["win_rate"]),
            spoken.share(one["left_rate"]),
        )
        for n, one in enumerate(ordered, start=1)
    ]
    heads = [spoken.say("table.tuned", tuned=spoken.say("side.tuned")), spoken.say("table.left")]
    table = html_page.table(spoken, ("reviewer", "votes"), rows, heads)
    note = f'<p class="quiet">{html_page.said(spoken, "reviewers.note")}</p>'
    return html_page.section(spoken.say("reviewers.title"), note + table) if rows else ""


def _compared(facts: Figures, spoken: Spoken) -> str:
    """Who met whom, under which settings, and the proof that they are two."""
    prints, proof = facts.get("fingerprints", {}), facts.get("proof")
    rows = []
    for n, side in enumerate(("base", "tuned"), start=1):
        mark = html.escape(prints.get(side, "")[:FINGERPRINT])
        title = html_page.said(spoken, f"side.{side}") + (f" <code>{mark}</code>" if mark else "")
        rows.append((f"{html_page.said(spoken, 'compared.name')} {spoken.number(n)}", title))
    settings = ", ".join(f"{name} {_setting(value, spoken)}" for name, value in facts.get("settings", {}).items())
    told = {"settings": settings, "set": facts.get("set_id", ""), "made": spoken.digits(facts.get("date", ""))}
    rows += [(html_page.said(spoken, f"compared.{key}"), html.escape(text)) for key, text in told.items() if text]
    hashes = {side: proof[side][:FINGERPRINT] for side in ("base", "tuned")} if proof else {}
    rows.append(
        (
            html_page.said(spoken, "compared.proof"),
            html_page.said(spoken, f"proof.{proof['kind'] if proof else 'none'}", **hashes),
        )
    )
    return html_page.section(
        spoken.say("compared.title"), f"<dl>{''.join(f'<dt>{a}</dt><dd>{b}</dd>' for a, b in rows)}</dl>"
    )


def _warnings(verdict: Figures, spoken: Spoken) -> str:
    told = sentences.warnings(verdict, spoken)
    return html_page.section(spoken.say("warnings.title"), html_page.listed(told), name="bear-in-mind") if told else ""


def _setting(value: object, spoken: Spoken) -> str:
    """A setting's value as the recipe writes it, in the language's digits."""
    return spoken.digits(str(value)) if isinstance(value, int | float) else str(value)

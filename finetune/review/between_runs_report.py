"""Two runs against each other as a section of HTML, in Bengali or English; what was found of leakage comes first.

It states what a comparison holds (`between_runs.py`) and works no figure out. Every text from corpus or model is
escaped, and what the crisis screen marks is not shown.
"""

from __future__ import annotations

import html
from collections.abc import Mapping

from finetune.review import html_page
from finetune.review.between_runs import Comparison, Figure, Replies
from finetune.review.evaluation_report import SAMPLES, difference, first_line, shown
from finetune.review.spoken import Spoken

INTENT = "intent_"


def section(found: Comparison, words: Mapping[str, str], language: str) -> str:
    """The whole section; `words` as for `evaluation_report.page`."""
    spoken = Spoken(words, language)
    parts = [_headline(found, spoken), _table(found, spoken), _samples(found, spoken)]
    title = html_page.said(spoken, "between.title")
    return f'<div class="verdict-plots" lang="{language}"><section><h2>{title}</h2>{"".join(parts)}</section></div>'


def _headline(found: Comparison, spoken: Spoken) -> str:
    """Which run is better by bits, by which figures each is ahead, and what to keep in mind."""
    saved, facts = found.saved, _named(found)
    low, high = saved["low"], saved["high"]
    if low is None or low <= 0 <= high:
        key = "between.open"
    else:
        key = "between.fewer" if saved["mean"] > 0 else "between.more"
    told = html_page.said(
        spoken, key, prompts=found.first.order["prompts"], saved=spoken.share(abs(saved["mean"]), 1), **facts
    )
    ahead = [
        spoken.say("between.better", run=run, metrics=", ".join(names))
        for run, sign in zip(reversed(found.names), (1, -1), strict=True)
        if (names := [_called(one, spoken) for one in found.figures if one.better == sign])
    ]
    quiet = [
        *_leakage(found, spoken),
        *_sure(found, spoken),
        *(ahead or [spoken.say("between.neither")]),
        *_differing(found, spoken),
    ]
    quiet.append(spoken.say("between.training"))
    return f'<div class="headline"><p class="told">{told}</p><div>{html_page.paragraphs(quiet)}</div></div>'


def _sure(found: Comparison, spoken: Spoken) -> list[str]:
    """The range of the share of bits, where it leaves no doubt of its sign."""
    ends = (found.saved["low"], found.saved["high"])
    if None in ends or ends[0] <= 0 <= ends[1]:
        return []
    low, high = (spoken.share(end, 1) for end in sorted(map(abs, ends)))
    return [spoken.say("headline.sure", between=spoken.say("between", low=low, high=high))]


def _leakage(found: Comparison, spoken: Spoken) -> list[str]:
    """What was found for each run; once where that is the same, and nothing of it where nothing leaked at all."""
    results = [one.result or {} for one in (found.first, found.second)]
    if not any(one["leakage"]["exact"] + one["leakage"]["near"] for one in results):
        return []
    lines = [first_line(one, spoken) for one in results]
    if lines[0] == lines[1]:
        return lines[:1]
    return [spoken.say("between.leakage", run=name, told=line) for name, line in zip(found.names, lines, strict=True)]


def _differing(found: Comparison, spoken: Spoken) -> list[str]:
    return [
        spoken.say(f"between.differs.{key}", first=spoken.digits(str(one)), second=spoken.digits(str(other)))
        for key, (one, other) in found.differs.items()
    ]


def _table(found: Comparison, spoken: Spoken) -> str:
    heads = [*found.names, spoken.say("table.difference")]
    note = f'<p class="quiet">{html_page.said(spoken, "between.note", **_named(found))}</p>'
    plain, intents = (
        [_row(one, spoken) for one in found.figures if one.name.startswith(INTENT) is intent]
        for intent in (False, True)
    )
    more = html_page.table(spoken, ("what",), intents, heads)
    told = html_page.said(spoken, "intents.title")
    return f"{note}{html_page.table(spoken, ('what',), plain, heads)}<details><summary>{told}</summary>{more}</details>"


def _row(one: Figure, spoken: Spoken) -> tuple[str, ...]:
    sides = (shown(one.name, side, spoken) for side in (one.first, one.second))
    return (_called(one, spoken), *sides, difference(one.name, one.difference, spoken))


def _samples(found: Comparison, spoken: Spoken) -> str:
    """Replies at both ends of the gain in chrF++."""
    every = [one for one in found.replies if not one.needs_care]
    kept = every if len(every) <= 2 * SAMPLES else [*every[:SAMPLES], *every[-SAMPLES:]]
    if not kept:
        return ""
    note = f'<p class="quiet">{html_page.said(spoken, "between.samples.note", **_named(found))}</p>'
    told = html_page.said(spoken, "between.samples")
    return f"<details><summary>{told}</summary>{note}{''.join(_sample(one, found, spoken) for one in kept)}</details>"


def _sample(one: Replies, found: Comparison, spoken: Spoken) -> str:
    told = [
        (spoken.say("samples.question"), one.question),
        (spoken.say("samples.reference"), "\n".join(one.references)),
        (found.names[0], one.first),
        (found.names[1], one.second),
    ]
    lines = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in told)
    return f'<div class="slice"><dl>{lines}</dl></div>'


def _named(found: Comparison) -> dict[str, str]:
    return dict(zip(("first", "second"), found.names, strict=True))


def _called(one: Figure, spoken: Spoken) -> str:
    return spoken.told(f"metric.{one.name}", one.name)

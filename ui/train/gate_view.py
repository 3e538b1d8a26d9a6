"""The data gate as a person sees it: what was kept and dropped, how long examples are, and what the loss will see.

Makes HTML of a `Gate`; decides nothing. Every text from the data is escaped.
"""

from __future__ import annotations

import html

from finetune.data.gate import Gate, Lengths, Sample, Segment
from ui import wording

SHOWN_ROWS = 5
SHOWN_SAMPLES = 10


def gate_html(gate: Gate, language: str) -> str:
    """All of it, findings first."""

    def say(key: str, **facts: object) -> str:
        return html.escape(wording.sentence(key, language, **facts))

    report = gate.report
    counts = report["splits"]
    head = say("gate.kept", kept=report["kept"], rows=report["rows"])
    sides = say("gate.splits", train=counts["train"], validation=counts["validation"], test=counts["test"])
    state = "failed" if gate.blocked else "finished"
    title = say("gate.blocked" if gate.blocked else "gate.passed")
    findings = "".join(
        f'<li class="{"error" if finding.blocking else "warning"}">'
        f"{html.escape(wording.told(finding.key, finding.facts, finding.message, language))}</li>"
        for finding in gate.warnings
    )
    return (
        f'<div class="run-card gate {state}" lang="{language}">'
        f'<div class="state"><span class="dot"></span>{title}</div>'
        f'<div class="facts"><span>{head}</span><span>{sides}</span></div>'
        f"{f'<ul class=findings>{findings}</ul>' if findings else ''}"
        f"{_dropped(gate, language)}{_histogram(gate.lengths, language)}"
        f"<details><summary>{say('gate.samples')}</summary>"
        f'<p class="quiet">{say("gate.mask")}</p>{"".join(map(_sample, gate.samples[:SHOWN_SAMPLES]))}</details>'
        f"<details><summary>{say('gate.rows')}</summary>{_rows(gate, language)}</details></div>"
    )


def unread_html(told: str, language: str) -> str:
    """Why there is nothing to show, and what to do about it."""
    title = html.escape(wording.sentence("gate.unread", language))
    return (
        f'<div class="run-card gate failed" lang="{language}"><div class="state"><span class="dot"></span>{title}</div>'
        f'<ul class="findings"><li class="error">{html.escape(told)}</li></ul></div>'
    )


def _dropped(gate: Gate, language: str) -> str:
    dropped = {reason: count for reason, count in gate.report["dropped"].items() if count}
    if not dropped:
        return ""
    told = " · ".join(
        f"{html.escape(wording.sentence(f'gate.reason.{reason}', language))} {wording.digits(count, language)}"
        for reason, count in dropped.items()
    )
    return f'<div class="facts">{html.escape(wording.sentence("gate.dropped_rows", language))} {told}</div>'


def _histogram(lengths: Lengths, language: str) -> str:
    def figure(value: int) -> str:
        return wording.digits(value, language)

    most = max([entry.count for entry in lengths.bins] + [1])
    bars = "".join(
        f'<i class="{"cut" if entry.low > lengths.max_length else ""}" style="height:{100 * entry.count / most:.1f}%"'
        f' title="{figure(entry.low)}–{figure(entry.high)}: {figure(entry.count)}"></i>'
        for entry in lengths.bins
    )
    told = html.escape(
        wording.sentence(
            "gate.lengths",
            language,
            median=lengths.median,
            most=lengths.percentile_95,
            longest=lengths.longest,
            cut=f"{100 * lengths.truncated_share:.1f}",
            max_length=lengths.max_length,
        )
    )
    sampled = ""
    if lengths.sampled:
        sampled = html.escape(wording.sentence("gate.sampled", language, examined=lengths.examined, of=lengths.of))
    ends = "".join(
        f"<span>{figure(end)}</span>" for one in lengths.bins[:1] for end in (one.low, lengths.bins[-1].high)
    )
    return (
        f'<figure class="histogram" role="img" aria-label="{told}"><div class="bars">{bars}</div>'
        f'<div class="ends">{ends}</div><figcaption>{told} {sampled}</figcaption></figure>'
    )


def _sample(sample: Sample) -> str:
    def shown(segment: Segment) -> str:
        text = html.escape(segment.text)
        return f"<del>{text}</del>" if segment.rejected else f"<mark>{text}</mark>" if segment.learnt else text

    runs = "".join(map(shown, sample))
    return f'<pre class="sample" lang="bn">{runs}</pre>'


def _rows(gate: Gate, language: str) -> str:
    heads = "".join(f"<th>{html.escape(wording.sentence(f'gate.{name}', language))}</th>" for name in ("q", "a"))
    body = "".join(
        f"<tr><td>{html.escape(row['question'])}</td><td>{html.escape(row['answer'])}</td></tr>"
        for row in gate.rows[:SHOWN_ROWS]
    )
    return f'<table lang="bn"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'

"""A run's state in one card, its alerts, and its replies while it learns: HTML from what lies in the run's folder.

Knows no widgets. Every text that a model or a person wrote is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from itertools import islice
from typing import Any

from finetune.training import queue, runs, samples
from finetune.training.alerts import Alert
from ui import wording

MOST_ANSWERS = 12
"""Of one prompt that are shown: the base's and the latest; samples.jsonl holds all."""


def card_html(run: runs.Run, status: runs.Status, lines: list[dict[str, Any]], language: str) -> str:
    """A run's state in one card: what it does, how far it is, how long it will take, what went wrong."""

    def say(key: str, **facts: object) -> str:
        return html.escape(wording.sentence(key, language, **facts))

    stopping = status.active and run.stop_request.exists()
    cancelling = status.active and run.cancel_request.exists()
    state = say(f"status.{_phase(status, stopping, cancelling)}")
    facts = []
    if status.waiting:
        facts.append(say("status.position", ahead=queue.ahead(run)))
    if status.total_steps:
        facts.append(say("status.steps", step=status.step, total=status.total_steps))
    left = seconds_left(status, lines)
    if status.state == "training" and left is not None and not stopping:
        facts.append(say("status.eta", time=wording.spoken_time(left, language)))
    speeds = [line["tokens_per_second"] for line in lines[-10:] if "tokens_per_second" in line]
    if status.active and speeds:
        facts.append(say("status.speed", speed=int(sum(speeds) / len(speeds))))
    if status.state in ("finished", "stopped") and lines:
        facts.append(say("status.took", time=wording.spoken_time(lines[-1]["elapsed_s"], language)))
    first, last = (next((line for line in order if "eval_loss" in line), None) for order in (lines, reversed(lines)))
    if first is not last:
        facts.append(say("status.loss", first=f"{first['eval_loss']:.2f}", last=f"{last['eval_loss']:.2f}"))
    share = 100 * status.step / status.total_steps if status.total_steps else 0
    bar = f'<div class="bar"><i style="width:{share:.1f}%"></i></div>' if status.total_steps else ""
    problem = ""
    if status.error:
        told = wording.told(status.error_key, status.error_facts, status.error, language)
        problem = f'<div class="error" role="alert">{html.escape(told)}</div>'
    kind = "active" if status.active else status.state
    told = "".join(f"<span>{fact}</span>" for fact in facts)
    return (
        f'<div class="run-card {kind}" lang="{language}">'
        f'<div class="state"><span class="dot"></span>{state}</div>{bar}<div class="facts">{told}</div>{problem}</div>'
    )


def _phase(status: runs.Status, stopping: bool, cancelling: bool) -> str:
    if cancelling:
        return "cancelling"
    if stopping:
        return "stopping"
    if status.waiting:
        return "waiting"
    return "cancelled" if status.cancelled else status.state


def seconds_left(status: runs.Status, lines: list[dict[str, Any]]) -> float | None:
    """How long the remaining steps will take at the pace of the last ones; None before there is a pace."""
    timed: list[tuple[int, float]] = []
    for line in islice((line for line in reversed(lines) if "loss" in line), 20):
        if timed and line["step"] > timed[-1][0]:
            break  # what was measured before the run was resumed
        timed.append((line["step"], line["elapsed_s"]))
    timed = timed[::-1]
    if len(timed) < 2 or timed[-1][0] == timed[0][0]:
        return None
    pace = (timed[-1][1] - timed[0][1]) / (timed[-1][0] - timed[0][0])
    return max(0.0, pace * (status.total_steps - status.step))


def empty_html(language: str) -> str:
    text = html.escape(wording.sentence("status.none", language))
    return f'<div class="run-card" lang="{language}">{text}</div>'


def alerts_html(alerts: Iterable[Alert], language: str) -> str:
    """What a maker should hear of, the gravest first; nothing where there is nothing."""
    told = "".join(
        f'<li class="{alert.level}">{html.escape(wording.sentence(alert.key, language, **alert.facts))}</li>'
        for alert in alerts
    )
    return f'<ul class="findings" lang="{language}">{told}</ul>' if told else ""


def samples_html(lines: list[dict[str, Any]], language: str) -> str:
    """Each fixed prompt with its replies from the base to the newest checkpoint; what is new in a reply is marked."""
    blocks = []
    for prompt, answers in samples.timeline(lines, MOST_ANSWERS).items():
        rows = []
        for answer in answers:
            step = html.escape(wording.sentence("samples.step", language, step=answer.step))
            loss = "" if answer.eval_loss is None else wording.digits(f"{answer.eval_loss:.2f}", language)
            text = "".join(
                f"<mark>{html.escape(part)}</mark>" if new else html.escape(part) for part, new in answer.parts
            )
            rows.append(
                f'<li><span class="quiet">{step}{f" · {loss}" if loss else ""}</span><p lang="bn">{text}</p></li>'
            )
        blocks.append(f'<section><h4 lang="bn">{html.escape(prompt)}</h4><ol>{"".join(rows)}</ol></section>')
    if not blocks:
        return f'<p class="quiet" lang="{language}">{html.escape(wording.sentence("samples.none", language))}</p>'
    return f'<div class="timeline">{"".join(blocks)}</div>'

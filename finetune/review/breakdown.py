"""Votes taken apart: the win rate by topic, register, script, length and care, ratings, reasons, each reviewer.

Knows a line of votes and which prompt it belongs to; which votes count, `verdict.py` has decided before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from finetune.review import statistics
from finetune.review.sessions import ROLES as DECIDED
from finetune.review.votes import CRITERIA

Line = dict[str, Any]

DIMENSIONS = ("topic", "register", "script", "length", "care")

SCALE = (1, 5)
"""Ends of the marks that reviewers give."""

THIN_PROMPTS, THIN_DECIDED = 5, 20
"""A slice with fewer is greyed: its interval says more about who happened to vote than about the models."""


def item(line: Line) -> tuple[str, str]:
    """The prompt in its set: the same prompt in another set has other replies."""
    return str(line.get("set_id") or ""), line["prompt_id"]


def clusters(lines: Iterable[Line]) -> list[tuple[str, str]]:
    """What each line's vote is clustered by."""
    return [item(line) for line in lines]


def won(decided: Sequence[Line], seed: int) -> statistics.Interval:
    """The share of decided votes for the tuned side."""
    return statistics.rate([float(line["choice"] == "tuned") for line in decided], clusters(decided), seed)


def slices(first: Sequence[Line], name: str, seed: int) -> list[dict[str, Any]]:
    """The rate for each value of one dimension, the most votes first; what says nothing of it is in no slice."""
    by_value: dict[Any, list[Line]] = {}
    for line in first:
        if line.get(name) not in (None, ""):
            by_value.setdefault(line[name], []).append(line)
    found = []
    for value, lines in sorted(by_value.items(), key=lambda pair: (-len(pair[1]), str(pair[0]))):
        decided = [line for line in lines if line["choice"] in DECIDED]
        rate, choices = won(decided, seed), Counter(line["choice"] for line in lines)
        found.append({
            "value": value, "win_rate": rate.value, "low": rate.low, "high": rate.high, "decided": len(decided),
            "prompts": rate.clusters, "ties": choices["both_good"], "both_bad": choices["both_bad"],
            "thin": rate.clusters < THIN_PROMPTS or len(decided) < THIN_DECIDED,
        })  # fmt: skip
    return found


def ratings(first: Sequence[Line]) -> dict[str, dict[str, dict[str, Any]]]:
    """Means of the 1 to 5 by criterion and side, and of the differences where one reviewer marked both sides."""
    width = float(SCALE[1] - SCALE[0])
    found = {}
    for criterion in CRITERIA:
        marked = [(line, (line.get("ratings") or {}).get(criterion) or {}) for line in first]
        both = [(line, marks["tuned"] - marks["base"]) for line, marks in marked if marks.keys() >= set(DECIDED)]
        found[criterion] = {
            side: _mean([(line, marks[side]) for line, marks in marked if side in marks], SCALE) for side in DECIDED
        }
        found[criterion]["difference"] = _mean(both, (-width, width))
    return found


def _mean(marked: Sequence[tuple[Line, float]], scale: tuple[float, float]) -> dict[str, Any]:
    found = statistics.mean([mark for _, mark in marked], clusters(line for line, _ in marked), scale)
    return {"mean": found.value, "low": found.low, "high": found.high, "n": found.n}


def reasons(first: Sequence[Line]) -> dict[str, dict[str, int]]:
    """How often each reason was ticked, by which side won; under `both` where neither did."""
    counted: dict[str, Counter[str]] = {side: Counter() for side in (*DECIDED, "both")}
    for line in first:
        counted[line["choice"] if line["choice"] in DECIDED else "both"].update(line.get("reasons") or [])
    return {side: dict(counter.most_common()) for side, counter in counted.items()}


def by_reviewer(first: Sequence[Line]) -> list[dict[str, Any]]:
    """Each reviewer's number of votes, and among the decided ones the shares for the tuned and for the left side."""
    by_name: dict[str, list[Line]] = {}
    for line in first:
        by_name.setdefault(line["reviewer"], []).append(line)
    found = []
    for reviewer, own in sorted(by_name.items()):
        decided = [line for line in own if line["choice"] in DECIDED]
        of = len(decided)
        tuned = sum(line["choice"] == "tuned" for line in decided)
        left = sum(line["choice"] == line["left"] for line in decided)
        shares = {"win_rate": tuned / of if of else None, "left_rate": left / of if of else None}
        found.append({"reviewer": reviewer, "votes": len(own), **shares})
    return found

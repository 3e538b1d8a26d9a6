"""From votes to a verdict: who was preferred, how sure that is, and what might have led reviewers besides the replies.

Reads the lines of an export (`outcome.py`); four keys are enough, whatever else is lacking is left out of the figures.
Votes given after a reveal and repeats stand apart and decide nothing. It draws nothing, and does not know which
reviewers could be trusted, nor what a reply ought to say.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from finetune.errors import DataError
from finetune.review import agreement, breakdown, lengths, statistics
from finetune.review.breakdown import DECIDED, SCALE, Line
from finetune.review.votes import CHOICES, CRITERIA

NEEDED = ("prompt_id", "reviewer", "choice", "left")
POINTS = {"tuned": 1.0, "base": 0.0, "both_good": 0.5, "both_bad": 0.5}

KINDS = {
    **dict.fromkeys(("topic", "register", "script", "length", "set_id", "vote_id", "at", "note"), str),
    **dict.fromkeys(("prompt", "base_reply", "tuned_reply"), str),
    **dict.fromkeys(("care", "repeat", "unblinded", "undone"), bool),
    **dict.fromkeys(("base_characters", "tuned_characters"), int),
    "ratings": dict,
    "reasons": list,
}
"""What else a line may hold, and of what kind it is then; null is as good as missing."""

KIND_NAMES = {str: "text", bool: "true or false", int: "a whole number", dict: "an object", list: "a list"}

FEW_PROMPTS = 15
"""Below so many prompts a verdict is about these prompts rather than about the models."""

LITTLE_AGREEMENT = 0.1
"""Below this on both coefficients, reviewers agree hardly more than by luck. Our choice: no border is well founded."""

FEW_REPEATS = 5
"""With fewer, nothing is said of how steady reviewers are."""

LEFT_BIAS = 0.1
"""How far from one half a side's share may be, interval and all, before it is worth a warning."""


def read_votes(path: Path) -> list[Line]:
    """The lines of a votes file; DataError names the file and the line that cannot be used."""
    if not path.is_file():
        raise DataError(
            f"There is no file {path.name}. Check the path, or export the votes again.",
            key="data.no_file",
            file=path.name,
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path.name} cannot be read as UTF-8 text. Choose the file of votes (JSONL) that the page exports.",
            key="votes.unreadable",
            file=path.name,
        ) from error
    lines = []
    for number, raw in enumerate(text.split("\n"), 1):
        if not raw.strip():
            continue
        try:
            line = _checked(json.loads(raw))
        except (ValueError, RecursionError) as error:
            reason = "it is not JSON" if isinstance(error, json.JSONDecodeError) else str(error)
            raise DataError(
                f"Line {number:,} of {path.name} is no vote: {reason}. Mend the line, or export the votes again.",
                key="votes.broken",
                file=path.name,
                line=number,
            ) from error
        lines.append(line)
    if not lines:
        raise DataError(
            f"{path.name} holds no votes. Export them from the page again.", key="votes.empty", file=path.name
        )
    return lines


def _checked(line: Any) -> Line:
    """The line with its prompt and reviewer as text; ValueError says what makes it no vote."""
    if not isinstance(line, dict) or any(line.get(key) in (None, "") for key in NEEDED):
        raise ValueError(f"it is no JSON object with {', '.join(NEEDED)}")
    for key in ("prompt_id", "reviewer"):  # other tools number them
        if isinstance(line[key], bool) or not isinstance(line[key], str | int):
            raise ValueError(f"{key} is neither text nor a number")
    if line["choice"] not in CHOICES or line["left"] not in DECIDED:
        raise ValueError(f"choice is one of {', '.join(CHOICES)}, left one of {', '.join(DECIDED)}")
    for key, kind in KINDS.items():
        if line.get(key) is not None and type(line[key]) is not kind:
            raise ValueError(f"{key} is not {KIND_NAMES[kind]}")
    if any((line.get(key) or 0) < 0 for key in ("base_characters", "tuned_characters")):
        raise ValueError("a reply has fewer than no characters")
    for criterion in CRITERIA:
        marks = (line.get("ratings") or {}).get(criterion) or {}
        if not isinstance(marks, dict) or not all(_is_mark(marks[side]) for side in DECIDED if side in marks):
            raise ValueError(f"{criterion} is not rated {SCALE[0]} to {SCALE[1]} by side")
    if not all(isinstance(reason, str) for reason in line.get("reasons") or []):
        raise ValueError("reasons are not text")
    return {**line, "prompt_id": str(line["prompt_id"]), "reviewer": str(line["reviewer"])}


def _is_mark(mark: Any) -> bool:
    return type(mark) in (int, float) and SCALE[0] <= mark <= SCALE[1]


def verdict(lines: Sequence[Line], seed: int = 0) -> dict[str, Any]:
    """Every figure that a report shows; rates are shares from 0 to 1, None where there is nothing to reckon with.

    Intervals are 95 %, clustered by prompt (`statistics.py`). The same lines in another order give the same verdict.
    """
    held = _standing(lines)
    blind = [line for line in held if not line.get("unblinded")]
    first = [line for line in blind if not line.get("repeat")]
    decided = [line for line in first if line["choice"] in DECIDED]
    counts = Counter(line["choice"] for line in first)
    won = breakdown.won(decided, seed)
    net = statistics.rate([POINTS[line["choice"]] for line in first], breakdown.clusters(first), seed)
    given: dict[Any, dict[str, str]] = {}
    for line in first:
        given.setdefault(breakdown.item(line), {}).setdefault(line["reviewer"], line["choice"])
    needed = statistics.votes_needed(won)
    result = {
        "win_rate": won.value, "low": won.low, "high": won.high,
        "votes": len(first), "prompts": len(given), "reviewers": len({line["reviewer"] for line in first}),
        "decided": len(decided), "ties": counts["both_good"], "both_bad": counts["both_bad"],
        "tuned_wins": counts["tuned"], "base_wins": counts["base"],
        "repeats": len(blind) - len(first), "unblinded": len(held) - len(blind),
        "net": {"rate": net.value, "low": net.low, "high": net.high},
        "needed": {"votes": needed, "settled": needed == 0},
        "krippendorff_alpha": agreement.krippendorff_alpha(given, CHOICES),
        "gwet_ac1": agreement.gwet_ac1(given, CHOICES),
        "agreement": agreement.observed(given),
        "within": _within(blind),
        "position": _share(decided, lambda line: line["choice"] == line["left"], "left_rate", seed),
        "length": _length(decided, seed),
        "slices": {name: breakdown.slices(first, name, seed) for name in breakdown.DIMENSIONS},
        "ratings": breakdown.ratings(first),
        "reasons": breakdown.reasons(first),
        "by_reviewer": breakdown.by_reviewer(first),
    }  # fmt: skip
    return {**result, "warnings": _warnings(result, sum(line["left"] == "tuned" for line in decided))}


def _standing(lines: Sequence[Line]) -> list[Line]:
    """The votes that hold, each once and the earliest first: a file may be two exports put together, or a history."""
    undone = {line.get("vote_id") for line in lines if line.get("undone")}
    once: dict[Any, Line] = {}
    for number, line in enumerate(lines):
        if not line.get("undone") and (not line.get("vote_id") or line["vote_id"] not in undone):
            once.setdefault(line.get("vote_id") or number, line)
    by_content = sorted(once.values(), key=lambda line: json.dumps(line, sort_keys=True, default=str))
    return sorted(by_content, key=lambda line: line.get("at") or "")


def _share(lines: Sequence[Line], what: Callable[[Line], bool], name: str, seed: int) -> dict[str, Any]:
    found = statistics.rate([float(what(line)) for line in lines], breakdown.clusters(lines), seed)
    return {name: found.value, "low": found.low, "high": found.high, "n": found.n}


def _within(blind: Sequence[Line]) -> dict[str, Any]:
    """Whether a reviewer says of a pair that comes back with its sides swapped what they said of it first."""
    before: dict[Any, str] = {}
    for line in blind:
        if not line.get("repeat"):
            before.setdefault((line["reviewer"], breakdown.item(line)), line["choice"])
    pairs = [(before.get((line["reviewer"], breakdown.item(line))), line) for line in blind if line.get("repeat")]
    same = [choice == line["choice"] for choice, line in pairs if choice]
    return {"same": sum(same), "of": len(same), "rate": sum(same) / len(same) if same else None}


def _length(decided: Sequence[Line], seed: int) -> dict[str, Any]:
    known = [line for line in decided if line.get("base_characters") and line.get("tuned_characters")]
    unequal = [line for line in known if line["base_characters"] != line["tuned_characters"]]
    longer = _share(
        unequal,
        lambda line: (line["choice"] == "tuned") == (line["tuned_characters"] > line["base_characters"]),
        "longer_rate",
        seed,
    )
    ratios = [math.log(line["tuned_characters"] / line["base_characters"]) for line in known]
    level = lengths.at_equal_length(
        [float(line["choice"] == "tuned") for line in known], ratios, breakdown.clusters(known)
    )
    controlled = None if level.value is None else {"win_rate": level.value, "low": level.low, "high": level.high}
    return {**longer, "controlled": controlled}


def _warnings(result: dict[str, Any], tuned_left: int) -> list[dict[str, Any]]:
    """What whoever reads the figures should know first; `tuned_left` decided votes had the tuned side on the left."""
    found = []
    if result["prompts"] < FEW_PROMPTS:
        text = f"Only {result['prompts']} prompts: this is about these prompts rather than about the models."
        found.append({"key": "few_prompts", "text": text, "prompts": result["prompts"]})
    if result["reviewers"] == 1:
        found.append({"key": "one_reviewer", "text": "One person's taste: nobody else has judged."})
    coefficients = (result["krippendorff_alpha"], result["gwet_ac1"])
    if result["agreement"]["items"] >= FEW_PROMPTS and all(
        c is not None and c < LITTLE_AGREEMENT for c in coefficients
    ):
        text = "Reviewers judged differently: picking at random, they would have agreed almost as often."
        found.append({"key": "disagreement", "text": text})
    position, decided = result["position"], result["decided"]
    if decided and _off_half(*statistics.exact(tuned_left / decided, decided)):
        percent = round(100 * tuned_left / decided)
        text = (
            f"The tuned side stood on the left in {percent} % of the decided votes, so these sides were not drawn by"
            " lot, and what looks like a preference for it may be one for its place."
        )
        found.append({"key": "sides_uneven", "text": text, "percent": percent})
    elif decided and _off_half(position["low"], position["high"]):
        text = (
            "One side of the page was preferred whatever stood there. Sides are balanced, so the rate holds, but is"
            " noisier."
        )
        found.append({"key": "side_bias", "text": text, "rate": position["left_rate"]})
    if result["within"]["of"] >= FEW_REPEATS and result["within"]["rate"] < 0.5:
        text = "Shown again with the sides swapped, reviewers mostly said something else."
        found.append({"key": "unsteady", "text": text, "rate": result["within"]["rate"]})
    if result["unblinded"]:
        text = f"Votes that came after a reveal are left out: {result['unblinded']:,}."
        found.append({"key": "unblinded", "text": text, "count": result["unblinded"]})
    return found


def _off_half(low: float, high: float) -> bool:
    return low > 0.5 + LEFT_BIAS or high < 0.5 - LEFT_BIAS

"""The card beside preference files: what went in by which rules, how far reviewers agreed, how to train on it.

Hugging Face's front matter and Markdown. It counts nothing itself, names no reviewer, and what it is not told it says
to be unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from finetune.checks import DPO_FILE, KTO_FILE
from finetune.review import feedback_preferences
from finetune.review.preferences import REASONS, RULES, Preferences

FRONT = {
    "language": ["bn"],
    "license": "unknown",
    "task_categories": ["text-generation"],
    "tags": ["preference", "dpo", "kto", "trl", "bengali", "empathy", "shohomormi"],
    "configs": [{"config_name": "dpo", "data_files": DPO_FILE}, {"config_name": "kto", "data_files": KTO_FILE}],
}

TRAIN = f"""\
With Shohomormi, going on from the adapter that was reviewed (a run's name, or a folder):

```sh
python -m finetune train demo-dpo --set data.source=FOLDER/{DPO_FILE} --set adapter.start_from=RUN
```

For another base than the demo's, set `base.model` and the `adapter.*` settings of that run too; what differs is told.
With TRL itself, `{DPO_FILE}` is a data set for `DPOTrainer` and `{KTO_FILE}` one for `KTOTrainer`, both in the
conversational format: `load_dataset("json", data_files="{DPO_FILE}", split="train")`."""

LICENCE = """\
The replies were written by models, under the licences of these models: that of Llama 3.1, for one, lets its output
train another model only where its name then begins with “Llama”. The prompts belong to whoever wrote them. The votes
were given by people for this comparison: ask them before you publish what came of it."""

LIMITS = """\
- Whose preferences these are, nobody can tell from the files: a few people's taste is not everybody's.
- Preferred means better than the other reply, not good, and not safe.
- The longer reply, or the left one, may have been preferred for that alone; the verdict on the votes says how far."""


def card(found: Preferences, verdict: Mapping[str, Any], contestants: Mapping[str, str]) -> str:
    """The card as text; `verdict` and `contestants` as `Preferences.write` takes them, empty where they are unknown."""
    outcomes, left_out = found.outcomes, found.left_out
    compared = {role: contestants.get(role, "unknown") for role in ("base", "tuned")}
    went_in = {
        "Votes that counted": found.votes,
        "Reviewers": found.reviewers,
        f"Rows in {DPO_FILE}": len(found.dpo),
        "… preferring the tuned reply": outcomes["tuned"],
        "… preferring the base's reply": outcomes["base"],
        f"Rows in {KTO_FILE}": len(found.kto),
        "… desirable": sum(row["label"] for row in found.kto),
        "Pairs of which both replies are good": outcomes["both_good"],
        "Pairs of which both replies are bad": outcomes["both_bad"],
        "Rows of both files that people gave of their chats": found.given,
    }
    left = {f"{unit.capitalize()} {why}": left_out[reason] for reason, (unit, why) in REASONS.items()}
    sections = {
        "What was compared": _table({"`base`": compared["base"], "`tuned`": compared["tuned"]}),
        "What went in": _table(went_in),
        "Rules": RULES,
        **({"Rules for what was given of chats": feedback_preferences.RULES} if found.given else {}),
        "What was left out": _table(left),
        "Agreement": _agreement(verdict),
        "How to train on it": TRAIN,
        "Limits": LIMITS,
        "Licence": LICENCE,
    }
    head = yaml.safe_dump(FRONT, allow_unicode=True, sort_keys=False, width=120)
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    opening = "Which of two replies people preferred in blind review, as training data for DPO and KTO."
    return f"---\n{head}---\n\n# Preferences from a blind review\n\n{opening}\n\n{body}\n"


def _agreement(verdict: Mapping[str, Any]) -> str:
    """What a verdict says of all the votes, those included that the rules leave out."""
    if not verdict:
        return "Not measured here. `python -m finetune verdict VOTES.jsonl` tells it from the same votes."
    within, agreement = verdict.get("within") or {}, verdict.get("agreement") or {}
    return _table(
        {
            "Win rate of tuned over base": _interval(verdict),
            "Krippendorff's α (nominal, four choices)": _figure(verdict.get("krippendorff_alpha")),
            "Gwet's AC1": _figure(verdict.get("gwet_ac1")),
            "Prompts with two reviewers or more": agreement.get("items", "unknown"),
            "A reviewer's second vote is like the first": _figure(within.get("rate")),
        }
    )


def _interval(verdict: Mapping[str, Any]) -> str:
    low, high = _figure(verdict.get("low")), _figure(verdict.get("high"))
    return f"{_figure(verdict.get('win_rate'))} (95 % interval {low} to {high})"


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _table(facts: Mapping[str, Any]) -> str:
    lines = ["| | |", "|---|---|"]
    for name, value in facts.items():
        shown = f"{value:,}" if isinstance(value, int) else " ".join(str(value).split()).replace("|", "\\|")
        lines.append(f"| {name} | {shown} |")
    return "\n".join(lines)

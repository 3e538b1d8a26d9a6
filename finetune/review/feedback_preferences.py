"""What people liked in the chat as training data: rows for DPO and KTO in the formats that votes give.

The rules are those of votes where they can be: a majority of two thirds, one row for what was said of one reply however
many said it, nothing in it that calls for care. It does not know who said what, so that one person with many ids counts
as many; nor whether there is enough to train on. Prompts may have several turns, which votes never have, and which a
run of our own does not learn from yet (`data/preference_file.py`): `single_turn` leaves them out.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from finetune.data.prompts import Message
from finetune.review.feedback import Feedback, needs_care
from finetune.review.preferences import AGREED, Row

LEFT_OUT: dict[str, tuple[str, str]] = {
    "care": ("rows", "in which the crisis screen finds something"),
    "identical": ("rows", "with two replies that are the same"),
    "disagreement": ("replies and pairs of replies", "on which too few of those who said something agree"),
}
"""What is left out, with the unit in which it is counted."""

Texts = tuple[str, ...]

RULES = """\
1. Only what somebody gave with their consent, and has not taken back.
2. A liked reply is desirable for KTO, a disliked one undesirable. Of two to choose from, the chosen one is preferred: a
   row for DPO, and for KTO the chosen reply as desirable, the other as undesirable.
3. Where several people spoke of the same reply, or of the same two, after the same messages, at least two thirds of
   them decide, in one row; else it is left out."""


@dataclass(frozen=True)
class FeedbackPreferences:
    """The rows of both kinds, as `preferences.Preferences` has them, and how much was left out."""

    dpo: tuple[Row, ...]
    """`{"prompt": [message, …], "chosen": [message], "rejected": [message]}`, as TRL's DPOTrainer takes them."""
    kto: tuple[Row, ...]
    """`{"prompt": [message, …], "completion": [message], "label": bool}`, as TRL's KTOTrainer takes them."""
    left_out: dict[str, int]
    """By LEFT_OUT, all of them, in their order."""

    def single_turn(self) -> FeedbackPreferences:
        """The rows alone whose prompt is one message."""
        return replace(
            self, **{name: tuple(row for row in getattr(self, name) if len(row["prompt"]) == 1) for name in _KINDS}
        )


_KINDS = ("dpo", "kto")


def preference_rows(rows: Iterable[Feedback]) -> FeedbackPreferences:
    """What feedback is worth as training data; its order does not matter, and nothing left is no error."""
    left_out = dict.fromkeys(LEFT_OUT, 0)
    labels: dict[Texts, Counter[bool]] = defaultdict(Counter)
    """Of each prompt and reply: how often it is desirable."""
    choices: dict[Texts, Counter[tuple[str, str]]] = defaultdict(Counter)
    """Of each prompt and two replies in alphabetical order: how often which was chosen, and which rejected."""
    for row in rows:
        why = _why_left_out(row)
        if why:
            left_out[why] += 1
            continue
        prompt = json.dumps(row.conversation, ensure_ascii=False)
        labels[prompt, row.reply][row.liked] += 1
        if row.rejected is not None:
            labels[prompt, row.rejected][False] += 1
            pair = row.reply, row.rejected
            choices[prompt, *sorted(pair)][pair] += 1
    dpo = [
        {"prompt": json.loads(prompt), "chosen": _said(chosen), "rejected": _said(rejected)}
        for (prompt, *_), (chosen, rejected) in _agreed(choices, left_out)
    ]
    kto = [
        {"prompt": json.loads(prompt), "completion": _said(reply), "label": label}
        for (prompt, reply), label in _agreed(labels, left_out)
    ]
    return FeedbackPreferences(tuple(dpo), tuple(kto), left_out)


def _why_left_out(row: Feedback) -> str:
    """Why a row is left out whatever others say; empty where it is not."""
    if needs_care(row.texts()):  # the screen may have learnt since the row was kept
        return "care"
    return "identical" if row.reply == row.rejected else ""


def _agreed(votes: Mapping[Texts, Counter[Any]], left_out: dict[str, int]) -> Iterable[tuple[Texts, Any]]:
    """What a majority says of each thing, in the order of things; the others are counted as disagreement."""
    share, of = AGREED
    for about, said in sorted(votes.items()):
        ((most, count),) = said.most_common(1)
        if of * count >= share * said.total():
            yield about, most
        else:
            left_out["disagreement"] += 1


def _said(text: str) -> list[Message]:
    return [{"role": "assistant", "content": text}]

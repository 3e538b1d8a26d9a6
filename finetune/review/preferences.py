"""Votes as the next training set: which reply people preferred, in TRL's formats for DPO and KTO, with a card.

One outcome for each pair that was judged, by the rules of RULES, which the card repeats. Nothing that calls for care
goes in, and no reviewer's name, note or mark. It does not judge whether there are enough votes (`verdict.py`), and
trains nothing (`training/preference_trainer.py`).
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finetune.checks import DPO_FILE, KTO_FILE
from finetune.errors import DataError
from finetune.inference import safety
from finetune.review.sessions import ROLES

AGREED = (2, 3)
"""The share, as a fraction, that a majority needs: of three reviewers two, of two both."""

CARD = "README.md"

TEXTS = ("prompt", "base_reply", "tuned_reply")

REASONS: dict[str, tuple[str, str]] = {
    "undone": ("votes", "taken back by the reviewer"),
    "repeats": ("votes", "on a pair shown again, to see whether a reviewer agrees with themselves"),
    "unblinded": ("votes", "given after the reviewer had seen which side is which"),
    "without_text": ("votes", "with no prompt or replies in the file"),
    "replaced": ("votes", "followed by a later vote of the same reviewer on the same pair"),
    "care": (
        "pairs",
        "marked as needing care, or in which the crisis screen finds something, however they were judged",
    ),
    "identical": ("pairs", "with two replies that are the same"),
    "disagreement": ("pairs", "on which too few reviewers agree"),
}
"""What is left out, counted in votes or in pairs, in the order in which it is looked at."""

RULES = """\
1. A pair is one prompt with its two replies in one set. Each reviewer's last blind vote on it counts once.
2. Where at least half of a pair's votes choose between the replies, the one with at least two thirds of those votes is
   preferred: a row for DPO, and two for KTO, the preferred reply as desirable and the other as undesirable.
3. Else, where at least two thirds of the other votes say that both are good, both replies are desirable for KTO; where
   they say that both are bad, both are undesirable. DPO gets no row, for nothing is preferred.
4. Else the reviewers disagree, and the pair is left out.
5. What calls for care is left out before anybody's vote is looked at, and so are identical replies."""

OUTCOMES = (*ROLES, "both_good", "both_bad")

Line = Mapping[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class Preferences:
    """The rows of both files, and what became of the votes."""

    dpo: tuple[Row, ...]
    """`{"prompt": [message], "chosen": [message], "rejected": [message]}`, as TRL's DPOTrainer takes them."""
    kto: tuple[Row, ...]
    """`{"prompt": [message], "completion": [message], "label": bool}`, as TRL's KTOTrainer takes them."""
    left_out: dict[str, int]
    """By REASONS, all of them, in their order."""
    outcomes: dict[str, int]
    """Pairs by OUTCOMES: whose reply was preferred, or what was said of both."""
    votes: int
    """Votes that decided these outcomes, and below by how many reviewers."""
    reviewers: int
    given: int = 0
    """Rows, of both kinds, that do not come from votes but from what people gave of their chats."""

    def write(
        self, folder: Path, *, verdict: Mapping[str, Any] | None = None, contestants: Mapping[str, str] | None = None
    ) -> None:
        """Write `dpo.jsonl`, `kto.jsonl` and their card; the files that were there are replaced, each as a whole.

        verdict: as `verdict.verdict` gives it, for the card's agreement; contestants: what `base` and `tuned` were.
        """
        from finetune.review.preference_card import card  # which reads the rules here

        folder.mkdir(parents=True, exist_ok=True)
        files = {
            DPO_FILE: "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self.dpo),
            KTO_FILE: "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self.kto),
            CARD: card(self, verdict or {}, contestants or {}),
        }
        for name, text in files.items():
            (folder / f"{name}.part").write_text(text, encoding="utf-8")
        for name in files:
            (folder / f"{name}.part").replace(folder / name)


def preferences(lines: Sequence[Line]) -> Preferences:
    """What votes, as an export holds them, are worth as training data; their order does not matter.

    Raises DataError where no line holds the texts, and where no pair is left.
    """
    if not any(_complete(line) or line.get("care") for line in lines):
        raise DataError(
            f"None of the {len(lines):,} votes comes with its prompt and replies ({', '.join(TEXTS)}). Export them"
            " again on the machine where the set lies.",
            key="preferences.no_text",
            votes=len(lines),
        )
    left_out = dict.fromkeys(REASONS, 0)
    outcomes: dict[str, list[tuple[str, ...]]] = {name: [] for name in OUTCOMES}
    counted: list[Line] = []
    for pair, votes in sorted(_pairs(lines, left_out).items()):
        outcome = _pair_left_out(*pair[2:]) or _outcome(Counter(vote["choice"] for vote in votes))
        if outcome in left_out:
            left_out[outcome] += 1
        else:
            outcomes[outcome].append(pair[2:])
            counted += votes
    found = Preferences(
        dpo=tuple(_dpo_rows(outcomes)),
        kto=tuple(_kto_rows(outcomes)),
        left_out=left_out,
        outcomes={name: len(pairs) for name, pairs in outcomes.items()},
        votes=len(counted),
        reviewers=len({vote["reviewer"] for vote in counted}),
    )
    if not found.kto:
        reasons = "; ".join(
            f"{count:,} {REASONS[why][0]} {REASONS[why][1]}" for why, count in left_out.items() if count
        )
        raise DataError(
            f"Nothing is left of {len(lines):,} votes: {reasons}. Let reviewers judge more pairs.",
            key="preferences.nothing_left",
            votes=len(lines),
            care=left_out["care"],
            identical=left_out["identical"],
            disagreement=left_out["disagreement"],
            uncounted=sum(left_out[why] for why, (unit, _) in REASONS.items() if unit == "votes"),
        )
    return found


def _complete(line: Line) -> bool:
    return all(isinstance(line.get(name), str) and line[name].strip() for name in TEXTS)


def _pairs(lines: Iterable[Line], left_out: dict[str, int]) -> dict[tuple[str, ...], list[Line]]:
    """The votes that count by pair (set, prompt's id, prompt, both replies); texts are empty where care is needed."""
    careful = {_place(line) for line in lines if line.get("care")}
    votes: dict[tuple[str, ...], dict[str, Line]] = {}
    for line in sorted(lines, key=lambda line: str(line.get("at", ""))):
        care = _place(line) in careful
        why = _vote_left_out(line, care)
        if why:
            left_out[why] += 1
            continue
        texts = ("",) * len(TEXTS) if care else tuple(_clean(line[name]) for name in TEXTS)
        of_pair = votes.setdefault((*_place(line), *texts), {})
        left_out["replaced"] += line["reviewer"] in of_pair
        of_pair[line["reviewer"]] = line
    return {pair: list(of_pair.values()) for pair, of_pair in votes.items()}


def _place(line: Line) -> tuple[str, str]:
    """The set and the prompt that a vote is about."""
    return str(line.get("set_id", "")), line["prompt_id"]


def _vote_left_out(line: Line, care: bool) -> str:
    """Why a vote does not count; empty where it does."""
    for key, why in (("undone", "undone"), ("repeat", "repeats"), ("unblinded", "unblinded")):
        if line.get(key):
            return why
    return "" if care or _complete(line) else "without_text"


def _pair_left_out(*texts: str) -> str:
    """Why a pair is left out whatever the votes say; empty where it is not. texts: as in TEXTS, none of care's."""
    if not all(texts) or any(safety.screen(text) != "none" for text in texts):
        return "care"
    return "identical" if texts[1] == texts[2] else ""


def _outcome(choices: Counter[str]) -> str:
    """What reviewers say of a pair, one of OUTCOMES, or `disagreement` (RULES)."""
    decided = sum(choices[role] for role in ROLES)
    asked = ROLES if 2 * decided >= choices.total() else OUTCOMES[len(ROLES) :]
    most = max(asked, key=lambda choice: choices[choice])
    share, of = AGREED
    return most if of * choices[most] >= share * sum(choices[choice] for choice in asked) else "disagreement"


def _dpo_rows(outcomes: Mapping[str, list[tuple[str, ...]]]) -> Iterable[Row]:
    for role in ROLES:
        for prompt, *replies in outcomes[role]:
            chosen, rejected = replies if role == ROLES[0] else reversed(replies)
            yield {"prompt": _said("user", prompt), "chosen": _said("assistant", chosen),
                   "rejected": _said("assistant", rejected)}  # fmt: skip


def _kto_rows(outcomes: Mapping[str, list[tuple[str, ...]]]) -> Iterable[Row]:
    for outcome, pairs in outcomes.items():
        for prompt, *replies in pairs:
            for role, reply in zip(ROLES, replies, strict=True):
                yield {"prompt": _said("user", prompt), "completion": _said("assistant", reply),
                       "label": outcome in (role, "both_good")}  # fmt: skip


def _said(role: str, text: str) -> list[dict[str, str]]:
    return [{"role": role, "content": text}]


def _clean(text: str) -> str:
    """The text as it was read, in the one Unicode form that everything here is in."""
    return unicodedata.normalize("NFC", text).strip()

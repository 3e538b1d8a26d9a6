"""The votes: an append-only store. A vote is on disk when `vote` returns, once, whatever happens afterwards.

A correction is a row of its own: an undone vote stays in the history, and no row is ever changed or deleted (triggers
refuse it). Reviewers are a chosen name with a private token, of which only a hash is kept, or an account that logs in.
There is no address of anybody in here, and no text but a reviewer's own note; what reads like a crisis is not kept.
The store knows neither pairs nor which side is which beyond what each row says of itself.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finetune import bengali
from finetune.errors import ReviewError
from finetune.inference import safety
from finetune.review import vote_rows as rows
from finetune.review.sessions import ROLES
from finetune.review.vote_file import VoteFile
from finetune.review.vote_rows import Vote

FILE = "votes.sqlite3"
CHOICES = (*ROLES, "both_good", "both_bad")
CRITERIA = ("empathy", "natural", "relevance", "safety")
LIKED_FOR = ("warm", "heard", "question", "useful")
DISLIKED_FOR = ("cold", "lecture", "off_topic", "broken")
"""Reasons that a reviewer can give, and somebody in the chat, so that both can be counted together."""

LOWEST_MARK, HIGHEST_MARK = 1, 5
LONGEST_NAME, LONGEST_NOTE, LONGEST_REASON, MOST_REASONS = 80, 2000, 40, 12

LOGIN = "huggingface"
"""Marks reviewers who log in; the others have a token that was drawn for them."""

_ID = re.compile("[^\x00-\x1f\ud800-\udfff]{1,500}")
"""What can name something: from other tools it may be words, but no page of them, and no half characters."""


class VoteStore:
    """All votes of a home. Use it from any thread and any process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = VoteFile(path)

    # who votes

    def register(self, name: str) -> tuple[str, str]:
        """A new reviewer by a chosen name; gives their id and the token that proves it is them."""
        name = _bounded(name, LONGEST_NAME).replace("\n", " ")
        if not name:
            raise ReviewError("Write a name first; a nickname will do.", key="review.no_name")
        reviewer, token = uuid.uuid4().hex[:16], secrets.token_urlsafe(24)
        with self._file.writing() as db:
            db.execute("INSERT INTO reviewers VALUES (?, ?, 'token', ?, ?)", (reviewer, name, _hash(token), rows.now()))
        return reviewer, token

    def register_login(self, account: str, secret: str) -> tuple[str, str]:
        """The reviewer of an account that has logged in elsewhere (Hugging Face), always the same, and their token.

        The token follows from the secret and from nothing that is kept: with another secret it is another one, and the
        reviewer stays.
        """
        reviewer = hashlib.sha256(f"huggingface:{account}".encode()).hexdigest()[:16]
        token = _of_login(reviewer, secret)
        row = (reviewer, _bounded(account, LONGEST_NAME), LOGIN, _hash(token), rows.now())
        with self._file.writing() as db:
            db.execute("INSERT OR IGNORE INTO reviewers VALUES (?, ?, ?, ?, ?)", row)
        return reviewer, token

    def proves(self, reviewer: str, token: str, secret: str) -> bool:
        """Whether a token is this reviewer's; the secret is the one that `register_login` was given."""
        with self._file.reading() as db:
            row = db.execute("SELECT provider, secret FROM reviewers WHERE reviewer = ?", (reviewer,)).fetchone()
        if row is None:
            return False
        right = _hash(_of_login(reviewer, secret)) if row["provider"] == LOGIN else row["secret"]
        return bool(right) and hmac.compare_digest(right, _hash(token))

    # what they say

    def vote(self, vote: Vote) -> bool:
        """Keep a vote; False where this very vote (by its id) is already there, so that a click may be sent again.

        ReviewError where the reviewer has voted on this item, or has seen which side is which.
        """
        _check(vote)
        with self._file.writing() as db:
            known = rows.find(db, vote.vote_id)
            if known:
                if Vote.of(known).item != vote.item:
                    raise _not_theirs()
                return False
            _refuse_unblinded(db, vote.set_id, vote.reviewer)
            if rows.held(db, vote):
                raise ReviewError("You have voted on this pair. Undo that vote first.", key="review.twice")
            rows.add(db, "vote", vote, at=vote.at)
        return True

    def details(self, vote: Vote, ratings: Mapping[str, Mapping[str, Any]], reasons: Sequence[str], note: str) -> bool:
        """Keep what was said beside a vote, found by its id: marks by criterion and role, reasons, a note.

        Later ones replace earlier ones. False where the note was withheld, for it reads like a crisis; the rest is
        kept. ReviewError where it is no standing vote of that reviewer, or where they have seen which side is which.
        """
        said = _said(ratings, reasons, note)
        with self._file.writing() as db:
            known = rows.find(db, vote.vote_id)
            if known is None or known["undone"] or known["reviewer"] != vote.reviewer:
                raise _not_theirs()
            _refuse_unblinded(db, known["set_id"], vote.reviewer)
            rows.add(db, "details", Vote.of(known), said)
        return "note_withheld" not in said

    def undo(self, set_id: str, reviewer: str) -> Vote | None:
        """Take back the reviewer's last standing vote on a set, and record that; None where there is none."""
        with self._file.writing() as db:
            _refuse_unblinded(db, set_id, reviewer)
            standing = rows.votes(db, set_id, reviewer)
            if not standing:
                return None
            vote = Vote.of(standing[-1])
            rows.add(db, "undo", vote)
        return vote

    def reveal(self, set_id: str, reviewer: str) -> None:
        """Record that a reviewer has seen which side is which."""
        with self._file.writing() as db:
            if not rows.revealed(db, set_id, reviewer):
                rows.add(db, "reveal", Vote(uuid.uuid4().hex, set_id, "", reviewer, "", ""))

    def revealed(self, set_id: str, reviewer: str) -> bool:
        """Whether they have."""
        with self._file.reading() as db:
            return rows.revealed(db, set_id, reviewer)

    # what there is

    def standing(self, set_id: str | None = None, reviewer: str | None = None) -> list[Vote]:
        """Votes that hold, in the order in which they were given."""
        with self._file.reading() as db:
            return [Vote.of(row) for row in rows.votes(db, set_id, reviewer)]

    def lines(self, set_id: str | None = None, *, history: bool = False) -> list[dict[str, Any]]:
        """Standing votes as an export's lines, without texts; with `history`, undone votes too, marked `undone`."""
        with self._file.reading() as db:
            found, details, reveals = rows.votes(db, set_id, undone=history), rows.details(db), rows.reveals(db)
        lines = []
        for row in found:
            vote, elsewhere = Vote.of(row), json.loads(row["details"])  # what an import told of the vote
            seen = row["number"] > reveals.get((vote.set_id, vote.reviewer), row["number"])
            line = {
                "prompt_id": vote.prompt_id, "reviewer": vote.reviewer, "choice": vote.choice, "left": vote.left,
                "vote_id": vote.vote_id, "set_id": vote.set_id, "repeat": vote.repeat, "at": vote.at,
                "reviewer_name": row["name"] or elsewhere.get("reviewer_name", ""),
                **{"ratings": {}, "reasons": [], "note": "", **details.get(vote.vote_id, {})},
                "unblinded": elsewhere.get("unblinded", seen),
            }  # fmt: skip
            lines.append({**line, "undone": bool(row["undone"])} if history else line)
        return lines

    def add(self, lines: Sequence[dict[str, Any]]) -> tuple[int, int]:
        """Take over the lines of an export, all or none; how many were new and how many were known.

        Of two votes by one reviewer on one item the later holds: the earlier was undone, or given elsewhere. Who is
        named in an export gets no right to vote here by that. What a line says beside a known vote that has nothing
        beside it yet is taken too.
        """
        new = 0
        with self._file.writing() as db:
            details = rows.details(db)
            for line in lines:
                vote = _imported(line)
                known = rows.find(db, vote.vote_id)
                if known is None:
                    new += 1
                    rival = None if line.get("undone") else rows.held(db, vote)
                    name = _bounded(str(line.get("reviewer_name") or ""), LONGEST_NAME)
                    told = {"reviewer_name": name, "unblinded": bool(line.get("unblinded"))}
                    rows.add(db, "vote", vote, told, at=vote.at)
                    if rival:
                        rows.add(db, "undo", vote if vote.at < rival["at"] else Vote.of(rival))
                if line.get("undone") and not (known and known["undone"]):
                    rows.add(db, "undo", Vote.of(known) if known else vote)
                said = _said(line.get("ratings") or {}, line.get("reasons") or [], line.get("note") or "")
                if line.get("note_withheld"):
                    said["note_withheld"] = True
                if any(said.values()) and vote.vote_id not in details:
                    rows.add(db, "details", vote, said)
                    details[vote.vote_id] = said
        return new, len(lines) - new


def _refuse_unblinded(db: sqlite3.Connection, set_id: str, reviewer: str) -> None:
    if rows.revealed(db, set_id, reviewer):
        raise ReviewError(
            "You have seen which side is which in this set, so no more is taken and its votes stay as they are.",
            key="review.unblinded",
        )


def _said(ratings: Mapping[str, Mapping[str, Any]], reasons: Sequence[str], note: str) -> dict[str, Any]:
    """What is kept of what was said beside a vote, as an export shows it."""
    note = _bounded(note, LONGEST_NOTE)
    withheld = safety.screen(note) == "strong"
    marks = {
        criterion: {role: given[role] for role in ROLES if _is_mark(given.get(role))}
        for criterion, given in ratings.items()
        if criterion in CRITERIA and given
    }
    kept = {
        "ratings": {criterion: given for criterion, given in marks.items() if given},
        "reasons": [_bounded(reason, LONGEST_REASON) for reason in reasons[:MOST_REASONS]],
        "note": "" if withheld else note,
    }
    return {**kept, "note_withheld": True} if withheld else kept


def _is_mark(mark: Any) -> bool:
    return type(mark) in (int, float) and LOWEST_MARK <= mark <= HIGHEST_MARK


def _imported(line: Mapping[str, Any]) -> Vote:
    """The vote of an export's line. A line without an id gets one from what it says, so that it is added once."""
    parts = [line.get(key) for key in ("set_id", "prompt_id", "reviewer", "choice", "left", "repeat", "at")]
    by_content = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
    vote = Vote(
        str(line.get("vote_id") or by_content), str(line.get("set_id") or ""), str(line["prompt_id"]),
        str(line["reviewer"]), str(line["choice"]), str(line["left"]), bool(line.get("repeat")),
        _utc(str(line.get("at") or "")),
    )  # fmt: skip
    _check(vote)
    return vote


def _check(vote: Vote) -> None:
    named = all(_ID.fullmatch(name) for name in (vote.vote_id, vote.set_id or "none", vote.prompt_id, vote.reviewer))
    if not named or vote.choice not in CHOICES or vote.left not in ROLES:
        raise _no_vote()


def _utc(at: str) -> str:
    """A time as this store writes it; one that names no zone is UTC, and none is the present."""
    if not at:
        return rows.now()
    try:
        time = datetime.fromisoformat(at)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError) as error:
        raise _no_vote() from error


def _no_vote() -> ReviewError:
    return ReviewError(
        f"A vote names a prompt, a reviewer, a choice ({', '.join(CHOICES)}) and the left side ({', '.join(ROLES)}),"
        " and its time, if any, in ISO 8601. Mend the line, or export it again.",
        key="review.no_vote",
    )


def _not_theirs() -> ReviewError:
    return ReviewError("This does not belong to a vote of yours. Load the page again.", key="review.not_your_vote")


def _bounded(text: str, longest: int) -> str:
    """Text without control characters, at most so many characters long."""
    return bengali.trim_unfinished(bengali.clean(text)[:longest]).rstrip()


def _of_login(reviewer: str, secret: str) -> str:
    return hmac.new(secret.encode(), reviewer.encode(), hashlib.sha256).hexdigest()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()

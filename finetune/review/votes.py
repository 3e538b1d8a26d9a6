"""The votes: an append-only SQLite file. A vote is on disk when `vote` returns, once, whatever happens afterwards.

A correction is a row of its own: an undone vote stays in the history, and no row is ever changed or deleted (triggers
refuse it). Reviewers are a chosen name with a private token, of which only a hash is kept, or an account that logs in.
There is no address of anybody in here, and no text but a reviewer's own note; what reads like a crisis is not kept.
The store knows neither pairs nor which side is which beyond what each row says of itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
import sqlite3
import threading
import unicodedata
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from finetune.errors import ReviewError
from finetune.inference import safety
from finetune.review.sessions import ROLES

FILE = "votes.sqlite3"
VERSION = 1
"""Of the tables below, kept in the file's `user_version`."""

CHOICES = (*ROLES, "both_good", "both_bad")
CRITERIA = ("empathy", "natural", "relevance", "safety")
LONGEST_NAME, LONGEST_NOTE, MOST_REASONS = 80, 2000, 12
BUSY_SECONDS = 20.0
"""How long a writer waits for others; a vote takes milliseconds, so that only a stuck disk comes near."""

_SCHEMA = (
    """CREATE TABLE reviewers (
         reviewer TEXT PRIMARY KEY, name TEXT NOT NULL, provider TEXT NOT NULL, secret TEXT NOT NULL,
         at TEXT NOT NULL)""",
    """CREATE TABLE events (
         number INTEGER PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('vote', 'details', 'undo', 'reveal')),
         vote_id TEXT NOT NULL, set_id TEXT NOT NULL, prompt_id TEXT NOT NULL, reviewer TEXT NOT NULL,
         repeat INTEGER NOT NULL, choice TEXT NOT NULL, shown_left TEXT NOT NULL, details TEXT NOT NULL,
         at TEXT NOT NULL)""",
    "CREATE UNIQUE INDEX one_vote ON events (vote_id) WHERE kind = 'vote'",
    "CREATE UNIQUE INDEX one_undo ON events (vote_id) WHERE kind = 'undo'",
    "CREATE INDEX by_reviewer ON events (set_id, reviewer)",
    *(
        f"CREATE TRIGGER no_{what}_{table} BEFORE {what} ON {table} BEGIN SELECT RAISE(ABORT, 'append only'); END"
        for table in ("reviewers", "events")
        for what in ("UPDATE", "DELETE")
    ),
    f"PRAGMA user_version = {VERSION}",
)
_STANDING = """
SELECT number, vote_id, set_id, prompt_id, events.reviewer, repeat, choice, shown_left, events.at, name FROM events
LEFT JOIN reviewers ON reviewers.reviewer = events.reviewer
WHERE kind = 'vote' AND NOT EXISTS (SELECT 1 FROM events AS u WHERE u.kind = 'undo' AND u.vote_id = events.vote_id)
"""


@dataclass(frozen=True)
class Vote:
    """One vote: which role's reply was preferred, and which of them stood on the left."""

    vote_id: str
    set_id: str
    prompt_id: str
    reviewer: str
    choice: str
    left: str
    repeat: bool = False
    at: str = ""
    """ISO 8601, UTC, whole seconds; empty takes the present moment."""


class VoteStore:
    """All votes of a home. Use it from any thread and any process: every thread has a connection of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._writing() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise ReviewError(
                    f"{path} was written by a newer version of this program. Update the program; the votes are safe.",
                    key="review.newer_votes",
                    file=path.name,
                )
            if version == 0:
                for statement in _SCHEMA:
                    db.execute(statement)

    # who votes

    def register(self, name: str) -> tuple[str, str]:
        """A new reviewer by a chosen name; gives their id and the token that proves it is them."""
        name = _clean(name, LONGEST_NAME)
        if not name:
            raise ReviewError("Write a name first; a nickname will do.", key="review.no_name")
        reviewer, token = uuid.uuid4().hex[:16], secrets.token_urlsafe(24)
        with self._writing() as db:
            db.execute("INSERT INTO reviewers VALUES (?, ?, 'token', ?, ?)", (reviewer, name, _hash(token), _now()))
        return reviewer, token

    def register_login(self, account: str, secret: str) -> tuple[str, str]:
        """The reviewer of an account that has logged in elsewhere (Hugging Face), always the same, and their token."""
        reviewer = hashlib.sha256(f"huggingface:{account}".encode()).hexdigest()[:16]
        token = hmac.new(secret.encode(), account.encode(), hashlib.sha256).hexdigest()
        row = (reviewer, _clean(account, LONGEST_NAME), "huggingface", _hash(token), _now())
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO reviewers VALUES (?, ?, ?, ?, ?)", row)
        return reviewer, token

    def proves(self, reviewer: str, token: str) -> bool:
        """Whether a token is this reviewer's."""
        row = self._db.execute("SELECT secret FROM reviewers WHERE reviewer = ?", (reviewer,)).fetchone()
        return bool(row and row[0]) and hmac.compare_digest(row[0], _hash(token))

    # what they say

    def vote(self, vote: Vote) -> bool:
        """Keep a vote; False where this very vote (by its id) is already there, so that a click may be sent again.

        ReviewError where the reviewer has voted on this item, or has seen which side is which.
        """
        _check(vote)
        with self._writing() as db:
            known = db.execute("SELECT reviewer FROM events WHERE kind = 'vote' AND vote_id = ?", (vote.vote_id,))
            if known.fetchone():
                return False
            if self._revealed(db, vote.set_id, vote.reviewer):
                raise ReviewError(
                    "You have seen which side is which in this set, so no more votes on it are taken.",
                    key="review.unblinded",
                )
            same = db.execute(
                f"{_STANDING} AND set_id = ? AND events.reviewer = ? AND prompt_id = ? AND repeat = ?",
                (vote.set_id, vote.reviewer, vote.prompt_id, int(vote.repeat)),
            )
            if same.fetchone():
                raise ReviewError("You have voted on this pair. Undo that vote first.", key="review.twice")
            self._add(db, "vote", vote)
        return True

    def details(self, vote: Vote, ratings: Mapping[str, Mapping[str, int]], reasons: Sequence[str], note: str) -> bool:
        """Keep what was said beside a vote: 1 to 5 by criterion and role, reasons, a note. Later ones replace earlier.

        False where the note was withheld, for it reads like a crisis; the rest is kept.
        """
        note = _clean(note, LONGEST_NOTE)
        withheld = safety.screen(note) == "strong"
        said = {
            "ratings": {
                criterion: {role: int(mark) for role, mark in marks.items() if role in ROLES and mark in range(1, 6)}
                for criterion, marks in ratings.items()
                if criterion in CRITERIA and any(marks.values())
            },
            "reasons": [_clean(reason, 40) for reason in reasons][:MOST_REASONS],
            "note": "" if withheld else note,
        }
        with self._writing() as db:
            self._add(db, "details", vote, said)
        return not withheld

    def undo(self, set_id: str, reviewer: str) -> Vote | None:
        """Take back the reviewer's last standing vote on a set, and record that; None where there is none."""
        with self._writing() as db:
            if self._revealed(db, set_id, reviewer):
                raise ReviewError(
                    "You have seen which side is which in this set, so its votes stay as they are.",
                    key="review.unblinded",
                )
            rows = db.execute(
                f"{_STANDING} AND set_id = ? AND events.reviewer = ? ORDER BY number DESC LIMIT 1", (set_id, reviewer)
            )
            row = rows.fetchone()
            if row is None:
                return None
            vote = _vote(row)
            self._add(db, "undo", vote)
        return vote

    def reveal(self, set_id: str, reviewer: str) -> None:
        """Record that a reviewer has seen which side is which."""
        with self._writing() as db:
            if not self._revealed(db, set_id, reviewer):
                self._add(db, "reveal", Vote(uuid.uuid4().hex, set_id, "", reviewer, "", ""))

    def revealed(self, set_id: str, reviewer: str) -> bool:
        """Whether they have."""
        return self._revealed(self._db, set_id, reviewer)

    # what there is

    def standing(self, set_id: str | None = None, reviewer: str | None = None) -> list[Vote]:
        """Votes that hold, in the order in which they were given."""
        return [_vote(row) for row in self._standing(set_id, reviewer)]

    def lines(self, set_id: str | None = None, *, history: bool = False) -> list[dict[str, Any]]:
        """Standing votes as an export's lines, without texts; with `history`, undone votes too, marked `undone`."""
        details = {
            row[0]: json.loads(row[1])
            for row in self._db.execute("SELECT vote_id, details FROM events WHERE kind = 'details' ORDER BY number")
        }
        seen = {
            (row[0], row[1]): row[2]
            for row in self._db.execute("SELECT set_id, reviewer, MIN(number) FROM events WHERE kind = 'reveal'"
                                        " GROUP BY set_id, reviewer")
        }  # fmt: skip
        rows = self._standing(set_id, None, history=history)
        held = {row[1] for row in self._standing(set_id, None)} if history else None
        lines = []
        for row in rows:
            vote = _vote(row)
            line = {
                "prompt_id": vote.prompt_id, "reviewer": vote.reviewer, "choice": vote.choice, "left": vote.left,
                "vote_id": vote.vote_id, "set_id": vote.set_id, "repeat": vote.repeat, "at": vote.at,
                "reviewer_name": row[9] or "",
                **{"ratings": {}, "reasons": [], "note": "", **details.get(vote.vote_id, {})},
                "unblinded": row[0] > seen.get((vote.set_id, vote.reviewer), row[0]),
            }  # fmt: skip
            lines.append(line if held is None else {**line, "undone": vote.vote_id not in held})
        return lines

    def add(self, lines: Sequence[dict[str, Any]]) -> tuple[int, int]:
        """Take over the lines of an export, all or none; how many were new and how many were known."""
        new = 0
        with self._writing() as db:
            for line in lines:
                vote = Vote(
                    str(line.get("vote_id") or _content_id(line)), str(line.get("set_id", "")), str(line["prompt_id"]),
                    str(line["reviewer"]), str(line["choice"]), str(line["left"]), bool(line.get("repeat")),
                    str(line.get("at") or _now()),
                )  # fmt: skip
                _check(vote)
                if db.execute("SELECT 1 FROM events WHERE kind = 'vote' AND vote_id = ?", (vote.vote_id,)).fetchone():
                    continue
                name = _clean(str(line.get("reviewer_name", "")), LONGEST_NAME)
                db.execute(
                    "INSERT OR IGNORE INTO reviewers VALUES (?, ?, 'import', '', ?)", (vote.reviewer, name, _now())
                )
                self._add(db, "vote", vote)
                said = {key: line[key] for key in ("ratings", "reasons", "note") if line.get(key)}
                if said and safety.screen(str(said.get("note", ""))) != "strong":
                    self._add(db, "details", vote, said)
                new += 1
        return new, len(lines) - new

    def _standing(self, set_id: str | None, reviewer: str | None, *, history: bool = False) -> list[tuple]:
        query = _STANDING.partition("AND NOT EXISTS")[0] if history else _STANDING
        wanted = [(column, value) for column, value in (("set_id", set_id), ("events.reviewer", reviewer)) if value]
        query += "".join(f" AND {column} = ?" for column, _ in wanted) + " ORDER BY number"
        return self._db.execute(query, [value for _, value in wanted]).fetchall()

    @staticmethod
    def _revealed(db: sqlite3.Connection, set_id: str, reviewer: str) -> bool:
        found = db.execute(
            "SELECT 1 FROM events WHERE kind = 'reveal' AND set_id = ? AND reviewer = ?", (set_id, reviewer)
        )
        return found.fetchone() is not None

    @staticmethod
    def _add(db: sqlite3.Connection, kind: str, vote: Vote, details: dict[str, Any] | None = None) -> None:
        row = (
            kind, vote.vote_id, vote.set_id, vote.prompt_id, vote.reviewer, int(vote.repeat), vote.choice, vote.left,
            json.dumps(details or {}, ensure_ascii=False), vote.at or _now(),
        )  # fmt: skip
        db.execute(
            "INSERT INTO events (kind, vote_id, set_id, prompt_id, reviewer, repeat, choice, shown_left, details, at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )

    @property
    def _db(self) -> sqlite3.Connection:
        """This thread's connection: they are not for sharing, and one a call would read the schema each time."""
        if getattr(self._local, "db", None) is None:
            db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")  # in WAL mode, NORMAL may lose the last votes with the power
            self._local.db = db
        return self._local.db

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, alone from its beginning: what it reads still holds when it writes."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")


def _vote(row: tuple) -> Vote:
    return Vote(row[1], row[2], row[3], row[4], row[6], row[7], bool(row[5]), row[8])


def _check(vote: Vote) -> None:
    if vote.choice not in CHOICES or vote.left not in ROLES or not vote.prompt_id or not vote.reviewer:
        raise ReviewError(
            f"A vote names a prompt, a reviewer, a choice ({', '.join(CHOICES)}) and the left side"
            f" ({', '.join(ROLES)}). Mend the line, or export it again.",
            key="review.no_vote",
        )


def _content_id(line: dict[str, Any]) -> str:
    """The same id for the same minimal line, so that importing it twice adds it once."""
    parts = [line.get(key) for key in ("set_id", "prompt_id", "reviewer", "choice", "left", "repeat", "at")]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:32]


def _clean(text: str, longest: int) -> str:
    text = "".join(c for c in unicodedata.normalize("NFC", text) if c == "\n" or unicodedata.category(c) != "Cc")
    return text.strip()[:longest]


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

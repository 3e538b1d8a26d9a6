"""A vote, and the rows that speak of it: written, found, and counted as standing or undone.

Every function works within a transaction of its caller (`vote_file.py`). It does not know who may do what.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_VOTES = """
SELECT events.*, reviewers.name,
  EXISTS (SELECT 1 FROM events AS u WHERE u.kind = 'undo' AND u.vote_id = events.vote_id) AS undone
FROM events LEFT JOIN reviewers ON reviewers.reviewer = events.reviewer
WHERE kind = 'vote'"""


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

    @property
    def item(self) -> tuple[str, str, str, bool]:
        """What was judged, and by whom: of this there is one standing vote."""
        return self.set_id, self.reviewer, self.prompt_id, self.repeat

    @classmethod
    def of(cls, row: sqlite3.Row) -> Vote:
        """The vote that a row of `votes`, `find` or `held` tells."""
        same = {key: row[key] for key in ("vote_id", "set_id", "prompt_id", "reviewer", "choice", "at")}
        return cls(**same, left=row["shown_left"], repeat=bool(row["repeat"]))


def votes(
    db: sqlite3.Connection, set_id: str | None, reviewer: str | None = None, *, undone: bool = False
) -> list[sqlite3.Row]:
    """Votes in the order in which they were written, with `name` and `undone`; undone ones too where asked for."""
    wanted = {"set_id": set_id, "events.reviewer": reviewer, "undone": None if undone else 0}
    wanted = {column: value for column, value in wanted.items() if value is not None}
    query = _VOTES + "".join(f" AND {column} = ?" for column in wanted) + " ORDER BY number"
    return db.execute(query, list(wanted.values())).fetchall()


def find(db: sqlite3.Connection, vote_id: str) -> sqlite3.Row | None:
    """The vote of an id, undone or not."""
    return db.execute(f"{_VOTES} AND vote_id = ?", (vote_id,)).fetchone()


def held(db: sqlite3.Connection, vote: Vote) -> sqlite3.Row | None:
    """The standing vote on a vote's item by the same reviewer."""
    query = f"{_VOTES} AND undone = 0 AND set_id = ? AND events.reviewer = ? AND prompt_id = ? AND repeat = ?"
    return db.execute(query, vote.item).fetchone()


def revealed(db: sqlite3.Connection, set_id: str, reviewer: str) -> bool:
    """Whether a reviewer has seen which side of a set is which."""
    query = "SELECT 1 FROM events WHERE kind = 'reveal' AND set_id = ? AND reviewer = ?"
    return db.execute(query, (set_id, reviewer)).fetchone() is not None


def reveals(db: sqlite3.Connection) -> dict[tuple[str, str], int]:
    """The row number from which on a set was no longer blind to a reviewer, by both."""
    rows = db.execute("SELECT set_id, reviewer, MIN(number) FROM events WHERE kind = 'reveal' GROUP BY 1, 2")
    return {(set_id, reviewer): number for set_id, reviewer, number in rows}


def details(db: sqlite3.Connection) -> dict[str, dict[str, Any]]:
    """What was last said beside each vote, by its id."""
    rows = db.execute("SELECT vote_id, details FROM events WHERE kind = 'details' ORDER BY number")
    return {vote_id: json.loads(said) for vote_id, said in rows}


def add(db: sqlite3.Connection, kind: str, vote: Vote, said: Mapping[str, Any] | None = None, at: str = "") -> None:
    """Write a row about a vote: the vote itself, details, an undo or a reveal; without `at`, as of now."""
    row = (
        kind, vote.vote_id, vote.set_id, vote.prompt_id, vote.reviewer, int(vote.repeat), vote.choice, vote.left,
        json.dumps(said or {}, ensure_ascii=False), at or now(),
    )  # fmt: skip
    db.execute(
        "INSERT INTO events (kind, vote_id, set_id, prompt_id, reviewer, repeat, choice, shown_left, details, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        row,
    )


def now() -> str:
    """The present as rows tell it: ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")

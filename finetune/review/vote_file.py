"""The SQLite file that votes stand in: its tables, which only grow, and one transaction at a time.

What is committed is on the disk, whatever happens to the process or the power. It does not know what a vote means.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from finetune.errors import ReviewError

VERSION = 1
"""Of the tables below, kept in the file's `user_version`."""

BUSY_SECONDS = 20.0
"""How long a writer waits for other processes; a vote takes milliseconds, so that only a stuck disk comes near."""

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


class VoteFile:
    """The file, from any thread and any process: every thread has a connection of its own.

    Connections are not for sharing between threads, and one for each call would read the schema each time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()
        self._turn = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.writing() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise ReviewError(
                    f"{path.name} was written by a newer version of this program. Update the program;"
                    " the votes are safe.",
                    key="review.newer_votes",
                    file=path.name,
                )
            if version == 0:
                for statement in _SCHEMA:
                    db.execute(statement)

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One view of the file: what is written meanwhile is not in it. ReviewError where it cannot be read."""
        with self._transaction("BEGIN") as db:
            yield db

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Everything or nothing, alone from the beginning: what it reads still holds when it writes.

        On the disk when the block has ended; ReviewError where the file cannot be written.
        """
        # SQLite's own waiting sleeps in growing steps; threads that queue up here go on the moment they can.
        with self._turn, self._transaction("BEGIN IMMEDIATE") as db:
            yield db

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            db = self.connection()
            db.execute(begin)
            try:
                yield db
                db.execute("COMMIT")
            finally:
                if db.in_transaction:  # a full disk may have ended it already
                    db.execute("ROLLBACK")
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                raise  # our mistake, not the file's
            raise ReviewError(
                f"The file of votes, {self.path.name}, cannot be used ({error}). See that the disk has room and that"
                " the file may be written, then try again; votes that were confirmed are kept.",
                key="review.votes_file",
                file=self.path.name,
                reason=str(error),
            ) from error

    def connection(self) -> sqlite3.Connection:
        """This thread's connection; its rows are read by column name."""
        if getattr(self._local, "db", None) is None:
            db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")  # in WAL mode, NORMAL may lose the last votes with the power
            self._local.db = db
        return self._local.db

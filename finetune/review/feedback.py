"""Likes and dislikes in the chat, kept as training data where a person gives them for that, until they take them back.

A like stays in the person's browser; with their consent it comes here too, with the conversation up to the reply.
Votes are never deleted (`vote_file.py`); these are, so this SQLite file has other settings: a rollback journal, where a
write-ahead log would hold a deleted text until some later checkpoint, and deleted bytes are overwritten. When
`withdraw` returns, no file of this store holds the text.

It knows nobody: the id of a row, which only that browser has, is all that ties them together. It cannot take back what
was exported, learnt or backed up before, and what it overwrites may live on where a disk or file system keeps copies.
"""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from finetune import bengali
from finetune.data.prompts import Message
from finetune.errors import ReviewError
from finetune.inference import safety
from finetune.review.vote_rows import now
from finetune.review.votes import DISLIKED_FOR, LIKED_FOR

FILE = "feedback.sqlite3"

CONSENT = "2026-11-29.2"
"""Which text of consent the page shows. Who changes what it says changes this too: agreeing to one text is no consent
to another, and each row tells which it was."""

LONGEST = 40_000
"""Characters of a row's texts together: some 20,000 tokens of Bengali, more than a chat gives a model at once."""

LONGEST_NAME = 200

VERSION = 1
"""Of the tables below, kept in the file's `user_version`."""

BUSY_SECONDS = 20.0
"""How long one waits for others; each is done in milliseconds, so that only a stuck disk comes near."""

_ID = re.compile("[0-9a-f]{32}")

_SCHEMA = (
    """CREATE TABLE feedback (
         number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at TEXT NOT NULL, conversation TEXT NOT NULL,
         reply TEXT NOT NULL, liked INTEGER NOT NULL, reasons TEXT NOT NULL, rejected TEXT, adapter TEXT NOT NULL,
         consent TEXT NOT NULL)""",
    "CREATE TABLE withdrawn (id TEXT PRIMARY KEY) WITHOUT ROWID",
    f"PRAGMA user_version = {VERSION}",
)


@dataclass(frozen=True)
class Feedback:
    """What a person thinks of one reply, or which of two they chose."""

    id: str
    """From `new_id`. It is the only proof that a row is one's own: it belongs in that browser alone, and in no log."""
    conversation: tuple[Message, ...]
    """What the model was given: the person's and its own messages in turn, from and to one of the person's; no system
    prompt, which is the recipe's."""
    reply: str
    """The reply that is spoken of; of two, the one that was chosen."""
    liked: bool
    reasons: tuple[str, ...] = ()
    """Of LIKED_FOR or DISLIKED_FOR; no words of one's own, which could tell more than was meant."""
    rejected: str | None = None
    """The other one, where there were two to choose from."""
    adapter: str = ""
    """The name of what wrote the reply, as the page shows it; empty for the base."""
    consent: str = ""
    """Which text of consent was agreed to; only CONSENT is taken."""
    at: str = ""
    """When it was kept, ISO 8601, UTC, whole seconds; the store fills it in."""

    def texts(self) -> list[str]:
        """Everything in it that somebody or a model wrote."""
        return [message["content"] for message in self.conversation] + [self.reply, self.rejected or ""]


def new_id() -> str:
    """A name for a row that nobody guesses: 122 random bits."""
    return uuid.uuid4().hex


def needs_care(texts: Iterable[str]) -> bool:
    """Whether the crisis screen finds anything, soft or strong, in any of the texts."""
    return any(safety.screen(text) != "none" for text in texts)


class FeedbackStore:
    """All feedback of a home that was given with consent. Use it from any thread and any process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch(mode=0o600)  # people's own words, for this account alone; SQLite's journal follows suit
        with self._writing() as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise ReviewError(
                    f"{path.name} was written by a newer version of this program. Update the program; what people gave"
                    " is safe.",
                    key="feedback.newer_file",
                    file=path.name,
                )
            if version == 0:
                for statement in _SCHEMA:
                    db.execute(statement)

    def keep(self, given: Feedback, whole: Sequence[Message]) -> bool:
        """Keep what a person gave; with an id that is there already it replaces what was there, which is then gone.

        whole: everything said in this conversation, as the page holds it: what came after the reply too, and what the
        model was not given. It is screened and not kept. False where nothing is kept: the crisis screen finds something
        in any of it, and then this id is withdrawn too; or the id was withdrawn before, so that a click which arrives
        late or twice brings nothing back. ReviewError without consent, and for what is no feedback. On the disk when
        this returns.
        """
        if given.consent != CONSENT:
            raise ReviewError(
                "The text of consent has changed. Load the page again, read the new one and tick it if you agree;"
                " without that nothing is kept.",
                key="feedback.no_consent",
            )
        given = _checked(given)
        if needs_care([*given.texts(), *(bengali.clean(message["content"]) for message in whole)]):
            self.withdraw(given.id)
            return False
        row = (
            given.id, now(), _json(given.conversation), given.reply, given.liked, _json(given.reasons), given.rejected,
            given.adapter, given.consent,
        )  # fmt: skip
        with self._writing() as db:
            if db.execute("SELECT 1 FROM withdrawn WHERE id = ?", (given.id,)).fetchone():
                return False
            db.execute(
                "INSERT OR REPLACE INTO feedback"
                " (id, at, conversation, reply, liked, reasons, rejected, adapter, consent)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
        return True

    def withdraw(self, id: str) -> bool:
        """Delete what was given under an id, for good; False where there is none.

        The id itself, which says nothing about anybody, is remembered: it takes nothing any more.
        """
        if not _ID.fullmatch(id):
            return False
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO withdrawn VALUES (?)", (id,))
            return db.execute("DELETE FROM feedback WHERE id = ?", (id,)).rowcount > 0

    def rows(self) -> list[Feedback]:
        """Everything that is there, in the order in which it was given."""
        with self._transaction("BEGIN") as db:
            return [_feedback(row) for row in db.execute("SELECT * FROM feedback ORDER BY number")]

    def screen_again(self) -> int:
        """Withdraw what the crisis screen finds now, as it may have learnt since; how many rows that were.

        For everybody who is about to read or export the rows.
        """
        return sum(self.withdraw(row.id) for row in self.rows() if needs_care(row.texts()))

    def _writing(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """Everything or nothing, alone from the beginning."""
        return self._transaction("BEGIN IMMEDIATE")

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(self.path, timeout=BUSY_SECONDS, isolation_level=None)
            with contextlib.closing(db):  # which also rolls back what was not committed
                db.row_factory = sqlite3.Row
                db.execute("PRAGMA journal_mode = DELETE")
                db.execute("PRAGMA secure_delete = ON")
                db.execute("PRAGMA synchronous = EXTRA")  # FULL may bring a withdrawn row back after a power cut
                db.execute(begin)
                yield db
                db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                raise  # our mistake, not the file's
            raise ReviewError(
                f"The file of feedback, {self.path.name}, cannot be used ({error}). See that the disk has room and that"
                " the file may be written, then try again.",
                key="feedback.file",
                file=self.path.name,
                reason=str(error),
            ) from error


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _feedback(row: sqlite3.Row) -> Feedback:
    same = {key: row[key] for key in ("id", "reply", "rejected", "adapter", "consent", "at")}
    conversation, reasons = json.loads(row["conversation"]), json.loads(row["reasons"])
    return Feedback(**same, conversation=tuple(conversation), liked=bool(row["liked"]), reasons=tuple(reasons))


def _checked(given: Feedback) -> Feedback:
    """The feedback with its texts in the one form that everything here is in; ReviewError where it is none."""
    turns = [message["role"] for message in given.conversation]
    given = replace(
        given,
        conversation=tuple(
            {"role": message["role"], "content": bengali.clean(message["content"])} for message in given.conversation
        ),
        reply=bengali.clean(given.reply),
        rejected=None if given.rejected is None else bengali.clean(given.rejected),
        adapter=bengali.clean(given.adapter)[:LONGEST_NAME],
    )
    said = given.texts() if given.rejected is not None else given.texts()[:-1]
    sound = (
        _ID.fullmatch(given.id)
        and turns == ["user", "assistant"] * (len(turns) // 2) + ["user"]
        and all(said)
        and set(given.reasons) <= set(LIKED_FOR if given.liked else DISLIKED_FOR)
        and (given.rejected is None or given.liked)
    )
    if not sound:
        raise ReviewError(
            "Feedback is about one reply, or one of two, that follows a message of yours, with reasons from the list."
            " Load the page again.",
            key="feedback.no_feedback",
        )
    length = sum(map(len, said))
    if length > LONGEST:
        raise ReviewError(
            f"This conversation has {length:,} characters and at most {LONGEST:,} are kept. Say what you think of a"
            " reply in a shorter one.",
            key="feedback.too_long",
            length=length,
            longest=LONGEST,
        )
    return given

"""The blind review as one reviewer goes through it: what comes next, what is seen, what is written.

Joins a set's pairs, the reviewer's session and the store of votes; nothing is kept in memory but what files say. What a
reviewer is given holds no word about which model wrote what, until they ask for it and the store has recorded that.
"""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from finetune.errors import ReviewError
from finetune.review import contestants, pair_sets, sessions
from finetune.review.pair_sets import PairSet
from finetune.review.sessions import Item
from finetune.review.votes import FILE, Vote, VoteStore


@dataclass(frozen=True)
class Ticket:
    """What a vote is about. It travels through the browser: the vote's id is made before the click, so that a click
    which was stored but never answered can be sent again and counts once."""

    set_id: str
    prompt_id: str
    repeat: bool
    vote_id: str


@dataclass(frozen=True)
class Shown:
    """What a reviewer reads: a question and two replies, of which nothing says who wrote them."""

    question: str
    left: str
    right: str


class Reviewing:
    """The review of a home's sets."""

    def __init__(self, home: Path, secret: str) -> None:
        self.home = home
        self.secret = secret
        """Known to this home alone; tokens of accounts that log in elsewhere are made from it."""
        self.votes = VoteStore(home / FILE)
        self._read: dict[str, tuple[tuple[int, ...], PairSet]] = {}
        self._lock = threading.Lock()

    # sets

    def all_sets(self) -> list[str]:
        """Every set, the newest first."""
        return pair_sets.all_sets(self.home)

    def sets(self) -> list[str]:
        """Those that can be reviewed."""
        return [name for name in self.all_sets() if self._reviewable(name)]

    def _reviewable(self, set_id: str) -> bool:
        """False also for a set whose files are damaged: the maker's page says so, a reviewer need not hear of it."""
        try:
            return self.read(set_id).reviewable
        except ReviewError:
            return False

    def read(self, set_id: str) -> PairSet:
        """A set; its files are read again only when one of them has changed."""
        folder = self.home / pair_sets.FOLDER / set_id
        files = [folder / name for name in (pair_sets.SET, pair_sets.PAIRS)]
        mark = tuple(os.stat(file).st_mtime_ns if file.is_file() else 0 for file in files)
        with self._lock:
            known = self._read.get(set_id)
            if known is None or known[0] != mark:
                known = self._read[set_id] = (mark, pair_sets.read(self.home, set_id))
            return known[1]

    def delete(self, set_id: str) -> None:
        """Remove a set; its votes stay."""
        pair_sets.delete(self.home, set_id)

    def contestants(self) -> list[str]:
        """Spellings of everything here that can be compared."""
        return contestants.known(self.home)

    # who

    def person(self, known: Mapping[str, str], name: str, account: str = "") -> dict[str, str]:
        """Who votes from this browser: `{"reviewer", "token", "name"}`, the same as before while the token holds."""
        if account:
            reviewer, token = self.votes.register_login(account, self.secret)
            return {"reviewer": reviewer, "token": token, "name": account}
        if self.votes.proves(known.get("reviewer", ""), known.get("token", ""), self.secret):
            return dict(known)
        reviewer, token = self.votes.register(name)
        return {"reviewer": reviewer, "token": token, "name": name.strip()}

    def _proven(self, person: Mapping[str, str]) -> str:
        """The reviewer that a browser says it is; ReviewError where it cannot prove it."""
        reviewer = person.get("reviewer", "")
        if not self.votes.proves(reviewer, person.get("token", ""), self.secret):
            raise ReviewError("This browser does not know who you are. Begin again with your name.", key="review.who")
        return reviewer

    # going through

    def session(self, set_id: str, reviewer: str) -> tuple[Item, ...]:
        """The reviewer's items in their order."""
        return _session(set_id, tuple(self._open(set_id).shown), reviewer)

    def next(self, set_id: str, reviewer: str) -> Ticket | None:
        """What comes next; None when all has been judged."""
        done = {(vote.prompt_id, vote.repeat) for vote in self.votes.standing(set_id, reviewer)}
        item = sessions.next_item(self.session(set_id, reviewer), done)
        return item and Ticket(set_id, item.prompt_id, item.repeat, uuid.uuid4().hex)

    def shown(self, ticket: Ticket, reviewer: str) -> Shown:
        """What a ticket shows to a reviewer."""
        item = self._item(ticket, reviewer)
        pair = self._open(ticket.set_id).shown[ticket.prompt_id]
        texts = {"base": pair.base, "tuned": pair.tuned}
        left, right = texts[item.left], texts[sessions.role_of("right", item.left)]
        return Shown(pair.prompt.text, left, right)

    def progress(self, set_id: str, reviewer: str) -> tuple[int, int]:
        """How many items have been judged, and of how many."""
        return len(self.votes.standing(set_id, reviewer)), len(self.session(set_id, reviewer))

    def vote(self, person: Mapping[str, str], ticket: Ticket, choice: str) -> Vote:
        """Keep what was clicked: left, right, both_good or both_bad. It is on the disk when this returns."""
        vote = self._meant(person, ticket, choice)
        self.votes.vote(vote)
        return vote

    def details(
        self,
        person: Mapping[str, str],
        ticket: Ticket,
        marks: Mapping[str, Mapping[str, int | None]],
        reasons: Sequence[str],
        note: str,
    ) -> bool:
        """Keep what was said beside a vote, marks by side; True where the note was withheld."""
        item = self._item(ticket, self._proven(person))
        by_role = {
            criterion: {sessions.role_of(side, item.left): mark for side, mark in given.items() if mark}
            for criterion, given in marks.items()
        }
        if not (reasons or note.strip() or any(by_role.values())):
            return False
        vote = Vote(ticket.vote_id, ticket.set_id, ticket.prompt_id, person["reviewer"], "", "")
        return not self.votes.details(vote, by_role, reasons, note)

    def undo(self, person: Mapping[str, str], set_id: str) -> Ticket | None:
        """Take the last vote back and give its item again; None where there is none."""
        vote = self.votes.undo(set_id, self._proven(person))
        return vote and Ticket(set_id, vote.prompt_id, vote.repeat, uuid.uuid4().hex)

    def reveal(self, person: Mapping[str, str], set_id: str) -> None:
        """Record that the reviewer sees from now on which side is which."""
        self.votes.reveal(set_id, self._proven(person))

    def revealed(self, set_id: str, reviewer: str) -> bool:
        """Whether they have seen it."""
        return self.votes.revealed(set_id, reviewer)

    def names(self, set_id: str) -> dict[str, str]:
        """The titles of both sides by role, for after the reveal."""
        found = self.read(set_id)
        return {"base": found.base, "tuned": found.tuned}

    def revealed_rows(self, set_id: str, reviewer: str) -> list[dict[str, Any]]:
        """The reviewer's votes with the texts by role, first showings only; ReviewError before the reveal."""
        if not self.revealed(set_id, reviewer):
            raise ReviewError("Which side is which is shown only when you ask for it.", key="review.blind")
        pairs = {pair.prompt.id: pair for pair in self.read(set_id).pairs}
        rows = []
        for vote in self.votes.standing(set_id, reviewer):
            pair = pairs.get(vote.prompt_id)
            if pair is not None and not vote.repeat:
                rows.append({"prompt": pair.prompt.text, "base": pair.base, "tuned": pair.tuned, "choice": vote.choice})
        return rows

    def _open(self, set_id: str) -> PairSet:
        found = self.read(set_id)
        if not found.reviewable:
            raise ReviewError(
                f"The set {found.title} cannot be reviewed yet: its pairs are not all written, or were refused.",
                key="review.not_ready",
                set=found.title,
            )
        return found

    def _item(self, ticket: Ticket, reviewer: str) -> Item:
        for item in self.session(ticket.set_id, reviewer):
            if (item.prompt_id, item.repeat) == (ticket.prompt_id, ticket.repeat):
                return item
        raise ReviewError("This pair is not part of the set (any more). Load the page again.", key="review.no_pair")

    def _meant(self, person: Mapping[str, str], ticket: Ticket, choice: str) -> Vote:
        reviewer = self._proven(person)
        item = self._item(ticket, reviewer)
        if choice not in sessions.CHOICES:
            known = ", ".join(sessions.CHOICES)
            raise ReviewError(f"{choice[:40]} is no choice. Choices are {known}.", key="review.no_choice", known=known)
        role = sessions.role_of(choice, item.left)
        return Vote(ticket.vote_id, ticket.set_id, ticket.prompt_id, reviewer, role, item.left, ticket.repeat)


_session = lru_cache(maxsize=256)(sessions.items)
"""Sessions that are under way: each click asks for its own several times."""

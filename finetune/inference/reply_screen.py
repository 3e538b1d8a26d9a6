"""Replies are screened sentence by sentence while they stream: a sentence that fails is never shown.

A model, above all a base that nobody has tuned, can tell a person to die, name a means, agree that
they are a burden, or speak of its own death. `assets/safety/reply_phrases.yaml` lists such phrases in the
notation of `Lexicon`; a caring reply that names the subject passes. A lexicon misses what is put in
other words, and it does not judge whether a reply is kind. Nothing here writes to a log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from finetune.errors import BackendError
from finetune.inference.safety import FOLDER, LexiconScreen, Screen

LONGEST = 280
"""Characters held back at most: where no sentence ends within them, what there is is judged as it stands. The longest
sentence of the demo corpus has 197."""

LAST_WORDS = 60
"""Characters of such a stretch that stay held back, so that a phrase that is still being written is not shown half."""

BEFORE = 240
"""Characters of what was already shown that a sentence is judged together with: a phrase may span two."""

_SENTENCE = re.compile(r"[^।\u09f7॥?!\n.]*[।\u09f7॥?!\n.]+")


class UnsafeReply(BackendError):
    """A sentence of a reply failed; nothing of it was shown, and the model was stopped. Show the help card instead."""

    def __init__(self) -> None:
        super().__init__(
            "The model's reply was held back because a sentence in it could hurt somebody. Ask again, or put the"
            " question in other words.",
            key="reply.unsafe",
        )


class ReplyScreen:
    """Holds one reply's text back to the end of each sentence, and gives out those that pass.

    For several replies that are written side by side take one of these for each; `screened` is for one.
    """

    def __init__(self, by: Screen | None = None) -> None:
        self.failed = False
        """True once a sentence failed: stop the model, for nothing more is given out."""
        self._by = by or shipped()
        self._held = ""
        self._before = ""

    def add(self, piece: str) -> str:
        """The sentences that one more piece completes and that pass, or nothing yet.

        Raises UnsafeReply where one failed; if others before it came in the same piece, these are
        given out first, and the next call raises.
        """
        self._held += piece
        passed = ""
        while not self.failed and (sentence := _SENTENCE.match(self._held)):
            passed += self._judged(sentence.end())
        if not self.failed and len(self._held) > LONGEST:
            self.failed = self._fails(self._held)
            end = self._held.rfind(" ", 0, LONGEST - LAST_WORDS)
            passed += self._judged(end if end > 0 else LONGEST - LAST_WORDS)
        return self._or_raise(passed)

    def end(self) -> str:
        """What is left when the reply has ended. Raises UnsafeReply."""
        return self._or_raise(self._judged(len(self._held)))

    def _judged(self, length: int) -> str:
        """So many of the characters held back, if they pass."""
        text = self._held[:length]
        self.failed = self.failed or self._fails(text)
        if self.failed:
            return ""
        self._held = self._held[length:]
        self._before = (self._before + text)[-BEFORE:]
        return text

    def _fails(self, text: str) -> bool:
        return self._by.tier(self._before + text) == "strong"

    def _or_raise(self, passed: str) -> str:
        if self.failed and not passed:
            raise UnsafeReply
        return passed


def screened(pieces: Iterator[str], by: Screen | None = None) -> Iterator[str]:
    """The pieces of one reply, sentence by sentence, as long as they pass.

    On the first sentence that fails, `pieces` is closed, so that the model writes no further, and
    UnsafeReply is raised; nothing of that sentence was yielded. `pieces` is also closed when the
    reader stops reading. Close what `pieces` itself reads from in it (`contextlib.closing`): a generator
    expression does not.
    """
    reply = ReplyScreen(by)
    try:
        for piece in pieces:
            if passed := reply.add(piece):
                yield passed
            if reply.failed:
                raise UnsafeReply
        if passed := reply.end():
            yield passed
    finally:
        close = getattr(pieces, "close", None)  # generators have it, other iterators need not
        if close:
            close()


def unsafe(text: str, by: Screen | None = None) -> bool:
    """Whether a whole reply holds anything that `screened` would have stopped at."""
    try:
        list(screened(iter([text]), by))
    except UnsafeReply:
        return True
    return False


@lru_cache(maxsize=1)
def shipped() -> LexiconScreen:
    """The screen of replies that ships with the project: its tier `strong` means that a sentence fails."""
    return LexiconScreen(FOLDER / "reply_phrases.yaml")

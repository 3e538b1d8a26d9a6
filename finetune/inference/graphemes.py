"""Text that comes in pieces, given out in whole graphemes: no half letter is ever shown.

`TokenText` takes the tokens of a model on this machine, `GraphemeText` any text, such as a server's deltas.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from finetune import bengali


class GraphemeText:
    """Holds back the last grapheme until the next one begins, for it may still grow (ক, ক্, ক্ষ, ক্ষ্ম).

    What comes out is in NFC, without U+FFFD, halves of surrogate pairs and signs that stand under no letter.
    """

    def __init__(self) -> None:
        self._held = ""

    def add(self, text: str) -> str:
        """The text that one more piece completes, or nothing yet."""
        new = text.replace(bengali.REPLACEMENT, "").encode("utf-8", "ignore").decode("utf-8")
        # Normalised together with what is held: a sign may compose with a letter of the piece before (ে and া).
        letters = bengali.graphemes(unicodedata.normalize("NFC", self._held + new))
        self._held = letters.pop() if letters else ""
        return bengali.without_orphans("".join(letters))

    def end(self) -> str:
        """The last grapheme, without what a reply that was cut off leaves unfinished."""
        text = bengali.without_orphans(bengali.trim_unfinished(self._held))
        self._held = ""
        return text


class TokenText:
    """Turns one row's token ids into text as they come, whole graphemes only."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._given = 0
        """How much of the text of these ids has been taken over."""
        self._letters = GraphemeText()

    def add(self, token: int | None) -> str:
        """The text that one more token completes, or nothing yet."""
        if token is None:
            return self.end()  # the row has ended: its last letter need not wait for the other rows
        self._ids.append(token)
        text = self._tokenizer.decode(self._ids, skip_special_tokens=True)
        whole = text.rstrip(bengali.REPLACEMENT)  # the bytes of the letter after it are still coming
        new, self._given = whole[self._given :], len(whole)
        if whole == text:
            self._ids, self._given = [], 0
        return self._letters.add(new)

    def end(self) -> str:
        """The last grapheme, without what a cut-off reply leaves unfinished."""
        self._ids, self._given = [], 0
        return self._letters.end()

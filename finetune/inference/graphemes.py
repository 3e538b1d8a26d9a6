"""Text that comes in pieces, given out in whole graphemes: no half letter is ever shown.

It does not know where the pieces come from: tokens of a model on this machine, or deltas of a server.
"""

from __future__ import annotations

import unicodedata

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

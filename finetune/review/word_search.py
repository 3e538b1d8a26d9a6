"""Texts searched by how their words begin, for Bengali bends its words at the end: মা finds মাকে and মায়ের, not আমার.

Case and the form of a letter in Unicode make no difference. It knows no grammar, so মা finds মানুষ as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from finetune import bengali


def wanted(search: str) -> list[str]:
    """What has to stand in `searched` for each word of a search; empty where it holds no word."""
    return [f" {word}" for word in _words(search)]


def searched(texts: Iterable[str]) -> str:
    """All words of some texts, each after a blank, which no word holds, so that it marks where they begin.

    Of those with a hyphen the later parts too: বাবা begins one in মা-বাবা.
    """
    words = (word for text in texts for word in _words(text))
    return "".join(f" {word[at:]}" for word in words for at in (0, *(part.end() for part in re.finditer("-", word))))


def _words(text: str) -> list[str]:
    return bengali.words(bengali.clean(text).casefold())

"""What stands beside a conversation: help where it is needed, what the model no longer sees, and that it has to wait.

Knows no widgets and loads nothing; whether a run has the memory that replies need is for `services.py` to say.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from finetune.training import sharing
from ui import wording
from ui.chat.answering import tier_of
from ui.history import Turn
from ui.services import Services


def shut(services: Services, turns: Sequence[Turn], meant: Mapping[str, str]) -> bool:
    """True where a conversation has to wait for a run; words about dying never wait, for no model answers them."""
    return bool(services.lent_to) and tier_of(turns, meant) != "strong"


def sign_html(services: Services, language: str) -> str:
    """That a run has the memory, which one, and when replies come again; or that they begin a little later.

    Nothing where the model has nothing else to do.
    """
    if services.lent_to:
        return _quiet(wording.error(sharing.busy(services.lent_to), language), language)
    return _quiet(wording.sentence("chat.occupied", language), language) if services.occupied else ""


def note_html(left_out: int, language: str) -> str:
    """That the model no longer sees the beginning; nothing where it sees everything."""
    if not left_out:
        return ""
    return _quiet(wording.sentence("chat.left_out", language, count=left_out), language)


def _quiet(told: str, language: str) -> str:
    return f'<p class="quiet" lang="{language}" role="status">{html.escape(told)}</p>'

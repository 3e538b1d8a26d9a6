"""What people call a set of pairs and its two sides, in a chooser or over a reply."""

from __future__ import annotations

from finetune.errors import FinetuneError
from ui import wording
from ui.services import Services


def title_of(services: Services, set_id: str, language: str) -> str:
    """A set as its maker calls it: who met whom, how many pairs, when; of a damaged one, its folder's name."""
    try:
        found = services.reviewing.read(set_id)
    except FinetuneError:
        return set_id
    sides = " · ".join(spoken(title, language) for title in (found.base, found.tuned))
    count, when = len(found.pairs), found.at[:16].replace("T", " ")
    return " · ".join([sides, wording.digits(count, language), wording.digits(when, language)])


def spoken(title: str, language: str) -> str:
    """A contestant's title for people: the base and the demo adapter have words of their own."""
    key = f"pairs.kind.{title}"
    return wording.sentence(key, language) if key in wording.SENTENCES else title

"""The crisis screen: direct first-person words about dying or self-harm never reach a model.

Every message, with the last few before it, is screened before chat and compare call a model. `Screen`
is what any screen must do, so that a classifier can stand beside the one that ships: `LexiconScreen`
finds *direct* phrases in Bengali, Banglish and English (`assets/safety/phrases.yaml`), however they are
typed. A lexicon misses oblique words, new ways of saying a thing, and irony: of lines that nobody had looked
at while mending it, it knows about three of four direct ones and three of five oblique ones
(`python -m finetune screen --red-team`, the list `held_out`). It is a floor, not an understanding. That is why
the page always shows where help can be found. Nothing here writes to a log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import yaml

from finetune.inference.lexicon import Lexicon
from finetune.recipe import ROOT

FOLDER = ROOT / "assets" / "safety"

TIERS = ("none", "soft", "strong")
"""strong: the person says that they want or plan to die or to harm themselves. The model is not called, a fixed
reviewed message appears.
soft: death as a way out, being a burden, farewells, somebody else in danger, or a direct phrase that is denied. The
model answers, and the help card stands beside its answer.
none: nothing was found, which is not the same as nothing being there."""

LAST_TURNS = 3
"""How many of the person's last messages are looked at, each by itself."""


class Screen(Protocol):
    """Anything that judges how urgent a text is: the lexicon here, or a classifier.

    A classifier is best put beside the lexicon, and the higher tier taken: what is known to be direct
    should not depend on a model's mood.
    """

    def tier(self, text: str) -> str:
        """One of TIERS for one text, whatever is in it; quick enough to be asked at every sentence. Logs nothing."""


class LexiconScreen:
    """Judges by the phrases of one file, and misses whatever is said in words that are not in it.

    Its kinds: `strong` and `soft` phrases; `not_meant`, idioms and accidents that are taken out before
    anything is looked for; `softened`, direct phrases that are denied or long past, which make a text soft
    instead of strong.
    """

    def __init__(self, file: Path) -> None:
        self._lexicon = Lexicon(file)

    def tier(self, text: str) -> str:
        """See Screen. The highest tier of the ways a text can be read (`Lexicon.readings`)."""
        return max(map(self._tier, self._lexicon.readings(text)), key=TIERS.index)

    def _tier(self, said: str) -> str:
        find = self._lexicon
        meant = find.without("not_meant", said)
        if find.says("strong", find.without("softened", meant)):
            return "strong"
        return "soft" if find.says("soft", meant) or find.says("strong", meant) else "none"


@dataclass(frozen=True)
class Helpline:
    """A number to call, in one language: every field is shown, `verified` is false until a person has called it."""

    country: str
    name: str
    number: str
    hours: str
    source: str
    checked: str
    verified: bool


def screen(text: str) -> str:
    """The tier of one text: none, soft or strong."""
    return shipped().tier(text)


def screen_conversation(messages: Sequence[dict[str, str]], by: Screen | None = None) -> str:
    """The highest tier among the person's last messages, as the screen that ships judges them, or another one."""
    by = by or shipped()
    said = [message["content"] for message in messages if message["role"] == "user"][-LAST_TURNS:]
    return max((by.tier(text) for text in said), key=TIERS.index, default="none")


@lru_cache(maxsize=1)
def shipped() -> LexiconScreen:
    """The screen that ships with the project. Its phrases are read when the first text is judged."""
    return LexiconScreen(FOLDER / "phrases.yaml")


def helplines(language: str = "bn") -> list[Helpline]:
    """The helplines in `assets/safety/helplines.yaml` in one language, in the order they are shown."""
    return list(_helplines(language))


def message(language: str) -> str:
    """The fixed, reviewed message that stands in a model's place, `bn` or `en`."""
    return (FOLDER / f"message.{language}.md").read_text(encoding="utf-8").strip()


@lru_cache(maxsize=2)
def _helplines(language: str) -> tuple[Helpline, ...]:
    raw = yaml.safe_load((FOLDER / "helplines.yaml").read_text(encoding="utf-8"))
    return tuple(
        Helpline(**{key: told[language] if isinstance(told, dict) else told for key, told in entry.items()})
        for entry in raw
    )

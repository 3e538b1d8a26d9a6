"""Words and figures as a person reads them: one language, Bengali digits in Bengali, a dash for what is not known.

It holds no words. They are handed in (`ui/wording_review.py` has them), for nothing here knows the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

UNKNOWN = "–"

DECIMAL_FROM = 100
"""Observations from which a share gets a decimal: with fewer, one more of them moves it by a per cent or so."""

_BENGALI_DIGITS = str.maketrans("0123456789", "০১২৩৪৫৬৭৮৯")


@dataclass(frozen=True)
class Spoken:
    """`words` maps a key to a template in `language` ("bn" or "en"). A key that is lacking is a KeyError."""

    words: Mapping[str, str]
    language: str

    def say(self, key: str, **facts: object) -> str:
        """A sentence with its facts: numbers become digits of the language, text stays as it is. Not escaped."""
        return self.words[key].format(**{name: self._fact(value) for name, value in facts.items()})

    def told(self, key: str, fallback: str, **facts: object) -> str:
        """As `say`, or the fallback where there is no such key: what reviewers or other versions made up."""
        return self.say(key, **facts) if key in self.words else fallback

    def number(self, value: float | None, decimals: int = 0, *, signed: bool = False) -> str:
        """A figure rounded to so many decimals, thousands set apart; with `signed`, +0.4 or −0.4."""
        if value is None:
            return UNKNOWN
        return self.digits(f"{value:{'+' if signed else ''},.{decimals}f}".replace("-", "−"))

    def digits(self, text: str) -> str:
        """A figure that is text already, in the digits of the language."""
        return text.translate(_BENGALI_DIGITS) if self.language == "bn" else text

    def share(self, value: float | None, decimals: int = 0) -> str:
        """A share, 0 to 1, as a percentage: 71 % in English, ৭১% in Bengali.

        One decimal more where rounding would make it 50 %: there it matters on which side a share lies.
        """
        if value is None:
            return UNKNOWN
        if value != 0.5 and round(100 * value, decimals) == 50:
            decimals += 1
        return self.number(100 * value, decimals) + ("%" if self.language == "bn" else "\u00a0%")

    def rate(self, value: float | None, of: int) -> str:
        """A share of so many observations, with a decimal where there are enough for one."""
        return self.share(value, decimals=1 if of >= DECIMAL_FROM else 0)

    def between(self, figures: Mapping[str, float | None]) -> str:
        """The interval from `low` to `high` of some shares, or a dash."""
        if figures["low"] is None or figures["high"] is None:
            return UNKNOWN
        return self.say("between", low=self.share(figures["low"]), high=self.share(figures["high"]))

    def _fact(self, value: object) -> str:
        return self.number(value) if isinstance(value, int) and not isinstance(value, bool) else str(value)

"""What a listener does in a reply, after eight intents, by a lexicon: a diagnostic, never a measure of empathy.

The intents are those of Welivita and Pu 2020 (COLING, "A Taxonomy of Empathetic Response Intents in Human Social
Conversations"), the words those in `assets/evaluation/listener_intents.yaml`. It knows phrases, not meaning: irony
and a quotation are told wrongly, and who acknowledges by a picture instead of naming a feeling is mostly missed.
`python -m finetune.review.listener` says how often, on lines tagged by hand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from finetune import bengali
from finetune.recipe import ROOT

FOLDER = ROOT / "assets" / "evaluation"

LINES = FOLDER / "listener_lines.tsv"

INTENTS = ("question", "acknowledge", "console", "agree", "encourage", "sympathise", "suggest", "wish")

GAP = 4
"""Words that … lets stand between two others."""

_LETTERS = r"[^\s^?!।]*"


@dataclass(frozen=True)
class Found:
    """How one intent is told on tagged lines."""

    tagged: int
    """Lines with this tag, and below: lines that the lexicon gives it, and those where both agree."""
    told: int
    right: int

    @property
    def precision(self) -> float | None:
        """Of the lines told to have the intent, the share that have it."""
        return self.right / self.told if self.told else None

    @property
    def recall(self) -> float | None:
        """Of the lines that have the intent, the share told."""
        return self.right / self.tagged if self.tagged else None


def intents(reply: str) -> dict[str, bool]:
    """Which of the INTENTS a reply shows in at least one of its sentences."""
    sentences = [_marked(sentence) for sentence in bengali.sentences(bengali.clean(reply))]
    return {
        name: any(says.search(sentence) and not (takes and takes.search(sentence)) for sentence in sentences)
        for name, (says, takes) in _lexicon().items()
    }


def measured(lines: Path = LINES, part: str = "held") -> dict[str, Found]:
    """How the lexicon tells each intent on a part of the tagged lines: `seen`, on which it was mended, or `held`."""
    read = [line.split("\t") for line in lines.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    tagged = [(set(tags.split(",")), intents(text)) for where, tags, text in read if where == part]
    return {
        name: Found(
            tagged=sum(name in tags for tags, _ in tagged),
            told=sum(told[name] for _, told in tagged),
            right=sum(name in tags and told[name] for tags, told in tagged),
        )
        for name in INTENTS
    }


def table(found: dict[str, Found]) -> list[str]:
    """`measured` as lines for people."""
    rows = [(name, one.tagged, one.told, _share(one.precision), _share(one.recall)) for name, one in found.items()]
    heads = ("intent", "tagged", "told", "precision", "recall")
    return [f"{a:12}{b:>8}{c:>8}{d:>11}{e:>8}" for a, b, c, d, e in (heads, *rows)]


def _marked(sentence: str) -> str:
    """The words of a sentence, between ^ and the mark that ends it."""
    last = sentence[-1] if sentence[-1] in "?!" else "।"  # the lexicon knows one mark for all that state something
    return " ".join(["", "^", *bengali.words(sentence), last, ""])


@lru_cache(maxsize=1)
def _lexicon() -> dict[str, tuple[re.Pattern, re.Pattern | None]]:
    raw = yaml.safe_load((FOLDER / "listener_intents.yaml").read_text(encoding="utf-8"))
    listed = raw["intents"]
    return {
        name: (
            _pattern(listed[name]["says"], raw["words"]),
            _pattern(listed[name]["not"], raw["words"]) if "not" in listed[name] else None,
        )
        for name in INTENTS
    }


def _pattern(phrases: Sequence[str], words: dict[str, str]) -> re.Pattern:
    """Phrases as one pattern, in the notation that the head of the lexicon explains."""
    spelt = [bengali.clean(re.sub(r"<(\w+)>", lambda name: words[name[1]], phrase)) for phrase in phrases]
    return re.compile("|".join(map(_phrase, spelt)))


def _phrase(phrase: str) -> str:
    parts = []
    for word in phrase.split():
        if word == "…":
            parts.append(rf"(?: \S+){{0,{GAP}}}?")
            continue
        either = "|".join(re.escape(spelling).replace(r"\*", _LETTERS) for spelling in word.split("|"))
        parts.append(f" (?:{either})")
    return "".join(parts) + "(?= )"


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.2f}"


if __name__ == "__main__":
    print("\n".join(table(measured())))

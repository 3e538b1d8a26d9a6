"""Another run beside the chosen one: which ones can be, and what lies between the two.

The figures are made by `finetune.review.between_runs`; here they are asked for once, and shown.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from finetune.review import between_runs, between_runs_report, comparable
from finetune.review.between_runs import Comparison
from finetune.review.evaluation import SCORES, Evaluation
from finetune.review.evaluation_words import evaluation_words
from ui import wording
from ui.evaluate import chosen

NOBODY = ""
"""The chooser's value where the chosen evaluation stands by itself."""


def choices(home: Path, one: Evaluation, language: str) -> list[tuple[str, str]]:
    """Choices for a chooser: nobody, then every evaluation that was asked the same on the same base, the latest first.

    Empty where there is no such evaluation: then there is nothing to choose.
    """
    found = [other for other in chosen.listed(home) if comparable.comparable(other, one)]
    if not found:
        return []
    return [(wording.sentence("evaluate.against.nobody", language), NOBODY), *chosen.titled(home, found, language)]


def section_html(home: Path, name: str | None, other: str | None, language: str) -> str:
    """Whether the evaluation `name` is better than `other`; nothing where one of them is nobody.

    ReviewError where one is gone, or the two cannot be compared.
    """
    if not name or not other:
        return ""
    pair = (chosen.read(home, other), chosen.read(home, name))
    found = _compared(*((one.folder, (one.folder / SCORES).stat().st_mtime_ns) for one in pair))
    return between_runs_report.section(found, evaluation_words(language), language)


@lru_cache(maxsize=8)
def _compared(first: tuple[Path, int], second: tuple[Path, int]) -> Comparison:
    """A comparison, worked out once for each time that either was written: thousands of questions take seconds."""
    return between_runs.compare(Evaluation.open(first[0]), Evaluation.open(second[0]))

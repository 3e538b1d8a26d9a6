"""Which evaluations there are, by names that fit into a chooser: whose, of which split, how many questions, when."""

from __future__ import annotations

import time
from pathlib import Path

from finetune.errors import ReviewError
from finetune.models import DEMO
from finetune.review import evaluation
from finetune.review.evaluation import SCORES, Evaluation
from finetune.training import runs
from finetune.training.runs import Run
from ui import wording


def listed(home: Path) -> list[Evaluation]:
    """Every whole evaluation, the demo's and the runs', the latest first."""
    folders = [home, *(run.folder for run in runs.all_runs(home))]
    return sorted((one for folder in folders for one in evaluation.within(folder)), key=lambda one: -_made(one))


def name_of(home: Path, one: Evaluation) -> str:
    """What stands for an evaluation in a chooser's value: its folder within the home."""
    return one.folder.relative_to(home).as_posix()


def titled(home: Path, found: list[Evaluation], language: str) -> list[tuple[str, str]]:
    """Choices for a chooser: what people read, and the value."""
    return [(title(one, language), name_of(home, one)) for one in found]


def title(one: Evaluation, language: str) -> str:
    """An evaluation as a person would call it."""
    order = one.order
    whose = wording.sentence("adapter.demo", language) if order["name"] == DEMO else order["name"]
    asked = wording.sentence("evaluate.questions", language, count=order["prompts"])
    when = wording.digits(time.strftime("%Y-%m-%d %H:%M", time.localtime(_made(one))), language)
    return " · ".join([whose, wording.sentence(f"evaluate.split.{order['split']}", language), asked, when])


def read(home: Path, name: str | None) -> Evaluation:
    """The evaluation of this name; ReviewError where there is none. The name is a browser's: only those listed."""
    for one in listed(home):
        if name_of(home, one) == name:
            return one
    raise ReviewError(
        "This evaluation is not there any more. Choose another one, or make it again.", key="evaluation.gone"
    )


def run_of(home: Path, one: Evaluation) -> Run | None:
    """The run that an evaluation is of; None for the demo's."""
    return None if one.order["name"] == DEMO else runs.find(home, one.order["name"])


def _made(one: Evaluation) -> float:
    return (one.folder / SCORES).stat().st_mtime

"""Which evaluations there are, by names that fit into a chooser: whose, of which split, how many questions, when."""

from __future__ import annotations

import tempfile
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


def offered(home: Path, name: str | None, language: str) -> tuple[list[tuple[str, str]], str | None]:
    """A chooser's choices as the disk has them now, and its value: the name where it is there, else the latest."""
    choices = titled(home, listed(home), language)
    return choices, kept(choices, name)


def kept(choices: list[tuple[str, str]], name: str | None) -> str | None:
    """What a chooser holds of these choices: what it held, else the first."""
    values = [value for _, value in choices]
    return name if name in values else (values[0] if values else None)


def parcel(scratch: Path, one: Evaluation, ending: str) -> Path:
    """Where a file of an evaluation is written on its way to a browser, under a name that says whose it is."""
    return Path(tempfile.mkdtemp(dir=scratch)) / f"{one.order['name']}-{one.folder.name}.{ending}"


def whose_of(name: str, language: str) -> str:
    """Whose evaluation it is, for people: the demo adapter has words of its own."""
    return wording.label("adapter.demo", language) if name == DEMO else name


def title(one: Evaluation, language: str) -> str:
    """An evaluation as a person would call it."""
    order = one.order
    whose = whose_of(order["name"], language)
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

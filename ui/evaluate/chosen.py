"""Which evaluations there are, by names that fit into a chooser: whose, of which split, how many questions, when."""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
from functools import lru_cache
from pathlib import Path

from finetune.errors import ReviewError
from finetune.models import DEMO
from finetune.review.evaluation import FOLDER, SCORES, Evaluation
from finetune.training import runs
from finetune.training.runs import Run
from ui import wording

_NAME = re.compile(rf"({runs.RUNS}/[^/\0]+/)?{FOLDER}/[^/\0]+")
"""How `name_of` spells an evaluation."""


def listed(home: Path) -> list[Evaluation]:
    """Every whole evaluation, the demo's and the runs', the latest first; damaged ones are none."""
    homes = [home, *(run.folder for run in runs.all_runs(home))]
    found = []
    for file in (file for one in homes for file in (one / FOLDER).glob(f"*/{SCORES}")):
        with contextlib.suppress(ReviewError):  # one that cannot be read must not hide the others
            found.append(_head(file.parent, file.stat().st_mtime_ns))
    return sorted(found, key=lambda one: -_made(one))


@lru_cache(maxsize=256)
def _head(folder: Path, modified: int) -> Evaluation:
    """An evaluation to be listed, parsed once for each time it was written; nobody reads the replies of this one."""
    return Evaluation.open(folder)


@lru_cache(maxsize=4)
def _opened(folder: Path, modified: int) -> Evaluation:
    """An evaluation to be read. It keeps its replies, some megabytes for thousands, so only the latest few are held."""
    return Evaluation.open(folder)


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
    """The evaluation of this name; ReviewError where there is none. The name is a browser's: it must be as `name_of`
    spells it, and leads nowhere else."""
    gone = ReviewError(
        "This evaluation is not there any more. Choose another one, or make it again.", key="evaluation.gone"
    )
    folder = home / (name or "")
    if not _NAME.fullmatch(name or "") or not folder.resolve().is_relative_to(home.resolve()):
        raise gone
    try:
        return _opened(folder, (folder / SCORES).stat().st_mtime_ns)
    except OSError as error:
        raise gone from error


def run_of(home: Path, one: Evaluation) -> Run | None:
    """The run that an evaluation is of; None for the demo's."""
    return None if one.order["name"] == DEMO else runs.find(home, one.order["name"])


def _made(one: Evaluation) -> float:
    return (one.folder / SCORES).stat().st_mtime

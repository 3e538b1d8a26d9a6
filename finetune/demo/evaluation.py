"""Evaluate the demo as it ships, for the README: all test questions, base beside fine-tuned, a table and a picture.

    assets/demo/evaluation.md    figures with their 95 % intervals and the paired difference
    assets/demo/evaluation.svg   chrF++ by topic

Run it with `python -m finetune.demo.evaluation`; a minute on two cores. It evaluates as any evaluation does, in a home
that goes with it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finetune import models
from finetune.inference.backends import LocalBackend
from finetune.recipe import ROOT
from finetune.review import evaluating, evaluation_drawing, evaluation_order
from finetune.training import evaluated

TABLE, PICTURE = (ROOT / "assets" / "demo" / name for name in ("evaluation.md", "evaluation.svg"))

WORDS = {
    "between": "{low} to {high}",
    "topics.chrf": "chrF++, fine-tuned less base, by topic",
    "topics.others": "all others",
}
"""What the picture says; pages have words of their own."""

INK = "#78716c"
"""Of text and axes: 4 to 1 or more on a white page and on a dark one, for a picture cannot know which it is on."""


def make() -> None:
    """Evaluate, and write both files."""
    backend = LocalBackend(str(models.DEMO_BASE))
    with tempfile.TemporaryDirectory() as folder:
        found = evaluating.run(Path(folder), evaluation_order.of_demo(backend), backend)
    write(found.result, TABLE, PICTURE)


def write(result: Mapping[str, Any], table: Path, picture: Path) -> None:
    """The two files of a result."""
    table.write_text("\n".join(evaluated.lines(evaluated.headline(result))) + "\n", encoding="utf-8")
    drawn = evaluation_drawing.topics(result["topics"], "chrf", WORDS, "en")
    drawn = drawn.replace("<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" color="{INK}" ', 1)
    picture.write_text(drawn + "\n", encoding="utf-8")


if __name__ == "__main__":
    make()

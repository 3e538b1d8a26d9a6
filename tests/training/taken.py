"""A run whose training is over, as the tests of what can be taken away from it need one."""

import shutil
from pathlib import Path

from finetune.recipe import Recipe
from finetune.training import runs


def trained_run(home: Path, base: Path | None, adapter: Path, recipe: Recipe | None = None) -> runs.Run:
    """A finished run of three updates, with a copy of an adapter; `base` goes into the default recipe."""
    recipe = recipe or Recipe("tiny").with_settings({"base.model": str(base), "data.source": str(home / "মন.csv")})
    run = runs.create(home, recipe)
    shutil.copytree(adapter, run.adapter)
    run.set_status(state="finished", step=3, total_steps=3)
    return run

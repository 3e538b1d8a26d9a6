"""Make the demo adapter: the ordinary `train` on the ordinary recipe, kept in `assets/demo/adapter`.

Run it with `python -m finetune.demo.adapter`; `make demo` does, after composing the corpus.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from finetune.models import DEMO_ADAPTER
from finetune.recipe import Recipe
from finetune.training import metrics, runs, trainer

KEPT = ("adapter_config.json", "adapter_model.safetensors", "prompt_format.json")


def make() -> None:
    """Train in a temporary run and copy what chat needs, with the run's metrics beside it."""
    with tempfile.TemporaryDirectory() as folder:
        run = runs.adopt(Path(folder) / "demo", Recipe.read("demo"))
        trainer.train(run)
        DEMO_ADAPTER.mkdir(parents=True, exist_ok=True)
        for name in KEPT:
            shutil.copyfile(run.adapter / name, DEMO_ADAPTER / name)
        shutil.copyfile(run.folder / metrics.FILE, DEMO_ADAPTER / metrics.FILE)


if __name__ == "__main__":
    make()

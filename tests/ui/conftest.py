"""What the tests of the page share: services in a folder of their own, and a run that never was trained."""

from pathlib import Path

import pytest

from finetune.inference.backends import ScriptedBackend
from finetune.recipe import Recipe
from finetune.training import runs
from ui.services import Services


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """Services whose model says one sentence in three pieces."""
    return Services(tmp_path / "home", ScriptedBackend("কষ্টটা ", "আমি ", "বুঝতে পারছি।"))


@pytest.fixture
def run(services: Services) -> runs.Run:
    """A run of the demo recipe, laid out and queued, with no process."""
    return runs.create(services.home, Recipe.read("demo"))

"""The house rules on imports: nothing heavy at import time, and app → ui → finetune, never back.

Every module is imported, not only the packages: a heavy import in one leaf is found too.
"""

import json
import os
import subprocess
import sys

import pytest

from finetune.recipe import ROOT

HEAVY = ("torch", "transformers", "trl", "peft", "datasets", "bitsandbytes", "unsloth", "wandb", "trackio", "scipy")

PROGRAM = """
import importlib, json, pkgutil, sys

modules = sys.argv[1:]
for name in modules:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(getattr(package, "__path__", []), f"{name}."):
        importlib.import_module(module.name)
        modules.append(module.name)
print(json.dumps({"imported": modules, "loaded": sorted({name.partition(".")[0] for name in sys.modules})}))
"""


def imported(*names, folder=ROOT):
    """Import packages with all their modules in a fresh Python; the modules, and what that loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    return set(result["imported"]), set(result["loaded"])


@pytest.fixture(scope="module")
def finetune():
    """What importing all of finetune loads."""
    return imported("finetune")


def modules_of(package):
    """The dotted names of a package's files."""
    paths = [path.relative_to(ROOT).with_suffix("") for path in (ROOT / package).rglob("*.py")]
    return {".".join(path.parts).removesuffix(".__init__") for path in paths}


def test_every_file_of_finetune_is_a_module_that_can_be_imported(finetune):
    assert finetune[0] == modules_of("finetune")


@pytest.mark.parametrize("library", HEAVY)
def test_importing_all_of_finetune_loads_no_heavy_library(finetune, library):
    assert library not in finetune[1]


@pytest.mark.parametrize("package", ["ui", "app", "gradio"])
def test_finetune_knows_nothing_of_the_page(finetune, package):
    assert package not in finetune[1]


@pytest.mark.skipif(not (ROOT / "app.py").is_file(), reason="app.py is not written yet")
def test_importing_the_app_and_every_tab_loads_no_heavy_library():
    modules, loaded = imported("app", "ui")
    assert modules == {"app"} | modules_of("ui")
    assert "gradio" in loaded
    assert not {"torch", "transformers"} & loaded


@pytest.mark.skipif(not (ROOT / "app.py").is_file(), reason="app.py is not written yet")
def test_the_page_does_not_import_the_app():
    _, loaded = imported("ui")
    assert "app" not in loaded


def test_no_tab_imports_another_tab():
    tabs = {path.stem for path in (ROOT / "ui").glob("*_tab.py")}
    for tab in tabs:
        text = (ROOT / "ui" / f"{tab}.py").read_text(encoding="utf-8")
        named = {other for other in tabs - {tab} if f"ui.{other}" in text or f"import {other}" in text}
        assert not named, f"ui/{tab}.py imports {named}"


def test_no_tab_s_folder_imports_from_another_s():
    rooms = {path.parent.name for path in (ROOT / "ui").glob("*/__init__.py")}
    assert {"train", "compare", "chat"} <= rooms
    for file in (ROOT / "ui").glob("*/*.py"):
        text, others = file.read_text(encoding="utf-8"), rooms - {file.parent.name}
        named = {other for other in others if f"ui.{other} " in text or f"ui.{other}." in text}
        assert not named, f"{file} imports from {named}"


def test_this_test_would_see_a_heavy_import_in_a_leaf(tmp_path):
    (tmp_path / "house" / "room").mkdir(parents=True)
    for folder in ("house", "house/room"):
        (tmp_path / folder / "__init__.py").touch()
    (tmp_path / "torch.py").touch()
    (tmp_path / "house" / "room" / "leaf.py").write_text("import torch\n", encoding="utf-8")
    modules, loaded = imported("house", folder=tmp_path)
    assert modules == {"house", "house.room", "house.room.leaf"}
    assert "torch" in loaded

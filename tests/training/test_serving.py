"""The folder for vLLM is whole and can be moved, its script says what it should to a shell; vLLM itself is not run."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from finetune.__main__ import app
from finetune.data.prompts import PromptFormat
from finetune.errors import RunError
from finetune.inference import remote
from finetune.inference.context import WINDOW
from finetune.training import merging, runs, serving
from tests.training.taken import trained_run

HUB_BASE = "unsloth/Meta-Llama-3.1-8B-Instruct"


@pytest.fixture
def run(tmp_path: Path, tiny_base: Path, tiny_adapter: Path) -> runs.Run:
    return trained_run(tmp_path, tiny_base, tiny_adapter)


def asked(script: Path, tmp_path: Path, *more: str) -> tuple[list[str], Path]:
    """What a real shell would hand to vLLM, and in which folder: a program of that name notes it."""
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    note = "import json, os, sys; print(json.dumps([sys.argv[1:], os.getcwd()]))"
    (programs / "vllm").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(note)} "$@"\n')
    (programs / "vllm").chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", str(script), *more], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    arguments, folder = json.loads(done.stdout)
    return arguments, Path(folder)


def option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1]


@pytest.mark.parametrize("name", ["demo-001", "আমার মডেল", 'it\'s "mine" = $HOME, `ls`'])
def test_vllm_is_asked_for_the_base_with_the_adapter_under_its_runs_name(run, tmp_path, tiny_base, name):
    run.folder.rename(run.folder.with_name(name))
    run = runs.at(run.folder.with_name(name))
    out = serving.to_vllm(run, tmp_path / "for the server", lambda _: None)
    moved = out.rename(tmp_path / "চলে গেছে")
    arguments, folder = asked(moved / serving.SCRIPT, tmp_path, "--port", "8001")
    assert arguments[:3] == ["serve", str(tiny_base), "--enable-lora"]
    module = option(arguments, "--lora-modules")
    assert "," in module, "without a comma vLLM takes it for NAME=PATH"
    assert json.loads(module) == {"name": remote.served_name(run.adapter), "path": "adapter"}
    assert json.loads(module)["name"] == name
    assert option(arguments, "--max-lora-rank") == "8"  # the adapter's is 4
    assert arguments[-2:] == ["--port", "8001"]
    assert folder == moved.resolve()
    assert (folder / "adapter" / "adapter_model.safetensors").read_bytes() == (
        run.adapter / "adapter_model.safetensors"
    ).read_bytes()
    template = (folder / option(arguments, "--chat-template")).read_text(encoding="utf-8")
    assert template == merging.chat_template(PromptFormat.load(run.adapter))


@pytest.mark.parametrize(("r", "allowed"), [(1, 8), (8, 8), (9, 16), (16, 16), (200, 256), (257, 320), (512, 512)])
def test_memory_is_set_aside_for_the_least_rank_that_vllm_allows_and_that_is_enough(r, allowed):
    text = serving.script("demo", HUB_BASE, {"r": r}, WINDOW)
    assert f"--max-lora-rank {allowed} " in text
    assert f"vllm serve {HUB_BASE} " in text


def test_vllm_keeps_room_for_what_the_app_asks_for_and_no_more_than_the_base_can_take(tmp_path, tiny_base):
    assert serving.longest(HUB_BASE) == WINDOW
    assert serving.longest(str(tiny_base)) == 2048


def test_a_name_with_a_line_break_stays_in_the_comment_of_the_script():
    text = serving.script("a\nrm -rf b", HUB_BASE, {"r": 8}, WINDOW)
    assert [line for line in text.splitlines() if line.startswith("rm")] == []
    assert subprocess.run(["sh", "-n"], input=text, text=True).returncode == 0


def test_trained_biases_are_refused_with_what_to_do_instead():
    with pytest.raises(RunError, match="--to merged"):
        serving.script("demo", HUB_BASE, {"r": 8, "bias": "all"}, WINDOW)


def test_a_folder_with_something_in_it_is_left_as_it_is(run, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    with pytest.raises(RunError, match="already there"):
        serving.to_vllm(run, tmp_path / "mine")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_the_command_prints_the_two_lines_that_point_the_app_at_the_server(run, tiny_base):
    result = CliRunner().invoke(app, ["export", "--run", str(run.folder), "--to", "vllm"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert f"export SHOHOMORMI_BACKEND_URL={serving.ADDRESS}" in lines
    assert f"export SHOHOMORMI_BACKEND_MODEL={tiny_base}" in lines
    out = run.folder / "exports" / "tiny-001-vllm"
    assert lines[-1] == str(out)
    assert {path.name for path in out.iterdir()} == {"adapter", "chat_template.jinja", serving.SCRIPT}


def test_the_line_for_the_base_is_one_word_to_a_shell(tmp_path):
    base = tmp_path / "my base"
    base.mkdir()
    (base / "config.json").write_text("{}", encoding="utf-8")
    assert shlex.split(serving.environment(str(base))[1]) == ["export", f"SHOHOMORMI_BACKEND_MODEL={base.resolve()}"]

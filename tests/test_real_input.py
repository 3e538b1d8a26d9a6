"""Real Bengali, as people write it: the chatterbot pairs through the whole loop, noisy comments through chat.

The comments are abusive in part; they are fed to the model and never shown. SHOHOMORMI_ALL_LINES=1 takes every line,
a tenth is the short version.
"""

import json
import os
import subprocess
import sys

import pytest

from finetune import bengali, models
from finetune.data.prompts import conversation
from finetune.inference import safety
from finetune.inference.backends import LocalBackend, Side, replies
from finetune.recipe import ROOT, Generation

DATA = ROOT.parent / "shared" / "data"
BATCH = 32

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data beside this checkout")


def run(*arguments, cwd=ROOT, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "finetune", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_chatterbot_pairs_go_through_prepare_train_and_generate(tmp_path):
    source = DATA / "chatterbot_bengali.csv"
    report = json.loads(run("prepare", source, "--out", tmp_path / "data", "--json"))
    assert report["kept"] == sum(report["splits"].values()) > 100
    assert all((tmp_path / "data" / f"{name}.jsonl").is_file() for name in ("train", "validation", "test"))

    folder = tmp_path / "run"
    settings = {"data.source": source, "training.max_steps": 12, "training.eval_steps": 6, "training.save_steps": 6}
    run("train", "demo", "--run-dir", folder, *[x for k, v in settings.items() for x in ("--set", f"{k}={v}")])
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    evaluations = [line["eval_loss"] for line in lines if "eval_loss" in line]
    assert json.loads((folder / "status.json").read_text())["state"] == "finished"
    assert evaluations[-1] < evaluations[0]

    said = json.loads(run("generate", "--run", folder, "--prompt", "তোমার নাম কী?", "--json"))
    assert said["base"] and said["tuned"] and said["base"] != said["tuned"]


def test_every_kind_of_comment_gets_a_whole_reply_from_chat():
    lines = (DATA / "banglaemotion_test.txt").read_text(encoding="utf-8").splitlines()
    comments = [line.partition(" ")[2].strip() for line in lines]
    if not os.environ.get("SHOHOMORMI_ALL_LINES"):
        comments = comments[::10]
    backend, settings = LocalBackend(str(models.DEMO_BASE)), Generation(max_new_tokens=60, seed=3)
    asked = [comment for comment in comments if comment and safety.screen(comment) != "strong"]
    broken = []
    for start in range(0, len(asked), BATCH):
        batch = asked[start : start + BATCH]
        for reply in replies(backend, [Side(conversation(c), models.DEMO_ADAPTER, settings) for c in batch]):
            if not reply or bengali.REPLACEMENT in reply or bengali.broken_graphemes(reply):
                broken.append(reply)
    assert asked and not broken

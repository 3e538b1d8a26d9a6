"""Unsloth itself, on the demo base: a run of two updates in a process of its own, in 4 and in 16 bits."""

import importlib.util
import math
import os
import subprocess
import sys

import pytest
import torch

from finetune.inference import adapters
from finetune.recipe import ROOT
from finetune.training import metrics, runs

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
    pytest.mark.skipif(importlib.util.find_spec("unsloth") is None, reason="needs Unsloth (requirements-gpu.txt)"),
]

SETTINGS = (
    "training.engine=unsloth",
    "training.warmup_steps=0",
    "training.learning_rate=0.0005",
    "training.max_steps=2",
    "training.eval_steps=1",
    "training.save_steps=1",
    "training.eval_rows=32",
    "generation.max_new_tokens=8",
)
"""An evaluation with sample replies stands between the two updates: what a reply leaves behind, the second meets."""


@pytest.mark.parametrize(
    ("four_bit", "checkpointing", "start"), [(False, False, ""), (True, True, ""), (False, True, "demo")]
)
def test_two_updates_lower_the_loss_and_leave_an_adapter_that_the_chat_can_read(
    tmp_path, four_bit, checkpointing, start
):
    run = runs.Run(tmp_path / "run")
    settings = [
        *SETTINGS,
        f"base.load_in_4bit={four_bit}",
        f"training.gradient_checkpointing={checkpointing}",
        f"adapter.start_from={start}",
    ]
    card = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
    done = subprocess.run(
        [sys.executable, "-m", "finetune", "train", "demo", "--run-dir", str(run.folder)]
        + [word for setting in settings for word in ("--set", setting)],
        cwd=ROOT,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": card, "SHOHOMORMI_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "engine: unsloth" in done.stdout
    assert "should be imported before" not in done.stderr
    assert run.status().state == "finished" and run.recipe().training.engine == "unsloth"

    log, _ = metrics.read(run.folder)
    losses, evaluated = (metrics.series(log, key)[1] for key in ("loss", "eval_loss"))
    assert len(losses) == 2 and len(evaluated) == 3
    assert all(math.isfinite(loss) and loss > 0 for loss in [*losses, *evaluated])
    if start:
        assert evaluated[0] < 1.5, "the demo's adapter (0.91) speaks from the first evaluation on, not the base (2.98)"
    else:
        assert evaluated[-1] <= evaluated[0]

    adapter = adapters.read(run.adapter, torch.float32, "cpu")
    layers = {layer for layer, _ in adapter.matrices}
    assert len(adapter.matrices) == 7 * len(layers)
    assert all(bool(up.isfinite().all()) and bool(up.any()) for _, up in adapter.matrices.values())
    assert not (ROOT / "unsloth_compiled_cache").exists(), "what Unsloth generates belongs to the run"

"""finetune/review/bits_over_steps.py: the demo's adapter as checkpoints of a run, each measured once."""

import csv
import json
import shutil
import threading

import pytest
import torch

from finetune import models
from finetune.errors import ReviewError
from finetune.inference.backends import LocalBackend
from finetune.recipe import ROOT, Recipe
from finetune.review import bits_over_steps, evaluating, evaluation_order
from finetune.training import checkpoints, runs, starting_adapter
from tests.review import evaluations

with (ROOT / "assets" / "demo" / "corpus.csv").open(encoding="utf-8", newline="") as file:
    ROWS = [{"topic": "", "title": "", "question": row["Questions"], "answer": row["Answers"]}
            for row, _ in zip(csv.DictReader(file), range(6), strict=False)]  # fmt: skip


@pytest.fixture(scope="module")
def demo():
    """The demo's base in memory."""
    torch.set_num_threads(1)
    return LocalBackend(str(models.DEMO_BASE))


@pytest.fixture
def run(tmp_path):
    """A run with six validation rows and two checkpoints: half of the demo's adapter, and the whole of it."""
    made = runs.create(tmp_path, Recipe.read("demo"))
    rows = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
    (made.data / "validation.jsonl").write_text(rows, encoding="utf-8")
    checkpoint(made, 25, 0.5)
    checkpoint(made, 50)
    return made


def checkpoint(run, step, share=1.0):
    """Lay out a whole checkpoint with so much of the demo's adapter; the trainer writes no prompt format there."""
    from safetensors.torch import load_file, save_file

    folder = run.checkpoints / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    shutil.copy(models.DEMO_ADAPTER / "adapter_config.json", folder)
    weights = load_file(models.DEMO_ADAPTER / "adapter_model.safetensors")
    save_file({name: share * one if "lora_B" in name else one for name, one in weights.items()},
              folder / "adapter_model.safetensors")  # fmt: skip
    for part in checkpoints.PARTS[1:]:
        (folder / part).touch()
    (folder / checkpoints.STATE).write_text("{}")


def test_bits_fall_from_the_base_over_the_checkpoints_in_the_run_s_own_format(run, demo):
    points = bits_over_steps.over_steps(run, demo)
    assert [one["step"] for one in points] == [0, 25, 50]
    assert points[0]["bits_per_character"] > points[1]["bits_per_character"] > points[2]["bits_per_character"]
    assert all(one["low"] < one["bits_per_character"] < one["high"] and one["prompts"] == 6 for one in points)
    asked = evaluation_order.questions(ROWS, 200)
    style = evaluations.order(demo).style
    paid = evaluating.costs(demo, style, asked, models.DEMO_ADAPTER)
    characters = sum(len(text) for one in asked for text in one.references)
    assert points[2]["bits_per_character"] == pytest.approx(sum(sum(costs) for costs in paid) / characters)


def test_a_checkpoint_is_measured_once_and_one_that_is_gone_keeps_its_point(run, demo):
    before = bits_over_steps.over_steps(run, demo)
    shutil.rmtree(run.checkpoints / "checkpoint-25")
    checkpoint(run, 75)
    told = []
    after = bits_over_steps.over_steps(run, demo, report=told.append)
    assert after[:3] == before and [one["step"] for one in after] == [0, 25, 50, 75]
    assert [(one.done, one.total) for one in told] == [(0, 1), (1, 1)]
    assert bits_over_steps.read(run) == {"validation": after}


def test_a_step_that_was_trained_again_is_measured_again(run, demo):
    before = bits_over_steps.over_steps(run, demo)
    shutil.rmtree(run.checkpoints / "checkpoint-50")
    checkpoint(run, 50, 0.25)
    after = bits_over_steps.over_steps(run, demo)
    assert [one["step"] for one in after] == [0, 25, 50]
    assert after[2]["bits_per_character"] > before[2]["bits_per_character"]


def test_step_0_of_a_run_that_went_on_from_an_adapter_is_that_adapter(run, demo):
    shutil.copytree(models.DEMO_ADAPTER, run.folder / starting_adapter.FOLDER)
    points = bits_over_steps.over_steps(run, demo)
    assert points[0]["bits_per_character"] == points[2]["bits_per_character"]


def test_a_stop_keeps_the_points_there_are(run, demo):
    stop = threading.Event()
    points = bits_over_steps.over_steps(run, demo, stop=stop, report=lambda one: one.done == 2 and stop.set())
    assert [one["step"] for one in points] == [0, 25]
    assert len(bits_over_steps.over_steps(run, demo)) == 3


def test_a_run_without_validation_rows_is_told_so(run, demo):
    (run.data / "validation.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(ReviewError) as caught:
        bits_over_steps.over_steps(run, demo)
    assert caught.value.key == "evaluation.no_rows"

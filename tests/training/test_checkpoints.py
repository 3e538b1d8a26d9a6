"""A run goes on from any checkpoint that is whole, and what a killed process has left half is never taken for one."""

import json
from pathlib import Path

import accelerate
import pytest
import torch
import transformers.trainer
from accelerate.data_loader import prepare_data_loader
from torch.utils.data import DataLoader

from finetune.errors import RunError
from finetune.recipe import Recipe
from finetune.training import checkpoints, runs


@pytest.fixture
def run(tmp_path: Path) -> runs.Run:
    """A run with checkpoints 2, 9 and 10, all whole, of which two were evaluated."""
    run = runs.create(tmp_path, Recipe())
    log = []
    for step, loss in ((2, 3.5), (9, None), (10, 2.25)):
        if loss:
            log.append({"step": step, "eval_loss": loss})
        write(run, step, {"global_step": step, "log_history": [{"step": 1, "loss": 4.0}, *log]})
    return run


def write(run: runs.Run, step: int, state: dict) -> Path:
    folder = run.checkpoints / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    for name in checkpoints.PARTS:
        (folder / name).write_bytes(b"0" * 8)
    (folder / checkpoints.STATE).write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")
    return folder


def test_checkpoints_stand_in_the_order_of_steps_each_with_its_evaluation(run):
    assert [(one.step, one.eval_loss, one.complete) for one in checkpoints.of(run)] == [
        (2, 3.5, True), (9, None, True), (10, 2.25, True),
    ]  # fmt: skip


def test_a_run_without_checkpoints_has_none(tmp_path):
    run = runs.create(tmp_path, Recipe())
    assert checkpoints.of(run) == ()
    with pytest.raises(RunError, match="no checkpoint to resume from"):
        checkpoints.chosen(run)


@pytest.mark.parametrize("damage", ["no state", "half a state", "no weights", "no optimizer"])
def test_what_a_killed_process_left_half_is_listed_but_never_chosen(run, damage):
    folder = run.checkpoints / "checkpoint-10"
    state = folder / checkpoints.STATE
    if damage == "half a state":
        state.write_text(state.read_text(encoding="utf-8")[:40], encoding="utf-8")
    else:
        lost = {
            "no state": checkpoints.STATE,
            "no weights": "adapter_model.safetensors",
            "no optimizer": "optimizer.pt",
        }
        (folder / lost[damage]).unlink()
    assert [one.complete for one in checkpoints.of(run)] == [True, True, False]
    assert checkpoints.chosen(run).step == 9
    with pytest.raises(RunError, match="no whole checkpoint of step 10. Choose one of 2, 9"):
        checkpoints.chosen(run, 10)


def test_the_last_is_chosen_unless_another_one_is_asked_for(run):
    assert checkpoints.chosen(run).folder == run.checkpoints / "checkpoint-10"
    assert checkpoints.chosen(run, 2).step == 2


def test_a_checkpoint_that_is_written_again_is_read_again(run):
    checkpoints.of(run)
    (run.checkpoints / "checkpoint-10" / checkpoints.STATE).write_text(
        json.dumps({"log_history": [{"step": 10, "eval_loss": 1.5}]}), encoding="utf-8"
    )
    assert checkpoints.of(run)[-1].eval_loss == 1.5


def test_what_a_resume_makes_obsolete_is_removed_whole_or_half(run):
    (run.checkpoints / "checkpoint-11").mkdir()
    (run.checkpoints / "tmp-checkpoint").mkdir()
    checkpoints.forget_later(run, 9)
    assert {path.name for path in run.checkpoints.iterdir()} == {"checkpoint-2", "checkpoint-9", "tmp-checkpoint"}


@pytest.mark.parametrize("again", [1, 2])
def test_the_batches_behind_a_checkpoint_go_to_the_card_as_those_before_it_did(monkeypatch, again):
    monkeypatch.setattr(transformers.trainer, "skip_first_batches", accelerate.skip_first_batches)
    for _ in range(again):
        checkpoints.skip_without_waiting()
    for non_blocking in (True, False):
        loader = prepare_data_loader(DataLoader(range(6), batch_size=2), torch.device("cpu"), non_blocking=non_blocking)
        rest = transformers.trainer.skip_first_batches(loader, 1)
        assert rest._non_blocking == non_blocking
        assert [batch.tolist() for batch in rest] == [[2, 3], [4, 5]]

"""Memory runs out in an update: the run tries once more with less in memory at once, and learns the same."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from finetune.__main__ import app
from finetune.recipe import ROOT, Recipe
from finetune.training import alerts, checkpoints, metrics, runs, second_try, trainer
from tests.conftest import kept_environment, write_csv
from tests.training import test_trainer

OUT = "CUDA out of memory. Tried to allocate 2.00 GiB."


def recipe(base: Path, home: Path, **training: object) -> Recipe:
    """Four updates of the tiny base, of four examples each, with a checkpoint after the second."""
    return test_trainer.recipe(
        base, write_csv(home / "corpus.csv"), **{"max_steps": 4, "sample_prompts": [], **training}
    )


def settings(**changes: object) -> Recipe:
    return Recipe().with_settings({f"training.{name}": value for name, value in changes.items()})


# What becomes smaller


@pytest.mark.parametrize(("batch", "steps", "less", "more"), [(16, 1, 8, 2), (2, 8, 1, 16), (9, 2, 3, 6)])
def test_a_padded_update_is_cut_into_smaller_batches_and_learns_from_as_many_examples(batch, steps, less, more):
    before = settings(per_device_train_batch_size=batch, gradient_accumulation_steps=steps)
    found, facts = second_try.smaller(before)
    t = found.training
    assert (t.per_device_train_batch_size, t.gradient_accumulation_steps, t.plan) == (less, more, "as_written")
    assert found.effective_batch == before.effective_batch
    assert facts == {"batch": batch, "smaller": less, "steps": steps, "more": more}


def test_without_padding_a_pass_may_have_half_the_tokens_that_the_largest_one_had():
    before = settings(padding_free=True, plan="as_written", per_device_train_batch_size=16)
    found, facts = second_try.smaller(before, (300, 201, 100))
    assert (found.training.most_tokens, found.effective_batch) == (300, before.effective_batch)
    assert facts == {"tokens": 601, "fewer": 300}


@pytest.mark.parametrize(
    ("before", "largest"),
    [
        (settings(per_device_train_batch_size=1), ()),
        (settings(per_device_train_batch_size=2, gradient_accumulation_steps=1024), ()),
        (settings(padding_free=True, per_device_train_batch_size=16), (900,)),
    ],
    ids=["one example", "no more accumulation", "one example a pass"],
)
def test_where_nothing_smaller_exists_there_is_no_second_try(before, largest):
    assert second_try.smaller(before, largest) is None


class Fallen:
    """A trainer whose update has failed."""

    class args:
        world_size = 1

    class state:
        global_step = 0


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_of_several_processes_fails_at_once(tmp_path, monkeypatch, processes):
    monkeypatch.setattr(Fallen.args, "world_size", processes)
    run = runs.create(tmp_path, settings())
    assert second_try.prepared(run, torch.OutOfMemoryError(OUT), Fallen) is (processes == 1)


def test_only_who_can_begin_a_second_try_is_told_of_one(tiny_base, tmp_path, monkeypatch):
    run = runs.create(tmp_path, recipe(tiny_base, tmp_path))
    out_at(monkeypatch, 1)
    with kept_environment(), pytest.raises(runs.RunError, match="at 2 instead of 4"):
        trainer.train(run)
    assert (run.status().state, run.status().second_try) == ("failed", {})


# Real runs


def out_at(patch: pytest.MonkeyPatch, update: int, times: int = 1) -> None:
    """Let memory run out in the updates of that number, the first `times` times that one is reached."""
    from transformers import Trainer

    prepare, left = Trainer._prepare_inputs, [times]

    def prepare_inputs(self, inputs):  # of every pass, with padding and without
        if self.model.training and self.state.global_step + 1 == update and left[0]:
            left[0] -= 1
            raise torch.OutOfMemoryError(OUT)
        return prepare(self, inputs)

    patch.setattr(Trainer, "_prepare_inputs", prepare_inputs)


def train(run: runs.Run) -> int:
    """Train a laid-out run as its own process would, the second try in this very process; the exit code."""
    codes = []

    def taken_over(program: str, command: list[str], environment: dict[str, str]) -> None:
        assert program == command[0] == sys.executable and environment["PATH"] == os.environ["PATH"]
        codes.append(CliRunner().invoke(app, command[command.index("train") :]).exit_code)
        raise SystemExit(codes[-1])

    with pytest.MonkeyPatch.context() as patch, kept_environment():
        patch.setattr(second_try.os, "execve", taken_over)
        begin = ["train", str(run.folder / "recipe.yaml"), "--run-dir", str(run.folder)]
        codes.append(CliRunner().invoke(app, begin).exit_code)
    return codes[0]


@pytest.fixture(scope="module")
def whole(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> runs.Run:
    """A run for which memory sufficed."""
    home = tmp_path_factory.mktemp("whole")
    run = runs.create(home, recipe(tiny_base, home))
    with kept_environment():
        trainer.train(run)
    return run


def assert_learnt_the_same(run: runs.Run, whole: runs.Run) -> None:
    """Both have finished with the same losses, each step's once."""
    assert (run.status().state, run.status().step, run.status().error) == ("finished", 4, "")
    logs = [metrics.as_it_went(metrics.read(one.folder)[0]) for one in (run, whole)]
    for key in ("loss", "eval_loss", "learning_rate", "tokens"):
        told, wanted = ([(line["step"], line[key]) for line in log if key in line] for log in logs)
        assert [step for step, _ in told] == [step for step, _ in wanted], key
        assert [value for _, value in told] == pytest.approx([value for _, value in wanted], rel=1e-3), key


OUT_ONCE = """
import torch
from transformers import Trainer
from finetune.__main__ import app

torch.set_num_threads(1)
step = Trainer.training_step

def training_step(self, *inputs, **more):
    if self.state.global_step == 3:
        raise torch.OutOfMemoryError("CUDA out of memory.")
    return step(self, *inputs, **more)

Trainer.training_step = training_step
app()
"""


def test_a_process_out_of_memory_becomes_one_that_goes_on_from_the_checkpoint_with_smaller_batches(whole, tiny_base):
    run = runs.create(whole.home, recipe(tiny_base, whole.home), "short-of-memory")
    command = [sys.executable, "-c", OUT_ONCE, "train", str(run.folder / "recipe.yaml"), "--run-dir", str(run.folder)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        said = child.communicate(timeout=300)[0].decode()
    finally:
        child.send_signal(signal.SIGKILL)
    assert child.returncode == 0, said[-2000:]
    assert run.status().pid == child.pid  # the same one to the end
    t, before = run.recipe().training, whole.recipe().training
    assert (t.per_device_train_batch_size, t.gradient_accumulation_steps) == (2, 2)
    assert run.recipe().effective_batch == whole.recipe().effective_batch == before.per_device_train_batch_size
    told = alerts.second_try(run.status())
    assert told.facts == {"step": 4, "start": 2, "batch": 4, "smaller": 2, "steps": 1, "more": 2}
    assert "memory ran out" in run.log.read_text(encoding="utf-8")
    assert [line["step"] for line in metrics.read(run.folder)[0] if "loss" in line] == [1, 2, 3, 3, 4]
    assert_learnt_the_same(run, whole)


def test_before_the_first_checkpoint_it_begins_anew_and_half_a_checkpoint_is_none(whole, tiny_base, monkeypatch):
    run = runs.create(whole.home, recipe(tiny_base, whole.home), "early")
    (run.checkpoints / "checkpoint-1").mkdir(parents=True)  # a process was killed while it wrote that
    out_at(monkeypatch, 1)
    assert train(run) == 0
    assert run.status().second_try["start"] == 0
    assert [one.step for one in checkpoints.of(run)] == [2, 4]
    assert_learnt_the_same(run, whole)


def test_without_padding_too(whole, tiny_base, monkeypatch):
    asked = recipe(tiny_base, whole.home, padding_free=True, plan="as_written")
    run = runs.create(whole.home, asked, "free")
    out_at(monkeypatch, 2)
    assert train(run) == 0
    facts = run.status().second_try
    assert run.recipe().training.most_tokens == facts["fewer"] == facts["tokens"] // 2
    assert alerts.second_try(run.status()).key == "alert.second_try.tokens"
    assert f"in passes of at most {facts['fewer']:,} tokens" in run.log.read_text(encoding="utf-8")
    assert_learnt_the_same(run, whole)


def test_memory_that_runs_out_twice_without_padding_fails_the_run_with_fewer_tokens_yet(whole, tiny_base, monkeypatch):
    asked = recipe(tiny_base, whole.home, padding_free=True, plan="as_written")
    run = runs.create(whole.home, asked, "hopeless-free")
    out_at(monkeypatch, 2, times=2)
    assert train(run) == 2
    status = run.status()
    assert (status.state, status.error_key) == ("failed", "run.out_of_memory.tokens")
    assert 0 < status.error_facts["fewer"] < status.second_try["fewer"]
    assert "OutOfMemoryError" in run.log.read_text(encoding="utf-8")


def test_memory_that_runs_out_twice_fails_the_run_with_the_next_setting_to_change(whole, tiny_base, monkeypatch):
    run = runs.create(whole.home, recipe(tiny_base, whole.home), "hopeless")
    out_at(monkeypatch, 2, times=2)
    assert train(run) == 2
    status = run.status()
    assert (status.state, status.error_key) == ("failed", "run.out_of_memory.batch")
    assert "per_device_train_batch_size at 1 instead of 2" in status.error
    assert "gradient_accumulation_steps at 4 instead of 2" in status.error
    assert alerts.second_try(status).facts["batch"] == 4


def test_a_batch_of_one_fails_at_once_as_it_always_did(whole, tiny_base, monkeypatch):
    run = runs.create(whole.home, recipe(tiny_base, whole.home, per_device_train_batch_size=1), "one")
    out_at(monkeypatch, 1)
    assert train(run) == 2
    assert (run.status().error_key, run.status().second_try) == ("run.out_of_memory.four_bit", {})

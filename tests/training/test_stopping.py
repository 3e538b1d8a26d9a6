"""Training ends by itself where the loss is no number or the evaluation no longer gets better, and not before."""

import math
from pathlib import Path

import pytest
import torch
from transformers import TrainerControl, TrainerState, TrainingArguments

from finetune.errors import RunError
from finetune.recipe import Training
from finetune.training import fused_loss, loss_watch, metrics, runs, stopping, trainer
from tests.conftest import kept_environment
from tests.training.test_trainer import files, recipe, series, tensors


@pytest.fixture(autouse=True)
def own_environment():
    """Training sets variables for the libraries; each test gives them back."""
    with kept_environment():
        yield


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch):
    """Makes the losses of some training passes NaN, with the gradients that come of it or as if they were skipped."""
    from trl import SFTTrainer

    def poison(passes: range, *, gradients: bool = True) -> None:
        name = "compute_loss" if gradients else "training_step"
        true, seen = getattr(SFTTrainer, name), []

        def loss_of(self: SFTTrainer, model: torch.nn.Module, *args: object, **kwargs: object) -> object:
            result = true(self, model, *args, **kwargs)
            if not model.training and gradients:
                return result
            seen.append(1)
            return result * math.nan if len(seen) in passes else result

        monkeypatch.setattr(SFTTrainer, name, loss_of)

    return poison


def made(tiny_base: Path, tiny_csv: Path, tmp_path: Path, **training: object) -> runs.Run:
    return runs.create(tmp_path, recipe(tiny_base, tiny_csv, sample_prompts=[], **training))


def lost(run: runs.Run) -> list[int]:
    """The steps whose train loss the metrics say was no number."""
    return [line["step"] for line in metrics.read(run.folder)[0] if "loss" in line.get("not_finite", [])]


# The loss is no number


def test_three_losses_in_a_row_that_are_no_numbers_end_the_run_and_keep_what_was_good(
    tiny_base, tiny_csv, tmp_path, poisoned
):
    run = made(tiny_base, tiny_csv, tmp_path, max_steps=40, learning_rate=0.03)
    poisoned(range(4, 99))
    with pytest.raises(RunError, match="learning_rate at 0.01 or less"):
        trainer.train(run)
    status = run.status()
    assert (status.state, status.step, status.error_key) == ("failed", 6, "run.diverged")
    assert status.error_facts == {"count": 3, "step": 6, "rate": "0.03", "lower": "0.01", "norm": "0.3"}
    assert lost(run) == [4, 5, 6]
    assert series(run, "loss")[0] == [1, 2, 3]
    assert {path.name for path in run.checkpoints.glob("checkpoint-*")} == {"checkpoint-2"}
    assert "adapter" not in files(run.folder)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has updates read and logged when the next one has been given out, as on a card."""
    monkeypatch.setattr(trainer, "reads_late", lambda training: True)


@pytest.mark.parametrize(("saves", "ended"), [(2, 6), (5, 7)])
def test_a_step_behind_a_card_they_end_it_an_update_later_or_when_it_is_to_be_saved_and_tell_the_same(
    tiny_base, tiny_csv, tmp_path, poisoned, late, saves, ended
):
    run = made(tiny_base, tiny_csv, tmp_path, max_steps=40, learning_rate=0.03, save_steps=saves, eval_steps=saves)
    poisoned(range(4, 99))
    with pytest.raises(RunError, match="up to step 6"):
        trainer.train(run)
    assert (run.status().state, run.status().step, run.status().error_facts["count"]) == ("failed", ended, 3)
    assert (lost(run), series(run, "loss")[0]) == ([4, 5, 6], [1, 2, 3])
    assert {path.name for path in run.checkpoints.glob("checkpoint-*")} <= {"checkpoint-2"}
    assert "adapter" not in files(run.folder)


def test_a_step_behind_a_card_a_last_update_that_was_no_number_is_seen_in_time(
    tiny_base, tiny_csv, tmp_path, poisoned, late
):
    run = made(tiny_base, tiny_csv, tmp_path, max_steps=3, load_best_model_at_end=False)
    poisoned(range(3, 99))
    with pytest.raises(RunError):
        trainer.train(run)
    assert (run.status().error_key, lost(run)) == ("run.diverged", [3])


def test_a_run_that_logs_seldom_ends_as_soon_and_says_why_in_its_metrics(tiny_base, tiny_csv, tmp_path, poisoned):
    run = made(tiny_base, tiny_csv, tmp_path, max_steps=40, logging_steps=20, save_steps=20)
    poisoned(range(2, 99))
    with pytest.raises(RunError):
        trainer.train(run)
    assert (run.status().step, lost(run)) == (4, [4])


def test_every_forward_pass_of_an_update_counts(tiny_base, tiny_csv, tmp_path, poisoned):
    run = made(tiny_base, tiny_csv, tmp_path, max_steps=2, gradient_accumulation_steps=2)
    poisoned(range(1, 2), gradients=False)
    trainer.train(run)
    assert (lost(run), series(run, "loss")[0]) == ([1], [2])


def test_a_run_whose_last_update_was_no_number_is_not_called_finished(tiny_base, tiny_csv, tmp_path, poisoned):
    run = made(tiny_base, tiny_csv, tmp_path, max_steps=3, load_best_model_at_end=False)
    poisoned(range(3, 99))
    with pytest.raises(RunError):
        trainer.train(run)
    assert (run.status().state, run.status().error_key) == ("failed", "run.diverged")
    assert "adapter" not in files(run.folder)


def test_losses_that_are_no_numbers_but_reach_no_weight_are_told_and_endured(tiny_base, tiny_csv, tmp_path, poisoned):
    run = made(tiny_base, tiny_csv, tmp_path, max_steps=5)
    poisoned(range(2, 4), gradients=False)  # as where float16's loss scaler skips two updates
    trainer.train(run)
    assert (run.status().state, lost(run)) == ("finished", [2, 3])
    assert series(run, "loss")[0] == [1, 4, 5]
    assert all(value > 0 for value in series(run, "loss")[1])  # transformers alone would have written 0 for the two


def test_without_padding_a_run_ends_as_well(tiny_base, tiny_csv, tmp_path, monkeypatch):
    true, seen = fused_loss.cross_entropy, []

    def poisoned(*given):
        if torch.is_grad_enabled():
            seen.append(1)
        return true(*given) * (math.nan if torch.is_grad_enabled() and len(seen) > 1 else 1)

    monkeypatch.setattr(fused_loss, "cross_entropy", poisoned)
    run = made(tiny_base, tiny_csv, tmp_path, max_steps=40, padding_free=True, plan="as_written")
    with pytest.raises(RunError):
        trainer.train(run)
    assert (run.status().error_key, lost(run), series(run, "loss")[0]) == ("run.diverged", [2, 3, 4], [1])


@pytest.mark.parametrize(("norm", "advised"), [(0.0, "1"), (5.0, "1"), (1.0, "0.3"), (0.4, "0.2")])
def test_the_advice_is_always_to_clip_harder_than_before(norm, advised):
    assert stopping.diverged(Training(max_grad_norm=norm), 7, 3).facts["norm"] == advised


# The evaluation no longer gets better


def test_a_run_ends_when_the_evaluation_gets_worse_and_keeps_the_best_whatever_save_steps_says(
    tiny_base, tiny_csv, tmp_path
):
    steps = {"max_steps": 12, "eval_steps": 1, "save_steps": 12, "logging_steps": 5}
    run = made(
        tiny_base,
        tiny_csv,
        tmp_path,
        learning_rate=1.0,
        lr_scheduler_type="constant",
        early_stopping_patience=1,
        **steps,
    )
    trainer.train(run)
    evaluated, losses = series(run, "eval_loss")
    assert (run.status().state, run.status().total_steps) == ("finished", 12)
    assert run.status().step == evaluated[-1] < 12
    assert losses[-1] > losses[-2] and losses[1:-1] == sorted(losses[1:-1], reverse=True)
    kept, wanted = tensors(run.adapter), tensors(run.checkpoints / f"checkpoint-{evaluated[-2]}")
    assert all(torch.equal(kept[name], wanted[name]) for name in kept)
    assert evaluated[-2] in series(run, "tokens")[0]  # where a resume would look for them


def test_a_run_that_was_not_told_to_end_early_does_not():
    def names(**settings):
        return [type(one).__name__ for one in stopping.callbacks(Training(**settings), loss_watch.LossWatch())]

    assert names() == ["Divergence", "BestSaved"]
    assert names(load_best_model_at_end=False) == ["Divergence"]
    assert names(early_stopping_patience=1) == ["Divergence", "BestSaved", "EarlyStopping"]


def test_the_best_evaluation_is_what_a_run_keeps_also_where_checkpoints_are_seldom(tiny_base, tiny_csv, tmp_path):
    steps = {"max_steps": 6, "eval_steps": 1, "save_steps": 6, "save_total_limit": 1}
    run = made(tiny_base, tiny_csv, tmp_path, learning_rate=1.0, lr_scheduler_type="constant", **steps)
    trainer.train(run)
    evaluated, losses = series(run, "eval_loss")
    best = min(zip(losses[1:], evaluated[1:], strict=True))[1]
    assert (run.status().state, run.status().step) == ("finished", 6)
    assert best < 6  # else the last checkpoint would do
    kept, wanted = tensors(run.adapter), tensors(run.checkpoints / f"checkpoint-{best}")
    assert all(torch.equal(kept[name], wanted[name]) for name in kept)


def log(*losses: float) -> list[dict[str, float]]:
    """A trainer's log: the base's evaluation at step 0, then one every ten steps with a train loss between."""
    told = [{"step": 10 * i, "eval_loss": loss} for i, loss in enumerate(losses)]
    return [
        entry for pair in zip(({"step": e["step"], "loss": 1.0} for e in told), told, strict=True) for entry in pair
    ]


@pytest.mark.parametrize(
    ("losses", "count"),
    [
        ((), 0),
        ((0.5,), 0),
        ((0.5, 3.0), 0),
        ((9.0, 3.0, 2.0), 0),
        ((9.0, 3.0, 2.0, 2.0, 2.5), 2),
        ((9.0, 3.0, math.nan, 2.0), 0),
        ((9.0, 3.0, math.nan), 1),
    ],
)
def test_evaluations_since_the_best_are_counted_without_the_base_s(losses, count):
    assert stopping.since_best(log(*losses)) == count


def test_an_evaluation_that_was_made_again_counts_once():
    assert stopping.since_best([*log(9.0, 3.0, 4.0), {"step": 20, "eval_loss": 4.0}]) == 1


def test_a_resumed_run_counts_on_and_does_not_count_the_evaluation_that_it_makes_again(tmp_path):
    callback = stopping.callbacks(Training(early_stopping_patience=3), loss_watch.LossWatch())[-1]
    args = TrainingArguments(
        output_dir=str(tmp_path), load_best_model_at_end=True, eval_strategy="steps", eval_steps=10, save_steps=10,
        metric_for_best_model="eval_loss", greater_is_better=False, report_to="none", use_cpu=True,
    )  # fmt: skip
    state = TrainerState(global_step=20, best_metric=3.0, log_history=log(9.0, 3.0, 4.0))
    control, ended = TrainerControl(), []
    callback.on_train_begin(args, state, control)
    for step in (20, 30, 40):
        state.global_step = step
        callback.on_evaluate(args, state, control, {"eval_loss": 4.0})
        ended.append(control.should_training_stop)
    assert ended == [False, False, True]

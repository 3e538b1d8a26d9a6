"""Padded batches of about one length: the same rows in every update, less padding, and the same run."""

import pytest
import torch

from finetune.data.prompts import IGNORED
from finetune.training import by_length, metrics, trainer
from tests.conftest import kept_environment
from tests.training.test_batching import curves
from tests.training.test_trainer import tensors

PAD = 9


def padded(*lengths: int) -> dict[str, torch.Tensor]:
    """A batch as TRL's collator makes it, each row full of its own length."""
    rows = [torch.full((length,), length) for length in lengths]
    parts = {"input_ids": (rows, PAD), "labels": (rows, IGNORED), "attention_mask": ([r * 0 + 1 for r in rows], 0)}
    return {
        name: torch.nn.utils.rnn.pad_sequence(values, batch_first=True, padding_value=filled)
        for name, (values, filled) in parts.items()
    }


def lengths(batches: list[dict[str, torch.Tensor]]) -> list[list[int]]:
    return [batch["attention_mask"].sum(1).tolist() for batch in batches]


def test_an_update_s_rows_are_shared_out_by_length_and_no_batch_is_wider_than_its_longest():
    found = by_length.sorted_by_length([padded(3, 50, 4), padded(48, 5, 2), padded(7)], PAD)
    assert lengths(found) == [[50, 48, 7], [5, 4, 3], [2]]
    for batch, wanted in zip(found, [padded(50, 48, 7), padded(5, 4, 3), padded(2)], strict=True):
        assert batch.keys() == wanted.keys()
        assert all(torch.equal(batch[name], wanted[name]) for name in wanted)


def test_a_single_batch_and_batches_of_other_parts_stay_as_they_are():
    one, pairs = [padded(3, 50)], [{**padded(2, 3), "completion_mask": torch.ones(2, 3)}] * 2
    assert by_length.sorted_by_length(one, PAD) is one
    assert by_length.sorted_by_length(pairs, PAD) is pairs


def test_a_run_learns_what_it_learns_without_and_its_passes_hold_less_padding(tiny_base, tmp_path, monkeypatch):
    from trl import SFTTrainer

    passes: list[tuple[int, int]] = []
    step = SFTTrainer.training_step

    def training_step(self, model, inputs, *more):
        passes.append((inputs["input_ids"].numel(), int(inputs["attention_mask"].sum())))
        return step(self, model, inputs, *more)

    monkeypatch.setattr(SFTTrainer, "training_step", training_step)
    batches = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4}
    sorted_run, told = curves(tmp_path, tiny_base, "sorted", **batches)
    with_sorting, passes = passes, []
    monkeypatch.setattr(by_length, "sorted_by_length", lambda found, _: found)
    plain_run, wanted = curves(tmp_path, tiny_base, "plain", **batches)
    for key, values in wanted.items():
        assert len(values) >= 2 and told[key] == pytest.approx(values, rel=1e-4), key
    for name, matrix in tensors(plain_run.adapter).items():
        assert torch.allclose(tensors(sorted_run.adapter)[name], matrix, atol=1e-4), name
    assert len(with_sorting) == len(passes) == 12
    for update in range(3):
        mine, plain = (sum(real for _, real in seen[4 * update :][:4]) for seen in (with_sorting, passes))
        assert mine == plain, "an update has other examples"
    assert sum(all_ for all_, _ in with_sorting) < sum(all_ for all_, _ in passes)


def test_a_run_that_was_stopped_and_resumed_has_the_same_updates(tiny_base, tmp_path):
    settings = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 4, "save_steps": 1, "eval_steps": 1}
    whole, wanted = curves(tmp_path, tiny_base, "whole", **settings)
    run, _ = curves(tmp_path, tiny_base, "cut", **settings)
    with kept_environment():
        trainer.train(run, resume=True, checkpoint=2)
    for name, matrix in tensors(whole.adapter).items():
        assert torch.allclose(tensors(run.adapter)[name], matrix, atol=1e-4), name
    log = metrics.as_it_went(metrics.read(run.folder)[0])
    assert [line["loss"] for line in log if "loss" in line] == pytest.approx(wanted["loss"], rel=1e-4)

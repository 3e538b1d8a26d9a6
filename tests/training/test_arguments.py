"""What transformers' trainer is told: the recipe's batch, on one card however many there are to see.

No machine with several cards runs these tests: transformers is made to count four of them on a CPU, which is where it
decides about nn.DataParallel and multiplies the batch.
"""

import pytest
import torch

from finetune.data import splits
from finetune.training import arguments, runs, trainer
from tests.conftest import kept_environment, write_csv
from tests.data.test_preference_file import pairs, write
from tests.training import test_preference_trainer
from tests.training.test_trainer import recipe


@pytest.fixture
def four_cards(monkeypatch: pytest.MonkeyPatch):
    """A process that sees four cards, as far as transformers' arguments look."""
    told = arguments.of
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(arguments, "of", lambda *asked: {**told(*asked), "use_cpu": False})
    with kept_environment():
        yield


@pytest.mark.parametrize("kind", ["padded", "without padding", "four bits", "preferences"])
def test_one_process_that_sees_several_cards_learns_from_the_recipe_s_batch_on_one(
    four_cards, tiny_base, tmp_path, kind
):
    if kind == "preferences":
        asked = test_preference_trainer.recipe(tiny_base, write(tmp_path / "dpo.jsonl", pairs(30)), None)
    else:
        free = {"padding_free": True, "plan": "as_written"} if kind == "without padding" else {}
        asked = recipe(tiny_base, write_csv(tmp_path / "corpus.csv"), gradient_accumulation_steps=2, **free)
    asked = asked.with_settings({"base.load_in_4bit": kind == "four bits"})
    run = runs.create(tmp_path, asked)
    splits.prepare(asked.data, run.data, objective=asked.training.objective)
    made, _ = trainer.build_trainer(run, asked)
    assert not made.args.use_cpu, "or nothing would be counted"
    t = asked.training
    assert made.args.train_batch_size == t.per_device_train_batch_size
    assert made.args.eval_batch_size == t.per_device_eval_batch_size
    assert made.get_total_train_batch_size(made.args) == asked.effective_batch
    assert made._wrap_model(made.model) is made.model, "wrapped in nn.DataParallel"


def test_the_count_stays_one_when_it_is_looked_at_again(four_cards, tmp_path):
    from transformers import TrainingArguments

    plain = TrainingArguments(str(tmp_path), use_cpu=False, report_to="none")
    assert (plain.n_gpu, plain.train_batch_size) == (4, 32), "what the fake is for"
    one = arguments.one_card(TrainingArguments(str(tmp_path), use_cpu=False, report_to="none"))
    assert one.device.type == "cpu" and (one.n_gpu, one.train_batch_size) == (1, 8)
    nowhere = arguments.one_card(TrainingArguments(str(tmp_path), use_cpu=True, report_to="none"))
    assert (nowhere.n_gpu, nowhere.train_batch_size) == (0, 8)


@pytest.mark.parametrize(
    ("settings", "by_trl"),
    [
        ({}, True),
        ({"training.padding_free": True, "training.plan": "as_written"}, False),  # host_memory.py does it
        ({"training.engine": "unsloth", "base.dtype": "auto"}, False),
        ({"training.activation_offloading": False}, False),
    ],
)
def test_trl_keeps_activations_in_the_hosts_memory_for_padded_runs_on_a_card_only(
    tmp_path, tiny_base, monkeypatch, settings, by_trl
):
    asked = recipe(tiny_base, write_csv(tmp_path / "corpus.csv"))
    asked = asked.with_settings({"training.activation_offloading": True, **settings})
    run = runs.create(tmp_path, asked)
    assert arguments.of(run, asked)["activation_offloading"] is False, "there is no card"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(arguments.models, "compute_dtype", lambda dtype: torch.bfloat16)
    assert arguments.of(run, asked)["activation_offloading"] is by_trl

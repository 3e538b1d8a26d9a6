"""Batches without padding in TRL's own trainer: the same training as with padding, whatever the passes."""

import contextlib
import gc
import math
import os

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from trl import SFTConfig, SFTTrainer

from finetune.data.prompts import IGNORED
from finetune.models import load_base
from finetune.training import attention, cpu, fused_loss, host_memory, llama_layers, lora_precision, padding_free
from tests.conftest import kept_environment

EVERY = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]

# Sharing out


@pytest.mark.parametrize("most", [1, 20, 33, 50, 64, 127, 1000, None])
def test_passes_hold_every_sequence_once_and_no_more_tokens_than_they_may(most):
    lengths = [40, 7, 23, 1, 60, 12, 33]
    shared = padding_free.passes(lengths, most)
    assert sorted(place for places in shared for place in places) == list(range(7))
    for places in shared:
        assert places and (most is None or len(places) == 1 or sum(lengths[place] for place in places) <= most)


def test_passes_are_few_and_about_equally_full():
    lengths = [500, 400, 300, 300, 200, 200, 100]
    assert len(padding_free.passes(lengths, 2000)) == len(padding_free.passes(lengths, None)) == 1
    filled = [sum(lengths[place] for place in places) for places in padding_free.passes(lengths, 1100)]
    assert filled == [1000, 1000]


def test_a_sequence_longer_than_a_pass_has_one_to_itself():
    assert padding_free.passes([10, 90, 10], 20) == [[1], [0, 2]]


# Batches


def example(ids: list[int], prompt: int) -> dict[str, list[int]]:
    return {"input_ids": ids, "labels": [IGNORED] * prompt + ids[prompt:]}


def test_a_batch_lies_flat_its_positions_begin_anew_and_first_labels_are_masked():
    batch = padding_free.collator()([example([11, 12, 13], 0), example([21, 22], 1)])
    assert batch["input_ids"].tolist() == [[11, 12, 13, 21, 22]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert batch["labels"].tolist() == [[IGNORED, 12, 13, IGNORED, 22]]
    assert batch["passes"] == [[3, 2]]
    assert (batch["targets"].tolist(), batch["counts"]) == ([1, 2, 4], [3])


def test_a_batch_is_cut_where_its_passes_end():
    batch = padding_free.collator(4)([example([11, 12, 13], 1), example([21, 22], 1), example([31, 32], 1)])
    first, second = padding_free.each_pass(batch)
    assert (first["input_ids"].tolist(), first["passes"]) == ([[11, 12, 13]], [[3]])
    assert (second["input_ids"].tolist(), second["passes"]) == ([[21, 22, 31, 32]], [[2, 2]])
    assert second["position_ids"].tolist() == [[0, 1, 0, 1]]
    assert (first["targets"].tolist(), first["counts"]) == ([1, 2], [2])
    assert (second["targets"].tolist(), second["counts"]) == ([1, 3], [2])


def test_a_card_s_memory_may_grow_unless_somebody_has_chosen(monkeypatch):
    names = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF")
    for chosen in (None, *names):
        for name in names:
            monkeypatch.delenv(name, raising=False)
        if chosen:
            monkeypatch.setenv(chosen, "max_split_size_mb:512")
        with kept_environment():
            padding_free.let_memory_grow()
            found = {name: os.environ[name] for name in names if name in os.environ}
        assert found == ({chosen: "max_split_size_mb:512"} if chosen else {names[0]: "expandable_segments:True"})


# Training


def examples() -> list[dict[str, list[int]]]:
    """Twelve examples of very different lengths and prompts, one of them without a prompt."""
    random = torch.Generator().manual_seed(0)
    lengths = [40, 7, 23, 60, 5, 31, 18, 55, 9, 27, 44, 13]
    return [
        example(torch.randint(10, 300, (length,), generator=random).tolist(), prompt=number * length // 24)
        for number, length in enumerate(lengths)
    ]


def trained(base, folder, *, padded: bool = False, most: int | None = None, batch: int = 4, four_bit: bool = False,
            mlps: int = 0, checkpointing: bool = False, optim: str = "adamw_torch",
            before: bool = True):  # fmt: skip
    """Three updates of four examples; the trainer, and what it logged of each update and evaluation.

    before: an evaluation goes before the first update.
    """
    name = "eager" if padded else attention.register()
    model, tokenizer = load_base(str(base), four_bit=four_bit, dtype="float32", attention=name)
    if four_bit:
        cpu.keep_weights_unpacked(model)
    torch.manual_seed(1)
    model = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, target_modules=EVERY))
    learning = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    if not padded:
        llama_layers.fuse(model, recompute_mlps=mlps)
    config = SFTConfig(
        output_dir=str(folder),
        per_device_train_batch_size=batch,
        per_device_eval_batch_size=12,
        gradient_accumulation_steps=4 // batch,
        max_steps=3,
        learning_rate=0.02,
        logging_steps=1,
        eval_strategy="steps",
        eval_steps=1,
        eval_on_start=before,
        save_strategy="no",
        report_to="none",
        use_cpu=True,
        bf16=False,
        optim=optim,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        gradient_checkpointing=checkpointing,
        loss_type="chunked_nll" if padded else "nll",
    )
    rows = Dataset.from_list(examples())
    parts = {} if padded else {"data_collator": padding_free.collator(most)}
    trainer = (SFTTrainer if padded else padding_free.trainer(SFTTrainer))(
        model=model, args=config, train_dataset=rows, eval_dataset=rows, processing_class=tokenizer, **parts
    )
    for name, parameter in trainer.model.named_parameters():
        if name in learning:
            parameter.data = learning[name]  # on a 4-bit base TRL has rounded them
    trainer.train()
    return trainer, trainer.state.log_history


def curves(history: list[dict]) -> dict[str, list[float]]:
    return {key: [line[key] for line in history if key in line] for key in ("loss", "grad_norm", "eval_loss")}


@pytest.fixture(scope="module")
def reference(tiny_base, tmp_path_factory):
    """TRL as it comes: padded batches, its own loss, one micro-batch an update."""
    return trained(tiny_base, tmp_path_factory.mktemp("reference"), padded=True)


@pytest.mark.parametrize(
    "way",
    [
        {},
        {"most": 70},
        {"most": 1},
        {"batch": 2},
        {"batch": 1},
        {"batch": 2, "most": 30},
        {"mlps": 2},
        {"checkpointing": True, "most": 70},
        {"checkpointing": True, "mlps": 1},
    ],
)
def test_losses_gradients_and_weights_are_those_of_padded_batches(tiny_base, tmp_path, reference, way):
    trainer, history = trained(tiny_base, tmp_path, **way)
    found, wanted = curves(history), curves(reference[1])
    assert [len(values) for values in wanted.values()] == [3, 3, 4]
    for key, values in wanted.items():
        assert found[key] == pytest.approx(values, rel=1e-3), key
    theirs = dict(reference[0].model.named_parameters())
    for name, parameter in trainer.model.named_parameters():
        if parameter.requires_grad:
            assert (parameter - theirs[name]).norm() <= 1e-3 * theirs[name].norm(), name


def test_the_8_bit_optimizer_takes_all_weights_at_once_and_learns_as_one_by_one(tiny_base, tmp_path):
    _, theirs = trained(tiny_base, tmp_path, padded=True, optim="adamw_8bit")
    trainer, ours = trained(tiny_base, tmp_path, optim="adamw_8bit")
    (flat,) = trainer.optimizer.param_groups[0]["params"]
    assert flat.numel() == sum(p.numel() for p in trainer.model.parameters() if p.requires_grad)
    for key, values in curves(theirs).items():  # one by one, matrices below 4,096 weights keep 32 bits
        assert curves(ours)[key] == pytest.approx(values, rel=0.02), key


def test_losses_are_those_of_padded_batches_on_a_4_bit_base(tiny_base, tmp_path):
    _, theirs = trained(tiny_base, tmp_path, padded=True, four_bit=True)
    _, ours = trained(tiny_base, tmp_path, four_bit=True, most=70, checkpointing=True)
    for key, values in curves(theirs).items():
        assert curves(ours)[key] == pytest.approx(values, rel=1e-3), key


@pytest.mark.gpu
def test_on_a_card_16_bits_and_its_kernels_give_the_gradients_of_float32_on_a_cpu(tiny_base, monkeypatch):
    if not (torch.cuda.is_available() and attention.supported("cuda", torch.bfloat16)):
        pytest.skip("needs a GPU of compute capability 8.0")
    exact, by_exact = on("cpu", torch.float32, tiny_base)  # first: Liger takes transformers' classes over for good
    kept = host_memory.HostMemory()
    monkeypatch.setattr(host_memory, "LEAST", 1)
    layers, hosted = {"checkpointing": True}, {"checkpointing": True, "saving": kept.saving}
    for way in ({}, {"mlps": 2}, layers, {"mlps": 1, **layers}, hosted, hosted):
        ours, by_ours = on("cuda", torch.bfloat16, tiny_base, **way)
        assert ours == pytest.approx(exact, rel=0.02) and by_ours.keys() == by_exact.keys()
        for name, gradient in by_exact.items():
            assert (by_ours[name] - gradient).norm() <= 0.1 * gradient.norm(), (way, name)
    assert len(kept._sent) >= 2 * 3


def on(device, dtype, base, *, mlps=0, checkpointing=False, saving=contextlib.nullcontext):
    """The loss of the examples, and its gradients, computed there."""
    model, _ = load_base(str(base), four_bit=False, dtype=str(dtype)[6:], attention=attention.register())
    model = get_peft_model(
        model.to(device), LoraConfig(task_type="CAUSAL_LM", r=16, lora_alpha=8, target_modules=EVERY)
    )
    random = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = (torch.randn(parameter.shape, generator=random) * 0.05).to(device)
    llama_layers.fuse(model, recompute_mlps=mlps)
    if checkpointing:
        model.gradient_checkpointing_enable()
        model.train()
    batch = padding_free.collator()(examples())
    batch = {name: part.to(device) if torch.is_tensor(part) else part for name, part in batch.items()}
    labels = batch["labels"][0, 1:]
    with saving():
        states = padding_free.hidden_states(model, batch)[:-1][labels != IGNORED]
    loss = fused_loss.cross_entropy(states, model.get_output_embeddings().weight, labels[labels != IGNORED])
    loss.backward()
    return loss.item(), {name: p.grad.float().cpu() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("checkpointing", [False, True])
def test_all_modules_learn_in_training_mode_and_recompute_where_they_are_told(
    tiny_base, tmp_path, monkeypatch, checkpointing
):
    modes, mlps, projected = [], [], []
    states, gated, project = padding_free.hidden_states, lora_precision.gated, lora_precision.project

    def noted(model, *given):
        modes.append((torch.is_grad_enabled(), {module.training for module in model.modules()}))
        return states(model, *given)

    def counted(*given, **more):
        mlps.append((torch.is_grad_enabled(), more["recompute"], more["made_of"] is not None))
        return gated(*given, **more)

    def told(x, layers, *given):
        projected.append(len(layers))
        return project(x, layers, *given)

    monkeypatch.setattr(padding_free, "hidden_states", noted)
    monkeypatch.setattr(lora_precision, "gated", counted)
    monkeypatch.setattr(lora_precision, "project", told)
    trainer, _ = trained(tiny_base, tmp_path, checkpointing=checkpointing, before=False)
    assert modes == 3 * [(True, {True}), (False, {False})]  # an update, an evaluation
    layers = trainer.model.config.num_hidden_layers
    learning = (True, checkpointing, checkpointing)
    assert mlps == 3 * (layers * [learning] + layers * [(False, False, False)]), "no MLP whole a second time"
    again = layers * checkpointing
    assert (projected.count(3), projected.count(1)) == (3 * (2 * layers + again), 3 * 2 * layers)


def test_a_pass_that_is_filled_up_gives_the_same_states_and_no_more(tiny_base):
    model, _ = load_base(str(tiny_base), four_bit=False, dtype="float32", attention=attention.register())
    batch = padding_free.collator()(examples())
    tokens = batch["input_ids"].shape[1]
    seen, filled = [], {}
    model.model.register_forward_pre_hook(
        lambda module, given, named: seen.append(named["input_ids"].shape[1]), with_kwargs=True
    )
    with torch.no_grad():
        for room in (None, tokens, tokens + 40):
            filled[room] = padding_free.hidden_states(model, batch, room)
            assert filled[room].shape == (tokens, model.config.hidden_size)
            torch.testing.assert_close(filled[room], filled[None])
    assert seen == [tokens, tokens, tokens + 40]


@pytest.mark.parametrize(("tokens", "room"), [(1, 8), (64, 64), (100, 104), (8092, 8128), (8193, 8320), (12015, 12032)])
def test_passes_come_in_few_sizes_and_are_hardly_larger(tokens, room):
    assert padding_free.rounded(tokens) == room
    assert len({padding_free.rounded(n) for n in range(8193, 16385)}) == 64


def test_what_is_there_before_is_no_garbage_while_it_trains_and_may_be_afterwards(tiny_base, tmp_path, monkeypatch):
    frozen, states = [], padding_free.hidden_states
    monkeypatch.setattr(
        padding_free, "hidden_states", lambda *given: frozen.append(gc.get_freeze_count()) or states(*given)
    )
    trainer, _ = trained(tiny_base, tmp_path)
    assert min(frozen) > 100_000 and gc.get_freeze_count() == 0
    assert trainer.state.total_flos == 0  # nobody walked through all weights to count


def test_the_log_counts_the_tokens_learnt_from_and_no_padding(tiny_base, tmp_path):
    _, history = trained(tiny_base, tmp_path)
    counted = [line["num_tokens"] for line in history if "loss" in line]
    assert counted == sorted(counted) and counted[-1] == sum(len(one["input_ids"]) for one in examples())


def test_a_pass_in_which_nothing_is_to_be_learnt_is_no_trouble(tiny_base, tmp_path, monkeypatch):
    silent = [example(list(range(10, 30)), prompt=20), *examples()[:3]]
    monkeypatch.setattr(f"{__name__}.examples", lambda: silent)
    _, history = trained(tiny_base, tmp_path, most=21)
    assert all(math.isfinite(loss) and loss > 0 for loss in curves(history)["loss"])

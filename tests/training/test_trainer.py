"""Real training on the tiny base: what a run leaves behind, what the loss sees, what stop and resume keep."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from finetune.__main__ import app
from finetune.data import splits
from finetune.data.prompts import IGNORED, PromptFormat, conversation, encode_example
from finetune.errors import FinetuneError, ModelError, RunError
from finetune.models import load_base, load_tokenizer
from finetune.recipe import ROOT, Recipe
from finetune.training import checkpoints, metrics, runs, trainer
from tests.conftest import kept_environment, write_csv

KEYS = {
    "step", "epoch", "loss", "eval_loss", "learning_rate", "grad_norm", "tokens", "tokens_per_second", "gpu_memory_gb",
    "elapsed_s",
}  # fmt: skip


def recipe(tiny_base: Path, csv: Path, **training: object) -> Recipe:
    """A recipe that trains a few steps of the tiny base; `training` changes its training section."""
    return Recipe.from_dict(
        {
            "name": "tiny",
            "base": {"model": str(tiny_base), "dtype": "float32"},
            "data": {"source": str(csv)},
            "adapter": {"r": 4, "lora_alpha": 8},
            "training": {
                "max_length": 256,
                "per_device_train_batch_size": 4,
                "per_device_eval_batch_size": 32,
                "gradient_accumulation_steps": 1,
                "learning_rate": 0.01,
                "warmup_steps": 1,
                "max_steps": 3,
                "eval_steps": 2,
                "save_steps": 2,
                **training,
            },
            "generation": {"max_new_tokens": 8},
        }
    )


@pytest.fixture(autouse=True)
def own_environment():
    """Training sets variables for the libraries; each test gives them back."""
    with kept_environment():
        yield


@pytest.fixture(scope="module")
def trained(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> runs.Run:
    """Three steps through the command line, from a CSV to an adapter."""
    folder = tmp_path_factory.mktemp("trained")
    file = folder / "tiny.yaml"
    file.write_text(recipe(tiny_base, write_csv(folder / "corpus.csv")).to_yaml(), encoding="utf-8")
    with kept_environment():
        result = CliRunner().invoke(app, ["train", str(file), "--run-dir", str(folder / "run")])
    assert result.exit_code == 0, result.output
    return runs.at(folder / "run")


@pytest.fixture
def prepared(tiny_base: Path, tiny_csv: Path, tmp_path: Path):
    """Makes a run of its own for a test."""

    def make(name: str = "", **training: object) -> runs.Run:
        return runs.create(tmp_path, recipe(tiny_base, tiny_csv, **training), name)

    return make


def lines(run: runs.Run) -> list[dict]:
    return metrics.read(run.folder)[0]


def series(run: runs.Run, key: str) -> tuple[list[int], list[float]]:
    return metrics.series(lines(run), key)


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "adapter_model.safetensors")


# What a run leaves behind


def test_a_finished_run_s_folder_holds_exactly_what_the_contract_names(trained):
    assert files(trained.folder) - {"log.txt"} == {
        "recipe.yaml", "command.txt", "data", "metrics.jsonl", "samples.jsonl", "checkpoints", "adapter", "status.json",
    }  # fmt: skip
    assert files(trained.data) == {"train.jsonl", "validation.jsonl", "test.jsonl", "report.json"}
    assert files(trained.adapter) == {"adapter_config.json", "adapter_model.safetensors", "prompt_format.json"}
    assert {path.name for path in trained.checkpoints.glob("checkpoint-*")} == {"checkpoint-2", "checkpoint-3"}


def test_a_run_started_on_the_command_line_keeps_its_log_too(trained):
    assert "adapter saved" in trained.log.read_text(encoding="utf-8")


def test_the_report_s_splits_are_the_files_beside_it(trained):
    report = json.loads((trained.data / "report.json").read_text(encoding="utf-8"))
    sizes = {
        name: len((trained.data / f"{name}.jsonl").read_text(encoding="utf-8").splitlines())
        for name in ("train", "validation", "test")
    }
    assert report["splits"] == sizes == {"train": 24, "validation": 3, "test": 3}


def test_the_status_of_a_finished_run_says_so(trained):
    raw = json.loads((trained.folder / "status.json").read_text(encoding="utf-8"))
    assert (raw["state"], raw["step"], raw["total_steps"], raw["error"]) == ("finished", 3, 3, "")
    assert raw["pid"] == os.getpid()


def test_metrics_have_the_contract_s_keys_and_begin_with_an_evaluation_at_step_0(trained):
    log = lines(trained)
    assert set(log[0]) - {"gpu_memory_gb"} == {"step", "epoch", "eval_loss", "elapsed_s"}
    assert log[0]["step"] == 0
    updates = [line for line in log if "loss" in line]
    assert [line["step"] for line in updates] == [1, 2, 3]
    assert set(updates[-1]) - {"gpu_memory_gb"} == KEYS - {"eval_loss", "gpu_memory_gb"}
    assert {key for line in log for key in line} <= KEYS
    assert series(trained, "eval_loss")[0][:2] == [0, 2]


def test_metrics_are_plausible_numbers(trained):
    updates = [line for line in lines(trained) if "loss" in line]
    tokens = [line["tokens"] for line in updates]
    assert tokens == sorted(tokens) and tokens[0] > 4 * 20
    assert all(line["tokens_per_second"] > 0 for line in updates[1:])
    elapsed = [line["elapsed_s"] for line in lines(trained)]
    assert elapsed == sorted(elapsed)
    assert updates[-1]["epoch"] == pytest.approx(3 / 6)


def test_training_lowers_the_evaluation_loss(trained):
    _, losses = series(trained, "eval_loss")
    assert losses[1] < losses[0]


def test_the_adapter_names_the_base_as_the_recipe_does_and_carries_its_prompt_format(trained, tiny_base):
    config = json.loads((trained.adapter / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == str(tiny_base)
    assert (config["r"], config["lora_alpha"]) == (4, 8)
    assert PromptFormat.load(trained.adapter) == PromptFormat()
    assert any(bool(matrix.any()) for name, matrix in tensors(trained.adapter).items() if "lora_B" in name)


def test_the_trained_adapter_answers_through_the_command_line_with_json_alone_on_standard_output(trained, capfd):
    # In this process, for another one would import everything anew; capfd sees what libraries write past Python, too.
    asked = ["--run", str(trained.folder), "--prompt", "খুব একা লাগে।", "--seed", "3"]
    app(["generate", *asked, "--set", "max_new_tokens=8", "--set", "temperature=1", "--json"], standalone_mode=False)
    reply = json.loads(capfd.readouterr().out)
    assert set(reply) == {"prompt", "base", "tuned", "seed"}
    assert (reply["prompt"], reply["seed"]) == ("খুব একা লাগে।", 3)
    assert reply["base"] and reply["tuned"] and reply["base"] != reply["tuned"]


# What the loss sees


def test_labels_are_the_reply_and_its_end_and_nothing_else(tiny_base, tiny_csv):
    tokenizer = load_tokenizer(str(tiny_base))
    row = {"question": "খুব একা লাগে।", "answer": "আপনি একা নন।"}
    (example,) = trainer.encode_rows([row], tokenizer, PromptFormat(), recipe(tiny_base, tiny_csv))
    seen = [i for i, label in enumerate(example["labels"]) if label != IGNORED]
    assert tokenizer.decode([example["labels"][i] for i in seen]) == "আপনি একা নন।<|eot_id|>"
    assert [example["labels"][i] for i in seen] == [example["input_ids"][i] for i in seen]
    assert seen == list(range(seen[0], len(example["input_ids"])))
    assert tokenizer.decode(example["input_ids"][: seen[0]]).endswith("assistant<|end_header_id|>\n\n")


def test_a_row_whose_reply_would_be_cut_off_whole_is_left_out_and_the_others_stay(tiny_base, tiny_csv):
    tokenizer = load_tokenizer(str(tiny_base))
    long = {"question": "খুব একা লাগে। " * 80, "answer": "আপনি একা নন।"}
    short = {"question": "খুব একা লাগে।", "answer": "আপনি একা নন।"}
    style, made = PromptFormat(), recipe(tiny_base, tiny_csv)
    assert trainer.encode_rows([long, short], tokenizer, style, made) == trainer.encode_rows(
        [short], tokenizer, style, made
    )
    with pytest.raises(RunError, match=r"max_length \(256 tokens\)"):
        trainer.encode_rows([long], tokenizer, style, made)


def test_the_first_evaluation_loss_is_the_base_s_own_on_the_validation_replies(trained, tiny_base):
    model, tokenizer = load_base(str(tiny_base), four_bit=False, dtype="float32")
    total = count = 0.0
    for text in (trained.data / "validation.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(text)
        ids, labels = encode_example(
            tokenizer, conversation(row["question"], row["answer"]), PromptFormat(), max_length=256
        )
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0, :-1]
        total += float(torch.nn.functional.cross_entropy(logits, torch.tensor(labels[1:]), reduction="sum"))
        count += sum(label != IGNORED for label in labels[1:])
    assert lines(trained)[0]["eval_loss"] == pytest.approx(total / count, rel=1e-3)


# Stop and resume


@pytest.fixture(scope="module")
def whole_and_cut(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[runs.Run, runs.Run]:
    """Two runs of four steps: one never stopped, one stopped through its stop file after step 2 and resumed."""
    home = tmp_path_factory.mktemp("resumed")
    made = recipe(tiny_base, write_csv(home / "corpus.csv"), max_steps=4, save_steps=4)
    whole, cut = runs.create(home, made, "whole"), runs.create(home, made, "cut")
    append = metrics.append

    def stop_after_the_next_step(folder: Path, line: dict) -> None:
        append(folder, line)
        if line["step"] == 1:
            cut.stop_request.touch()

    with pytest.MonkeyPatch.context() as patch, kept_environment():
        trainer.train(whole)
        patch.setattr(metrics, "append", stop_after_the_next_step)
        trainer.train(cut)
        patch.setattr(metrics, "append", append)
        assert (cut.status().state, cut.status().step) == ("stopped", 2)
        assert "adapter" in files(cut.folder) and "stop" not in files(cut.folder)
        assert checkpoints.chosen(cut).folder.name == "checkpoint-2"  # saved because of the stop: it was not due yet
        trainer.train(cut, resume=True)
    return whole, cut


def test_a_run_stopped_after_step_2_and_resumed_is_the_run_that_was_never_stopped(whole_and_cut):
    whole, cut = whole_and_cut
    assert_same_curves(cut, whole)


def assert_same_curves(run: runs.Run, whole: runs.Run) -> None:
    """Both have finished with the same curves and the same adapter, to 1e-4."""
    assert (run.status().state, run.status().step) == ("finished", 4)
    for key in ("loss", "learning_rate", "grad_norm", "eval_loss", "epoch"):
        steps, values = series(whole, key)
        assert series(run, key)[0] == steps, key
        assert series(run, key)[1] == pytest.approx(values, rel=1e-4), key
    for name, matrix in tensors(whole.adapter).items():
        assert torch.allclose(tensors(run.adapter)[name], matrix, atol=1e-4), name


def test_a_resumed_run_repeats_no_step_and_its_clock_goes_on(whole_and_cut):
    _, cut = whole_and_cut
    assert [line["step"] for line in lines(cut) if "loss" in line] == [1, 2, 3, 4]
    elapsed = [line["elapsed_s"] for line in lines(cut)]
    assert elapsed == sorted(elapsed)


def test_a_resumed_run_goes_on_counting_tokens(whole_and_cut):
    whole, cut = whole_and_cut
    assert series(cut, "tokens") == series(whole, "tokens")


def test_the_adapter_that_is_kept_is_the_one_with_the_lowest_evaluation_loss(prepared):
    run = prepared(max_steps=3, eval_steps=1, save_steps=1, learning_rate=1.0, lr_scheduler_type="constant")
    trainer.train(run)
    steps, losses = series(run, "eval_loss")
    best = min(zip(losses[1:], steps[1:], strict=True))[1]
    assert best != 3  # at this rate the last step is no better than an earlier one
    kept, wanted = tensors(run.adapter), tensors(run.checkpoints / f"checkpoint-{best}")
    assert all(torch.equal(kept[name], wanted[name]) for name in kept)


KILLED_AFTER_STEP_3 = """
import os, signal, sys
from pathlib import Path
import torch
from finetune.training import metrics, runs, trainer

append = metrics.append

def kill(folder, line):
    append(folder, line)
    if line["step"] == 3:
        os.kill(os.getpid(), signal.SIGKILL)

torch.set_num_threads(1)
metrics.append = kill
trainer.train(runs.at(Path(sys.argv[1])))
"""


@pytest.fixture(scope="module")
def killed(whole_and_cut: tuple[runs.Run, runs.Run]) -> runs.Run:
    """The run of `whole_and_cut` in a process that is killed with -9 after step 3, one step after its checkpoint."""
    whole, _ = whole_and_cut
    run = runs.create(whole.home, whole.recipe().with_settings({"training.save_steps": 2}), "killed")
    done = subprocess.run([sys.executable, "-c", KILLED_AFTER_STEP_3, str(run.folder)], cwd=ROOT, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2000:]
    return run


def test_a_run_killed_with_9_goes_on_from_its_last_checkpoint_as_if_nothing_had_happened(whole_and_cut, killed):
    whole, _ = whole_and_cut
    assert (killed.status().state, killed.status().error_key) == ("failed", "run.died")
    assert [line["step"] for line in lines(killed) if "loss" in line] == [1, 2, 3]
    trainer.train(killed, resume=True)
    assert [line["step"] for line in lines(killed) if "loss" in line] == [1, 2, 3, 3, 4]  # 3 was not saved: again
    assert_same_curves(killed, whole)


def test_a_run_goes_on_from_an_earlier_checkpoint_and_later_ones_are_forgotten(whole_and_cut, killed):
    whole, _ = whole_and_cut
    assert [one.step for one in checkpoints.of(killed)] == [2, 4]
    cancelled_at(killed, 3, resume=True, checkpoint=2)
    assert [one.step for one in checkpoints.of(killed)] == [2]
    trainer.train(killed, resume=True)
    assert_same_curves(killed, whole)


def cancelled_at(run: runs.Run, step: int, **how: object) -> None:
    """Train a run until somebody cancels it after the line of a step has been written."""
    append = metrics.append

    def cancel(folder: Path, line: dict) -> None:
        append(folder, line)
        if line["step"] == step:
            run.cancel_request.touch()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "append", cancel)
        trainer.train(run, **how)


def test_a_cancelled_run_ends_without_an_adapter_and_nothing_is_wrong_with_it(prepared):
    run = prepared()
    cancelled_at(run, 0)  # in the evaluation before the first step
    status = run.status()
    assert (status.state, status.cancelled, status.step, status.error, status.error_key) == ("stopped", True, 0, "", "")
    assert "adapter" not in files(run.folder) and "cancel" not in files(run.folder)


def test_a_run_is_cancelled_before_it_trains_too(prepared, monkeypatch):
    run = prepared()
    monkeypatch.setattr(
        trainer.splits, "prepare", lambda *_, **__: run.cancel_request.touch() or {"kept": 0, "rows": 0, "splits": {}}
    )
    monkeypatch.setattr(trainer, "build_trainer", lambda *_: pytest.fail("the base was loaded for nothing"))
    trainer.train(run)
    assert (run.status().state, run.status().cancelled) == ("stopped", True)


def test_a_resume_without_a_checkpoint_is_told_and_leaves_an_adapter_that_is_there_usable(prepared, tiny_adapter):
    run = prepared()
    shutil.copytree(tiny_adapter, run.adapter)
    run.set_status(state="finished", step=3)
    with pytest.raises(RunError, match="no checkpoint"):
        trainer.train(run, resume=True)
    assert run.status().state == "finished"  # only finished runs are offered in the chat
    assert files(run.adapter) >= files(tiny_adapter)


# Four bits


@pytest.fixture
def four_bit_trainer(tiny_base: Path, tiny_csv: Path, tmp_path: Path):
    """A trainer on the tiny base in four bits, before its first step."""
    asked = recipe(tiny_base, tiny_csv).with_settings({"base.load_in_4bit": "true"})
    run = runs.create(tmp_path, asked)
    splits.prepare(asked.data, run.data)
    return trainer.build_trainer(run, asked)[0]


def test_an_evaluation_leaves_the_gradients_of_four_bit_training_as_they_were(four_bit_trainer):
    # Where the CPU has AVX512-BF16, bitsandbytes repacks the weights in evaluation, and the repacked ones know no
    # gradient: whatever lies below a projection would learn nothing, with no more than a warning.
    model = four_bit_trainer.model
    (batch,) = four_bit_trainer.get_eval_dataloader()

    def gradients() -> dict[str, torch.Tensor]:
        model.train()
        model.zero_grad()
        model(**batch).loss.backward()
        return {name: p.grad.float() for name, p in model.named_parameters() if "lora_B" in name}

    before = gradients()
    four_bit_trainer.evaluate()
    after = gradients()
    assert all(bool(gradient.any()) for gradient in before.values())
    assert [name for name in before if (after[name] - before[name]).norm() > 0.05 * before[name].norm()] == []


def test_the_adapter_s_master_weights_are_float32_on_a_four_bit_base_too(four_bit_trainer):
    kinds = {parameter.dtype for parameter in four_bit_trainer.model.parameters() if parameter.requires_grad}
    assert kinds == {torch.float32}


def test_four_bits_are_trained_on_a_cpu_too(tiny_base, tiny_csv, tmp_path):
    asked = recipe(tiny_base, tiny_csv, max_steps=1, eval_steps=1, save_steps=1, warmup_steps=0)
    run = runs.create(tmp_path, asked.with_settings({"base.load_in_4bit": "true"}))
    trainer.train(run)
    assert run.status().state == "finished"
    assert any(bool(matrix.any()) for name, matrix in tensors(run.adapter).items() if "lora_B" in name)


# What goes wrong


@pytest.mark.parametrize(
    ("section", "wrong", "key"),
    [
        ("data", {"source": "/nowhere/corpus.csv"}, "data.no_file"),
        ("base", {"model": "/nowhere/base"}, "model.no_base"),
        ("training", {"max_length": 16}, "run.all_cut"),
    ],
    ids=lambda value: str(value),
)
def test_what_a_person_can_mend_is_raised_and_stands_in_the_status(tiny_base, tiny_csv, tmp_path, section, wrong, key):
    made = recipe(tiny_base, tiny_csv).with_settings({f"{section}.{name}": value for name, value in wrong.items()})
    run = runs.create(tmp_path, made)
    with pytest.raises(FinetuneError) as told:
        trainer.train(run)
    status = run.status()
    assert (status.state, status.error, status.error_key) == ("failed", str(told.value), key)


@pytest.mark.parametrize(
    ("error", "key", "said"),
    [
        (
            RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
            "run.out_of_memory.batch",
            "train_batch_size at 2 instead of 4",
        ),
        (OSError(28, "No space left on device"), "run.disk_full", "Free some space"),
        (ValueError("first line\nsecond line"), "run.crashed", "ValueError: first line."),
        (AssertionError(), "run.crashed", "no message"),
    ],
    ids=["memory", "disk", "two lines", "nothing said"],
)
def test_a_crash_becomes_one_sentence_in_the_status_and_its_details_go_to_the_log(
    prepared, monkeypatch, capsys, error, key, said
):
    def crash(*_: object) -> None:
        raise error

    run = prepared()
    monkeypatch.setattr(trainer, "build_trainer", crash)
    with pytest.raises(RunError):
        trainer.train(run)
    status = run.status()
    assert (status.state, status.error_key) == ("failed", key)
    assert said in status.error and "\n" not in status.error
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_at_the_keyboard_leaves_a_stopped_run(prepared, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    run = prepared()
    monkeypatch.setattr(trainer, "build_trainer", interrupt)
    with pytest.raises(KeyboardInterrupt):
        trainer.train(run)
    assert run.status().state == "stopped"


# Saving


class Weights:
    """Something that can be saved as PEFT's models can."""

    def __init__(self, text: str) -> None:
        self.text = text

    def save_pretrained(self, folder: str) -> None:
        Path(folder).mkdir(exist_ok=True)
        Path(folder, "adapter_config.json").write_text('{"base_model_name_or_path": "/tmp/cache"}', encoding="utf-8")
        Path(folder, "adapter_model.safetensors").write_text(self.text, encoding="utf-8")
        Path(folder, "README.md").write_text("a model card nobody filled in", encoding="utf-8")


def test_a_new_adapter_takes_the_old_one_s_place_whole(tmp_path):
    for text in ("old", "new"):
        trainer.save_adapter(Weights(text), PromptFormat(), Recipe(), tmp_path / "adapter")
    assert (tmp_path / "adapter" / "adapter_model.safetensors").read_text(encoding="utf-8") == "new"
    assert files(tmp_path / "adapter") == {"adapter_config.json", "adapter_model.safetensors", "prompt_format.json"}
    assert files(tmp_path) == {"adapter"}
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text(encoding="utf-8"))
    assert config["base_model_name_or_path"] == Recipe().base.model


def test_an_adapter_can_be_saved_after_a_crash_in_the_middle_of_saving_it(tmp_path):
    trainer.save_adapter(Weights("old"), PromptFormat(), Recipe(), tmp_path / "adapter")
    shutil.copytree(tmp_path / "adapter", tmp_path / "adapter.old")
    shutil.copytree(tmp_path / "adapter", tmp_path / "adapter.part")
    trainer.save_adapter(Weights("new"), PromptFormat(), Recipe(), tmp_path / "adapter")
    assert (tmp_path / "adapter" / "adapter_model.safetensors").read_text(encoding="utf-8") == "new"


def test_a_save_that_fails_leaves_the_old_adapter_whole(tmp_path):
    class Full(Weights):
        def save_pretrained(self, folder: str) -> None:
            super().save_pretrained(folder)
            raise OSError(28, "No space left on device")

    trainer.save_adapter(Weights("old"), PromptFormat(), Recipe(), tmp_path / "adapter")
    with pytest.raises(OSError):
        trainer.save_adapter(Full("new"), PromptFormat(), Recipe(), tmp_path / "adapter")
    assert (tmp_path / "adapter" / "adapter_model.safetensors").read_text(encoding="utf-8") == "old"


def test_an_adapter_without_weights_is_told_as_none(trained, tmp_path):
    from finetune.inference import adapters

    folder = Path(shutil.copytree(trained.adapter, tmp_path / "adapter"))
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match="no adapter"):
        adapters.read(folder, torch.float32, "cpu")

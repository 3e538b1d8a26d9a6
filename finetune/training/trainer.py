"""Train a LoRA adapter as a recipe says, with TRL's trainers, and leave a run's folder behind.

Runs in a process of its own (`jobs.py`, or the command line). It reports through the folder only:
status.json, metrics.jsonl, log.txt. It does not know who watches.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import traceback
from pathlib import Path
from typing import Any

from finetune import models
from finetune.data import prompts, splits
from finetune.data.findings import planned_updates
from finetune.errors import FinetuneError, RunError
from finetune.recipe import Recipe
from finetune.training import (
    attention,
    batching,
    checkpoints,
    cpu,
    failures,
    llama_layers,
    padding_free,
    preference_trainer,
    second_try,
    starting_adapter,
    stopping,
    trackers,
)
from finetune.training.machine import machine_now
from finetune.training.memory import shape
from finetune.training.reporting import Cancelled, folder_callback, obey_cancel
from finetune.training.runs import Run, this_process, told
from finetune.training.samples import sample_callback


def train(run: Run, *, resume: bool = False, checkpoint: int | None = None, may_try_again: bool = False) -> None:
    """Carry out a run from data to adapter; raises what went wrong after writing it to the status.

    With `resume` it goes on from the checkpoint of a step, by default the last one. Who `may_try_again` is told so by
    `second_try.Again` where memory ran out for the first time, and has to begin that try.
    """
    try:
        begin = checkpoints.chosen(run, checkpoint) if resume else None
        run.set_status(state="preparing", cancelled=False, error="", error_key="", error_facts={}, **this_process())
        if begin:
            checkpoints.forget_later(run, begin.step)
        with trackers.following(run):
            _train(run, begin and begin.folder, may_try_again)
            models.free_memory()  # from here on the run counts as ended, and the next one is started
    except Cancelled:
        run.set_status(state="stopped", cancelled=True)
        run.cancel_request.unlink(missing_ok=True)
        print("cancelled; nothing was saved", flush=True)
    except second_try.Again:
        raise
    except FinetuneError as error:
        if run.status().active:  # else there was nothing to resume from: an ended run stays as it had ended
            run.set_status(state="failed", **told(error))
        raise
    except KeyboardInterrupt:
        run.set_status(state="stopped", error="Interrupted at the keyboard.", error_key="run.interrupted")
        raise
    except Exception as error:
        traceback.print_exc()
        problem = failures.explain(error, run.recipe(), run.folder)
        run.set_status(state="failed", **told(problem))
        raise problem from error


def _train(run: Run, checkpoint: Path | None, may_try_again: bool) -> None:
    recipe = run.recipe()
    starting_adapter.kept(run, recipe)  # first: what does not fit is told before data are prepared
    if not (checkpoint and (run.data / "report.json").is_file()):
        report = splits.prepare(recipe.data, run.data, objective=recipe.training.objective)
        print(f"data: {report['kept']:,} of {report['rows']:,} rows kept, splits {report['splits']}", flush=True)

    obey_cancel(run)
    run.set_status(state="loading")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    trainer, style = build_trainer(run, recipe)
    obey_cancel(run)
    run.set_status(state="training", total_steps=planned_updates(recipe, len(trainer.train_dataset)))
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except Exception as error:
        if may_try_again and second_try.prepared(run, error, trainer):
            traceback.print_exc()
            raise second_try.Again from error
        raise

    stopped = run.stop_request.exists() and trainer.state.global_step < trainer.state.max_steps
    obey_cancel(run)
    run.set_status(state="saving", step=trainer.state.global_step)
    save_adapter(trainer.model, style, recipe, run.adapter)
    run.stop_request.unlink(missing_ok=True)
    run.cancel_request.unlink(missing_ok=True)  # too late to be obeyed
    run.set_status(state="stopped" if stopped else "finished", step=trainer.state.global_step)
    print(f"adapter saved in {run.adapter}", flush=True)


def build_trainer(run: Run, recipe: Recipe) -> tuple[Any, prompts.PromptFormat]:
    """The trainer, ready to go, and the prompt format its examples are written in.

    What the recipe leaves to this machine is decided here, and written into the run's own recipe and log.
    """
    from datasets import Dataset
    from peft import prepare_model_for_kbit_training
    from transformers import set_seed

    batches = batching.chosen(recipe, machine_now(run.folder), shape(recipe.base.model))
    print(f"batches: {batches.why}", flush=True)
    if batches.recipe != recipe:
        recipe = batches.recipe
        run.resolve(recipe)
    style = prompts.PromptFormat.of(recipe.data)
    t = recipe.training
    dpo = t.objective == "dpo"
    on_cpu = models.device() == "cpu"
    base, tokenizer = models.load_base(
        recipe.base.model,
        four_bit=recipe.base.load_in_4bit,
        dtype=recipe.base.dtype,
        # PyTorch's flash attention for CPUs is slower at these lengths than the eager one.
        attention=attention.register() if t.padding_free else "eager" if on_cpu else "sdpa",
    )
    if on_cpu:
        cpu.keep_freed_memory()
    rows = {name: splits.read_split(run.data, name) for name in ("train", "validation")}
    if t.eval_rows and t.eval_rows < len(rows["validation"]):
        rows["validation"] = random.Random(t.seed).sample(rows["validation"], t.eval_rows)
    encode = preference_trainer.encode_pairs if dpo else encode_rows
    examples = {name: Dataset.from_list(encode(rows[name], tokenizer, style, recipe)) for name in rows}
    if recipe.base.load_in_4bit:
        cpu.keep_weights_unpacked(base)
        if not t.padding_free:  # it makes what is not in 4 bits float32, for autocast
            base = prepare_model_for_kbit_training(base, use_gradient_checkpointing=t.gradient_checkpointing)
    set_seed(t.seed)
    start = starting_adapter.kept(run, recipe)
    model = starting_adapter.load(base, start, recipe) if start else _fresh_adapter(base, recipe)
    if t.padding_free:
        llama_layers.fuse(model, recompute_mlp=batches.recompute_mlp)
    learning = {name: p.detach().float().clone() for name, p in model.named_parameters() if p.requires_grad}
    watch = stopping.LossWatch()
    make = preference_trainer.dpo_trainer if dpo else _sft_trainer
    parts = {"data_collator": padding_free.collator(batches.most_tokens)} if t.padding_free else {}
    trainer = make(
        recipe,
        _arguments(run, recipe),
        watch,
        model=model,
        train_dataset=examples["train"],
        eval_dataset=examples["validation"],
        processing_class=tokenizer,
        callbacks=[  # in this order: replies take none of the next step's time, a loss is logged before it ends the run
            sample_callback(run.folder, recipe, style, tokenizer),
            folder_callback(run),
            *stopping.callbacks(t, watch),
        ],
        **parts,
    )
    # Only now: on a 4-bit base TRL's trainers have just rounded the adapter to bfloat16.
    for name, parameter in trainer.model.named_parameters():
        if name in learning:
            parameter.data = learning[name]  # float32 master weights; autocast computes in 16 bits
    return trainer, style


def _fresh_adapter(base: Any, recipe: Recipe) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.adapter.r,
        lora_alpha=recipe.adapter.lora_alpha,
        lora_dropout=recipe.adapter.lora_dropout,
        bias=recipe.adapter.bias,
        target_modules=list(recipe.adapter.target_modules),
    )
    return get_peft_model(base, config)


def _sft_trainer(recipe: Recipe, arguments: dict[str, Any], watch: stopping.LossWatch, **parts: Any) -> Any:
    from trl import SFTConfig, SFTTrainer

    without_padding = recipe.training.padding_free  # the trainer then has a loss of its own
    config = SFTConfig(
        **arguments,
        max_length=recipe.training.max_length,
        dataset_kwargs={"skip_prepare_dataset": True},
        # chunked_nll: logits of the reply only: half the work here, and no 128k-wide tensor on a GPU
        loss_type="nll" if without_padding else "chunked_nll",
    )
    kind = padding_free.trainer(SFTTrainer) if without_padding else SFTTrainer
    return stopping.watched(kind, watch)(args=config, **parts)


def _arguments(run: Run, recipe: Recipe) -> dict[str, Any]:
    """What transformers' TrainingArguments are given whatever is learnt."""
    import torch

    t, compute = recipe.training, models.compute_dtype(recipe.base.dtype)
    autocast = not t.padding_free  # else products compute in the base's format by themselves
    return {
        "output_dir": str(run.checkpoints),
        "per_device_train_batch_size": t.per_device_train_batch_size,
        "per_device_eval_batch_size": t.per_device_eval_batch_size,
        "gradient_accumulation_steps": t.gradient_accumulation_steps,
        "learning_rate": t.learning_rate,
        "lr_scheduler_type": t.lr_scheduler_type,
        "warmup_steps": t.warmup_steps,
        "weight_decay": t.weight_decay,
        "max_grad_norm": t.max_grad_norm,
        "optim": t.optim if torch.cuda.is_available() else "adamw_torch",
        "num_train_epochs": t.num_train_epochs,
        "max_steps": t.max_steps,
        "eval_strategy": "steps",
        "eval_steps": t.eval_steps,
        "eval_on_start": True,
        "save_strategy": "steps",
        "save_steps": t.save_steps,
        "save_total_limit": t.save_total_limit,
        "load_best_model_at_end": t.load_best_model_at_end,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
        "logging_steps": t.logging_steps,
        "logging_first_step": True,
        "gradient_checkpointing": t.gradient_checkpointing,
        "seed": t.seed,
        "data_seed": t.seed,
        "bf16": autocast and compute is torch.bfloat16,
        "fp16": autocast and compute is torch.float16,
        "use_cpu": not torch.cuda.is_available(),
        "dataloader_pin_memory": torch.cuda.is_available(),
        "remove_unused_columns": True,
        "report_to": "none",  # trackers.py follows the metrics log instead
        "disable_tqdm": False,
    }


def encode_rows(
    rows: list[dict[str, str]], tokenizer: Any, style: prompts.PromptFormat, recipe: Recipe
) -> list[dict[str, list[int]]]:
    """Rows as `input_ids` and `labels`; rows whose whole reply would be cut off are left out.

    Raises RunError where none is left, for then the loss would see nothing.
    """
    examples = []
    for row in rows:
        messages = prompts.conversation(row["question"], row["answer"])
        ids, labels = prompts.encode_example(tokenizer, messages, style, recipe.training.max_length)
        if labels[-1] != prompts.IGNORED:
            examples.append({"input_ids": ids, "labels": labels})
    if not examples:
        raise RunError(
            f"Every prompt alone is longer than training.max_length ({recipe.training.max_length} tokens), so no reply"
            " would be learnt. Raise max_length.",
            key="run.all_cut",
            max_length=recipe.training.max_length,
        )
    return examples


def save_adapter(model: Any, style: prompts.PromptFormat, recipe: Recipe, folder: Path) -> None:
    """Write the adapter with its prompt format; the base is named as the recipe names it."""
    part = folder.with_name("adapter.part")
    model.save_pretrained(str(part))
    style.save(part)
    config_file = part / "adapter_config.json"
    config = json.loads(config_file.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = recipe.base.model
    config_file.write_text(json.dumps(config, indent=1, sort_keys=True), encoding="utf-8")
    (part / "README.md").unlink(missing_ok=True)
    old = folder.with_name("adapter.old")
    if old.exists():  # the process that saved the last one died in the middle
        shutil.rmtree(old)
    if folder.exists():
        folder.rename(old)
    part.rename(folder)
    if old.exists():
        shutil.rmtree(old)

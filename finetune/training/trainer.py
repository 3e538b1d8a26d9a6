"""Train a LoRA adapter as a recipe says, with TRL's trainers, and leave a run's folder behind.

Runs in a process of its own (`jobs.py`, or the command line), or in several that share every update (`processes.py`).
It reports through the folder only: status.json, metrics.jsonl, log.txt. It does not know who watches.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

from finetune import models
from finetune.data import prompts, splits
from finetune.data.findings import planned_updates
from finetune.errors import FinetuneError, RunError
from finetune.recipe import Recipe, Training
from finetune.training import (
    arguments,
    batching,
    by_length,
    checkpoints,
    engine,
    even_shares,
    failures,
    llama_layers,
    loss_watch,
    padding_free,
    peft_model,
    placement,
    preference_trainer,
    processes,
    second_try,
    sharded,
    shared_evaluation,
    starting_adapter,
    stopping,
    trackers,
    unsloth_model,
)
from finetune.training.machine import Machine, machine_now
from finetune.training.memory import Shape, shape
from finetune.training.reporting import Cancelled, enter, folder_callback, obey_cancel, tell, trace
from finetune.training.runs import Run, this_process
from finetune.training.samples import sample_callback


def train(run: Run, *, resume: bool = False, checkpoint: int | None = None, may_try_again: bool = False) -> None:
    """Carry out a run from data to adapter; raises what went wrong after writing it to the status.

    With `resume` it goes on from the checkpoint of a step, by default the last one. Who `may_try_again` is told so by
    `second_try.Again` where memory ran out for the first time, and has to begin that try.
    """
    begun = False
    try:
        begin = processes.from_first(lambda: _begun(run, resume, checkpoint))
        begun = True
        with trackers.following(run) if processes.first() else contextlib.nullcontext():
            _train(run, begin, may_try_again)
            models.free_memory()  # from here on the run counts as ended, and the next one is started
    except Cancelled:
        tell(run, state="stopped", cancelled=True)
        print("cancelled; nothing was saved", flush=True)
        if processes.first():
            run.cancel_request.unlink(missing_ok=True)
    except second_try.Again:
        raise
    except FinetuneError as error:
        _end(run, error, begun)
        raise
    except KeyboardInterrupt:
        tell(run, state="stopped", error="Interrupted at the keyboard.", error_key="run.interrupted")
        raise
    except Exception as error:
        trace(run)
        problem = failures.explain(error, run.recipe(), run.folder)
        _end(run, problem, begun)
        raise problem from error


def _begun(run: Run, resume: bool, checkpoint: int | None) -> Path | None:
    """The checkpoint's folder to go on from, None for a beginning; what the run was before is forgotten."""
    begin = checkpoints.chosen(run, checkpoint) if resume else None
    run.set_status(state="preparing", cancelled=False, error="", error_key="", error_facts={}, **this_process())
    if begin:
        checkpoints.forget_later(run, begin.step)
    return begin and begin.folder


def _end(run: Run, problem: FinetuneError, begun: bool) -> None:
    """Write down why the run failed; where it could not even begin again, it stays as it had ended.

    Of several processes the first that fails is right, and the others, which then fail for want of it, end in silence.
    """
    wrote = run.fail(problem)
    if begun and processes.count() > 1 and not wrote:
        raise processes.EndedElsewhere


def _train(run: Run, checkpoint: Path | None, may_try_again: bool) -> None:
    recipe = run.recipe()
    # First of all: Unsloth has to be imported before transformers, and what cannot work is told before data are read.
    trains = engine.chosen(recipe, machine_now(run.folder), engine.unsloth_installed(), processes.count())
    if trains.name == engine.UNSLOTH:
        unsloth_model.begin(run.folder)
    processes.from_first(lambda: _prepare(run, recipe, resumed=checkpoint is not None))
    enter(run, state="loading")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    print(f"engine: {trains.why}", flush=True)
    trainer, style = build_trainer(run, engine.settled(recipe, trains))
    enter(run, state="training", total_steps=planned_updates(recipe, len(trainer.train_dataset)))
    checkpoints.skip_without_waiting()
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except Exception as error:
        if may_try_again and second_try.prepared(run, error, trainer):
            trace(run)
            raise second_try.Again from error
        if failures.ran_out_while_learning(error):
            trace(run)
            largest = getattr(trainer, "largest_pass", ())
            raise failures.out_of_memory(run.recipe(), largest_pass=largest) from error
        raise

    stopped = run.stop_request.exists() and trainer.state.global_step < trainer.state.max_steps
    obey_cancel(run)
    weights = sharded.gathered(trainer.model) if processes.sharded() else None
    if not processes.first():
        return
    run.set_status(state="saving", step=trainer.state.global_step)
    save_adapter(trainer.model, style, recipe, run.adapter, weights)
    run.stop_request.unlink(missing_ok=True)
    run.cancel_request.unlink(missing_ok=True)  # too late to be obeyed
    run.set_status(state="stopped" if stopped else "finished", step=trainer.state.global_step)
    print(f"adapter saved in {run.adapter}", flush=True)


def _prepare(run: Run, recipe: Recipe, *, resumed: bool) -> None:
    """What does not fit is told before data are prepared."""
    t = recipe.training
    processes.share(t.per_device_train_batch_size, t.gradient_accumulation_steps)
    starting_adapter.kept(run, recipe)
    if not (resumed and (run.data / "report.json").is_file()):
        report = splits.prepare(recipe.data, run.data, objective=t.objective)
        print(f"data: {report['kept']:,} of {report['rows']:,} rows kept, splits {report['splits']}", flush=True)


def build_trainer(run: Run, recipe: Recipe) -> tuple[Any, prompts.PromptFormat]:
    """The trainer, ready to go, and the prompt format its examples are written in.

    What the recipe leaves to this machine is decided here, and written into the run's own recipe and log.
    """
    from datasets import Dataset

    here, dimensions = machine_now(run.folder), shape(recipe.base.model)
    batches = processes.from_first(lambda: _settled(run, recipe, here, dimensions))
    recipe = batches.recipe
    style = prompts.PromptFormat.of(recipe.data)
    t = recipe.training
    dpo = t.objective == "dpo"
    start = starting_adapter.kept(run, recipe)
    devices = placement.device_map(recipe, here, dimensions)
    by_unsloth = t.engine == engine.UNSLOTH
    model, tokenizer = (unsloth_model if by_unsloth else peft_model).load(recipe, devices, start)
    if t.padding_free:
        llama_layers.fuse(model, recompute_mlps=batches.recompute_mlps)
    rows = {name: splits.read_split(run.data, name) for name in ("train", "validation")}
    if t.eval_rows and t.eval_rows < len(rows["validation"]):
        rows["validation"] = random.Random(t.seed).sample(rows["validation"], t.eval_rows)
    encode = preference_trainer.encode_pairs if dpo else encode_rows
    encoded = {name: encode(rows[name], tokenizer, style, recipe) for name in rows}
    if not dpo:
        encoded["validation"] += shared_evaluation.blanks(len(encoded["validation"]), t.per_device_eval_batch_size)
    examples = {name: Dataset.from_list(encoded[name]) for name in rows}
    learning = {name: p.detach().float().clone() for name, p in model.named_parameters() if p.requires_grad}
    watch = loss_watch.LossWatch(late=reads_late(t))
    make = preference_trainer.dpo_trainer if dpo else _sft_trainer
    parts = {"data_collator": padding_free.collator(batches.most_tokens)} if t.padding_free else {}
    if by_unsloth:
        parts = {"data_collator": unsloth_model.collator(tokenizer)}
    trainer = make(
        recipe,
        arguments.of(run, recipe),
        watch,
        model=model,
        train_dataset=examples["train"],
        eval_dataset=examples["validation"],
        processing_class=tokenizer,
        callbacks=[  # in this order: replies take none of the next step's time, a loss is logged before it ends the run
            sample_callback(run.folder, recipe, style, tokenizer),
            *([unsloth_model.checkpointing_callback()] if by_unsloth else []),
            folder_callback(run, watch.time, late=watch.late),
            *stopping.callbacks(t, watch),
        ],
        **parts,
    )
    # Only now: on a 4-bit base TRL's trainers have just rounded the adapter to bfloat16.
    for name, parameter in trainer.model.named_parameters():
        if name in learning:
            parameter.data = learning[name]  # float32 master weights; autocast computes in 16 bits
    if processes.sharded():
        sharded.keep_precision(trainer.accelerator)
        trainer.add_callback(sharded.gathering_callback())
    return trainer, style


def reads_late(training: Training) -> bool:
    """Whether a run can be a step behind its cards: without padding, for TRL's own log is not late."""
    import torch

    return training.padding_free and torch.cuda.is_available()


def _settled(run: Run, recipe: Recipe, here: Machine, dimensions: Shape | None) -> batching.Batching:
    """What the recipe leaves to this machine, decided and written down."""
    batches = batching.chosen(recipe, here, dimensions, sharded=processes.sharded())
    print(f"batches: {batches.why}", flush=True)
    if processes.count() > 1:
        batch, steps = arguments.share(batches.recipe)
        print(f"processes: {processes.count()}, of each update {steps} x {batch} examples in every one", flush=True)
    if batches.recipe != run.recipe():
        run.resolve(batches.recipe)
    return batches


def _sft_trainer(recipe: Recipe, given: dict[str, Any], watch: loss_watch.LossWatch, **parts: Any) -> Any:
    from trl import SFTConfig, SFTTrainer

    without_padding = recipe.training.padding_free
    own_loss = without_padding or recipe.training.engine == engine.UNSLOTH  # the trainer's, or the model's
    config = SFTConfig(
        **given,
        max_length=recipe.training.max_length,
        dataset_kwargs={"skip_prepare_dataset": True},
        # chunked_nll: logits of the reply only: half the work here, and no 128k-wide tensor on a GPU
        loss_type="nll" if own_loss else "chunked_nll",
    )
    kind: type = SFTTrainer
    if without_padding:
        kind = padding_free.trainer(SFTTrainer, activation_offloading=recipe.training.activation_offloading)
    if not own_loss:  # Unsloth lays batches out and weighs them in ways of its own
        kind = by_length.trainer(SFTTrainer)
    if processes.count() > 1:
        kind = shared_evaluation.trainer(even_shares.trainer(kind))
    return loss_watch.watched(kind, watch)(args=arguments.one_card(config), **parts)


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


def save_adapter(
    model: Any, style: prompts.PromptFormat, recipe: Recipe, folder: Path, weights: dict[str, Any] | None = None
) -> None:
    """Write the adapter with its prompt format; the base is named as the recipe names it.

    weights: the adapter's tensors by name, where the model has but a part of them.
    """
    part = folder.with_name("adapter.part")
    model.save_pretrained(str(part), **({} if weights is None else {"state_dict": weights}))
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

"""A recipe as the arguments of transformers' and TRL's trainers, whatever is learnt.

It knows this machine's kind and this process' share of an update. It does not know models or data.
"""

from __future__ import annotations

from typing import Any

from finetune import models
from finetune.recipe import Recipe
from finetune.training import engine, processes
from finetune.training.runs import Run


def of(run: Run, recipe: Recipe) -> dict[str, Any]:
    """What transformers' TrainingArguments are given whatever is learnt."""
    import torch

    t, compute = recipe.training, models.compute_dtype(recipe.base.dtype)
    autocast = not t.padding_free  # else products compute in the base's format by themselves
    by_trl = torch.cuda.is_available() and t.engine != engine.UNSLOTH
    batch, steps = share(recipe)
    return {
        "output_dir": str(run.checkpoints),
        "per_device_train_batch_size": batch,
        "per_device_eval_batch_size": t.per_device_eval_batch_size,
        "gradient_accumulation_steps": steps,
        "learning_rate": t.learning_rate,
        "lr_scheduler_type": t.lr_scheduler_type,
        "warmup_steps": t.warmup_steps,
        "weight_decay": t.weight_decay,
        "max_grad_norm": t.max_grad_norm,
        # bitsandbytes' optimizers take no tensors that are spread over several cards.
        "optim": t.optim if torch.cuda.is_available() and not processes.sharded() else "adamw_torch",
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
        "logging_nan_inf_filter": False,  # `loss_watch.py` sees to it
        "gradient_checkpointing": t.gradient_checkpointing,
        # TRL's own, for padded runs on a card; without padding `host_memory.py` does it, and Unsloth has its own way.
        "activation_offloading": autocast and t.activation_offloading and by_trl,
        "seed": t.seed,
        "data_seed": t.seed,
        "bf16": autocast and compute is torch.bfloat16,
        "fp16": autocast and compute is torch.float16,
        "use_cpu": not torch.cuda.is_available(),
        "accelerator_config": {
            "use_configured_state": processes.count() > 1,  # they have joined already
            "non_blocking": torch.cuda.is_available(),  # a batch goes to the card behind the update before it
        },
        "ddp_find_unused_parameters": False,  # every part of the adapter is used in every pass
        "dataloader_pin_memory": torch.cuda.is_available(),
        "remove_unused_columns": True,
        "report_to": "none",  # trackers.py follows the metrics log instead
        "disable_tqdm": False,
    }


def share(recipe: Recipe) -> tuple[int, int]:
    """This process' batch, and how many of them are an update."""
    return processes.share(recipe.training.per_device_train_batch_size, recipe.training.gradient_accumulation_steps)


def one_card(config: Any) -> Any:
    """TrainingArguments for a process that has one card to train on, however many it can see; changed and given back.

    transformers counts all that it sees. It would scatter every batch over them (nn.DataParallel), which a batch
    without padding, one row, cannot bear, and make an update that many times as large without a word. Where a base is
    spread over several cards it sets the same by itself (`Trainer.__init__`).
    """
    if config.n_gpu > 1:  # the look itself counts them, and does so once
        config._n_gpu = 1
    return config

"""A base with its adapter as transformers and PEFT load them, on a GPU or a CPU, with padding or without.

What is learnt, and the trainer around it, are `trainer.py`'s; Unsloth's way to load is `unsloth_model.py`'s.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finetune import models
from finetune.recipe import Recipe
from finetune.training import attention, cpu, processes, starting_adapter


def load(recipe: Recipe, device_map: str | dict[str, str | int], start: Path | None = None) -> tuple[Any, Any]:
    """The base with an adapter that learns, as PEFT's model, and the base's tokenizer.

    `start`: the folder of the adapter to go on from, as `starting_adapter.kept` gives it; a fresh one where it is None.
    """
    from peft import prepare_model_for_kbit_training
    from transformers import set_seed

    t, on_cpu = recipe.training, models.device() == "cpu"
    base, tokenizer = models.load_base(
        recipe.base.model,
        four_bit=recipe.base.load_in_4bit,
        dtype=recipe.base.dtype,
        # PyTorch's flash attention for CPUs is slower at these lengths than the eager one.
        attention=attention.register() if t.padding_free else "eager" if on_cpu else "sdpa",
        device_map=device_map,
        sharded=processes.sharded(),
    )
    if on_cpu:
        cpu.keep_freed_memory()
    if recipe.base.load_in_4bit:
        cpu.keep_weights_unpacked(base)
        if not t.padding_free:  # it makes what is not in 4 bits float32, for autocast
            base = prepare_model_for_kbit_training(base, use_gradient_checkpointing=t.gradient_checkpointing)
    set_seed(t.seed)
    return starting_adapter.load(base, start, recipe) if start else _fresh_adapter(base, recipe), tokenizer


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

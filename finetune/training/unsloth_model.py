"""A base with its adapter as Unsloth loads them: its kernels in every layer, its own checkpointing.

Only a training process may come here. Unsloth changes transformers, TRL and PEFT for the whole process and has to be
imported before them, so `begin` comes first; nothing else in this house imports it. What is learnt, and the trainer
around it, are `trainer.py`'s.
"""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

from finetune import fetching, models
from finetune.errors import RunError
from finetune.recipe import Recipe
from finetune.training import starting_adapter

COMPILED = "unsloth"
"""The folder in a run's own where Unsloth writes the trainers it generates, by default into the working directory."""


def begin(folder: Path) -> None:
    """Import Unsloth for a run, before transformers, TRL and PEFT are; `folder` is the run's.

    It then asks no network about itself, and where HF_HUB_OFFLINE is set, none about anything. RunError where it cannot
    be imported: half of it may be in place by then, so that training goes on with nothing else in this process.
    """
    os.environ["UNSLOTH_DISABLE_STATISTICS"] = "1"
    os.environ.setdefault("UNSLOTH_COMPILE_LOCATION", str((folder / COMPILED).resolve()))
    if os.environ.get("HF_HUB_OFFLINE"):
        for name in ("TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
            os.environ.setdefault(name, os.environ["HF_HUB_OFFLINE"])
    try:
        import unsloth  # noqa: F401
    except Exception as error:  # it looks at torch, torchvision, triton and the driver, and each fails in its own way
        traceback.print_exc()
        raise RunError(
            f"Unsloth is installed but cannot be imported ({type(error).__name__}); the log has the details. Install"
            " requirements-gpu.txt anew, or set training.engine to transformers.",
            key="run.unsloth_broken",
            kind=type(error).__name__,
        ) from error


def load(recipe: Recipe, device_map: str | dict[str, str | int], start: Path | None = None) -> tuple[Any, Any]:
    """The base with an adapter that learns, as PEFT's model, and the base's own tokenizer.

    `start`: the folder of the adapter to go on from, as `starting_adapter.kept` gives it; a fresh one where it is None.
    """
    from transformers import AutoConfig
    from unsloth import FastLanguageModel

    source, t, adapter = models.resolve(recipe.base.model), recipe.training, recipe.adapter
    tokenizer = models.load_tokenizer(recipe.base.model)  # Unsloth's own may have another pad token or template
    checkpointing = "unsloth" if t.gradient_checkpointing else False
    if not Path(source).is_dir():
        fetching.refuse_where_short(source)
    with models.load_errors(recipe.base.model):
        longest = AutoConfig.from_pretrained(source).max_position_embeddings
        base, _ = FastLanguageModel.from_pretrained(
            model_name=source,
            # Beyond what the base knows it would stretch the positions, and the adapter would fit no base but this one.
            max_seq_length=min(t.max_length, longest),
            dtype=models.compute_dtype(recipe.base.dtype),
            load_in_4bit=recipe.base.load_in_4bit,
            device_map=device_map,
            use_exact_model_name=True,  # else other weights in 4 bits than those that chat and compare load
            use_gradient_checkpointing=checkpointing,
            random_state=t.seed,
        )
    model = FastLanguageModel.get_peft_model(
        base,
        r=adapter.r,
        lora_alpha=adapter.lora_alpha,
        lora_dropout=adapter.lora_dropout,
        bias=adapter.bias,
        target_modules=list(adapter.target_modules),
        use_gradient_checkpointing=checkpointing,
        random_state=t.seed,
        **(starting_adapter.beyond_a_recipe(start) if start else {}),
    )
    if start:
        starting_adapter.fill(model, start)
    return model, tokenizer


def collator(tokenizer: Any) -> Any:
    """TRL's own batches with padding; where Unsloth is given no collator, it makes batches of its own."""
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    return DataCollatorForLanguageModeling(pad_token_id=tokenizer.pad_token_id)


def checkpointing_callback() -> Any:
    """A callback that puts Unsloth's checkpointing back after every evaluation; it belongs behind the sample replies.

    Its `generate` turns checkpointing off, and on again only for a model that was training: after the first evaluation
    a run would need the memory of one without checkpointing (`unsloth_fast_generate` in its models/llama.py).
    """
    from transformers import TrainerCallback
    from unsloth import FastLanguageModel

    class Checkpointing(TrainerCallback):
        """Says again how the model was asked to train."""

        def on_evaluate(self, args, state, control, model=None, **_):  # noqa: ANN001
            FastLanguageModel.for_training(model)

    return Checkpointing()

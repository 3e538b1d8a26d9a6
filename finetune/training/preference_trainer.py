"""DPO: learn from pairs which of two replies people prefer, with TRL's DPOTrainer.

The reference that DPO keeps to (Rafailov et al. 2023, https://arxiv.org/abs/2305.18290) is the adapter as it was when
training began, a fresh one or the one it goes on from: TRL keeps a frozen copy of it beside the one that learns. Before
the first update both say the same, so that the loss is ln 2 = 0.6931 and every reward 0.

It is given tokens and model, and does not know files. Dropout is off, as in the paper's own code.
"""

from __future__ import annotations

import functools
from typing import Any

from finetune.data import prompts
from finetune.errors import RunError
from finetune.recipe import Recipe
from finetune.training import arguments
from finetune.training.loss_watch import LossWatch, watched


def encode_pairs(
    rows: list[dict[str, str]], tokenizer: Any, style: prompts.PromptFormat, recipe: Recipe
) -> list[dict[str, list[int]]]:
    """Rows as `prompt_ids`, `chosen_ids` and `rejected_ids`, prompt and reply together cut to max_length.

    Pairs of which the cut leaves no difference are left out; raises RunError where none is left.
    """
    examples = []
    for row in rows:
        prompt = prompts.encode_prompt(tokenizer, prompts.conversation(row["question"]), style)
        chosen, rejected = (
            prompts.encode_example(
                tokenizer, prompts.conversation(row["question"], reply), style, recipe.training.max_length
            )[0][len(prompt) :]
            for reply in (row["answer"], row["rejected"])
        )
        if chosen != rejected:
            examples.append({"prompt_ids": prompt, "chosen_ids": chosen, "rejected_ids": rejected})
    if not examples:
        raise RunError(
            f"At training.max_length ({recipe.training.max_length} tokens) nothing is left of the replies in which"
            " preferred and rejected ones differ, so there is nothing to learn. Raise max_length.",
            key="run.pairs_cut",
            max_length=recipe.training.max_length,
        )
    return examples


def dpo_trainer(recipe: Recipe, given: dict[str, Any], watch: LossWatch, **parts: Any) -> Any:
    """TRL's trainer; `given` are what every trainer of a run is given, `parts` model, data sets and callbacks.

    `parts["model"]` is PEFT's with its one adapter, `default`; TRL adds `ref` to it.
    """
    from trl import DPOConfig, DPOTrainer

    class PairTrainer(DPOTrainer):
        """Takes examples that are tokens already, where TRL would write every prompt by its own chat template."""

        def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
            return dataset

    config = DPOConfig(**given, beta=recipe.training.beta, max_length=recipe.training.max_length)
    trainer = watched(PairTrainer, watch)(args=arguments.one_card(config), **parts)
    # A checkpoint with a second adapter in it would be resumed wrongly: transformers' Trainer._load_from_checkpoint
    # then loads that one alone and leaves the adapter that learns as it began.
    trainer.model.save_pretrained = functools.partial(trainer.model.save_pretrained, selected_adapters=["default"])
    return trainer

"""Training without padding: the examples of an update lie behind one another, in as few passes as memory allows.

An update learns from the same examples whatever the passes are, and each token weighs the same, so that loss and
gradients are those of padded batches (`num_items_in_batch`, as transformers' Trainer counts it). Sequences keep apart
through `attention.py`. It does not know what fits a card: it is told how many tokens a pass may have.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from finetune.data.prompts import IGNORED
from finetune.training import even_shares, flat_optimizer, fused_loss, host_memory, processes


def let_memory_grow() -> None:
    """Have PyTorch keep a card's memory in pieces that grow, unless somebody has chosen how it does.

    Each update has another number of tokens, and none of its large tensors fits a place that an earlier one has left.
    A process that has used its card before stays as it is; padded runs were not measured with it.
    """
    if not {"PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"} & os.environ.keys():
        os.environ["PYTORCH_ALLOC_CONF"] = "expandable_segments:True"


def passes(lengths: Sequence[int], most_tokens: int | None) -> list[list[int]]:
    """Places of sequences, shared out evenly among as few passes as have at most `most_tokens` tokens each.

    By length alone, however many are in one (`even_shares.py`). A sequence longer than `most_tokens` has a pass to
    itself; None puts all into one.
    """
    if most_tokens is None or sum(lengths) <= most_tokens:
        return [list(range(len(lengths)))]
    fewest = math.ceil(sum(min(length, most_tokens) for length in lengths) / most_tokens)
    for count in itertools.count(fewest):
        shared = even_shares.shares(lengths, count, room=len(lengths))
        full = (places for places in shared if sum(lengths[place] for place in places) > most_tokens)
        if count == len(lengths) or all(len(places) == 1 for places in full):
            return shared
    raise AssertionError("a pass for each sequence always does")


def collator(most_tokens: int | None = None) -> Callable[[list[dict[str, list[int]]]], dict[str, Any]]:
    """Makes a batch of examples that are `input_ids` and `labels`.

    A batch has `input_ids`, `labels` and `position_ids`, (1, tokens) each, the positions beginning anew and the first
    label masked in every sequence; `targets`, the positions of all labels that are not masked, and `counts`, how many
    of them each pass has, so that nobody has to ask the card; `passes`: the lengths of the sequences in each pass, in
    this order; and `boundaries`, where sequences begin and the last one ends, int32.
    """
    import torch
    from transformers import DataCollatorWithFlattening

    flatten = DataCollatorWithFlattening(separator_id=IGNORED)

    def collate(examples: list[dict[str, list[int]]]) -> dict[str, Any]:
        lengths = [len(example["input_ids"]) for example in examples]
        shared = passes(lengths, most_tokens)
        batch = flatten([examples[place] for places in shared for place in places])
        learnt = batch["labels"][0] != IGNORED
        by_pass = [[lengths[place] for place in places] for places in shared]
        ends = itertools.accumulate(itertools.chain.from_iterable(by_pass))
        boundaries = torch.tensor([0, *ends], dtype=torch.int32)
        counts = [int(part.sum()) for part in learnt.split([sum(one) for one in by_pass])]
        tensors = {**batch, "targets": learnt.nonzero()[:, 0], "boundaries": boundaries}
        return {**tensors, "counts": counts, "passes": by_pass}

    return collate


def each_pass(batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A batch cut into its passes, each of them a batch."""
    begin = earlier = 0
    targets = iter(batch["targets"].split(batch["counts"]))
    for lengths in batch["passes"]:
        end = begin + sum(lengths)
        tensors = {name: batch[name][:, begin:end] for name in ("input_ids", "labels", "position_ids")}
        places = next(targets) - begin
        boundaries = batch["boundaries"][earlier : earlier + len(lengths) + 1] - begin
        rest = {"counts": [len(places)], "passes": [lengths], "boundaries": boundaries}
        yield {**tensors, "targets": places, **rest}
        begin, earlier = end, earlier + len(lengths)


def rounded(tokens: int) -> int:
    """So many tokens, or up to a 64th more (7 more where they are few), so that passes come in few sizes.

    Hardly two updates have the same number of tokens, and before the first product of a size that it has not met a
    card waits milliseconds, while cuBLAS looks for a kernel (BENCHMARKS.md).
    """
    step = max(8, (1 << (tokens - 1).bit_length()) // 128)
    return -(-tokens // step) * step


def hidden_states(model: Any, batch: dict[str, Any], room: int | None = None) -> Any:
    """What the output matrix would see, (tokens, width): the last layer's states behind the final norm.

    room: tokens that the pass is filled up to with a sequence that nobody learns from; None fills nothing.
    """
    import torch.nn.functional as F

    ids, positions, boundaries = batch["input_ids"], batch["position_ids"], batch["boundaries"]
    tokens, longest = ids.shape[1], max(itertools.chain.from_iterable(batch["passes"]))
    if room is not None and room > tokens:
        ids, positions = (F.pad(part, (0, room - tokens)) for part in (ids, positions))
        boundaries = F.pad(boundaries, (0, 1), value=room)
        longest = max(longest, room - tokens)
    outputs = model(
        input_ids=ids,
        position_ids=positions,
        # Nobody reads it: without a mask, transformers looks at the positions for one, and waits for the card to do so.
        attention_mask=boundaries.view(1, 1, 1, -1),
        cu_seq_lens_q=boundaries,
        max_length_q=longest,
        use_cache=False,
        logits_to_keep=1,
        output_hidden_states=[model_layers(model) - 1],  # of the layers, the last one alone
    )
    return outputs.hidden_states[-1].squeeze(0)[:tokens]


def model_layers(model: Any) -> int:
    """How many layers a model has, whatever is wrapped around it."""
    return getattr(model, "module", model).config.num_hidden_layers


def trainer(parent: type, *, activation_offloading: bool = False) -> type:
    """A trainer class like `parent`, TRL's SFTTrainer, that takes the batches of `collator`.

    activation_offloading: what autograd saves waits in the host's memory (`host_memory.py`), on a card.
    """
    import torch

    saving = host_memory.HostMemory().saving if activation_offloading else contextlib.nullcontext

    class PaddingFreeTrainer(parent):
        """Learns from a batch pass by pass, without ever making all logits; counts the tokens it learns from."""

        found_embeddings: Any = None
        """What `output_embeddings` has found."""
        tokens_seen: Any = 0
        """By all processes together; where they are several, a tensor."""
        largest_pass: Sequence[int] = ()
        """Lengths of the sequences in the pass with the most tokens so far: what memory had to have room for."""

        def create_optimizer(self, model: Any = None) -> Any:
            """As the recipe names it; the 8-bit one takes all weights at once, unless they are sharded."""
            if self.optimizer is None and self.args.optim == "adamw_8bit" and not self.is_fsdp_enabled:
                _, settings = self.get_optimizer_cls_and_kwargs(self.args, self.model)
                del settings["optim_bits"]  # the class says it
                self.optimizer_cls_and_kwargs = flat_optimizer.adamw_8bit(), settings
            return super().create_optimizer(model)

        def train(self, *args: Any, **kwargs: Any) -> Any:
            """As ever, but Python does not look for garbage in what is there before, all of transformers, again.

            What of that is dropped meanwhile and refers to itself is freed at the end.
            """
            gc.collect()
            gc.freeze()
            try:
                return super().train(*args, **kwargs)
            finally:
                gc.unfreeze()

        def floating_point_ops(self, inputs: dict[str, Any]) -> int:
            """None are counted: transformers would walk through all weights on every pass, and nobody reads it."""
            return 0

        def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: Any) -> Any:
            """This process' own, as the collator has counted them; transformers' waits for the card to count them."""
            return sum(count for batch in batch_samples for count in batch["counts"])

        def get_batch_samples(self, *args: Any, **kwargs: Any) -> tuple[list[dict[str, Any]], Any]:
            """The parent's batches of one update and how much is learnt from in all processes; counts their tokens."""
            batches, targets = super().get_batch_samples(*args, **kwargs)
            tokens = sum(batch["input_ids"].shape[1] for batch in batches)
            if processes.count() > 1:
                targets, tokens = processes.summed(torch.tensor([targets, tokens])).unbind()
            self.tokens_seen = self.tokens_seen + tokens
            return batches, targets

        def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
            """One batch; the loss is the sum over its passes, each of them divided by the tokens of the update."""
            self.largest_pass = max(self.largest_pass, *inputs["passes"], key=sum)
            *first, last = each_pass(inputs)
            loss = 0.0
            for batch in first:
                with self.accelerator.no_sync(model):  # several processes share gradients once, behind the last pass
                    loss = loss + self.learn(model, batch, num_items_in_batch)
            return loss + self.learn(model, last, num_items_in_batch)

        def learn(self, model: Any, batch: dict[str, Any], num_items_in_batch: Any) -> Any:
            """A pass forward and back, as in Trainer.training_step but for the walk through all modules.

            The card has nothing to do at the beginning of an update: what the host does first, it waits for.
            """
            # One module stands for all: a base comes in evaluation mode, and whoever sets a mode sets it for the whole.
            if not self.output_embeddings(model).training:
                model.train()
            batch = self._prepare_inputs(batch)
            with self.compute_loss_context_manager():
                loss = self.compute_loss(model, batch, num_items_in_batch=num_items_in_batch)
            if num_items_in_batch is None:
                loss = loss / self.current_gradient_accumulation_steps
            self.accelerator.backward(loss)
            return loss.detach()

        def output_embeddings(self, model: Any) -> Any:
            """The module that makes logits; looked for once, for that is a walk through all modules, too."""
            if self.found_embeddings is None:
                self.found_embeddings = self.accelerator.unwrap_model(model).get_output_embeddings()
            return self.found_embeddings

        def compute_loss(
            self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            """The cross-entropy of every label, divided by `num_items_in_batch`, or by their number."""
            targets, labels = inputs["targets"], inputs["labels"][0]
            room = rounded(len(labels)) if labels.is_cuda else None
            with saving():
                states = hidden_states(model, inputs, room)[targets - 1]
            loss = fused_loss.cross_entropy(states, self.output_embeddings(model).weight, labels[targets])
            if num_items_in_batch is None:
                num_items_in_batch = len(targets)
            elif self.args.average_tokens_across_devices:  # which counts the tokens of all processes
                loss = loss * self.accelerator.num_processes
            loss = loss / num_items_in_batch
            return (loss, {}) if return_outputs else loss

        def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
            """Adds `num_tokens`, as SFTTrainer would: tokens learnt from so far, padding there is none."""
            logs["num_tokens"] = int(self.tokens_seen)
            super().log(logs, *args, **kwargs)

    return PaddingFreeTrainer

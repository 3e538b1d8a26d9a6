"""Padded batches of about one length: the examples of an update are shared out anew among its batches, longest first.

An update learns from the same examples as before, in the order that the trainer drew them in, so that a resume finds
the same ones: only which of them lie in a batch together changes, and with that how much padding there is. The
trainer's own `train_sampling_strategy="group_by_length"` would fill whole updates with examples of one length instead.
This module does not know what the loss is; it has to weigh each token of an update alike, as TRL's does
(`num_items_in_batch`).
"""

from __future__ import annotations

from typing import Any

from finetune.data.prompts import IGNORED

PARTS = {"input_ids", "labels", "attention_mask"}
"""What a padded batch holds. DPO's has other parts, and two rows for an example; it is left as it comes."""


def sorted_by_length(batches: list[dict[str, Any]], pad_token: int) -> list[dict[str, Any]]:
    """The same rows in as many batches of the same sizes, the longest first and no batch wider than its longest."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    if len(batches) < 2 or any(set(batch) != PARTS for batch in batches):
        return batches
    lengths = torch.cat([batch["attention_mask"].sum(1) for batch in batches]).tolist()
    longest_first = iter(sorted(range(len(lengths)), key=lambda row: -lengths[row]))
    rows = {name: [row for batch in batches for row in batch[name]] for name in PARTS}
    padding = {"input_ids": pad_token, "labels": IGNORED, "attention_mask": 0}
    shared = []
    for batch in batches:
        chosen = [next(longest_first) for _ in batch["input_ids"]]
        shared.append(
            {
                name: pad_sequence([rows[name][row][: lengths[row]] for row in chosen], True, padding[name])
                for name in batch
            }
        )
    return shared


def trainer(parent: type) -> type:
    """A trainer class like `parent`, TRL's SFTTrainer with padding on the right, that wastes less of it."""

    class ByLengthTrainer(parent):
        """Shares the examples of an update out anew; how many there are, and which, is the parent's."""

        def get_batch_samples(self, *args: Any, **kwargs: Any) -> tuple[list[dict[str, Any]], Any]:
            """The parent's batches of one update, of about one length each."""
            batches, count = super().get_batch_samples(*args, **kwargs)
            return sorted_by_length(batches, self.processing_class.pad_token_id), count

    return ByLengthTrainer

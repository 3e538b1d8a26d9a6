"""An evaluation that several processes share, and the loss that one of them would have found alone.

Alone, transformers' trainer weighs each batch's loss by its rows. Among several it deals the batches out, repeats rows
until each process has as many, and averages over all of their tokens. Here rows without a reply take the place of the
repeated ones, and each process weighs its own batches. DPO's trainer is left as it is: its pairs know no blanks. This
module does not know what the loss is.
"""

from __future__ import annotations

from typing import Any

from finetune.data.prompts import IGNORED
from finetune.training import processes


def blanks(rows: int, batch: int) -> list[dict[str, list[int]]]:
    """Examples without a reply, as many as `rows` lack to whole batches in every process; alone, none."""
    lacking = -rows % (batch * processes.count()) if processes.count() > 1 else 0
    # Two tokens: the loss is shifted by one, and one token would leave a batch of blanks nothing at all.
    return [{"input_ids": [0, 0], "labels": [IGNORED, IGNORED]} for _ in range(lacking)]


def replies(labels: Any) -> int:
    """Replies in a batch's labels, (rows, tokens), padded or one behind the other: each follows a masked prompt."""
    told = labels != IGNORED
    return int((told[..., 1:] & ~told[..., :-1]).sum())


def trainer(parent: type) -> type:
    """A trainer class like `parent`, transformers', whose processes find one evaluation loss together."""
    import torch

    class SharedEvaluationTrainer(parent):
        """Replaces the evaluation's loss; training is the parent's."""

        def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
            """The parent's, with each batch's loss divided by its own tokens and weighed by its replies."""
            self.weighed = torch.zeros(2, dtype=torch.float64, device=self.args.device)  # loss times replies, replies
            everywhere, self.args.average_tokens_across_devices = self.args.average_tokens_across_devices, False
            try:
                output = super().evaluation_loop(*args, **kwargs)
            finally:
                self.args.average_tokens_across_devices = everywhere
            loss, count = self.accelerator.reduce(self.weighed, "sum").tolist()
            output.metrics["eval_loss"] = loss / count
            return output

        def prediction_step(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
            """The parent's; a batch of blanks has a loss that is no number, and no weight."""
            count = replies(inputs["labels"])
            loss, *others = super().prediction_step(model, inputs, *args, **kwargs)
            if count:
                self.weighed += torch.stack((loss.double() * count, torch.full_like(loss, count, dtype=torch.float64)))
            return (loss, *others)

    return SharedEvaluationTrainer

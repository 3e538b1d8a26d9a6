"""A base that is spread over several cards (FSDP2): what accelerate leaves to be said, and the adapter whole again.

It does not decide what is spread: `assets/accelerate/fsdp-qlora.yaml` does, as `accelerate launch` reads it.
"""

from __future__ import annotations

import dataclasses
from typing import Any


def keep_precision(accelerator: Any) -> None:
    """Let losses be told, and gradients be summed, in float32; before the model is prepared.

    accelerate asks for 16 bits in both (`FullyShardedDataParallelPlugin.set_mixed_precision`). In bfloat16 a loss of 12
    goes up and down in steps of 1/16, too coarse to see it fall or to choose a checkpoint by. Only adapters are learnt:
    whole gradients cost little.
    """
    import torch

    plugin = accelerator.state.fsdp_plugin
    if plugin.fsdp_version == 2 and plugin.mixed_precision_policy is not None:
        plugin.mixed_precision_policy = dataclasses.replace(
            plugin.mixed_precision_policy, reduce_dtype=torch.float32, output_dtype=None
        )


def gathering_callback() -> Any:
    """A callback that has each part that learns nothing gathered once, before anything else.

    Where gradients are summed in another format than they are made in and an update has several passes, FSDP2 looks in
    every part for a gradient, and does not find the place for one where the part was never gathered
    (`FSDPParam.to_accumulated_grad_if_needed` in PyTorch 2.11 and 2.13): the output matrix is, whose forward TRL's
    `chunked_nll` goes past.
    """
    from torch.distributed.fsdp import FSDPModule
    from transformers import TrainerCallback

    class Gathering(TrainerCallback):
        """Costs each of those parts one gathering a run."""

        def on_train_begin(self, args, state, control, model=None, **_):  # noqa: ANN001
            for part in model.modules():
                if isinstance(part, FSDPModule) and not any(one.requires_grad for one in part.parameters()):
                    part.unshard()
                    part.reshard()

    return Gathering()


def gathered(model: Any) -> dict[str, Any]:
    """The trained tensors whole, where each process holds a part of them; all of them have to ask."""
    trained = {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}
    return {name: part.full_tensor() if hasattr(part, "full_tensor") else part for name, part in trained.items()}

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


def gathered(model: Any) -> dict[str, Any]:
    """The trained tensors whole, where each process holds a part of them; all of them have to ask."""
    trained = {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}
    return {name: part.full_tensor() if hasattr(part, "full_tensor") else part for name, part in trained.items()}

"""bitsandbytes' 8-bit AdamW over all trained weights as one: an update is one launch instead of one a matrix.

LoRA on every projection of an 8B is 448 small matrices; launch by launch they took a tenth of an update's time on an
H200. Laid behind one another they are one tensor, and each stays where the model looks for it, as a view. 8-bit states
are scaled in blocks of 256 weights (Dettmers et al. 2021, https://arxiv.org/abs/2110.02861), so that matrices whose
sizes are multiples of 256 learn exactly as they would one by one. It knows no sharded weights.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable, Sequence
from typing import Any


@functools.cache
def adamw_8bit() -> type:
    """An optimizer class with bitsandbytes' `AdamW8bit`'s arguments; its state is one tensor a group."""
    import torch
    from bitsandbytes.optim import AdamW8bit

    class FlatAdamW8bit(AdamW8bit):
        """AdamW8bit on one long tensor for each group of parameters, which become views of it."""

        def __init__(self, groups: Iterable[dict[str, Any]], **settings: Any) -> None:
            self.views: list[list[Any]] = []
            flat_groups = []
            for group in groups:
                views = [parameter for parameter in group["params"] if parameter.requires_grad]
                if views:
                    self.views.append(views)
                    flat_groups.append({**group, "params": [_as_one(views)]})
            super().__init__(flat_groups, **settings)

        def step(self, closure: Any = None) -> Any:
            """One update from the gradients of the model's own parameters."""
            loss = closure() if closure is not None else None
            for group, views in zip(self.param_groups, self.views, strict=True):
                (flat,) = group["params"]
                if any(view.untyped_storage().data_ptr() != flat.untyped_storage().data_ptr() for view in views):
                    raise RuntimeError("Weights were put elsewhere after the optimizer was made; it would train none.")
                flat.grad = torch.cat([_gradient(view).reshape(-1) for view in views])
            self.update()
            for group in self.param_groups:
                group["params"][0].grad = None  # as large as the weights, and made anew each time
            return loss

        @torch.no_grad()
        def update(self) -> None:
            """As bitsandbytes' own step, which waits for the card behind every tensor."""
            if not self.initialized:
                self.check_overrides()
                self.to_gpu()
                self.initialized = True
            for number, group in enumerate(self.param_groups):
                (flat,) = group["params"]
                if not self.state[flat]:
                    self.init_state(group, flat, number, 0)
                self.update_step(group, flat, number, 0)

        def zero_grad(self, set_to_none: bool = True) -> None:
            """Forget the gradients of the model's own parameters."""
            for view in itertools.chain.from_iterable(self.views):
                if set_to_none:
                    view.grad = None
                elif view.grad is not None:
                    view.grad.zero_()

    return FlatAdamW8bit


def _as_one(views: Sequence[Any]) -> Any:
    """One parameter with the numbers of all of these, which are laid into it."""
    import torch

    flat = torch.nn.Parameter(torch.cat([view.detach().reshape(-1) for view in views]))
    for view, place in zip(views, flat.detach().split([view.numel() for view in views]), strict=True):
        view.data = place.view(view.shape)
    return flat


def _gradient(parameter: Any) -> Any:
    import torch

    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad

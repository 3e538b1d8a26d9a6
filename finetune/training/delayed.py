"""Numbers that a card still computes, read by the host when they are there; nothing given out after them is waited for.

A host that waits for the loss of an update before it gives out the next one leaves the card without work for as long as
that takes: a tenth of an update where the host is slow. Where numbers lie in the host's own memory nothing is delayed.
It does not know what the numbers are.
"""

from __future__ import annotations

import time
from typing import Any


class Delayed:
    """A tensor on its way to the host, behind all that its card has been given so far."""

    def __init__(self, numbers: Any) -> None:
        import torch

        self.arrived: Any = None
        """Event of the card; None where there is none to wait for."""
        if numbers.is_cuda:
            self._here = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
            self._here.copy_(numbers.detach(), non_blocking=True)
            self.arrived = torch.cuda.Event(enable_timing=True)
            self.arrived.record()
        else:
            self._here = numbers.detach().clone()

    def read(self) -> Any:
        """The numbers as Python's own; waits until they are there."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self._here.tolist()


class Clock:
    """Tells in the host's time when delayed numbers were there, however late they are read.

    Waits once, when it is made, for whatever the card has been given.
    """

    def __init__(self) -> None:
        import torch

        self._begin: Any = None
        if torch.cuda.is_available():
            self._begin = torch.cuda.Event(enable_timing=True)
            self._begin.record()
            self._begin.synchronize()
        self._began = time.perf_counter()

    def time(self, numbers: Delayed) -> float:
        """Seconds as `time.perf_counter` counts them; waits until the numbers are there."""
        if numbers.arrived is None:
            return time.perf_counter()
        numbers.arrived.synchronize()
        return self._began + self._begin.elapsed_time(numbers.arrived) / 1000

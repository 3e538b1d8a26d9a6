"""What the backward pass needs, kept in the host's memory between the passes: the inputs of layers that are recomputed.

Of a layer that is recomputed only its input is kept, and of a long pass through 32 layers that is still gigabytes. Here
each goes to page-locked host memory while the next layer computes, and comes back while the layer behind it does, on a
stream of its own: the card waits for neither as long as a layer takes longer than its input's journey. TRL's
`activation_offloading` is the same idea for padded runs; it fetches each tensor only when it is asked for, and empties
PyTorch's cache at every step. The numbers are the same to the last bit. It knows no layers: it takes every large tensor
that autograd saves while it is on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LEAST = 1 << 20
"""Bytes of a tensor that is worth the journey."""


@dataclass(eq=False)
class Kept:
    """A tensor in the host's memory, and, near the time it is wanted, on the card."""

    number: int
    """Of this pass' tensors, in the order in which they were saved."""
    host: Any
    shape: Any
    dtype: Any
    device: Any
    here: Any = None
    arrived: Any = None
    """Event on the copying stream."""


class HostMemory:
    """Buffers for the tensors of one pass at a time; `saving()` is the context of its forward pass."""

    def __init__(self) -> None:
        self._buffers: list[Any] = []
        """Page-locked bytes, one buffer a tensor, used again by the next pass."""
        self._kept: list[Kept] = []
        self._leaving: list[tuple[Any, Any]] = []
        """Tensors on their way out, which must not be freed before: each with its event."""
        self._stream: Any = None

    def saving(self) -> Any:
        """Tensors that autograd saves within it go to the host; those of the pass before are not wanted any more."""
        from torch.autograd.graph import saved_tensors_hooks

        self._kept, self._leaving = [], []
        return saved_tensors_hooks(self._pack, self._unpack)

    def _pack(self, tensor: Any) -> Any:
        import torch

        size = tensor.numel() * tensor.element_size()
        if not tensor.is_cuda or size < LEAST or not tensor.is_contiguous() or isinstance(tensor, torch.nn.Parameter):
            return tensor
        if self._stream is None:
            self._stream = torch.cuda.Stream(tensor.device)
        number, main = len(self._kept), torch.cuda.current_stream(tensor.device)
        kept = Kept(number, self._buffer(number, size), tensor.shape, tensor.dtype, tensor.device)
        self._stream.wait_stream(main)
        with torch.cuda.stream(self._stream):
            kept.host.view(tensor.dtype).copy_(tensor.detach().view(-1), non_blocking=True)
            left = self._stream.record_event()
        while len(self._leaving) > 1:
            _, before = self._leaving.pop(0)
            main.wait_event(before)  # what comes next may be written where that tensor was
        self._leaving.append((tensor, left))
        self._kept.append(kept)
        return kept

    def _unpack(self, kept: Any) -> Any:
        import torch

        if not isinstance(kept, Kept):
            return kept
        main = torch.cuda.current_stream(kept.device)
        for _, before in self._leaving:
            main.wait_event(before)
        self._leaving = []
        self._fetch(kept)
        if kept.number:
            self._fetch(self._kept[kept.number - 1])
        main.wait_event(kept.arrived)
        tensor, kept.here, kept.arrived = kept.here, None, None
        return tensor

    def _fetch(self, kept: Kept) -> None:
        """Have it on its way to the card."""
        import torch

        if kept.here is not None:
            return
        kept.here = torch.empty(kept.shape, dtype=kept.dtype, device=kept.device)
        self._stream.wait_stream(torch.cuda.current_stream(kept.device))  # which may still use that place
        with torch.cuda.stream(self._stream):
            kept.here.view(-1).copy_(kept.host.view(kept.dtype), non_blocking=True)
            kept.arrived = self._stream.record_event()

    def _buffer(self, number: int, size: int) -> Any:
        """So many bytes of a tensor's buffer, which grows where it was too small."""
        import torch

        if number == len(self._buffers):
            self._buffers.append(torch.empty(0, dtype=torch.uint8))
        if self._buffers[number].numel() < size:
            self._buffers[number] = None  # first, or both would be there at once
            self._buffers[number] = torch.empty(size + size // 4, dtype=torch.uint8, pin_memory=True)
        return self._buffers[number][:size]

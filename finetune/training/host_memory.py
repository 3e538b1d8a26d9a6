"""What the backward pass needs, kept in the host's memory between the passes: what recomputed layers keep.

Of a layer that is recomputed little is kept, and of a long pass through 32 layers that is still gigabytes. Here each
large tensor goes to page-locked host memory while the card computes on, and comes back shortly before it is wanted, on
a stream of its own: the card waits for neither as long as a layer takes longer than its tensors' journey. One that is
kept for two purposes goes once. TRL's `activation_offloading` is the same idea for padded runs; it fetches each tensor
only when it is asked for, and empties PyTorch's cache at every step. The numbers are the same to the last bit. It knows
no layers: it takes every large tensor that autograd saves while it is on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LEAST = 4 << 20
"""Bytes of a tensor that is worth the journey: what all layers share, positions for one, is often smaller."""

LEAVING = 3
"""Tensors that may be on their way out at once; the next one waits for the first of them."""

AHEAD = 2
"""Tensors that are fetched before they are wanted."""

CHUNK = 1 << 30
"""Bytes of page-locked memory that are taken at once, or the next power of two, to which PyTorch's allocator would
round them, that has room for four tensors: less than a fifth of it stays empty."""


@dataclass(eq=False)
class Sent:
    """A tensor's bytes in the host's memory, and, near the time they are wanted, on the card."""

    number: int
    """Of this pass' tensors, in the order in which they were saved."""
    host: Any
    elements: int
    dtype: Any
    device: Any
    uses: int = 0
    """How many times they are still wanted."""
    here: Any = None
    arrived: Any = None
    """Event on the copying stream."""


@dataclass(frozen=True, eq=False)
class Kept:
    """One use of what was sent."""

    sent: Sent
    shape: Any


@dataclass(frozen=True, eq=False)
class Leaving:
    """A tensor on its way out, which must not be freed or written to before."""

    tensor: Any
    version: int
    """Of its contents, as autograd counts them."""
    sent: Sent
    left: Any
    """Event on the copying stream."""


class HostMemory:
    """Room for the tensors of one pass at a time; `saving()` is the context of its forward pass."""

    def __init__(self) -> None:
        self._chunks: list[Any] = []
        """Page-locked bytes, filled one behind the other, by every pass again."""
        self._filled = (0, 0)
        """Chunks that this pass has filled, and bytes of the next one."""
        self._sent: list[Sent] = []
        self._leaving: list[Leaving] = []
        self._stream: Any = None

    def saving(self) -> Any:
        """Tensors that autograd saves within it go to the host; those of the pass before are not wanted any more."""
        import torch
        from torch.autograd.graph import saved_tensors_hooks

        if self._stream is not None:  # what was fetched for a pass that was given up may still be on its way
            torch.cuda.current_stream(self._stream.device).wait_stream(self._stream)
        self._sent, self._leaving, self._filled = [], [], (0, 0)
        return saved_tensors_hooks(self._pack, self._unpack)

    def _pack(self, tensor: Any) -> Any:
        import torch

        size = tensor.numel() * tensor.element_size()
        if not tensor.is_cuda or size < LEAST or not tensor.is_contiguous() or isinstance(tensor, torch.nn.Parameter):
            return tensor
        sent = self._on_its_way(tensor) or self._send(tensor, size)
        sent.uses += 1
        return Kept(sent, tensor.shape)

    def _on_its_way(self, tensor: Any) -> Sent | None:
        """The same bytes, where they have just been sent: a stream is kept by a norm and by what reads it."""
        for one in self._leaving:
            same = one.tensor.data_ptr() == tensor.data_ptr() and one.version == tensor._version
            if same and (one.sent.elements, one.sent.dtype) == (tensor.numel(), tensor.dtype):
                return one.sent
        return None

    def _send(self, tensor: Any, size: int) -> Sent:
        import torch

        if self._stream is None:
            self._stream = torch.cuda.Stream(tensor.device)
        number, main = len(self._sent), torch.cuda.current_stream(tensor.device)
        sent = Sent(number, self._room(size), tensor.numel(), tensor.dtype, tensor.device)
        self._stream.wait_stream(main)
        with torch.cuda.stream(self._stream):
            sent.host.view(tensor.dtype).copy_(tensor.detach().view(-1), non_blocking=True)
            left = self._stream.record_event()
        while len(self._leaving) >= LEAVING:
            main.wait_event(self._leaving.pop(0).left)  # what comes next may be written where that tensor was
        self._leaving.append(Leaving(tensor, tensor._version, sent, left))
        self._sent.append(sent)
        return sent

    def _unpack(self, kept: Any) -> Any:
        import torch

        if not isinstance(kept, Kept):
            return kept
        sent = kept.sent
        main = torch.cuda.current_stream(sent.device)
        for one in self._leaving:
            main.wait_event(one.left)
        self._leaving = []
        self._fetch(sent)
        for before in reversed(self._sent[max(0, sent.number - AHEAD) : sent.number]):
            if before.uses:
                self._fetch(before)
        main.wait_event(sent.arrived)
        tensor = sent.here.view(kept.shape)
        sent.uses = max(0, sent.uses - 1)
        if not sent.uses:
            sent.here = sent.arrived = None
        return tensor

    def _fetch(self, sent: Sent) -> None:
        """Have it on its way to the card."""
        import torch

        if sent.here is not None:
            return
        sent.here = torch.empty(sent.elements, dtype=sent.dtype, device=sent.device)
        self._stream.wait_stream(torch.cuda.current_stream(sent.device))  # which may still use that place
        with torch.cuda.stream(self._stream):
            sent.here.copy_(sent.host.view(sent.dtype), non_blocking=True)
            sent.arrived = self._stream.record_event()

    def _room(self, size: int) -> Any:
        """So many bytes, in the first chunk that has them, or in a new one."""
        import torch

        number, begin = self._filled
        while number < len(self._chunks) and begin + size > len(self._chunks[number]):
            number, begin = number + 1, 0
        if number == len(self._chunks):
            chunk = max(CHUNK, 1 << (4 * size - 1).bit_length())
            self._chunks.append(torch.empty(chunk, dtype=torch.uint8, pin_memory=True))
        self._filled = number, begin + size
        return self._chunks[number][begin : begin + size]

"""What keeps an app on a CPU from growing with every reply: bounded caches, and freed memory that goes back.

It knows nothing of models; where there is a GPU, there is nothing for it to do.
"""

from __future__ import annotations

import ctypes
import functools
import os
from typing import Any

CACHES = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64", "LRU_CACHE_CAPACITY": "64"}
"""What oneDNN and PyTorch's layer over it remember of shapes that they have met, by their own variables. Replies come
in ever new lengths: with the default of 1,024 each, memory grew by half a gigabyte in 500 replies."""


APART = 128 * 1024
"""Bytes from which a block is mapped by itself, and goes back to the system when it is freed: glibc's own first value,
held. By itself it rises with what is freed, up to 32 MB; tensors then leave gaps in the heap that small blocks settle
in. Behind a thousand replies the demo's heap held 200 MB and had gaps of 100, and even where these were given back the
process grew by 2 to 3 KB with every reply."""


def bound() -> None:
    """Bound what PyTorch keeps for each shape, where nothing was computed yet in this process, and gaps in the heap."""
    for name, capacity in CACHES.items():
        os.environ.setdefault(name, capacity)
    mmap_threshold = -3  # malloc.h
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl and macOS have none
    if mallopt is not None:
        mallopt(mmap_threshold, APART)


def give_back_freed() -> None:
    """Let glibc return what is free between blocks that are held; by itself it returns only what lies at the end."""
    trim = _trim()
    if trim is not None:
        trim(0)


@functools.cache
def _trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl and macOS have none

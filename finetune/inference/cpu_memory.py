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


def bound_caches() -> None:
    """Bound what PyTorch keeps for each shape; of effect where nothing was computed yet in this process."""
    for name, capacity in CACHES.items():
        os.environ.setdefault(name, capacity)


def give_back_freed() -> None:
    """Let glibc return what is free between blocks that are held; by itself it returns only what lies at the end.

    In two minutes of replies of many lengths the held ones stayed at 200 MB, and the free ones grew from 16 to 110.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@functools.cache
def _trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl and macOS have none

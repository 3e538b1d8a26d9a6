"""What makes training bearable on a CPU: memory that is kept, weights that stay as they are.

Nothing here changes what is learnt; it knows nothing of recipes or runs.
"""

from __future__ import annotations

import ctypes
from typing import Any


def keep_freed_memory() -> None:
    """Let glibc reuse large blocks instead of returning them: a fifth less time a step."""
    trim_threshold, mmap_threshold = -1, -3  # malloc.h
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl and macOS have none
    if mallopt is not None:
        mallopt(mmap_threshold, 1 << 30)
        mallopt(trim_threshold, (1 << 31) - 1)


def keep_weights_unpacked(base: Any) -> None:
    """Keep bitsandbytes from repacking weights in an evaluation, as it does on CPUs with AVX512-BF16.

    The repacked ones know no gradient: whatever lies below a projection would learn nothing from then on.
    """
    from bitsandbytes.nn import Linear4bit

    for module in base.modules():
        if isinstance(module, Linear4bit):
            module.support_avx512bf16_for_cpu = False

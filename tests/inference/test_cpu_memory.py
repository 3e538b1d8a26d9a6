"""Freed memory goes back to the system, and what is bounded by the environment may be set by people."""

import ctypes
import os
import subprocess
import sys

import psutil
import pytest

from finetune.inference import cpu_memory

BLOCK, COUNT = 64 * 1024, 1600
"""A hundred megabytes in pieces too small to be mapped by themselves."""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc_trim is what is tested")
def test_freed_blocks_between_held_ones_go_back_to_the_system():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
    blocks = [libc.malloc(BLOCK) for _ in range(COUNT)]
    for block in blocks:
        ctypes.memset(block, 1, BLOCK)
    for block in blocks[::2]:
        libc.free(block)
    held = psutil.Process().memory_info().rss
    cpu_memory.give_back_freed()
    assert held - psutil.Process().memory_info().rss > COUNT * BLOCK / 4
    for block in blocks[1::2]:
        libc.free(block)


MAPPED = """
import ctypes
from finetune.inference import cpu_memory

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]

libc = ctypes.CDLL(None)
libc.mallinfo2.restype, libc.malloc.restype = Info, ctypes.c_void_p
libc.malloc.argtypes, libc.free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
cpu_memory.bound()
libc.free(libc.malloc(8 << 20))  # which would raise the threshold to 8 MB
before = libc.mallinfo2().hblks
libc.malloc(4 << 20)
print(libc.mallinfo2().hblks - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's mallopt is what is tested")
def test_large_blocks_stay_apart_from_small_ones_whatever_was_freed():
    done = subprocess.run([sys.executable, "-c", MAPPED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_a_bound_that_somebody_has_set_stays(monkeypatch):
    ours, theirs = cpu_memory.CACHES
    monkeypatch.delenv(ours, raising=False)
    monkeypatch.setenv(theirs, "7")
    cpu_memory.bound()
    assert (os.environ[ours], os.environ[theirs]) == (cpu_memory.CACHES[ours], "7")

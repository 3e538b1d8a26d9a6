"""What a container may use of its host's processors, and as many threads as can run at once.

Control groups tell it, version 2 or 1; what else keeps the cores busy is not known here.
"""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
"""Where a container finds its limits; a Space sees all of its host's cores and memory otherwise."""

THREADS = "OMP_NUM_THREADS"
"""What PyTorch, MKL and oneDNN ask for their number of threads, when they are loaded."""


def bound_threads() -> None:
    """Let libraries compute with no more threads than this container's quota lets run, unless somebody has chosen.

    A container of two processors on a large machine sees all cores of that machine, and PyTorch would take a thread for
    each. They use the quota up, all are halted until the next period, and every product waits for the last of them.
    To be called before torch is imported; processes that are started later are given the same number.
    """
    granted = quota()
    if THREADS not in os.environ and granted is not None and granted < visible():
        os.environ[THREADS] = str(granted)


def cores(physical: int | None) -> int:
    """Cores this process may keep busy: PyTorch starts a thread for each physical one, a container may allow fewer."""
    return min(one for one in (visible(), physical, quota()) if one)


def visible() -> int:
    """Logical cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def quota() -> int | None:
    """Whole processors whose time this container may use, at least one; None where nothing bounds it."""
    time, _, period = limit("cpu.max").partition(" ")
    if not time:  # version 1
        time, period = limit("cpu/cpu.cfs_quota_us"), limit("cpu/cpu.cfs_period_us")
    if not (time.isdigit() and period.isdigit() and int(period)):  # "max", or -1
        return None
    return max(1, int(time) // int(period))


def limit(file: str) -> str:
    """What a control group's file says; nothing where there is none."""
    path = CGROUP / file
    return path.read_text(encoding="ascii").strip() if path.is_file() else ""

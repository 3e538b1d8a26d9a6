"""How many threads compute at once: no more than a container may run.

It knows quotas of processor time as joblib reads them; what else keeps the cores busy it does not know.
"""

from __future__ import annotations

import os

THREADS = "OMP_NUM_THREADS"
"""What PyTorch, MKL and oneDNN ask for their number of threads, when they are loaded."""


def bound_threads() -> None:
    """Let libraries compute with as many threads as this container's quota lets run, unless somebody has chosen.

    A container of two processors on a large machine sees all cores of that machine, and PyTorch would take a thread for
    each. They use the quota up, all are halted until the next period, and every product waits for the last of them.
    To be called before torch is imported; processes that are started later are given the same number.
    """
    import joblib

    granted = joblib.cpu_count()
    if THREADS not in os.environ and granted < (os.cpu_count() or 1):
        os.environ[THREADS] = str(granted)

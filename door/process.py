"""How a process of our own computes: on one thread, and in memory that it keeps.

Where every core has a process of its own, more threads only wait for each other: small matrices on two processes of
two threads took seven times the CPU seconds of one thread each.

The GNU C library hands memory back to the system as soon as a large tensor is gone, and the next one is made of fresh
pages, zeroed by the system one by one: a quarter to a third of the CPU seconds of networks trained in a study. A
process that keeps what it has makes none. It is for processes that end when their work is done, and not for a user's.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

import numpy as np  # noqa: F401 (libraries must be loaded to be limited)
import scipy.special  # noqa: F401 (loads the library of scipy.linalg, and less beside it)
import torch
from threadpoolctl import threadpool_limits

# Of mallopt(3): blocks that come from the system one by one, at most; what may lie unused before it is handed back.
MMAP_MAX: Final = (-4, 0)
TRIM_THRESHOLD: Final = (-1, 1 << 30)


def one_thread() -> None:
    """Hold torch and the linear algebra of NumPy and SciPy to one thread, from here on."""
    torch.set_num_threads(1)
    threadpool_limits(limits=1)


def keep_memory() -> None:
    """Use freed memory again in place of fresh pages, from here on; where the C library has no ``mallopt``, nothing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for option in (MMAP_MAX, TRIM_THRESHOLD):
            mallopt(*option)

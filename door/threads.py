"""One thread a process: where every core has a process of its own, more threads only wait for each other.

Small matrices on two processes of two threads took seven times the CPU seconds of one thread each.
"""

from __future__ import annotations

import numpy as np  # noqa: F401 (libraries must be loaded to be limited)
import scipy.linalg  # noqa: F401
import torch
from threadpoolctl import threadpool_limits


def one_thread() -> None:
    """Hold torch and the linear algebra of NumPy and SciPy to one thread, from here on."""
    torch.set_num_threads(1)
    threadpool_limits(limits=1)

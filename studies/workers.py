"""Work spread over processes that end when the one that began them ends, however it ends.

A worker waits on the parent's sentinel, a pipe whose other end the system closes with the parent, so that ``kill -9``
of a study leaves nothing behind on any system. Workers are fresh processes: torch's threads do not survive a fork.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import Any

from powercount.studies.study import StudyError


def spread(function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], jobs: int) -> Iterator[Any]:
    """What a module's function says of each task, in their order; in this process where one is enough."""
    if jobs <= 1 or len(tasks) <= 1:
        for task in tasks:
            yield function(*task)
        return
    try:
        with ProcessPoolExecutor(min(jobs, len(tasks)), get_context("spawn"), begin) as pool:
            yield from pool.map(function, *zip(*tasks, strict=True))
    except BrokenProcessPool:
        raise StudyError(
            "a process was killed, most likely for want of memory; what is done is kept: the same command goes on, "
            "and --jobs 1 needs less"
        ) from None


def begin() -> None:
    """Make this process a worker: it dies of an interrupt without a word, and with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

"""Cells computed by the workers of an executor, while the checks that ask for them run side by side in this process.

A check is a function that asks its study for cells and thinks about them. Each runs in a thread, but only one thinks at
a time: who waits for a cell hands the baton on. So checks need no locks of their own, every core computes cells, and a
cell that several ask for is computed once. Any ``concurrent.futures.Executor`` will do: processes of this machine, or
the workers of a Dask cluster. The process that asks keeps the cells: workers need no folder.

Processes end when the one that began them ends, however it ends: a worker waits on the parent's sentinel, a pipe whose
other end the system closes with the parent, so that ``kill -9`` of a study leaves nothing behind on any system. Workers
are fresh processes: torch's threads do not survive a fork.
"""

from __future__ import annotations

import importlib
import os
import queue
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any, Final, TypeVar

from powercount.studies.study import Cell, StudyError, compute_elsewhere

ANSWERS: Final = 10  # seconds in which a scheduler answers
Task = TypeVar("Task")
Result = TypeVar("Result")


class Workers:
    """The pool of a study: an executor, the cells it was given, and the baton of who may think."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.baton = threading.Lock()
        self.given: dict[str, Future[Any]] = {}

    def begin(self, cell: Cell) -> None:
        """Have a cell computed, without waiting for it."""
        if cell.key not in self.given:
            self.given[cell.key] = self.executor.submit(compute_elsewhere, cell.function, cell.arguments, cell.identity)

    def value(self, cell: Cell) -> Any:
        """Its value; whoever waits hands the baton on."""
        try:
            self.begin(cell)
            future = self.given[cell.key]
            self.baton.release()
            try:
                return future.result()
            finally:
                self.baton.acquire()
        except BrokenExecutor:
            raise StudyError(
                "a process was killed, most likely for want of memory; what is done is kept: the same command goes on, "
                "and --jobs 1 needs less"
            ) from None

    def side_by_side(self, check: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[tuple[Task, Result]]:
        """(task, what the check says of it) as they are done; the first that fails ends them all."""
        done: queue.SimpleQueue[tuple[Task, Result | None, BaseException | None]] = queue.SimpleQueue()

        def think(task: Task) -> None:
            with self.baton:
                try:
                    done.put((task, check(task), None))
                except BaseException as error:  # raised again by who reads the queue
                    done.put((task, None, error))

        for task in tasks:
            # Nothing waits for a thread whose answer nobody reads any more.
            threading.Thread(target=think, args=(task,), daemon=True).start()
        for _ in tasks:
            task, result, error = done.get()
            if error is not None:
                raise error
            yield task, result  # type: ignore[misc]


def run(
    check: Callable[[Task], Result], tasks: Sequence[Task], workers: Workers | None
) -> Iterator[tuple[Task, Result]]:
    """(task, what the check says of it): one after another in this process, or side by side where there are workers."""
    if workers is not None:
        yield from workers.side_by_side(check, tasks)
        return
    for task in tasks:
        yield task, check(task)


@contextmanager
def workers(jobs: int, scheduler: str | None = None) -> Iterator[Workers | None]:
    """That many processes of this machine, none for one job, or the workers of the Dask cluster at an address."""
    if scheduler is not None:
        with cluster(scheduler) as executor:
            yield Workers(executor)
    elif jobs <= 1:
        yield None
    else:
        executor = ProcessPoolExecutor(jobs, get_context("spawn"), begin)
        try:
            yield Workers(executor)
        finally:
            executor.shutdown(cancel_futures=True)


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The executor of a Dask cluster whose workers have one thread each; ``StudyError`` where there is none."""
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise StudyError('--scheduler needs Dask: pip install "powercount[cluster]"') from None
    try:
        # A client that finds nobody waits, and ends in tracebacks: ask first whether anyone listens.
        host, port = distributed.comm.addressing.parse_host_port(distributed.comm.parse_address(address)[1])
        socket.create_connection((host, port), timeout=ANSWERS).close()
        client = distributed.Client(address, timeout=ANSWERS)
    except Exception as error:  # whatever a transport makes of a wrong address
        raise StudyError(
            f"--scheduler {address}: no Dask scheduler answers there ({error}); check the address"
        ) from None
    with client:
        threads = client.nthreads()
        if not threads:
            raise StudyError(f"--scheduler {address}: the cluster has no workers; start some")
        if max(threads.values()) > 1:
            raise StudyError(
                f"--scheduler {address}: a worker has {max(threads.values())} threads, which wait for each other; "
                "start workers with --nthreads 1"
            )
        yield client.get_executor(pure=False)


def begin() -> None:
    """Make this process a worker: it dies of an interrupt without a word, and with its parent, and keeps its memory."""
    from powercount.door.process import keep_memory

    keep_memory()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

"""Cells computed elsewhere: by processes, or by a Dask cluster, each once, and the same whoever computes them."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from powercount.__main__ import main
from powercount.door.entry import BAD_INPUT
from powercount.studies.study import Cell, Study, StudyError, compute_elsewhere
from powercount.studies.workers import Workers, run, workers

CELLS = """
import os, signal, time

def doubled(*, number, log):
    time.sleep(0.02)
    with open(log, "a", encoding="utf-8") as file:
        file.write(f"{number} {os.getpid()}\\n")
    return {"twice": 2 * number}

def broken(*, text):
    raise ValueError(text)

def deadly(*, text):
    os.kill(os.getpid(), signal.SIGKILL)
"""
CLUSTER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    threads = int(sys.argv[1])
    with LocalCluster(n_workers=2, threads_per_worker=threads, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, *(worker.pid for worker in cluster.workers.values()), flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def lent(tmp_path, monkeypatch):
    """A folder whose module ``lent_cells`` every process can import."""
    folder = tmp_path / "lent"
    folder.mkdir()
    (folder / "lent_cells.py").write_text(CELLS)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "lent_cells", raising=False)
    return folder


def asked(study, first, log):
    """A check of six cells, of which neighbours ask for four as well."""
    numbers = range(first, first + 6)
    wanted = {str(number): {"number": number, "log": str(log)} for number in numbers}
    return [each["twice"] for each in study.cells("lent_cells:doubled", wanted)]


def digest(jobs, scheduler, folder, doomed=None):
    """What eight checks say with that many jobs, and every cell that was computed; ``doomed`` dies on the way."""
    folder.mkdir()
    study, log = Study(folder=folder / "cells"), folder / "log"
    if doomed is not None:
        threading.Thread(target=kill_soon, args=(doomed, log)).start()
    with workers(jobs, scheduler) as pool:
        here = replace(study, pool=pool)
        found = dict(run(lambda first: asked(here, first, log), [2 * place for place in range(8)], pool))
    computed = [line.split()[0] for line in log.read_text().splitlines()]
    study.finished()
    return hashlib.sha256(json.dumps(sorted(found.items())).encode()).hexdigest(), computed


def kill_soon(process, log):
    """kill -9 as soon as some cells are computed."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (log.exists() and len(log.read_text().splitlines()) > 3):
        time.sleep(0.005)
    os.kill(process, signal.SIGKILL)


@pytest.fixture
def cluster(tmp_path, lent):
    """A function that starts a local cluster: (its address, its two workers' processes)."""
    pytest.importorskip("distributed", reason="the cluster extra is not installed")
    (tmp_path / "cluster.py").write_text(CLUSTER)
    started = []

    def start(threads=1):
        line = [sys.executable, str(tmp_path / "cluster.py"), str(threads)]
        process = subprocess.Popen(
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": str(lent)},
        )
        started.append(process)
        address, *pids = process.stdout.readline().split()
        return address, [int(pid) for pid in pids]

    yield start
    for process in started:
        process.communicate(timeout=60)


def test_serial_and_pool_say_the_same_and_compute_each_cell_once(lent, tmp_path):
    """One digest; 20 cells that 48 were asked for."""
    alone, computed = digest(1, None, tmp_path / "alone")
    assert sorted(computed, key=int) == [str(number) for number in range(20)]
    together, spread = digest(2, None, tmp_path / "together")
    assert together == alone
    assert sorted(spread, key=int) == sorted(computed, key=int)


def test_a_cluster_says_the_same_and_survives_a_worker(cluster, tmp_path):
    """One digest from a Dask cluster of two workers, and once more where one of them is killed in the middle."""
    alone, _ = digest(1, None, tmp_path / "alone")
    address, pids = cluster()
    there, computed = digest(1, address, tmp_path / "there")
    assert there == alone
    assert sorted(computed, key=int) == [str(number) for number in range(20)]
    after, computed = digest(1, address, tmp_path / "after", doomed=pids[0])
    assert after == alone
    assert {int(number) for number in computed} == set(range(20))


def test_a_worker_of_many_threads_is_refused(cluster):
    """Threads of one process would wait for each other: one line with the remedy."""
    address, _ = cluster(threads=2)
    with pytest.raises(StudyError, match="--nthreads 1"), workers(1, address):
        pass


def test_what_fails_elsewhere_is_raised_here(lent, tmp_path):
    """A cell that raises, a check that raises, and a process that is killed: each ends the study."""
    with ThreadPoolExecutor(1) as threads:
        pool = Workers(threads)
        study = Study(folder=tmp_path, pool=pool)
        with pytest.raises(ValueError, match="no number"):
            list(run(lambda text: study.cell(text, "lent_cells:broken", text=text), ["no number"], pool))
        with pytest.raises(ZeroDivisionError):
            list(run(lambda text: 1 / len(text), ["", "a"], pool))
    with workers(2) as pool:
        study = Study(folder=tmp_path, pool=pool)
        with pytest.raises(StudyError, match="a process was killed"):
            list(run(lambda text: study.cell(text, "lent_cells:deadly", text=text), ["a", "b"], pool))


def test_a_worker_of_other_sources_is_refused(lent):
    """The identity that a cell is asked under holds sources and versions: a worker with others says so."""
    cell = Cell.of("lent_cells:doubled", {"number": 1, "log": os.devnull})
    assert compute_elsewhere(cell.function, cell.arguments, cell.identity) == {"twice": 2}
    with pytest.raises(StudyError, match="install the same on every machine"):
        compute_elsewhere(cell.function, cell.arguments, cell.identity + " of last week")


@pytest.mark.parametrize("missing", [True, False])
def test_no_cluster_is_one_line_before_the_work(missing, tmp_path, capsys, monkeypatch):
    """Exit 2 where Dask is not installed, or nobody answers at the address."""
    if missing:
        monkeypatch.setitem(sys.modules, "distributed", None)
    else:
        pytest.importorskip("distributed", reason="the cluster extra is not installed")
    line = ["claims", "C28", "--quick", "--folder", str(tmp_path), "--scheduler", "nowhere://1"]
    assert main(line) == BAD_INPUT
    said = [text for text in capsys.readouterr().err.splitlines() if "rough forecast" not in text]
    assert len(said) == 1
    assert ("powercount[cluster]" if missing else "nowhere://1") in said[0]


FRESH_PAGES = """
import resource, torch
from powercount.door.process import keep_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(1 << 24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first = faults()
keep_memory()
faults()  # the heap grows to what is asked of it
print(first, faults())
"""


def test_a_process_of_our_own_uses_freed_memory_again():
    """Twenty tensors of 64 MiB in turn take the pages of one; where the C library has no mallopt, nothing changes."""
    asked = [sys.executable, "-c", FRESH_PAGES]
    before, after = map(int, subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split())
    assert after <= before / 20 or after == before or not hasattr(ctypes.CDLL(None), "mallopt")

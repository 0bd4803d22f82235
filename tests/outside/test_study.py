"""A study survives: two in one folder, damaged cells, changed code, a full disk, and being killed at any moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from powercount.__main__ import main
from powercount.door.entry import BAD_INPUT
from powercount.studies import study as module
from powercount.studies.study import CELL, PART, PROBE, Cell, Study, StudyError, check_folder, compute

FUNCTION = "fractions:Fraction"
# What the scripts below ask for: squares, slowly, in processes of their own.
SLOW = """
import time
from pathlib import Path

def square(*, place, log):
    time.sleep(0.005)
    with Path(log).open("a") as file:
        file.write(f"{place}\\n")
    return {"square": place**2}

def group(first, study, log):
    return [study.cell(str(place), square, place=place, log=log)["square"] for place in range(first, first + 50)]
"""
DRIVER = """
import json, sys
from dataclasses import replace
from pathlib import Path
import slow
from powercount.studies.study import Study
from powercount.studies.workers import run, workers

if __name__ == "__main__":
    folder, log, jobs, *scheduler = sys.argv[1:]
    study = Study(folder=Path(folder))
    with workers(int(jobs), *scheduler) as pool:
        here = replace(study, pool=pool)
        found = dict(run(lambda first: slow.group(first, here, log), (0, 50, 100, 150), pool))
    print(json.dumps([each for first in sorted(found) for each in found[first]]), flush=True)
    study.finished()
"""
ANSWER = [place**2 for place in range(200)]


def squares(*, count, seed=0):
    """A cell of this file."""
    return [place**2 + seed for place in range(count)]


def moment(*, text):
    """A cell that is never the same."""
    return [text, time.monotonic_ns()]


@pytest.fixture
def script(tmp_path):
    """A function that starts the script in a folder: (its process, the folder, the log of what was computed)."""
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "driver.py").write_text(DRIVER)
    folder, log = tmp_path / "cells", tmp_path / "log"

    def start(jobs=2):
        line = [sys.executable, str(tmp_path / "driver.py"), str(folder), str(log), str(jobs)]
        return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start, folder, log


def kept(folder):
    """The cells in a folder."""
    return sorted(folder.glob(f"*{CELL}"))


def test_a_cell_is_its_function_and_its_arguments(tmp_path):
    """It is computed once, read back exactly, and again for another argument; a study without a folder keeps none."""
    study = Study(folder=tmp_path)
    first = study.cell("now", moment, text="a")
    assert study.cell("under any name", moment, text="a") == first
    assert study.cell("now", moment, text="b") != first
    assert study.cell("now", f"{__name__}:moment", text="a") == first
    assert Study().cell("now", moment, text="a") != first
    assert study.cell("sizes", squares, count=3, seed=1) == [1, 2, 5]


def test_any_process_can_compute_a_cell(tmp_path, monkeypatch):
    """Its function's name and plain arguments are all a fresh process needs."""
    (tmp_path / "slow.py").write_text(SLOW)
    monkeypatch.syspath_prepend(tmp_path)
    made = Cell.of("slow:square", {"place": 7, "log": str(tmp_path / "log")})
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        assert pool.submit(compute, made.function, json.loads(made.arguments)).result() == {"square": 49}


def test_what_no_other_process_could_compute_is_refused():
    """Lambdas, closures, methods, functions that are not there, and arguments JSON has no word for."""

    def inner():
        return 0

    for function in (lambda: 0, inner, Study().check, "no.module:at_all", "fractions:no", "fractions", "__main__:main"):
        with pytest.raises(StudyError, match="module"):
            Study().cell("no", function)
    for argument in (object(), {1, 2}, float("nan"), Path(), b""):
        with pytest.raises(StudyError, match="plain data"):
            Study().cell("no", squares, count=argument)


def test_a_study_forgets_its_own_cells_alone(tmp_path):
    """Another study's cells, other files, and cells of the same function with other arguments stay."""
    one, other = Study(folder=tmp_path), Study(folder=tmp_path)
    one.cell("mine", squares, count=2)
    (theirs,) = {other.cell("theirs", moment, text="other")[1]}
    (tmp_path / "notes.cell.json").write_text("{}")
    one.finished()
    assert len(kept(tmp_path)) == 2
    assert other.cell("theirs", moment, text="other")[1] == theirs
    other.finished()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.cell.json"]


def test_parts_left_by_a_killed_process_are_forgotten_when_old(tmp_path):
    """A part of an own cell older than an hour goes with it; a fresh one may be another writer's, and stays."""
    study = Study(folder=tmp_path)
    study.cell("mine", squares, count=2)
    (path,) = kept(tmp_path)
    old, fresh = (tmp_path / path.name.replace(CELL, f".{name}{PART}") for name in ("old", "fresh"))
    for each in (old, fresh):
        each.write_text("")
    os.utime(old, (0, 0))
    study.finished()
    assert list(tmp_path.iterdir()) == [fresh]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("squares", "circles"),
        lambda text: text.replace('"value"', '"values"'),
        lambda text: "[1, 2, 3]",
        lambda text: "[" * 100_000,
        lambda text: "\0\udcff",
    ],
    ids=["empty", "truncated", "another's", "no value", "no cell", "deep", "no text"],
)
def test_a_damaged_cell_is_measured_again(damage, tmp_path, capsys):
    """With one line on standard error; the file is whole afterwards."""
    study = Study(folder=tmp_path)
    assert study.cell("mine", squares, count=4) == [0, 1, 4, 9]
    (path,) = kept(tmp_path)
    whole = path.read_text(encoding="utf-8")
    path.write_bytes(damage(whole).encode(errors="surrogateescape"))
    assert capsys.readouterr().err == ""
    assert study.cell("mine", squares, count=4) == [0, 1, 4, 9]
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "measured again" in said
    assert path.read_text(encoding="utf-8") == whole


def test_a_cell_of_other_code_is_not_read(tmp_path, monkeypatch):
    """The key moves with any source file of the package, a library's version, and the function's own file."""
    package = tmp_path / "lent"
    package.mkdir()
    (package / "__init__.py").write_text("def one():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "PACKAGES", ("lent",))
    keys = set()

    def note(function):
        module.sources.cache_clear()
        module._code.cache_clear()
        keys.add(Cell.of(function, {}).key)

    note("lent:one")
    note("powercount.studies.study:sources")
    (package / "__init__.py").write_text("def one():\n    return 2\n")
    note("powercount.studies.study:sources")
    monkeypatch.setattr(module, "PACKAGES", ())
    note("lent:one")
    (package / "__init__.py").write_text("def one():\n    return 3\n")
    note("lent:one")
    monkeypatch.setattr(module, "LIBRARIES", ())
    note("lent:one")
    assert len(keys) == 6
    module.sources.cache_clear()
    module._code.cache_clear()


def test_the_package_itself_is_in_the_key():
    """Meta: the digest reads every folder of the package, wherever it is installed from."""
    for package in ("powercount.ledger.lasso", "powercount.derivations.scale", "powercount.empirical.fit"):
        parent = package.rpartition(".")[0]
        roots = [Path(place) for name in module.PACKAGES for place in sys.modules[name].__path__]
        file = Path(__import__(package, fromlist=["x"]).__file__)
        assert any(file.is_relative_to(root) for root in roots), parent


@pytest.mark.parametrize("place", ["a file", "below a file", "read-only"])
@pytest.mark.parametrize(
    "line",
    [
        ["claims", "C28", "--folder"],
        ["claims", "C28", "--page"],
        ["claims", "C28", "--record"],
        ["nfd", "--folder"],
        ["transfer", "--quick", "--folder"],
    ],
    ids=" ".join,
)
def test_a_place_that_cannot_be_written_is_one_line_before_the_work(line, place, tmp_path, capsys, monkeypatch):
    """Exit 2, the flag named, nothing measured: for cells, page and record alike."""

    def no_work(*_):
        raise AssertionError("the work began")

    for target in ("ledger.command.measured", "studies.limit.run_limit", "studies.transfer.run_transfer"):
        monkeypatch.setattr(f"powercount.{target}", no_work)
    file, locked = tmp_path / "file", tmp_path / "locked"
    file.write_text("[]")
    locked.mkdir(mode=0o500)
    # Root may write where nobody may, but not there.
    closed = Path("/proc") if os.geteuid() == 0 else locked
    folder = {"a file": file, "below a file": file / "sub", "read-only": closed / "no-such"}[place]
    own = [] if line[-1] == "--folder" else ["--folder", str(tmp_path / "cells")]
    assert main([*line, str(folder / "record.json" if line[-1] == "--record" else folder), *own]) == BAD_INPUT
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert line[-1] in said.err


def limited(size, *arguments):
    """The command in a process whose files may not grow beyond ``size`` bytes: what a full disk does to a write.

    It compiles nothing: Python 3.11 keeps a module that was cut by the limit, and nobody could import it again.
    """
    start = (
        f"import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size})); "
        "sys.dont_write_bytecode = True; from powercount.__main__ import run; run()"
    )
    return subprocess.run([sys.executable, "-c", start, *arguments], check=False, capture_output=True, text=True)


def complaints(done):
    """What was said on standard error, but for the forecast and the claims that are done."""
    lines = done.stderr.splitlines()
    return [line for line in lines if "by a rough forecast" not in line and not line.startswith(("C28 ", "L6 "))]


def test_a_full_disk_is_one_line(tmp_path):
    """Exit 2: before the work where nothing can be written, or at the cell that does not fit; those before it stay."""
    line = ["claims", "C28", "L6", "--quick", "--jobs", "1", "--folder", str(tmp_path)]
    done = limited(PROBE // 2, *line)
    assert (done.returncode, done.stdout, len(complaints(done))) == (BAD_INPUT, "", 1)
    assert "--folder" in done.stderr
    assert not list(tmp_path.iterdir())
    done = limited(PROBE, *line)
    assert (done.returncode, done.stdout, len(complaints(done))) == (BAD_INPUT, "", 1)
    assert "the same command goes on" in complaints(done)[0]
    assert len(kept(tmp_path)) == len(list(tmp_path.iterdir())) == 1


def test_two_studies_that_end_together_both_succeed(tmp_path):
    """Threads that ask for the same cells in one folder and forget them at any moment: no error, and nothing left."""
    for trial in range(20):
        folder, found = tmp_path / str(trial), []

        def one(folder=folder, found=found):
            study = Study(folder=folder)
            values = [study.cell(str(count), squares, count=count) for count in range(12)]
            study.finished()
            found.append(values)

        threads = [threading.Thread(target=one) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [[[place**2 for place in range(count)] for count in range(12)]] * 2
        Study(folder=folder).finished()


def test_two_commands_in_one_folder_have_one_answer(script):
    """Four processes at once on the same cells: each prints the whole answer."""
    start, folder, _ = script
    for process in [start(), start(), start(1), start(1)]:
        out, said = process.communicate(timeout=60)
        assert (json.loads(out), said, process.returncode) == (ANSWER, "", 0)
    assert not list(folder.glob(f"*{PART}"))


def test_a_killed_study_leaves_no_process_and_loses_no_cell(script, request):
    """kill -9 at any moment, several times (``--kills``): no orphan, what is done is kept, the answer the same."""
    start, folder, log = script
    for kill in range(request.config.getoption("--kills")):
        process, before = start(), len(kept(folder))
        deadline = time.monotonic() + 60
        while len(kept(folder)) < before + 1 + kill % 3 and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        # Its pipes end when the last process that holds them has: within seconds, or there is an orphan.
        process.communicate(timeout=10)
        assert process.returncode == -signal.SIGKILL
    cells, computed = len(kept(folder)), len(log.read_text().split())
    assert cells > 0
    out, said = start().communicate(timeout=60)
    assert json.loads(out) == ANSWER
    assert said == ""
    assert len(log.read_text().split()) - computed == len(ANSWER) - cells
    assert not kept(folder)


def test_check_folder_makes_it_and_leaves_it_empty(tmp_path):
    """A folder that is missing is made, with its parents, and the probe is gone."""
    check_folder("--folder", tmp_path / "a" / "b")
    assert not list((tmp_path / "a" / "b").iterdir())

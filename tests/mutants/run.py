"""Break one line of what decides, run the tests that must notice, and say which breaks went unseen.

Run as ``python tests/mutants/run.py [--list] [NAME ...]``; ``tox -e mutants`` does it on the wheel's dependencies. A
mutant is a row of mutants.toml: a file, a function, class, method or constant in it, a text that occurs once there,
what replaces it, and tests. The package is copied once, laid out as in the wheel, and put in front of the installed
one; each mutant changes one file of the copy. NAME selects the mutants whose name contains it.

Exit codes: 0 all were noticed, or may survive and say why; 1 one survived; 2 the list is stale, an unbroken test fails,
or a run went wrong.
"""

from __future__ import annotations

import argparse
import ast
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("mutants.toml")
# As in pyproject.toml: what is installed where.
LAYOUT = {
    "gate": "powercount",
    **{name: f"powercount/{name}" for name in ("derivations", "door", "empirical", "ledger", "studies", "tables")},
}
PASSED, FAILED, WRONG_COPY = 0, 1, 70
LONGEST = 600  # seconds of one mutant's tests: one that never ends is noticed too
START = """\
import sys, powercount, pytest
if not powercount.__file__.startswith(sys.argv[1]):
    sys.exit(70)
sys.exit(pytest.main(sys.argv[2:]))
"""


class StaleError(Exception):
    """A mutant that no longer says what it breaks."""


@dataclass(frozen=True)
class Mutant:
    """One line broken on purpose, and who must notice; ``survives`` is the reason why nobody needs to."""

    name: str
    file: str
    where: str
    text: str
    replacement: str
    tests: tuple[str, ...]
    survives: str = ""


def read_list(path: Path = LIST) -> list[Mutant]:
    """Every row of the list."""
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]
    return [Mutant(**{**row, "tests": tuple(row["tests"])}) for row in rows]


def named(node: ast.AST, name: str) -> ast.AST | None:
    """The function, class or constant of that name right below a node."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef) and child.name == name:
            return child
        targets = child.targets if isinstance(child, ast.Assign) else []
        targets = [child.target] if isinstance(child, ast.AnnAssign) else targets
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return child
    return None


def broken(mutant: Mutant, source: str) -> str:
    """The file's text with the one place changed; ``StaleError`` if it is not one place, or no Python any more."""
    place: ast.AST | None = ast.parse(source)
    for name in mutant.where.split("."):
        place = None if place is None else named(place, name)
    if place is None:
        raise StaleError(f"{mutant.name}: {mutant.file} has no {mutant.where}")
    lines = source.splitlines(keepends=True)
    first, last = place.lineno - 1, place.end_lineno
    inside = "".join(lines[first:last])
    if inside.count(mutant.text) != 1:
        raise StaleError(f"{mutant.name}: {mutant.where} holds its text {inside.count(mutant.text)} times, not once")
    inside = inside.replace(mutant.text, mutant.replacement)
    changed = "".join([*lines[:first], inside, *lines[last:]])
    try:
        different = ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source))
    except SyntaxError as error:
        raise StaleError(f"{mutant.name}: what replaces it is no Python: {error}") from error
    if not different:
        raise StaleError(f"{mutant.name}: what replaces it is the same program")
    return changed


def exists(test: str) -> bool:
    """Whether a test file, and the test named in it, are there."""
    file, _, name = test.partition("::")
    place = ROOT / file
    return place.exists() and (not name or f"def {name.split('[')[0]}(" in place.read_text(encoding="utf-8"))


def check(mutants: list[Mutant]) -> list[str]:
    """What is stale in the list, one line each."""
    found = []
    for mutant in mutants:
        try:
            broken(mutant, (ROOT / mutant.file).read_text(encoding="utf-8"))
        except (StaleError, OSError) as error:
            found.append(str(error))
        found += [f"{mutant.name}: there is no {test}" for test in mutant.tests if not exists(test)]
    names = [mutant.name for mutant in mutants]
    return found + sorted(f"{name}: two mutants of that name" for name in set(names) if names.count(name) > 1)


def place_of(file: str, copy: Path) -> Path:
    """Where a file of the checkout lies in the copy."""
    folder, _, rest = file.partition("/")
    return copy / LAYOUT[folder] / rest


def run_tests(tests: tuple[str, ...], copy: Path, scratch: Path) -> tuple[int, str, float]:
    """Exit code, output and CPU seconds of the tests, on the copy, up to the first failure."""
    environment = os.environ | {
        "PYTHONPATH": str(copy),
        # Bytecode is known by the second it was written in and its length: no mutant may run on that of another.
        "PYTHONDONTWRITEBYTECODE": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(scratch / "examples"),
        "OMP_NUM_THREADS": "1",
    }
    # -n 0 and an addopts of its own: one process; a seed, so that a mutant has the same fate every time.
    options = ["-x", "-q", "-n", "0", "-o", "addopts=--import-mode=importlib", "-p", "no:cacheprovider"]
    options += ["--hypothesis-seed=0", "--hypothesis-profile=powercount-mutants"]
    command = [sys.executable, "-c", START, str(copy), *options, *tests]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, text=True, cwd=ROOT, env=environment, timeout=LONGEST
        )
        code, out = done.returncode, done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        code, out = FAILED, f"FAILED after {LONGEST} seconds"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return code, out, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def noticed_by(out: str) -> str:
    """The test that failed, out of the summary at the end; what an inner run of pytest says comes before."""
    lines = [line for line in out.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return lines[-1].split(" - ")[0].removeprefix("FAILED ").removeprefix("ERROR ") if lines else "?"


def fate(mutant: Mutant, copy: Path, scratch: Path) -> tuple[str, str, float]:
    """(killed, SURVIVED, survives or ERROR; by what; CPU seconds) of one mutant."""
    place = place_of(mutant.file, copy)
    original = place.read_text(encoding="utf-8")
    place.write_text(broken(mutant, original), encoding="utf-8")
    try:
        code, out, seconds = run_tests(mutant.tests, copy, scratch)
    finally:
        place.write_text(original, encoding="utf-8")
    if code == FAILED:
        return "killed", noticed_by(out), seconds
    if code != PASSED:
        return "ERROR", "not the broken copy" if code == WRONG_COPY else out[-2000:], seconds
    return ("survives", mutant.survives, seconds) if mutant.survives else ("SURVIVED", "", seconds)


def main(arguments: list[str] | None = None) -> int:
    """Run the mutants asked for; the exit code."""
    parser = argparse.ArgumentParser(description="Break lines of what decides; the suite must notice.")
    parser.add_argument("names", nargs="*", help="parts of the names of mutants; all by default")
    parser.add_argument("--list", action="store_true", help="print the mutants and run nothing")
    asked = parser.parse_args(arguments)
    mutants = [each for each in read_list() if not asked.names or any(name in each.name for name in asked.names)]
    stale = check(mutants)
    if stale or not mutants:
        print("\n".join(stale) or "no mutant has that name; see --list")
        return 2
    if asked.list:
        for each in mutants:
            print(f"{each.name}: {each.file}, {each.where}: {each.text.strip()!r} -> {each.replacement.strip()!r}")
        return 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        scratch, copy = Path(folder), Path(folder) / "site"
        for source, target in LAYOUT.items():
            shutil.copytree(
                ROOT / source, copy / target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__")
            )
        every = tuple(sorted({test for each in mutants for test in each.tests}))
        code, out, seconds = run_tests(every, copy, scratch)
        print(f"unbroken: {'passed' if code == PASSED else 'FAILED'}, {seconds:.0f} CPU seconds", flush=True)
        if code != PASSED:
            print("not the copy" if code == WRONG_COPY else out[-4000:])
            return 2
        rows = []
        for each in mutants:
            rows.append((each.name, *fate(each, copy, scratch)))
            print(f"{rows[-1][1]:9}{rows[-1][3]:6.1f} s  {each.name}  {rows[-1][2]}", flush=True)
    counts = {said: sum(row[1] == said for row in rows) for said in ("killed", "survives", "SURVIVED", "ERROR")}
    print(f"\n{len(rows)} mutants, {seconds + sum(row[3] for row in rows):.0f} CPU seconds: {counts}")
    for name, said, why, _ in rows:
        if said != "killed":
            print(f"{said}: {name}: {why}")
    return 2 if counts["ERROR"] else 1 if counts["SURVIVED"] else 0


if __name__ == "__main__":
    sys.exit(main())

"""The direction of imports, twice: as written (import-linter) and as it runs (``sys.modules`` of a fresh process).

An instrument that can read the answer can be bent to it, so of the derivations the measuring side may load
``recipe`` alone; and a plugin that loads torch makes every pytest run of every user wait for it.
"""

from __future__ import annotations

import json
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import powercount.derivations
import powercount.empirical

ROOT = Path(__file__).parents[2]
ROOMS = ("derivations", "door", "empirical", "ledger", "studies", "tables")
SHARED = {"powercount.derivations", "powercount.derivations.recipe"}
PROBE = "import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)), file=sys.stderr)"


def loaded_by(code, folder=None):
    """Every module a fresh process has loaded after running ``code``; ``folder`` can be imported from."""
    environment = os.environ | ({"PYTHONPATH": str(folder)} if folder else {})
    command = [sys.executable, "-c", PROBE.format(code=code)]
    done = subprocess.run(command, capture_output=True, check=True, text=True, env=environment)
    return set(json.loads(done.stderr.splitlines()[-1]))


def below(modules, *packages):
    """Those of the modules that are one of the packages or lie in one."""
    return {module for module in modules if any(f"{module}.".startswith(f"{package}.") for package in packages)}


def importing_all(package):
    """The code that imports every module of a package, rooms within it included."""
    found = pkgutil.walk_packages(package.__path__, prefix=f"{package.__name__}.")
    return "\n".join(f"import {module.name}" for module in found)


@pytest.fixture(scope="module")
def lint(tmp_path_factory):
    """Run import-linter with the contracts of a folder; (exit code, what it printed).

    It reads files only, laid out as in the wheel: it does not find those of an editable install.
    """
    site = tmp_path_factory.mktemp("site")
    for folder, place in (("gate", "."), *((name, name) for name in ROOMS)):
        shutil.copytree(ROOT / folder, site / "powercount" / place, dirs_exist_ok=True)
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]

    def run(folder):
        environment = os.environ | {"PYTHONPATH": str(site)}
        done = subprocess.run(command, capture_output=True, check=False, text=True, cwd=folder, env=environment)
        return done.returncode, done.stdout + done.stderr

    return run


def test_the_contracts_hold_as_written(lint):
    """Every contract of pyproject.toml is kept."""
    code, out = lint(ROOT)
    assert code == 0, out
    assert " 0 broken" in out


def test_a_contract_can_be_broken(lint, tmp_path):
    """Meta: the linter reports an import that is there, the gate's of the derivations."""
    (tmp_path / ".importlinter").write_text(
        "[importlinter]\nroot_package = powercount\n[importlinter:contract:1]\nname = planted\ntype = forbidden\n"
        "source_modules = powercount.verdict\nforbidden_modules = powercount.derivations\n"
    )
    code, out = lint(tmp_path)
    assert code == 1
    assert "powercount.verdict -> powercount.derivations.predict" in out


def test_the_package_and_the_plugin_load_neither_side():
    """Importing powercount and powercount.plugin, as every pytest run does, loads no sympy and no torch."""
    loaded = loaded_by("import powercount, powercount.plugin")
    assert "powercount.plugin" in loaded
    assert not below(loaded, "sympy", "torch", "powercount.derivations", "powercount.empirical")


def test_derivations_load_nothing_that_measures():
    """Importing all of powercount.derivations loads sympy, but no torch and nothing of powercount.empirical."""
    loaded = loaded_by(importing_all(powercount.derivations))
    assert {"sympy", "powercount.derivations.predict"} <= loaded
    assert not below(loaded, "torch", "powercount.empirical")


def test_measurements_load_the_question_alone():
    """Importing all of powercount.empirical loads torch, no sympy, and of the derivations recipe alone."""
    loaded = loaded_by(importing_all(powercount.empirical))
    assert {"torch", "powercount.empirical.sweep"} <= loaded
    assert not below(loaded, "sympy")
    assert below(loaded, "powercount.derivations") == SHARED


@pytest.mark.parametrize("arguments", [["laws"], ["derive", "depth-mup", "--observable", "own-update:1"]])
def test_commands_that_only_derive_never_load_torch(arguments):
    """``powercount laws`` and ``powercount derive`` run without torch and without powercount.empirical."""
    loaded = loaded_by(f"from powercount.__main__ import main\nassert main({arguments!r}) == 0")
    assert "powercount.derivations.recipe" in loaded
    assert not below(loaded, "torch", "powercount.empirical")


@pytest.mark.parametrize("hidden", ["torch", "powercount.derivations.predict"])
def test_the_probe_sees_an_import_inside_another(hidden, tmp_path):
    """Meta: a module that imports what is forbidden, by way of a second module, is found out."""
    (tmp_path / "planted.py").write_text("def load():\n    import planted_below\n")
    (tmp_path / "planted_below.py").write_text(f"import {hidden}\n")
    assert hidden not in loaded_by("import planted", tmp_path)
    assert hidden in loaded_by("import planted\nplanted.load()", tmp_path)

"""The wheel holds the package and nothing else, and says what it needs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {
    "gate": "powercount",
    **{name: f"powercount/{name}" for name in ("derivations", "door", "empirical", "ledger", "studies", "tables")},
}
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, built by its own backend from a clean copy, without a network."""
    copy, out = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for folder in (*FOLDERS, "tests"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run([sys.executable, "-c", BUILD, out], cwd=copy, capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("*.whl")
    with ZipFile(path) as archive:
        yield archive


@pytest.fixture(scope="module")
def information(wheel):
    """The dist-info folder's name."""
    (name,) = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    return name


def test_it_holds_every_module_and_nothing_else(wheel, information):
    """powercount/ with its folders' modules, the record and py.typed, beside the dist-info; nothing else."""
    modules = {
        f"{place}/{path.relative_to(ROOT / folder)}"
        for folder, place in FOLDERS.items()
        for path in (ROOT / folder).rglob("*.py")
    }
    found = {name for name in wheel.namelist() if not name.startswith(information)}
    assert found == modules | {"powercount/py.typed", "powercount/ledger/record.json"}
    assert "powercount/derivations/recipe.py" in found


def test_it_says_what_it_needs(wheel, information):
    """Python from 3.10 and torch from 2.4, with no upper bound, no index and no pin; MIT, with its text."""
    metadata = Parser().parsestr(wheel.read(f"{information}/METADATA").decode())
    needs = metadata.get_all("Requires-Dist")
    assert metadata["Name"] == "powercount"
    assert metadata["Requires-Python"] == ">=3.10"
    assert "torch>=2.4" in needs
    assert not [need for need in needs if any(sign in need.split(";")[0] for sign in ("==", "<", "@"))]
    assert metadata["License-Expression"] == "MIT"
    assert f"{information}/licenses/LICENSE" in wheel.namelist()


def test_it_brings_the_command_and_the_plugin(wheel, information):
    """The console script and the pytest plugin are entry points."""
    lines = wheel.read(f"{information}/entry_points.txt").decode().split("\n")
    assert lines[lines.index("[console_scripts]") + 1] == "powercount = powercount.__main__:run"
    assert lines[lines.index("[pytest11]") + 1] == "powercount = powercount.plugin"

"""The public names: each is called as a user would, keeps its meaning, and has a type that a checker can read."""

from __future__ import annotations

import ast
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

import powercount
from powercount import named_recipe, observable_named

ROOT = Path(__file__).parents[2]
ROOMS = ("derivations", "door", "empirical", "ledger", "studies", "tables")
SIZES = (4, 8, 16, 32)
STREAM = observable_named("stream", 2)
OWN_UPDATE = observable_named("own-update:1", 2)
DEPTH_MUP = named_recipe("depth-mup")


def sweep():
    """A small sweep along depth: sizes, one width, seeds."""
    return powercount.Sweep(axis="depth", sizes=SIZES, fixed=32, seeds=16, most_seeds=16)


def measured():
    """The stream of depth-mup along depth."""
    return powercount.measure(DEPTH_MUP, [STREAM], sweep())[STREAM]


def role():
    """A role that starts and learns like n^(-1/2)."""
    half = powercount.Power(width=Fraction(-1, 2))
    return powercount.Role(init_std=half, learning_rate=half)


def one_layer():
    """The powers of a block with one internal layer."""
    return powercount.Parametrization(input=role(), hidden=(role(),), readout=role())


def judged():
    """The verdict on the stream of depth-mup."""
    return powercount.judge(powercount.derive(DEPTH_MUP, STREAM), measured())


def refused():
    """What a question that is wrong raises."""
    with pytest.raises(powercount.PowercountError, match="choose one of"):
        named_recipe("no such recipe")
    return True


def from_a_file():
    """The recipe in the shipped example."""
    return powercount.read_recipe(ROOT / "examples" / "mine.toml")


# Each name, and something a user does with it that is true.
USES = {
    "__version__": lambda: re.fullmatch(r"\d+\.\d+\.\d+", powercount.__version__),
    "Block": lambda: powercount.Block(layers=3, activation="tanh").layers == 3,
    "Measurement": lambda: isinstance(measured(), powercount.Measurement) and measured().seeds == 16,
    "Observable": lambda: str(powercount.Observable(quantity="own-update", role="hidden1")) == "own-update:1",
    "Optimizer": lambda: powercount.Optimizer(loss="mse").name == "sgd",
    "Parametrization": lambda: len(list(one_layer().roles())) == 3,
    "Power": lambda: powercount.Power(width=Fraction(1, 2)).at(16, 2) == 4,
    "PowercountError": refused,
    "Prediction": lambda: isinstance(powercount.derive(DEPTH_MUP, STREAM), powercount.Prediction),
    "Recipe": lambda: powercount.Recipe(name="mine", parametrization=DEPTH_MUP.parametrization).block.layers == 2,
    "Role": lambda: role().multiplier == powercount.Power(),
    "Sweep": lambda: sweep().points() == ((32, 4), (32, 8), (32, 16), (32, 32)),
    "Verdict": lambda: isinstance(judged(), powercount.Verdict),
    "build": lambda: len(list(powercount.build(DEPTH_MUP, width=8, depth=3, seed=0).parameters())) == 2 + 2 * 3,
    "derive": lambda: powercount.derive(DEPTH_MUP, OWN_UPDATE).along("depth") == Fraction(-1, 2),
    "judge": lambda: judged().predicted == "0" and judged().outcome == "AGREES",
    "measure": lambda: measured().sizes == SIZES and all(point > 0 for point in measured().points),
    "named_recipe": lambda: named_recipe("completep", layers=1).parametrization.branch == -1,
    "observable_named": lambda: observable_named("feature-update@hidden1", 2).role == "hidden1",
    "observables": lambda: STREAM in powercount.observables(2),
    "read_recipe": lambda: from_a_file().parametrization == named_recipe("depth-mup-sqrt").parametrization,
    "verify": lambda: [each.outcome for each in powercount.verify(DEPTH_MUP, asked=[STREAM])] == ["AGREES"] * 2,
}


@pytest.mark.parametrize("name", USES)
def test_a_public_name_does_what_it_says(name):
    """Each public name is used once, and what a user would rely on is true."""
    assert USES[name]()


def test_every_public_name_is_used_here_and_typed():
    """The table of uses, ``__all__``, ``dir`` and the imports a type checker reads hold the same names."""
    names = set(powercount.__all__)
    assert set(USES) == names == set(dir(powercount))
    page = ast.parse((ROOT / "gate" / "__init__.py").read_text(encoding="utf-8"))
    checked = {
        alias.asname: f"{node.module}".removeprefix("powercount.")
        for node in ast.walk(page)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("powercount.")
        for alias in node.names
    }
    assert checked == powercount._HOME
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = powercount.nothing


def test_no_module_bears_a_public_name():
    """A module imported under the package becomes its attribute: ``verify`` would be a module after its first use."""
    modules = {module.name for module in pkgutil.iter_modules(powercount.__path__)}
    assert "verdict" in modules
    assert not modules & set(powercount.__all__)


def test_a_verb_stays_a_function_however_often_it_is_used():
    """In a fresh process, before and after its module is loaded, and after every module of the package is."""
    code = (
        "import importlib, pkgutil, powercount\n"
        "verbs = ('build', 'derive', 'judge', 'measure', 'verify')\n"
        "first = [getattr(powercount, verb) for verb in verbs]\n"
        "for module in pkgutil.iter_modules(powercount.__path__):\n"
        "    importlib.import_module(f'powercount.{module.name}')\n"
        "assert all(callable(verb) for verb in first)\n"
        "assert [getattr(powercount, verb) for verb in verbs] == first\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr


USER = """\
import powercount
from powercount import derive, named_recipe, observable_named, verify

reveal_type(derive)
reveal_type(powercount.verify)
prediction = derive(named_recipe("mup"), observable_named("stream", 2))
reveal_type(prediction)
outcomes: list[str] = [verdict.outcome for verdict in verify(named_recipe("mup"))]
"""
# Errors inside the package are silenced, as mypy does itself for what is installed; what torch and numpy are to the
# package does not change these types, and reading them takes most of a minute.
CONFIG = """\
[mypy]
strict = true
[mypy-powercount.*]
ignore_errors = true
[mypy-matplotlib.*,numpy.*,rich.*,scipy.*,sklearn.*,sympy.*,threadpoolctl,torch.*]
follow_imports = skip
ignore_missing_imports = true
"""


@pytest.fixture(scope="module")
def checker(tmp_path_factory):
    """Check a user's file strictly, beside the package laid out as in the wheel; (exit code, what was printed)."""
    site, folder = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("user")
    for source, place in (("gate", "."), *((name, name) for name in ROOMS)):
        shutil.copytree(ROOT / source, site / "powercount" / place, dirs_exist_ok=True)
    (folder / "mypy.ini").write_text(CONFIG)

    def check(text):
        (folder / "user.py").write_text(text)
        command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "mypy.ini", "user.py"]
        environment = os.environ | {"MYPYPATH": str(site)}
        done = subprocess.run(command, capture_output=True, check=False, text=True, cwd=folder, env=environment)
        return done.returncode, done.stdout + done.stderr

    return check


def test_a_users_file_passes_a_strict_type_checker_with_real_types(checker):
    """``derive`` takes a recipe and gives a prediction; a wrong call and an unknown name are errors."""
    code, out = checker(USER)
    assert code == 0, out
    recipe = "powercount.derivations.recipe.Recipe"
    assert f'"def (recipe: {recipe}, observable: powercount.derivations.recipe.Observable' in out
    assert "-> list[powercount.verdict.Verdict]" in out
    assert 'Revealed type is "powercount.derivations.predict.Prediction"' in out
    for line, says in (('derive("mup", 3)', 'expected "Recipe"'), ("powercount.nothing", 'has no attribute "nothing"')):
        code, out = checker(f"{USER}{line}\n")
        assert code == 1
        assert f"user.py:{len(USER.splitlines()) + 1}: error" in out
        assert says in out

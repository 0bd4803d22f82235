"""The list of mutants is not stale, the runner tells what it should, and CI draws by the commit."""

from __future__ import annotations

import runpy
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNNER = runpy.run_path(str(ROOT / "tests" / "mutants" / "run.py"))
FEWEST = 40
DECIDES = (
    "derivations/updates.py",
    "derivations/forward.py",
    "derivations/mean_field.py",
    "derivations/squared_loss.py",
    "derivations/next_order.py",
    "derivations/norms.py",
    "empirical/fit.py",
    "empirical/sweep.py",
    "empirical/training.py",
    "gate/finite_size.py",
    "gate/verdict.py",
    "gate/strategies.py",
    "gate/plugin.py",
    "gate/recipes.py",
    "gate/explain.py",
    "gate/claims/finding.py",
    "gate/scaling_laws/regime.py",
)


def test_every_mutant_is_found_once_where_it_says():
    """Function and text are there, once; what replaces it is another program; its tests exist; no file is left out."""
    mutants = RUNNER["read_list"]()
    assert RUNNER["check"](mutants) == []
    assert len(mutants) >= FEWEST
    assert set(DECIDES) <= {mutant.file for mutant in mutants}


def mutant(where, text, replacement):
    """A mutant of no file."""
    return RUNNER["Mutant"](name="m", file="", where=where, text=text, replacement=replacement, tests=())


SOURCE = "ONE: int = 1\n\n\nclass Page:\n    def read(self):\n        return 1 + 1\n\n\ndef read():\n    return 1 + 2\n"


@pytest.mark.parametrize(
    ("where", "text", "replacement", "says"),
    [
        ("gone", "1", "2", "has no gone"),
        ("Page.gone", "1", "2", "has no Page.gone"),
        ("read", "1 + 1", "2", "0 times"),
        ("Page.read", "1", "2", "2 times"),
        ("read", "1 + 2", "1 +", "no Python"),
        ("read", "1 + 2", "1  +  2", "the same program"),
    ],
)
def test_a_stale_mutant_is_an_error(where, text, replacement, says):
    """A name or a text that is gone or not alone, a replacement that is no Python or no change."""
    with pytest.raises(RUNNER["StaleError"], match=says):
        RUNNER["broken"](mutant(where, text, replacement), SOURCE)


def test_a_mutant_changes_its_own_place_alone():
    """By function and text: a method, a function and a constant, wherever they have moved."""
    for where, text, after in (
        ("Page.read", "1 + 1", SOURCE.replace("1 + 1", "9")),
        ("read", "1 + 2", SOURCE.replace("1 + 2", "9")),
        ("ONE", "= 1", SOURCE.replace("= 1", "= 9")),
    ):
        replacement = "= 9" if where == "ONE" else "9"
        assert RUNNER["broken"](mutant(where, text, replacement), SOURCE) == after


def test_ci_draws_by_the_commit(monkeypatch):
    """The same commit draws the same, another one something else; without git there is one number for all."""
    space = runpy.run_path(str(ROOT / "conftest.py"))

    def drawn(commit):
        done = subprocess.CompletedProcess([], 0, stdout=f"{commit}\n")
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
        return space["seed_of_commit"]()

    first, second = "0000000f" + "0" * 32, "00000010" + "0" * 32
    assert drawn(first) == drawn(first) == 15
    assert drawn(second) == 16
    assert drawn("not a commit") == space["NO_COMMIT"]

    def missing(*_, **__):
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", missing)
    assert space["seed_of_commit"]() == space["NO_COMMIT"]

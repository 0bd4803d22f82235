"""``explain`` on planted slopes: the power that was moved is named first, with its size, its sign and the remedy."""

from __future__ import annotations

from fractions import Fraction

import pytest

from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import observables
from powercount.empirical.fit import Estimate
from powercount.empirical.sweep import Measurement, Sweep
from powercount.explain import explain
from powercount.finite_size import FiniteSize
from powercount.verdict import judge

CLAIMS = named_recipe("depth-mup")
SWEEPS = {
    "width": Sweep(axis="width", sizes=(64, 128, 256), fixed=3),
    "depth": Sweep(axis="depth", sizes=(4, 8, 16, 32), fixed=128),
}


def planted(implementation, axis):
    """Verdicts on slopes that are those of an implementation at these sizes, seen with little noise."""
    sweep = SWEEPS[axis]
    values, there = FiniteSize.of(CLAIMS, sweep), FiniteSize.of(implementation, sweep)
    found = []
    for observable in observables(2):
        vanishes = str(observable) == "feature-update@readout"
        fitted = Estimate(value=there.slope(observable), standard_error=0.002, freedom=31)
        if vanishes:
            fitted = Estimate(value=float("nan"), standard_error=float("nan"), freedom=31, state="zero")
        measurement = Measurement(
            observable=observable,
            sweep=sweep,
            fitted=fitted,
            sizes=sweep.sizes,
            points=(0.0 if vanishes else 1.0,) * len(sweep.sizes),
            seeds=32,
            cpu_seconds=0.0,
        )
        found.append(judge(derive(CLAIMS, observable), measurement, finite_size=values))
    return found


@pytest.mark.parametrize(
    ("role", "kind", "axis", "by", "says", "remedy"),
    [
        ("hidden1", "learning_rate", "depth", "1/2", "hidden1 learning_rate: its power of L is off by +1/2", "L^(-1/2)"),
        ("readout", "learning_rate", "width", "-1/4", "readout learning_rate: its power of n is off by -1/4", "n^(1/4)"),
        ("input", "learning_rate", "width", "1/2", "input learning_rate: its power of n is off by +1/2", "n^(-1/2)"),
        ("hidden2", "learning_rate", "depth", "-1/4", "hidden2 learning_rate: its power of L is off by -1/4", "L^(1/4)"),
    ],
)
def test_the_moved_power_is_named_first(role, kind, axis, by, says, remedy):
    """One rate moved: the first explanation is that move alone, and its remedy takes it back."""
    implementation = CLAIMS.shifted(role, kind, axis, Fraction(by))
    verdicts = planted(implementation, axis)
    assert "CONTRADICTS" in {verdict.outcome for verdict in verdicts}
    first = explain(CLAIMS, verdicts)[0]
    assert str(first) == says
    assert first.remedy() == f"multiply the {kind} of {role} by {remedy}"
    assert first.applied(CLAIMS).parametrization == implementation.parametrization


def test_two_moved_powers_are_named_together():
    """The rates of input and readout, off by 1/2 and -1/2 in n: no single move explains it, the pair does."""
    implementation = CLAIMS.shifted("input", "learning_rate", "width", Fraction(1, 2))
    implementation = implementation.shifted("readout", "learning_rate", "width", Fraction(-1, 2))
    found = explain(CLAIMS, planted(implementation, "width"))
    assert found
    assert all(len(each.moves) == 2 for each in found)
    assert implementation.parametrization in [each.applied(CLAIMS).parametrization for each in found]


def test_where_nothing_is_off_nothing_is_moved_far():
    """Slopes as claimed: no move of 1/4 or more is an explanation of them."""
    moves = [move for each in explain(CLAIMS, planted(CLAIMS, "depth")) for move in each.moves]
    assert all(abs(move.shift) < Fraction(1, 4) for move in moves)

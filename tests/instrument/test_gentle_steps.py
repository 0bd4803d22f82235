"""The rate of T real steps: gentle by its first-order moves, and halved where changes are not proportional to it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from fractions import Fraction

import pytest

from powercount.decide import RIVAL
from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import AXES, Optimizer, observables
from powercount.derivations.translate import translated
from powercount.empirical.descent import TurnedError
from powercount.empirical.design import Sweep, SweepError
from powercount.empirical.fit import least_squares_weights
from powercount.empirical.nets import drawn, member_squares
from powercount.finite_size import SMALL_STEPS, FiniteSize
from powercount.recipes import HALVINGS, check_gentle, default_sweep, gentle

SWEEP = Sweep(axis="depth", sizes=(2, 4, 8), fixed=32, steps=3, examples=1)


@pytest.mark.parametrize("name", ["sp", "depth-mup-sqrt", "completep"])
def test_a_gentle_rate_moves_everything_by_a_sixty_fourth_at_most(name):
    """T steps at that rate move output, stream and preactivations by 1/64 of their sizes to first order, no more."""
    recipe = named_recipe(name)
    rate = gentle(recipe, SWEEP).rate
    moves = [move for value in FiniteSize.of(recipe, SWEEP).values for move in value.relative_moves()]
    assert len(moves) > len(SWEEP.sizes)
    assert SWEEP.steps * rate * max(moves) == pytest.approx(1 / 64)  # rounding


@pytest.mark.parametrize("axis", AXES)
def test_what_real_steps_leave_open_decides_nothing(axis):
    """The error declared for the second order in the rate takes less than a tenth of half the distance to a rival."""
    recipe = named_recipe("completep")
    sweep = default_sweep(recipe, axis, steps=5)
    nonlinear = FiniteSize.of(recipe, sweep).error() - FiniteSize.of(recipe, replace(sweep, steps=0)).error()
    largest = max(abs(least_squares_weights(sweep.sizes)))
    assert nonlinear == pytest.approx(largest * SMALL_STEPS)  # rounding
    assert 0 < nonlinear < 0.1 * float(RIVAL) / 2


def test_a_rate_that_is_not_gentle_is_halved():
    """128 times the gentle rate is halved until changes follow it; the gentle rate itself is left as it is."""
    recipe = named_recipe("completep")
    asked, mild = observables(2), gentle(recipe, SWEEP)
    assert check_gentle(recipe, asked, mild).rate == mild.rate
    wild = replace(mild, rate=128 * mild.rate)
    kept = check_gentle(recipe, asked, wild).rate
    assert wild.rate / 2**HALVINGS <= kept < wild.rate
    assert kept <= 16 * mild.rate


def test_a_rate_at_which_gradients_turn_is_halved_or_refused():
    """Muon, ten steps across the kinks of narrow nets: no crash in the first trial; halved, or refused in one line."""
    recipe = translated(named_recipe("completep", activation="tanh"), "muon")
    sweep = gentle(recipe, replace(SWEEP, steps=10))
    wild = replace(sweep, rate=2**9 * sweep.rate, alone=tuple((role, 2**9 * rate) for role, rate in sweep.alone))
    with pytest.raises(TurnedError):
        member_squares(recipe, observables(2), wild, drawn(recipe, wild, range(2)))
    with suppress(SweepError):
        assert check_gentle(recipe, observables(2), wild).rate < wild.rate
    assert check_gentle(recipe, observables(2), replace(wild, rate=sweep.rate * 2, alone=sweep.alone)).rate > 0


def test_signs_of_a_small_output_are_not_turned_over():
    """Under the squared loss f - y is f but for the label: five sign steps move a small f by a part of itself."""
    recipe = named_recipe("mup", layers=1, activation="linear", optimizer=Optimizer(name="signsgd", loss="mse"))
    recipe = replace(recipe, parametrization=replace(recipe.parametrization, branch=Fraction(-1)))
    recipe = recipe.shifted("readout", "multiplier", "depth", Fraction(-2))
    sweep = gentle(recipe, replace(SWEEP, steps=5))
    assert check_gentle(recipe, observables(1), sweep).rate == sweep.rate

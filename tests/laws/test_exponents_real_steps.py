"""Law: T real optimizer steps follow the exponents of one infinitesimal step.

Rates are set so that T steps move everything by at most 1/64 to first order, and halved until halving them halves every
change: well below the edge of stability. Every observable is held, sums as well: a real step is made on one example,
whose values are known.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import QuestionError, observable_named, observables
from powercount.empirical.sweep import SweepError
from powercount.recipes import HALVED, check_gentle, default_sweep, gentle, verify_axis

CASES = [
    ("depth-mup", "depth", 3, {}),
    ("depth-mup-sqrt", "depth", 1, {"layers": 1}),
    ("completep", "depth", 5, {"activation": "tanh"}),
    ("mup", "width", 2, {}),
    ("sp", "width", 1, {}),
    ("mup", "depth", 5, {}),
]


@pytest.mark.parametrize(
    ("name", "axis", "steps", "block"),
    CASES,
    ids=[f"{name} along {axis}, T = {steps}" for name, axis, steps, _ in CASES],
)
def test_real_steps_follow_the_exponents_of_one_step(name, axis, steps, block, ledger):
    """After T steps of torch.optim.SGD each observable keeps its power of n or L, and what vanishes is zero."""
    recipe = named_recipe(name, **block)
    verdicts = verify_axis(recipe, axis, sweep=default_sweep(recipe, axis, steps=steps))
    assert len(verdicts) == len(observables(recipe.block.layers))
    for verdict in verdicts:
        ledger.agrees(verdict, f"{name}, {steps} real steps")


def test_twin_real_steps_see_a_wrong_rate(ledger):
    """L^(-1/4) on the first hidden rate of completep shows in its own update after real steps."""
    claims = named_recipe("completep")
    implementation = claims.shifted("hidden1", "learning_rate", "depth", Fraction(-1, 4))
    asked = [observable_named("own-update:1", 2)]
    sweep = default_sweep(claims, "depth", steps=3)
    (verdict,) = verify_axis(implementation, "depth", claims=claims, asked=asked, sweep=sweep)
    ledger.contradicts(verdict, implementation.name)


@pytest.mark.parametrize("name", ["sp", "completep"])
def test_the_rate_is_gentle(name):
    """At the rate chosen first halving it halves every change within 2 %; at 2^7 times it, it does not."""
    recipe = named_recipe(name)
    sweep = replace(default_sweep(recipe, "depth", steps=5), fixed=32)
    wanted = observables(2)
    chosen = gentle(recipe, sweep)
    assert check_gentle(recipe, wanted, chosen).rate == chosen.rate
    assert check_gentle(recipe, wanted, replace(chosen, rate=chosen.rate * 2**7)).rate < chosen.rate * 2**7
    with pytest.raises(SweepError, match="still off by"):
        check_gentle(recipe, wanted, replace(chosen, rate=chosen.rate * 2**40))
    assert HALVED == 0.02


def test_what_starts_at_zero_is_refused_after_the_first_step():
    """From the second step on a zero readout hands gradients down; nothing is derived for that, and it is said."""
    recipe = named_recipe("mup")
    readout = replace(recipe.parametrization.readout, init_std=None)
    zero = replace(recipe, parametrization=recipe.parametrization.with_role("readout", readout))
    with pytest.raises(QuestionError, match="readout starts at zero"):
        verify_axis(zero, "width", sweep=default_sweep(zero, "width", steps=5))


def test_a_zero_readout_is_zero_at_the_first_step(ledger):
    """One real step of a zero readout: hidden matrices stay where they are to the last bit, the readout moves."""
    recipe = named_recipe("mup")
    readout = replace(recipe.parametrization.readout, init_std=None)
    zero = replace(recipe, parametrization=recipe.parametrization.with_role("readout", readout))
    verdicts = verify_axis(zero, "width", sweep=default_sweep(zero, "width", steps=1))
    states = {str(each.prediction.observable): each.measurement.state for each in verdicts}
    assert states["own-update:1"] == states["feature-update"] == "zero"
    assert states["own-update:readout"] == states["output-update"] == "measured"
    for verdict in verdicts:
        ledger.agrees(verdict, "mup with a zero readout, one real step")

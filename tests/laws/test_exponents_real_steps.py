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
from powercount.derivations.predict import derive
from powercount.derivations.recipe import Optimizer, QuestionError, observable_named, observables
from powercount.derivations.translate import translated
from powercount.empirical.design import SweepError
from powercount.recipes import HALVED, check_gentle, default_sweep, gentle, verify_axis

CASES = [
    ("depth-mup", "depth", 3, {}),
    ("completep", "depth", 5, {"activation": "tanh"}),
    ("mup", "width", 2, {}),
    ("sp", "width", 1, {"layers": 1}),
    ("mup", "depth", 5, {}),
    ("depth-mup", "depth", 3, {"optimizer": "adam"}),
    ("mup", "width", 3, {"optimizer": "muon"}),
    ("completep", "depth", 3, {"optimizer": "nesterov", "layers": 1}),
]


@pytest.mark.parametrize(
    ("name", "axis", "steps", "block"),
    CASES,
    ids=[f"{name} along {axis}, T = {steps}, {block.get('optimizer', 'sgd')}" for name, axis, steps, block in CASES],
)
def test_real_steps_follow_the_exponents_of_one_step(name, axis, steps, block, powercount_laws):
    """After T steps of the optimizer each observable keeps its power of n or L, and what vanishes is zero."""
    plain = {key: value for key, value in block.items() if key != "optimizer"}
    recipe = translated(named_recipe(name, **plain), block.get("optimizer", "sgd"))
    verdicts = verify_axis(recipe, axis, sweep=default_sweep(recipe, axis, steps=steps))
    assert len(verdicts) == len(observables(recipe.block.layers))
    for verdict in verdicts:
        powercount_laws.agrees(verdict, f"{name}, {steps} real steps")


@pytest.mark.parametrize("name", ["sgd", "lion"])
def test_twin_real_steps_see_a_wrong_rate(name, powercount_laws):
    """L^(-1/4) on the first hidden rate of completep shows in its own update after real steps."""
    against = translated(named_recipe("completep"), name)
    implementation = against.shifted("hidden1", "learning_rate", "depth", Fraction(-1, 4))
    asked = [observable_named("own-update:1", 2)]
    sweep = default_sweep(against, "depth", steps=3)
    (verdict,) = verify_axis(implementation, "depth", against=against, asked=asked, sweep=sweep)
    powercount_laws.contradicts(verdict, implementation.name)


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


def with_zero(recipe, role):
    """The recipe with one role starting at exactly zero."""
    plain = replace(recipe.role(role), init_std=None)
    return replace(recipe, parametrization=recipe.parametrization.with_role(role, plain))


def test_what_starts_at_zero_is_refused_after_the_first_step():
    """A hidden matrix of zeros hands gradients down from the second step on: not derived, and said; one step is."""
    zero = with_zero(named_recipe("mup"), "hidden2")
    with pytest.raises(QuestionError, match="hidden2 starts at zero"):
        verify_axis(zero, "width", sweep=default_sweep(zero, "width", steps=5))


@pytest.mark.parametrize("name", ["adam", "muon"])
def test_a_zero_readout_is_refused_where_a_step_does_not_see_the_size(name):
    """From the second step on its hidden matrices move at full size along a gradient that is no drawn one's."""
    zero = replace(with_zero(named_recipe("mup"), "readout"), optimizer=Optimizer(name=name))
    with pytest.raises(QuestionError, match="readout starts at zero"):
        verify_axis(zero, "width", sweep=default_sweep(zero, "width", steps=2))


@pytest.mark.parametrize(("name", "own"), [("mup", 0), ("sp", -1)])
def test_a_zero_readout_moves_hidden_matrices_from_the_second_step_on(name, own, powercount_laws):
    """g = m^2 lambda chi h after the first step: mup as ever, sp with own updates of n^-1 in place of n^(-1/2)."""
    recipe = named_recipe(name)
    bounded = replace(recipe, parametrization=replace(recipe.parametrization, branch=Fraction(-1, 2)))
    zero = with_zero(bounded, "readout")
    sweep = replace(default_sweep(zero, "width", steps=2), sizes=(64, 128, 256), most_seeds=128)
    asked = [
        observable_named(each, 2) for each in ("own-update:1", "total-update:1", "feature-update", "output-update")
    ]
    verdicts = verify_axis(zero, "width", asked=asked, sweep=sweep)
    assert verdicts[0].predicted == str(own)
    assert derive(zero, asked[0]).vanishes
    for verdict in verdicts:
        assert verdict.outcome != "CONTRADICTS", verdict.story()
        assert abs(verdict.measurement.slope - verdict.expected) < verdict.resolution
    powercount_laws.tally(verdicts, f"{name} with a zero readout, two real steps")
    wrong = zero.shifted("hidden1", "learning_rate", "width", Fraction(-1, 2))
    (verdict,) = verify_axis(wrong, "width", against=zero, asked=asked[:1], sweep=sweep)
    powercount_laws.contradicts(verdict, wrong.name)


def test_a_zero_readout_is_zero_at_the_first_step(powercount_laws):
    """One real step of a zero readout: hidden matrices stay where they are to the last bit, the readout moves."""
    zero = with_zero(named_recipe("mup"), "readout")
    verdicts = verify_axis(zero, "width", sweep=default_sweep(zero, "width", steps=1))
    states = {str(each.prediction.observable): each.measurement.state for each in verdicts}
    assert states["own-update:1"] == states["feature-update"] == "zero"
    assert states["own-update:readout"] == states["output-update"] == "measured"
    for verdict in verdicts:
        powercount_laws.agrees(verdict, "mup with a zero readout, one real step")

"""Law: Adam's epsilon is seen where a gradient's entry is not far above it, and keeps its place at the entry's powers.

Far below every entry the step is the sign; far above, a multiple of the gradient; an epsilon with the powers of
m |delta| |z| of its role leaves every power where it was. Between lie four decades: expected there is the exact step at
the sizes that are measured.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import AXES, Observable, observables
from powercount.derivations.translate import translated, with_epsilon
from powercount.explain import explain
from powercount.recipes import verify_axis

HALF = Fraction(1, 2)
MOVED = ("own-update", "feature-update", "total-update")


def adam(name, shift=0, axis="width", **block):
    """A named recipe under Adam, every epsilon off the size of its gradient's entries by a power."""
    recipe = with_epsilon(translated(named_recipe(name, **block), "adam"))
    for role in recipe.role_names if shift else ():
        recipe = recipe.shifted(role, "epsilon", axis, Fraction(shift))
    return recipe


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize(
    ("name", "shift", "block"),
    [
        ("completep", 0, {}),
        ("mup", -HALF, {"activation": "tanh"}),
        ("sp", HALF, {}),
        ("depth-mup", 0, {"layers": 1, "activation": "gelu"}),
    ],
)
def test_every_observable_follows_adam_beside_its_epsilon(name, shift, block, axis, powercount_laws):
    """At the size of the entries, and off by n^(1/2) or L^(1/2), where the sweep goes from one regime to the other."""
    recipe = adam(name, shift, axis, **block)
    verdicts = verify_axis(recipe, axis)
    assert len(verdicts) == len(observables(recipe.block.layers))
    for verdict in verdicts:
        powercount_laws.agrees(verdict, f"{name}, {block}, epsilon x {axis}^{shift}")


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("name", ["depth-mup", "completep"])
def test_the_power_that_keeps_the_regime_leaves_every_power(name, layers):
    """Own, feature and total updates beside an epsilon of the entries' powers, or smaller ones: those of the sign."""
    plain = translated(named_recipe(name, layers=layers), "adam")
    kept, moved = with_epsilon(plain), 0
    below = adam(name, -1, "width", layers=layers)
    for each in observables(layers):
        if each.quantity in MOVED:
            for axis in AXES:
                signs = derive(plain, each).along(axis)
                assert derive(kept, each).along(axis) == derive(below, each).along(axis) == signs, str(each)
            moved += 1
    assert moved > 2 * layers
    if name == "completep":
        assert kept.role("hidden1").epsilon.depth == -1
        assert kept.role("hidden1").epsilon.width == Fraction(-3, 2)
        assert kept.role("input").epsilon.width == kept.role("readout").epsilon.width == -1


def test_a_constant_epsilon_makes_a_multiple_of_the_gradient():
    """CompleteP with epsilon n^0 L^0: hidden own updates n^(-3/2) L^(-1), input and readout n^(-1)."""
    recipe = with_epsilon(translated(named_recipe("completep"), "adam"))
    for role in recipe.role_names:
        for axis in AXES:
            recipe = recipe.shifted(role, "epsilon", axis, -recipe.role(role).epsilon.along(axis))
    expected = {"hidden1": (Fraction(-3, 2), -1), "input": (-1, 0), "readout": (-1, 0)}
    for role, powers in expected.items():
        own = derive(recipe, Observable(quantity="own-update", role=role))
        assert (own.along("width"), own.along("depth")) == powers
    assert derive(recipe, Observable(quantity="feature-update", role="hidden1")).along("depth") == -1


@pytest.mark.parametrize("axis", AXES)
def test_a_wrong_power_of_epsilon_is_caught_and_named(axis, powercount_laws):
    """Hidden epsilon without its power: input and readout are untouched, and the culprit is named."""
    against = adam("completep")
    shift, wrong = -against.role("hidden1").epsilon.along(axis), against
    for role in ("hidden1", "hidden2"):
        wrong = wrong.shifted(role, "epsilon", axis, shift)
    verdicts = verify_axis(wrong, axis, against=against)
    contradicted = {str(each.prediction.observable) for each in verdicts if each.outcome == "CONTRADICTS"}
    assert {"own-update:1", "own-update:2", "feature-update@hidden1"} <= contradicted
    assert not {"own-update:input", "own-update:readout", "feature-update@input"} & contradicted
    powercount_laws.tally(verdicts, f"completep, hidden epsilon off by {axis}^({shift})")
    named = [str(each) for each in explain(against, verdicts)]
    assert any(each.startswith("hidden1 and hidden2 epsilon") for each in named), named


@pytest.mark.parametrize("name", ["own-update:1", "feature-update@hidden1"])
def test_twin_epsilon_in_the_regime_of_the_sign_is_invisible(name, powercount_laws):
    """n^(1/2) on an epsilon that is n^(-3) of the entries shows nowhere; on one at their size it does."""
    (role, quantity) = ("hidden1", name.partition("@")[0].partition(":")[0])
    asked = [Observable(quantity=quantity, role=role)]
    for shift, outcome in ((-3, "agrees"), (0, "contradicts")):
        against = adam("mup", shift)
        wrong = against.shifted(role, "epsilon", "width", HALF)
        (verdict,) = verify_axis(wrong, "width", against=against, asked=asked)
        getattr(powercount_laws, outcome)(verdict, f"mup, epsilon n^({shift}) of the entries, off by n^(1/2)")

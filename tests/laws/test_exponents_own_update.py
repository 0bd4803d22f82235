"""Law: an own update is m_j^2 lambda_j |delta_j| n |z_j|^2; in width-muP it is L^(c_j - alpha).

The two-layer collapse of arXiv 2512.21075: at alpha = 1/2 and c_1 = 0 the first internal layer moves its own
preactivation by L^(-1/2) alone, and so does the second; sqrt(L) on the rate restores it; so does alpha = 1, c = 1.
"""

from __future__ import annotations

import pytest

from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import AXES, observable_named, observables
from powercount.recipes import verify_axis
from powercount.verdict import judge

CLAIMS = named_recipe("depth-mup")


def test_own_updates_follow_their_rate_and_gradient(case, axis, measured, powercount_laws):
    """|m_j dW_j z_j| ~ L^(c_j - alpha) in width-muP, and the input and readout their own powers."""
    asked = [each for each in observables(case.recipe.block.layers) if each.quantity == "own-update"]
    assert len(asked) == case.recipe.block.layers + 2
    for observable in asked:
        prediction = derive(case.recipe, observable)
        powercount_laws.agrees(judge(prediction, measured(case, axis)[observable]), str(case))


@pytest.mark.parametrize("axis", AXES)
def test_twin_own_update_sees_the_first_rate(axis, broken, powercount_laws):
    """|m_1 dW_1 z_1| moves with the learning rate of hidden1 alone."""
    observable = observable_named("own-update:1", 2)
    implementation = broken("hidden1", "learning_rate", axis)
    (verdict,) = verify_axis(implementation, axis, against=CLAIMS, asked=[observable])
    powercount_laws.contradicts(verdict, implementation.name)


@pytest.mark.parametrize("axis", AXES)
def test_twin_own_update_sees_the_multiplier_squared(axis, broken, powercount_laws):
    """|m_2 dW_2 z_2| moves with the square of the multiplier of hidden2."""
    observable = observable_named("own-update:2", 2)
    implementation = broken("hidden2", "multiplier", axis)
    (verdict,) = verify_axis(implementation, axis, against=CLAIMS, asked=[observable])
    powercount_laws.contradicts(verdict, implementation.name)


@pytest.mark.parametrize(
    ("name", "exponents"),
    [
        ("depth-mup", {"own-update:1": "-1/2", "own-update:2": "-1/2", "total-update:1": "0"}),
        ("depth-mup-sqrt", {"own-update:1": "0", "own-update:2": "-1/2", "feature-update@hidden1": "1/2"}),
        ("completep", {"own-update:1": "0", "own-update:2": "0", "branch-sum": "-1/2"}),
    ],
)
def test_the_collapse_its_correction_and_completep(name, exponents):
    """Depth powers in width-muP: the collapse at alpha = 1/2, sqrt(L) on W_1's rate, and alpha = 1 with c = 1."""
    recipe = named_recipe(name)
    assert {each: str(derive(recipe, observable_named(each, 2)).along("depth")) for each in exponents} == exponents

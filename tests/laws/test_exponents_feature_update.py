"""Law: the pushes of all blocks on the stream add up coherently, |dh_L from W_j| = L L^(-alpha) prod Gamma own_j."""

from __future__ import annotations

import pytest

from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import AXES, observable_named, observables
from powercount.recipes import verify_axis
from powercount.verdict import judge

CLAIMS = named_recipe("depth-mup")


def test_feature_updates_add_up_coherently(case, axis, measured, powercount_laws):
    """|dh_L from W_j| ~ L^(1 - 2 alpha + c_j) in width-muP; exactly zero from the readout."""
    asked = [each for each in observables(case.recipe.block.layers) if each.quantity == "feature-update"]
    assert len(asked) == case.recipe.block.layers + 3
    for observable in asked:
        prediction = derive(case.recipe, observable)
        powercount_laws.agrees(judge(prediction, measured(case, axis)[observable]), str(case))


@pytest.mark.parametrize("axis", AXES)
def test_twin_feature_update_sees_the_first_rate(axis, broken, powercount_laws):
    """|dh_L from W_1| moves with the learning rate of hidden1."""
    observable = observable_named("feature-update@hidden1", 2)
    implementation = broken("hidden1", "learning_rate", axis)
    (verdict,) = verify_axis(implementation, axis, against=CLAIMS, asked=[observable])
    powercount_laws.contradicts(verdict, implementation.name)

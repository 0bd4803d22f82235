"""Law: the output moves with the stream, |df from W_j| = n g |dh_L from W_j|.

The price of sqrt(L) on the first internal rate at alpha = 1/2: its share of the output grows as L^(1/2).
"""

from __future__ import annotations

import pytest

from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import AXES, observable_named, observables
from powercount.recipes import verify_axis
from powercount.verdict import judge

CLAIMS = named_recipe("depth-mup")


def test_output_updates_follow_the_stream(case, axis, measured, powercount_laws):
    """|df from W_j| ~ L^(1 - 2 alpha + c_j) in width-muP, 0 from input and readout."""
    asked = [each for each in observables(case.recipe.block.layers) if each.quantity == "output-update"]
    assert len(asked) == case.recipe.block.layers + 3
    for observable in asked:
        prediction = derive(case.recipe, observable)
        powercount_laws.agrees(judge(prediction, measured(case, axis)[observable]), str(case))


@pytest.mark.parametrize("axis", AXES)
def test_twin_output_update_sees_the_readout_rate(axis, broken, powercount_laws):
    """|df from the readout| moves with its learning rate."""
    observable = observable_named("output-update@readout", 2)
    implementation = broken("readout", "learning_rate", axis)
    (verdict,) = verify_axis(implementation, axis, against=CLAIMS, asked=[observable])
    powercount_laws.contradicts(verdict, implementation.name)


@pytest.mark.parametrize("axis", AXES)
def test_twin_output_update_sees_the_first_rate(axis, broken, powercount_laws):
    """|df from W_1| moves with the learning rate of hidden1."""
    observable = observable_named("output-update@hidden1", 2)
    implementation = broken("hidden1", "learning_rate", axis)
    (verdict,) = verify_axis(implementation, axis, against=CLAIMS, asked=[observable])
    powercount_laws.contradicts(verdict, implementation.name)

"""Law: the whole change of a preactivation is its own update plus what it inherits, dy_1 = own + m_1 W_1 dh."""

from __future__ import annotations

import pytest

from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import AXES, observable_named, observables
from powercount.recipes import verify_axis
from powercount.verdict import judge

CLAIMS = named_recipe("depth-mup")


def test_total_updates_inherit_from_the_stream(case, axis, measured, powercount_laws):
    """|dy_j| ~ max(own, Gamma_j |dy_(j-1)|): 0 in depth-muP although every own update collapses."""
    asked = [each for each in observables(case.recipe.block.layers) if each.quantity == "total-update"]
    assert len(asked) == case.recipe.block.layers
    for observable in asked:
        prediction = derive(case.recipe, observable)
        powercount_laws.agrees(judge(prediction, measured(case, axis)[observable]), str(case))


@pytest.mark.parametrize("axis", AXES)
def test_twin_total_update_sees_the_input_rate(axis, broken, powercount_laws):
    """|dy_1| inherits the change of the stream and with it the rate of the input."""
    observable = observable_named("total-update:1", 2)
    implementation = broken("input", "learning_rate", axis)
    (verdict,) = verify_axis(implementation, axis, against=CLAIMS, asked=[observable])
    powercount_laws.contradicts(verdict, implementation.name)

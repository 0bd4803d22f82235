"""Law: at initialization df/dh = m_out sigma_out and f = m_out sigma_out n^(1/2) |h_L|."""

from __future__ import annotations

import pytest

from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import AXES, observable_named, observables
from powercount.recipes import verify_axis
from powercount.verdict import judge

CLAIMS = named_recipe("depth-mup")


def test_gradient_and_output_follow_the_readout(case, axis, measured, powercount_laws):
    """|df/dh| ~ n^(-1) and |f| ~ n^(-1/2) in width-muP, at any depth with beta <= L^(-1/2)."""
    asked = [each for each in observables(case.recipe.block.layers) if each.quantity in ("gradient", "output")]
    assert len(asked) == 2
    for observable in asked:
        prediction = derive(case.recipe, observable)
        powercount_laws.agrees(judge(prediction, measured(case, axis)[observable]), str(case))


@pytest.mark.parametrize("axis", AXES)
def test_twin_gradient_sees_the_readout_init(axis, broken, powercount_laws):
    """|df/dh| gains a power with the standard deviation of the readout."""
    observable = observable_named("gradient", 2)
    implementation = broken("readout", "init_std", axis)
    (verdict,) = verify_axis(implementation, axis, against=CLAIMS, asked=[observable])
    powercount_laws.contradicts(verdict, implementation.name)


@pytest.mark.parametrize("axis", AXES)
def test_twin_output_sees_the_readout_multiplier(axis, broken, powercount_laws):
    """|f| gains a power with the multiplier of the readout."""
    observable = observable_named("output", 2)
    implementation = broken("readout", "multiplier", axis)
    (verdict,) = verify_axis(implementation, axis, against=CLAIMS, asked=[observable])
    powercount_laws.contradicts(verdict, implementation.name)

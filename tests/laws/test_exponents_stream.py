"""Law: the stream keeps its size, |h_L| = |h_0| = m_in sigma_in, wherever beta <= n^0 L^(-1/2)."""

from __future__ import annotations

import pytest

from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import AXES, observable_named, observables
from powercount.recipes import verify_axis
from powercount.verdict import judge

CLAIMS = named_recipe("depth-mup")


def test_stream_keeps_the_size_of_its_start(case, axis, measured, powercount_laws):
    """|h_L| ~ m_in sigma_in: the blocks add a factor (1 + c beta^2)^(L/2) of order one."""
    asked = [each for each in observables(case.recipe.block.layers) if each.quantity == "stream"]
    assert len(asked) == 1
    for observable in asked:
        prediction = derive(case.recipe, observable)
        powercount_laws.agrees(judge(prediction, measured(case, axis)[observable]), str(case))


@pytest.mark.parametrize("axis", AXES)
def test_twin_stream_sees_the_input_init(axis, broken, powercount_laws):
    """|h_L| gains n^(1/4) or L^(1/4) with the standard deviation of the input weights."""
    observable = observable_named("stream", 2)
    implementation = broken("input", "init_std", axis)
    (verdict,) = verify_axis(implementation, axis, against=CLAIMS, asked=[observable])
    powercount_laws.contradicts(verdict, implementation.name)

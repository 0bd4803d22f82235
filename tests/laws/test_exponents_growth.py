"""Law: without a depth rule (alpha < 1/2) the stream grows as (1 + c beta^2)^(L/2), faster than any power of L.

There is then no exponent to give, and ``derive`` gives none; the growth at finite depth is known exactly and
is what the measured slope is compared with.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import Observable, observables
from powercount.finite_size import FiniteSize
from powercount.recipes import default_sweep, verify_axis
from powercount.verdict import judge


def test_no_power_of_depth_and_the_growth_at_finite_depth(growing_case, measured, powercount_laws):
    """No observable has a power of L at alpha = 0, and each grows as its infinite-width value does."""
    recipe, asked = growing_case.recipe, observables(growing_case.recipe.block.layers)
    assert len(asked) == 12 + 4 * recipe.block.layers
    for observable in asked:
        prediction = derive(recipe, observable)
        assert prediction.along("depth") is None
        why = "saturates" if recipe.block.activation in ("erf", "tanh") else "faster than any power"
        assert prediction.vanishes or why in str(prediction.reason("depth"))
        verdict = judge(prediction, measured(growing_case, "depth")[observable])
        powercount_laws.agrees(verdict, str(growing_case))


def test_the_local_power_of_the_growth_itself_grows():
    """d log |h_L| / d log L at alpha = 0 increases with L without bound: the reason there is no power."""
    recipe, sweep = named_recipe("mup"), default_sweep(named_recipe("mup"), "depth")
    stream = Observable(quantity="stream")
    local = [
        FiniteSize.of(recipe, replace(sweep, sizes=(size, 2 * size, 4 * size))).slope(stream) for size in (2, 8, 32)
    ]
    assert local[1] > 2 * local[0]
    assert local[2] > 2 * local[1]


def test_twin_growth_sees_a_quarter_power_of_depth(powercount_laws):
    """muP with L^(1/4) on the first hidden rate: the growth at finite depth is not the one derived."""
    against = named_recipe("mup")
    implementation = against.shifted("hidden1", "learning_rate", "depth", Fraction(1, 4))
    asked = [Observable(quantity="own-update", role="hidden1")]
    (verdict,) = verify_axis(implementation, "depth", against=against, asked=asked)
    powercount_laws.contradicts(verdict, implementation.name)

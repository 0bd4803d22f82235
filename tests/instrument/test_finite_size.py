"""The declared finite-width error covers: measured slopes stay within it, beyond their own noise.

FINITE_WIDTH and ALIGNED are measured. They are held against recipes with random powers at
widths where the correction is largest, with many seeds.
"""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import Optimizer, observable_named, observables
from powercount.empirical.design import Sweep
from powercount.empirical.sweep import measure
from powercount.finite_size import ALIGNED, FINITE_WIDTH, FiniteSize

# Four standard errors: the noise of what is compared, not a tolerance on it.
NOISE = 4
# What comes nearest sets the constants. One layer: .46 of the declared error was seen; .32 with twice FINITE_WIDTH, .60
# with half of it. Five layers: .40 was seen; .28 with twice ALIGNED, .50 with half of it. Of powers of two it is these:
# too small an error contradicts what is true, too large a one leaves everything undecided.
NEAREST = {("ntk", 1, "gelu"): (0.38, 0.54), ("sp", 5, "gelu"): (0.33, 0.45)}


@pytest.mark.parametrize(
    ("name", "layers", "activation"),
    [
        ("sp", 2, "relu"),
        ("mup", 1, "linear"),
        ("depth-mup", 2, "relu"),
        ("completep", 2, "tanh"),
        ("ntk", 1, "gelu"),
        ("ntk", 3, "gelu"),
        ("mup", 3, "silu"),
        ("sp", 5, "gelu"),
    ],
)
def test_finite_width_error_covers(name, layers, activation, powercount_laws):
    """|measured - expected| <= error + noise at n = 32..256, and the constants are not idle: two cases need them."""
    recipe = named_recipe(name, layers=layers, activation=activation)
    sweep = Sweep(axis="width", sizes=(32, 64, 128, 256), fixed=3, seeds=128, most_seeds=128, data="gaussian")
    values = FiniteSize.of(recipe, sweep)
    wanted = [each for each in observables(layers) if str(each) != "feature-update@readout"]
    gaps = {}
    for observable, found in measure(recipe, wanted, sweep).items():
        beyond = abs(found.slope - values.slope(observable)) - NOISE * found.fitted.standard_error
        gaps[observable] = beyond / values.error(observable)
    worst = max(gaps, key=lambda each: gaps[each])
    powercount_laws.note(
        f"{name} k={layers} {activation} n=32..256",
        f"error {values.error():.3f} (constants {FINITE_WIDTH}, {ALIGNED}); "
        f"largest gap beyond noise: {worst}, {gaps[worst]:.2f} of it",
    )
    assert len(gaps) == 11 + 4 * layers
    assert gaps[worst] < 1
    least, most = NEAREST.get((name, layers, activation), (-math.inf, 1.0))
    assert least < gaps[worst] < most


def test_a_sum_shows_a_rival_by_its_share():
    """Shares of one power, and products, move by the rival itself; of others the dominant share moves the sum less."""
    for name, observable, whole in (
        ("depth-mup", "output-update", True),
        ("depth-mup-sqrt", "own-update:1", True),
        ("depth-mup-sqrt", "output-update", False),
        ("depth-mup-sqrt", "feature-update", False),
    ):
        recipe = named_recipe(name)
        values = FiniteSize.of(recipe, Sweep(axis="depth", sizes=(4, 8, 16, 32), fixed=128))
        found = values.distance_to_rival(derive(recipe, observable_named(observable, 2)), Fraction(1, 4))
        assert (found == 0.25) == whole
        assert 0.01 < found <= 0.25


def test_the_error_of_a_next_order_is_declared():
    """Under the squared loss a quarter of the correction is added, and the expected values are the corrected ones."""
    sweep = Sweep(axis="width", sizes=(64, 128, 256), fixed=3)
    plain, squared = (
        FiniteSize.of(named_recipe("ntk", optimizer=Optimizer(loss=loss)), sweep) for loss in ("cross-entropy", "mse")
    )
    whole = observable_named("output-update", 2)
    assert squared.error(whole) > 1.2 * plain.error(whole)
    for value, found in zip(squared.values, squared.log_sizes(whole), strict=True):
        assert found > math.log(value.mean_square(whole)) / 2 + 0.05

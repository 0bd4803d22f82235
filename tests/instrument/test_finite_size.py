"""The declared finite-width error covers: measured slopes stay within it, beyond their own noise.

FINITE_WIDTH is the one measured constant of the house. It is held against recipes with random powers at
widths where the correction is largest, with many seeds.
"""

from __future__ import annotations

import pytest

from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import observables
from powercount.empirical.sweep import Sweep, measure
from powercount.finite_size import FINITE_WIDTH, FiniteSize

# Four standard errors: the noise of what is compared, not a tolerance on it.
NOISE = 4
# Blocks of three layers come nearest: .54 and .59 of the declared error were seen. Twice the constant would leave .3,
# and half of all that can be decided at n = 128 undecided: an error that is too large is as wrong as one too small.
NEAREST = 0.4


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
    ],
)
def test_finite_width_error_covers(name, layers, activation, ledger):
    """|measured - expected| <= error + noise at n = 32..256, and the constant is not idle: three layers need it."""
    recipe = named_recipe(name, layers=layers, activation=activation)
    sweep = Sweep(axis="width", sizes=(32, 64, 128, 256), fixed=3, seeds=128, most_seeds=128, data="gaussian")
    values = FiniteSize.of(recipe, sweep)
    wanted = [each for each in observables(layers) if str(each) != "feature-update@readout"]
    gaps = {}
    for observable, found in measure(recipe, wanted, sweep).items():
        beyond = abs(found.slope - values.slope(observable)) - NOISE * found.fitted.standard_error
        gaps[observable] = beyond / values.error()
    worst = max(gaps, key=lambda each: gaps[each])
    ledger.note(
        f"{name} k={layers} {activation} n=32..256",
        f"error {values.error():.3f} (constant {FINITE_WIDTH}); "
        f"largest gap beyond noise: {worst}, {gaps[worst]:.2f} of it",
    )
    assert len(gaps) == 11 + 4 * layers
    assert gaps[worst] < 1
    if layers == 3:
        assert gaps[worst] > NEAREST

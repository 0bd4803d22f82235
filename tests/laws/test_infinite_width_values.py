"""Law: sizes and updates of wide nets equal their infinite-width values, constants included.

The check has no free parameter: for linear and ReLU, k = 1 and 2, and L = 4..64, every observable of an
ensemble at n = 512 lies within 3 % of ``mean_field``. (Not among the exponents: it compares values.)
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from powercount.derivations.mean_field import InfiniteWidth
from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import observables
from powercount.empirical.design import Sweep
from powercount.empirical.ensemble import draw_ensemble
from powercount.empirical.nets import member_squares

WITHIN = 0.03
SEEDS = 24
SWEEP = Sweep(axis="depth", sizes=(4, 16, 64), fixed=512, data="gaussian", examples=32)


@pytest.mark.parametrize("layers", [1, 2])
def test_values_of_wide_nets(layers, powercount_laws):
    """rms at n = 512 over its infinite-width value lies in [0.97, 1.03], for every observable of depth-muP."""
    recipes = {name: named_recipe("depth-mup", layers=layers, activation=name) for name in ("linear", "relu")}
    wanted = [each for each in observables(layers) if str(each) != "feature-update@readout"]
    squares = {name: {each: np.zeros(len(SWEEP.sizes)) for each in wanted} for name in recipes}
    for member in range(SEEDS):
        draws = draw_ensemble(
            seed=0, members=[member], width=512, depth=64, layers=layers, data=SWEEP.data, examples=SWEEP.examples
        )
        for name, recipe in recipes.items():
            for each, square in member_squares(recipe, wanted, SWEEP, draws).items():
                squares[name][each] += square[0] / SEEDS
    for name, recipe in recipes.items():
        values = [InfiniteWidth(recipe, 512, depth) for depth in SWEEP.sizes]
        ratios = {
            (str(each), depth): math.sqrt(squares[name][each][place]) / values[place].rms(each)
            for place, depth in enumerate(SWEEP.sizes)
            for each in wanted
        }
        assert len(ratios) == len(SWEEP.sizes) * (11 + 4 * layers)
        worst = max(ratios, key=lambda key: abs(math.log(ratios[key])))
        powercount_laws.note(
            f"{name} k={layers} n=512 L=4..64",
            f"{len(ratios)} values; furthest from 1: {worst[0]} at L = {worst[1]}, ratio {ratios[worst]:.3f}",
        )
        assert abs(ratios[worst] - 1) < WITHIN, (name, worst, ratios[worst])


def test_twin_gradient_independence_misses_the_response():
    """Dropping the response of the stream to its own transposed weights moves |dh_L| by more than the 3 % allowed.

    Without it tr K^2 would be (tr K)^2, as if every branch met a gradient independent of its weights.
    """
    recipe = named_recipe("depth-mup", layers=1, activation="linear")
    value = InfiniteWidth(recipe, 512, 64)
    traces, square = value.kernel(recipe.role_names, 64)
    assert abs(math.sqrt(square) / traces[-1] - 1) > 2 * WITHIN

"""Mean squares of many narrow nets are the infinite-width values to within the error declared for their width.

A quick relative of tests/laws/test_infinite_width_values.py: other recipes, logits of order one.
"""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from powercount.derivations.mean_field import InfiniteWidth
from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import observables
from powercount.empirical.design import Sweep
from powercount.empirical.ensemble import draw_ensemble
from powercount.empirical.nets import member_squares
from powercount.finite_size import FINITE_WIDTH

MEMBERS, WIDTH = 192, 128
NOISE = 4  # standard errors: the noise of what is compared, not a tolerance on it
SWEEP = Sweep(axis="depth", sizes=(2, 4, 7), fixed=WIDTH, data="gaussian")


@pytest.mark.parametrize(
    ("name", "layers", "activation", "by"),
    [("sp", 2, "relu", "0"), ("completep", 2, "tanh", "0"), ("ntk", 1, "abs", "0"), ("depth-mup", 2, "relu", "1/2")],
)
def test_narrow_nets_have_their_infinite_width_values(name, layers, activation, by):
    """Every observable at every depth, to the declared relative error of n = 128 and four standard errors.

    ``by`` moves the gains, which are 1 in every named recipe: W_1's up by a power of L and the last one's down.
    """
    recipe = named_recipe(name, layers=layers, activation=activation)
    recipe = recipe.shifted("hidden1", "multiplier", "depth", Fraction(by))
    recipe = recipe.shifted(f"hidden{layers}", "init_std", "depth", -Fraction(by))
    wanted = [each for each in observables(layers) if str(each) != "feature-update@readout"]
    sizes = {"width": WIDTH, "depth": SWEEP.sizes[-1], "layers": layers, "data": "gaussian", "examples": 16}
    squares = member_squares(recipe, wanted, SWEEP, draw_ensemble(seed=2, members=range(MEMBERS), **sizes))
    held = 0
    for place, depth in enumerate(SWEEP.sizes):
        values = InfiniteWidth(recipe, WIDTH, depth)
        blocks, most = values.blocks_of_signal(), max(values.norm_fluctuations)
        declared = (FINITE_WIDTH * (1 + blocks) + most / 4) / WIDTH
        for each in wanted:
            seen = squares[each][:, place]
            noise = NOISE * seen.std() / seen.mean() / MEMBERS**0.5 / 2
            gap = abs(math.log(seen.mean() / values.mean_square(each))) / 2
            assert gap < declared + noise, (str(each), depth, gap, declared, noise)
            held += 1
    assert held == len(SWEEP.sizes) * (11 + 4 * layers)

"""The squared loss's next order against many real members: what it leaves is within what ``FiniteSize`` declares.

The widths are those where the correction is largest: at n = 64 it doubles mean squares.
"""

from __future__ import annotations

import numpy as np
import pytest

from powercount.derivations.named import named_recipe
from powercount.derivations.next_order import NextOrder
from powercount.derivations.norms import Norms
from powercount.derivations.recipe import Optimizer, observables
from powercount.derivations.squared_loss import SquaredLoss
from powercount.empirical.design import Sweep
from powercount.empirical.ensemble import draw_ensemble
from powercount.empirical.nets import member_squares
from powercount.finite_size import FINITE_WIDTH, SHARED, TRUSTED

MEMBERS = 192
NOISE = 4  # standard errors: the noise of what is compared, not a tolerance on it
WIDTH = {"axis": "width", "sizes": (64, 128, 256), "fixed": 3}
GROWTH = {"axis": "depth", "sizes": (2, 4, 8), "fixed": 128}


@pytest.mark.parametrize(
    ("name", "layers", "activation", "asked"),
    [
        ("ntk", 1, "linear", WIDTH),
        ("sp", 2, "relu", WIDTH),
        ("ntk", 3, "tanh", WIDTH),
        ("sp", 1, "relu", GROWTH),
        ("mup", 2, "relu", GROWTH),
    ],
)
def test_what_the_next_order_leaves_is_declared(name, layers, activation, asked, powercount_laws):
    """|log(measured / expected)| / 2 <= the declared relative error + noise, for every update at every size."""
    recipe = named_recipe(name, layers=layers, activation=activation, optimizer=Optimizer(loss="mse"))
    sweep = Sweep(**asked, data="gaussian")
    updates = [each for each in observables(layers) if each.quantity.endswith("-update")]
    wanted = [each for each in updates if str(each) != "feature-update@readout"]
    width, depth = sweep.points()[-1]
    sizes = {"width": width, "depth": depth, "layers": layers, "data": sweep.data, "examples": sweep.examples}
    squares = member_squares(recipe, wanted, sweep, draw_ensemble(seed=4, members=range(MEMBERS), **sizes))
    worst, without, held = 0.0, 0.0, 0
    for place, (width, depth) in enumerate(sweep.points()):
        values = NextOrder(recipe, width, depth)
        corrected, shared = SquaredLoss(values), Norms(values).shared(depth) / width
        base = (FINITE_WIDTH * (1 + values.blocks_of_signal()) + max(values.norm_fluctuations) / 4) / width + shared
        for each in wanted:
            seen = squares[each][:, place]
            noise = NOISE * seen.std() / seen.mean() / MEMBERS**0.5 / 2
            leading, found = values.mean_square(each), corrected.mean_square(each)
            declared = base + abs(np.log(found / leading)) / 2 / TRUSTED
            if each.quantity != "own-update" and each.role != "readout":
                declared += (values.classes + 1) * shared / SHARED
            gap = abs(np.log(seen.mean() / found)) / 2
            assert gap <= declared + noise, (str(each), width, depth, gap, declared, noise)
            worst, held = max(worst, (gap - noise) / declared), held + 1
            without = max(without, (abs(np.log(seen.mean() / leading)) / 2 - noise) / declared)
    assert held == len(wanted) * len(sweep.sizes)
    powercount_laws.note(
        f"{name} k={layers} {activation}",
        f"beyond noise {worst:.2f} of the declared error at most; {without:.2f} of it without the next order",
    )
    # SHARED is not idle: .47 is seen, .33 with half of it and .60 with twice it.
    assert activation != "relu" or layers != 1 or 0.4 < worst < 0.54
    # The correction is needed: left out, it is most of the declared error or more, and twice what is left with it.
    assert without > max(2 * worst, 0.5)

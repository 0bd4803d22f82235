"""What fluctuates inside deep blocks is derived: own updates and kernels of nets of n = 64 and 128 have it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from powercount.derivations.mean_field import InfiniteWidth
from powercount.derivations.named import named_recipe
from powercount.derivations.next_order import NextOrder
from powercount.derivations.recipe import Observable, observables
from powercount.empirical.design import Sweep
from powercount.empirical.ensemble import chunks, draw_ensemble
from powercount.empirical.nets import member_squares

MEMBERS, NOISE = 1024, 4  # standard errors: the noise of what is compared, not a tolerance on it
SWEEP = Sweep(axis="width", sizes=(32, 64, 128), fixed=1, data="gaussian")
MANY, NARROW = 6000, Sweep(axis="width", sizes=(16, 32, 64), fixed=1, data="gaussian")


def squares_of(recipe, wanted, sweep, members):
    """Mean squares at the largest size, one per member and observable."""
    width, depth = sweep.points()[-1]
    layers = recipe.block.layers
    sizes = {"width": width, "depth": depth, "layers": layers, "data": sweep.data, "examples": sweep.examples}
    found = [
        member_squares(recipe, wanted, sweep, draw_ensemble(seed=3, members=each, **sizes))
        for each in chunks(members, layers * depth * width**2)
    ]
    return {each: np.concatenate([part[each] for part in found])[:, -1] for each in wanted}


@pytest.mark.parametrize(
    ("layers", "activation", "left", "without"),
    # n times what is left of log(rms) for own updates, without its noise, and what was missing: each as seen, rounded
    # up and down. Deep gelu has powers of 1/n beyond the first: |z_8|^4 has n Var(log) = 2 * 96.
    [(8, "relu", 0.5, 10), (8, "gelu", 2, 25), (5, "silu", 1, 10), (6, "tanh", 0.5, 0.5)],
)
def test_own_updates_of_deep_blocks_have_their_next_order(layers, activation, left, without, powercount_laws):
    """n |log(measured / expected)| of every layer's own update at n = 128; without it the values are far off."""
    recipe = named_recipe("sp", layers=layers, activation=activation)
    wanted = [
        each for each in observables(layers) if each.quantity == "own-update" and each.role not in ("input", "readout")
    ]
    width, depth = SWEEP.points()[-1]
    squares = squares_of(recipe, wanted, SWEEP, MEMBERS)
    values, leading = NextOrder(recipe, width, depth), InfiniteWidth(recipe, width, depth)
    off, missing = {}, 0.0
    for j, each in enumerate(wanted, start=1):
        seen = squares[each]
        noise = NOISE * seen.std() / seen.mean() / MEMBERS**0.5 / 2
        off[each] = width * max(0.0, abs(math.log(seen.mean() / values.mean_square(each))) / 2 - noise)
        plain = leading.error() * leading.own(leading.blocks[0], j) ** 2 * leading.signals[0][j - 1]
        missing = max(missing, width * abs(math.log(seen.mean() / plain)) / 2)
    worst = max(off, key=lambda each: off[each])
    powercount_laws.note(
        f"sp k={layers} {activation}", f"n log(rms) off by {off[worst]:.1f} ({worst}), {missing:.1f} without"
    )
    assert len(off) == layers
    assert off[worst] < left
    assert missing > without


def test_a_gradient_meets_what_made_the_slopes(powercount_laws):
    """gelu, k = 5: the first layer's own update at n = 64 is as expected, and would not be without what is met."""
    recipe, width = named_recipe("sp", layers=5, activation="gelu"), NARROW.sizes[-1]
    own, values = Observable(quantity="own-update", role="hidden1"), NextOrder(recipe, width, 1)
    seen = squares_of(recipe, [own], NARROW, MANY)[own]
    noise = NOISE * width * seen.std() / seen.mean() / MANY**0.5
    left, met = width * math.log(seen.mean() / values.mean_square(own)), values.alignment(0, 1)
    powercount_laws.note("sp k=5 gelu, own-update:1", f"n log {left:+.2f}, noise {noise:.2f}, of what is met {met:.2f}")
    assert abs(left) < noise
    assert met > 4 * noise


def test_two_layers_of_relu_are_known_exactly():
    """tr K = a p + b s, p the part of units that pass, s their squares: n Cov / E E is 1 of p, 5 of s, 1 of both."""
    recipe, width = named_recipe("sp", layers=2), 10**6
    values, one, other = NextOrder(recipe, width, 1), frozenset({"hidden1"}), frozenset({"hidden2"})
    a, b = values.through_block(0, one).r, values.through_block(0, other).r
    expected = values.branch**2 * (a * a + 2 * a * b + 5 * b * b) / width
    assert values.trace_variance(one | other) == pytest.approx(expected, rel=1e-3)  # 1/n is 1e-6, STEP^2 2.5e-3


@pytest.mark.parametrize("layers", [2, 4, 8])
def test_a_linear_block_is_known_exactly(layers):
    """The own update of layer j gains exp(2 j / n), its kernel exp(2 (j - 1) / n): the stream's noise is left out."""
    recipe = named_recipe("sp", layers=layers, activation="linear")
    width = 128
    values, leading = NextOrder(recipe, width, 1), InfiniteWidth(recipe, width, 1)
    for j in range(1, layers + 1):
        plain = leading.own(leading.blocks[0], j) ** 2 * leading.signals[0][j - 1]
        assert values.own_update(0, j) == pytest.approx(plain * math.exp(2 * j / width))
        role = frozenset({f"hidden{j}"})
        assert values.alignment(0, j) == 0
        assert values.through_block(0, role).rr == pytest.approx(
            leading.through_block(0, role).rr * math.exp(2 * (j - 1) / width)
        )
        variance = leading.branch**2 * leading.through_block(0, role).r ** 2 * math.expm1(2 * (j - 1) / width)
        assert values.trace_variance(role) == pytest.approx(variance)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh"])
def test_the_next_order_vanishes_with_the_width(layers, activation):
    """n log(next order / infinite width) has a limit, for every observable that has a value."""
    recipe, held = named_recipe("ntk", layers=layers, activation=activation), 0
    for each in observables(layers):
        gains = []
        for width in (10**5, 10**7):
            leading = InfiniteWidth(recipe, width, 3).mean_square(each)
            gain = NextOrder(recipe, width, 3).mean_square(each) / leading if leading > 0 else 1
            gains.append(width * math.log(gain))
        # Between n = 1e5 and 1e7 the order after this one is 1e-5 of it times some tens; what begins there is < 1e-3.
        assert gains[0] == pytest.approx(gains[1], rel=0.01, abs=1e-3)
        held += gains[1] > 1e-3
    assert held >= (0 if layers == 1 else 3 * layers)

"""Law: inside a trained block, diversity survives at alpha = 1/2 and products of two updates at alpha = 1.

Increments over a depth fraction epsilon are epsilon^(1/2) or epsilon; the error of the linearised block and |dW_2| are
L^(alpha - 1); the sum of dW_2 dW_1 h beside the first order is L^(2 (alpha - 1)), from the second step on.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from powercount.derivations.dynamics.block_powers import block_power, blocks_at
from powercount.empirical.dynamics.inside_blocks import (
    Training,
    block_orders,
    increments_along_depth,
    orders_along_depth,
    share_of_first_matrices,
)
from powercount.empirical.ensemble import Ensemble, draw_ensemble
from powercount.empirical.fit import jackknife
from powercount.empirical.training import in_double, train
from powercount.ledger.blocks import FRACTIONS, double_limit, log_slope
from powercount.ledger.finding import from_estimate

HALF, ONE = Fraction(1, 2), Fraction(1)
DEPTHS = (16, 32, 64, 128)
TRAINING = Training(width=32, members=48, steps=3, rate=1.0, examples=8)
# 1 + c/L with |c| <= 2 and 1 + u with u <= 1/6 leave a slope over these depths uncertain by .05 each.
ALLOWANCE = 0.1


def orders(alpha, training=TRAINING):
    """The orders of tanh blocks on the stable line."""
    return orders_along_depth(blocks_at(alpha, (2 * alpha - 1,) * 2, "tanh"), DEPTHS, training)


@pytest.fixture(scope="module")
def measured():
    """Both ends of the stable line, measured once."""
    return {alpha: orders(alpha) for alpha in (HALF, ONE)}


def judged(estimate, predicted, part, rival=HALF):
    """Evidence for a power against the other end of the line."""
    evidence = {"part": part, "condition": "tanh, gaussian", "allowance": ALLOWANCE, "rival": float(rival)}
    return from_estimate(estimate, predicted, predicted, **evidence)


QUANTITIES = {"linearisation": ("remainder", "change"), "second-over-first": ("second_sum", "first_sum")}


@pytest.mark.parametrize("alpha", [HALF, ONE])
@pytest.mark.parametrize("key", QUANTITIES)
def test_orders_follow_their_powers_of_depth(alpha, key, measured, powercount_laws):
    """Linearisation ~ L^(alpha - 1), summed second over first order ~ L^(2 (alpha - 1)), after three steps."""
    top, bottom = (measured[alpha][name] for name in QUANTITIES[key])
    predicted = Fraction(str(block_power(blocks_at(alpha, (2 * alpha - 1,) * 2, "tanh"), key)))
    found = judged(log_slope(DEPTHS, top, bottom), predicted, key)
    powercount_laws.note(
        f"{key}, alpha = {alpha}", f"predicted {predicted}, measured {found.measured:+.3f}: {found.outcome}"
    )
    assert found.outcome == "AGREES", found


@pytest.mark.parametrize("key", QUANTITIES)
def test_twin_one_end_of_the_line_contradicts_the_other(key, measured):
    """What holds at alpha = 1 is contradicted by blocks at alpha = 1/2."""
    top, bottom = (measured[HALF][name] for name in QUANTITIES[key])
    assert judged(log_slope(DEPTHS, top, bottom), 0, key).outcome == "CONTRADICTS"


def test_twin_one_step_leaves_a_residue_alone(measured):
    """At t = 1 dW_2 dW_1 h is a finite-width residue: at alpha = 1 its sum falls with L, which L^0 contradicts."""
    seen = orders(ONE, Training(width=32, members=48, steps=1, rate=1.0, examples=8))
    found = judged(log_slope(DEPTHS, seen["second_sum"], seen["first_sum"]), 0, "one step")
    assert found.outcome == "CONTRADICTS", found


@pytest.mark.parametrize(("alpha", "power"), [(HALF, HALF), (ONE, ONE)])
def test_increments_keep_a_random_walk_at_one_half_alone(alpha, power, powercount_laws):
    """The trained stream moves by epsilon^(1/2) at alpha = 1/2 and epsilon at alpha = 1; the other is contradicted."""
    recipe = blocks_at(alpha, (2 * alpha - 1,), "tanh")
    training = Training(width=32, members=48, steps=3, rate=1.0)
    squares = increments_along_depth(recipe, (64, 128), FRACTIONS, training)
    estimate = jackknife(lambda rows: double_limit(rows.mean(axis=0))[0], squares)
    error = double_limit(squares.mean(axis=0))[1]

    def says(claim):
        where = {"part": "increments", "condition": "tanh, gaussian", "allowance": error, "rival": float(HALF)}
        return from_estimate(estimate, claim, claim, **where).outcome

    powercount_laws.note(
        f"increments, alpha = {alpha}", f"epsilon^{power}, measured {estimate.value:.3f}: {says(power)}"
    )
    assert says(power) == "AGREES"
    assert says(ONE if power == HALF else HALF) == "CONTRADICTS"


@pytest.mark.parametrize(("alpha", "power"), [(0.5, 0.5), (1.0, 1.0)])
def test_the_declared_error_of_the_double_limit_covers_its_law(alpha, power):
    """A epsilon L^(1 - 2 alpha) + B epsilon^2 for B/A from 1/2 to 4: the extrapolated power is within its error."""
    for ratio in np.geomspace(0.5, 4, 25):
        law = [[1 / f * depth ** (1 - 2 * alpha) + ratio / f**2 for f in FRACTIONS] for depth in (128, 256)]
        value, error = double_limit(np.asarray(law))
        assert abs(value - power) <= error


def test_a_block_that_moves_one_matrix_is_linear_in_it():
    """With W_1 left where it was the remainder and the second order are zero to rounding."""
    recipe = blocks_at(HALF, (Fraction(0),) * 2, "tanh")
    sizes = {"width": 12, "depth": 3, "layers": 2}
    draws = in_double(draw_ensemble(seed=3, members=[0, 1], data="gaussian", examples=2, **sizes))
    ensemble = Ensemble(recipe, 12, 3, draws)
    after = train(ensemble, ["hidden2"], steps=2, rate=0.5)
    with torch.no_grad():
        seen = block_orders(ensemble, after)
    # Squares of float64 rounding.
    assert (seen.remainder < 1e-28 * seen.change).all()
    assert (seen.second_sum == 0).all()
    assert (seen.change > 0).all()


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_one_share_is_the_sum_of_squares_to_second_order(activation):
    """df / (-chi eta_1 sum_l |df/dW_1,l|^2) is 1 + O(eta): halving the rate halves what is left."""
    recipe = blocks_at(HALF, (Fraction(0),) * 2, activation)
    ratios = share_of_first_matrices(recipe, 16, 6, seed=1, rates=(2.0**-14, 2.0**-15), data="gaussian")
    near, nearer = (ratio - 1 for ratio in ratios)
    assert abs(nearer) < 1e-3
    # The next order in the rate, 2^-14, of the ratio 2.
    assert near / nearer == pytest.approx(2, rel=0.01)

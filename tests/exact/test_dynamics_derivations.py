"""Neural Feature Dynamics and gradient independence: discrete nets, limit, closed forms, exact recursions agree."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Integer, Rational, exp

from powercount.derivations.dynamics.covariances import Pair, at_depth, in_the_limit
from powercount.derivations.dynamics.first_step import first_step, first_step_limit, linear_features, outside_step
from powercount.derivations.dynamics.gradient_independence import READINGS, linear_gap_limit, reading
from powercount.derivations.dynamics.limit import (
    CD,
    DELTA,
    ETA,
    PHI,
    SLOPE,
    C,
    R,
    S,
    increments,
    local_limits,
    one_step_by_ode,
    system,
)
from powercount.derivations.dynamics.linear import L, LinearTask, T, one_step, one_step_limit, solve
from powercount.derivations.mean_field import InfiniteWidth
from powercount.derivations.named import named_recipe

# Two floating-point roads to one number, a few thousand operations each.
ROUNDING = 1e-10


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_the_linear_recursion_is_its_closed_form(tied, depth):
    """One step from f = 0: eta T (1 + T/L)^(L-1) tied, eta ((1 + T/L)^L - 1) decoupled, as exact fractions."""
    horizon, rate = Fraction(3, 2), Fraction(1, 3)
    task = LinearTask(
        depth=depth, squared_beta=horizon / depth, rate=rate, steps=1, overlaps=[[1]], targets=[1], tied=tied
    )
    exact = Rational(1, 3) * one_step(tied=tied).subs({T: Rational(3, 2), L: depth})
    assert solve(task).outputs == [0, Fraction(int(exact.p), int(exact.q))]


def test_the_linear_recursion_holds_symbols():
    """The same with T a symbol: the trajectory is a formula, here at L = 2."""
    task = LinearTask(depth=2, squared_beta=T / 2, rate=1, steps=1, overlaps=[[Integer(1)]], targets=[Integer(1)])
    assert sympy.expand(solve(task).outputs[1] - T * (1 + T / 2)) == 0


@pytest.mark.parametrize("tied", [True, False])
def test_the_infinite_depth_system_has_the_same_limit(tied):
    """The ODE of the system, with and without responses, and the limit of the discrete value: T e^T and e^T - 1."""
    assert sympy.simplify(one_step_by_ode(responses=tied) - one_step_limit(tied=tied)) == 0
    assert one_step_limit(tied=tied) == (T * exp(T) if tied else exp(T) - 1)


def test_discrete_increments_have_the_system_as_their_limit():
    """L times mean and variance of an increment tend to the drift and squared diffusion of the system."""
    forward, backward = increments(responses=True)
    assert [sympy.expand(each) for each in local_limits(forward)] == [
        sympy.expand(T * (R - ETA * C) * DELTA),
        T * C,
    ]
    drift, diffusion = local_limits(backward)
    assert sympy.expand(drift - T * SLOPE * PHI * (S - ETA * CD)) == 0
    assert diffusion == T * SLOPE**2 * CD
    without = increments(responses=False)
    assert [each.has(R, S) for each in without] == [False, False]


@pytest.mark.parametrize("responses", [True, False])
def test_the_derivation_rests_on_itself(responses):
    """Every line names lines before it, and the two equations are of order one."""
    chain = system(responses=responses)
    assert ("response" in chain.steps) == responses
    for key in ("feature-equation", "gradient-equation"):
        assert chain.scale(key).depth == 0
        assert "forward" in {step.key for step in chain.behind(key)}


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh", "erf", "gelu"])
@pytest.mark.parametrize("depth", [1, 4, 32])
def test_one_step_by_two_roads_and_by_the_traces(activation, depth):
    """Responses summed forward, squared gradients summed backward, and mean_field's tr K: one number."""
    here = first_step(activation, depth)
    assert abs(here.tied / here.backward - 1) < ROUNDING
    value = InfiniteWidth(named_recipe("depth-mup", layers=1, activation=activation), 16, depth)
    traces, _ = value.kernel(("hidden1",), depth)
    assert abs(here.tied / (traces[-1] * 16 * value.gradient[-1]) - 1) < ROUNDING
    assert abs(here.decoupled / (value.stream[-1] - value.stream[0]) - 1) < ROUNDING


@settings(max_examples=25, deadline=None)
@given(
    depth=st.integers(min_value=1, max_value=12),
    horizon=st.fractions(min_value=Fraction(1, 4), max_value=3, max_denominator=4),
)
def test_one_step_of_linear_blocks_is_the_closed_form(depth, horizon):
    """first_step at phi(h) = h is the closed form in T and L, for drawn T and L."""
    here = first_step("linear", depth, float(horizon))
    for tied, value in ((True, here.tied), (False, here.decoupled)):
        exact = float(one_step(tied=tied).subs({T: Rational(str(horizon)), L: depth}))
        assert abs(value / exact - 1) < ROUNDING


@pytest.mark.parametrize("alpha", ["0", "1/2", "3/4", "1"])
def test_the_gap_has_one_power_on_two_roads(alpha):
    """(tied/decoupled - 1) L^(2 alpha - 1) has a limit other than zero: 1/2, but 1/(e - 1) at alpha = 1/2."""
    limit = linear_gap_limit(Rational(alpha))
    wanted = 1 / (sympy.E - 1) if alpha == "1/2" else Rational(1, 2)
    assert sympy.simplify(limit - wanted) == 0
    power = reading("relative-gap", alpha=Rational(alpha)).depth
    # The limit is SymPy's; the exact values at finite depth must tend to it as well.
    depth = 2**16
    at = first_step("linear", depth, branch=-Fraction(alpha)).ratio if alpha != "0" else None
    if at is not None:
        assert abs((at - 1) * depth ** float(-power) / float(limit) - 1) < 0.01


def test_the_readings_at_one_half():
    """n^(-1/2), L^(-1/2), L^(-2), L^0, L^0: chance, one layer, adjacent, accumulated, relative to the update."""
    found = [reading(key, alpha=Rational(1, 2)) for key in READINGS]
    assert [str(each.depth) for each in found] == ["0", "-1/2", "-2", "0", "0"]
    assert found[0].width == -Rational(1, 2)


def test_limits_at_infinite_depth():
    """linear: e and e - 1, covariances times e; relu: e^(1/2)/2 and e^(1/2) - 1."""
    tied, decoupled = first_step_limit("linear")
    assert abs(tied - float(sympy.E)) < 1e-5  # Richardson's error, of order L^(-2) at L = 1024
    assert abs(decoupled - float(sympy.E - 1)) < 1e-5
    tied, decoupled = first_step_limit("relu")
    assert abs(tied - float(exp(Rational(1, 2)) / 2)) < 1e-5
    assert abs(decoupled - float(exp(Rational(1, 2)) - 1)) < 1e-5
    pair = in_the_limit("linear", Pair(1, 1, 0.5))
    assert abs(pair.both - 0.5 * float(sympy.E)) < 1e-5


@given(both=st.floats(min_value=-0.95, max_value=0.95), depth=st.integers(min_value=1, max_value=16))
def test_covariances_of_equal_inputs_are_the_stream(both, depth):
    """A pair's mean squares follow mean_field's stream, and two equal inputs have one covariance."""
    for activation in ("linear", "relu", "erf"):
        value = InfiniteWidth(named_recipe("depth-mup", layers=1, activation=activation), 16, depth)
        pair = at_depth(activation, Pair(1, 1, both), depth)
        assert abs(pair.first / value.stream[-1] - 1) < ROUNDING
        same = at_depth(activation, Pair(1, 1, 1), depth)
        assert abs(same.both / same.first - 1) < ROUNDING


@pytest.mark.parametrize("tied", [True, False])
def test_features_of_linear_blocks_by_the_exact_recursion(tied):
    """|h_l^1 - h_l^0|^2 of every layer is that of the exact trajectory, to second order in the rate."""
    depth, rate = 6, Fraction(1, 10**8)
    found = solve(
        LinearTask(
            depth=depth,
            squared_beta=Fraction(1, depth),
            rate=rate,
            steps=1,
            overlaps=[[Fraction(1)]],
            targets=[Fraction(-1)],
            tied=tied,
        )
    )
    moved = [float((table[1][1] - 2 * table[1][0] + table[0][0]) / rate**2) for table in found.streams]
    # The next order in the rate, 1e-8, with a coefficient of order one.
    assert moved == pytest.approx(linear_features(depth, tied=tied), rel=1e-6)


def test_every_matrix_trained_by_the_exact_trajectory():
    """Linear blocks: (1 + 1/L)^L from the readout whatever is tied; from the input as much tied, and 1 decoupled."""
    for depth in (1, 4, 64):
        here, grown = first_step("linear", depth), (1 + 1 / depth) ** depth
        assert here.readout == pytest.approx(grown, rel=ROUNDING)
        assert here.input == pytest.approx(grown, rel=ROUNDING)
        whole = (here.tied + 2 * grown) / (here.decoupled + grown + 1)
        assert here.ratio_of_all == pytest.approx(whole, rel=ROUNDING)
    # 3 e over 2 e, up to 1/L.
    assert abs(first_step("linear", 4096).ratio_of_all - 3 / 2) < 1 / 4096


@pytest.mark.parametrize("depth", [1, 5, 64])
def test_activations_outside_linear_blocks_change_nothing(depth):
    """phi(W h) and W phi(h) are the same net if phi is linear; of tanh the outer one moves the output more."""
    here, moved = first_step("linear", depth), outside_step("linear", depth)
    assert moved == pytest.approx((here.tied, here.decoupled), rel=ROUNDING)
    tied, decoupled = outside_step("tanh", depth)
    assert tied / decoupled >= 1
    assert (tied > decoupled) == (depth > 1)

"""Inside a block: the exact lemmas behind one share, diversity, linearisation and second order; spectral norms."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy
from sympy import Integer, Matrix, Rational, symbols

from powercount.derivations.dynamics.block_powers import (
    block_chain,
    block_power,
    blocks_at,
    change_along_gradient,
    diversity,
)
from powercount.derivations.dynamics.spectral import claimed_power, step_power, weight_power
from powercount.derivations.named import named_recipe

HALF = Fraction(1, 2)


def test_one_share_is_a_sum_of_squares():
    """df from the first matrices is -chi eta sum_l (df/dw_1,l)^2, for two linear blocks with every weight a symbol."""
    start, out, target = symbols("h0 v y")
    first, second = symbols("w1 w2"), symbols("u1 u2")
    stream = start
    for w, u in zip(first, second, strict=True):
        stream = stream + u * w * stream
    direct, squares = change_along_gradient(out * stream, first, target)
    assert sympy.expand(direct - squares) == 0
    assert squares != 0


@pytest.mark.parametrize(
    ("alpha", "power"), [(Rational(1, 2), Rational(1, 2)), (Rational(3, 4), Integer(1)), (Integer(1), Integer(1))]
)
def test_diversity_survives_at_one_half_alone(alpha, power):
    """epsilon^(1/2) at alpha = 1/2 and epsilon above: depth to infinity first, then epsilon to zero."""
    assert diversity(alpha) == power


@pytest.mark.parametrize(
    ("alpha", "activation", "powers"),
    [
        (HALF, "tanh", ("-1/2", "-1/2", "-1/2", "-1")),
        (HALF, "relu", ("-1/2", "-1/2", "-1/4", "-1")),
        (Fraction(3, 4), "gelu", ("-1/4", "-1/4", "-1/4", "-1/2")),
        (Fraction(1), "tanh", ("0", "0", "0", "0")),
        (Fraction(1), "relu", ("0", "0", "0", "0")),
    ],
)
def test_orders_inside_a_block(alpha, activation, powers):
    """On the stable line u = L^(alpha - 1): norms u, linearisation u or u^(1/2) at a kink, summed second order u^2."""
    recipe = blocks_at(alpha, (2 * alpha - 1,) * 2, activation)
    keys = ("own", "norm", "linearisation", "second-over-first")
    assert tuple(str(block_power(recipe, key)) for key in keys) == powers
    assert block_power(recipe, "first-sum") == 0


def test_the_chain_of_a_block_rests_on_earlier_steps():
    """Every step names what it rests on and why."""
    chain = block_chain(blocks_at(HALF, (Fraction(0),) * 2))
    assert {step.key for step in chain.behind("second-over-first")} == {"own", "norm", "overlap", "first-sum"} | {
        "second-over-first"
    }
    assert all(step.because for step in chain.steps.values())


def overlap(steps, gaussian_mean):
    """E <a, W_2^T g> after ``steps`` steps of W_2 on one linear block, n = 2; h and g fixed, rate s a symbol."""
    rate = sympy.Symbol("s")
    entries = symbols("w1:5 u1:5")
    first, second = Matrix(2, 2, entries[:4]), Matrix(2, 2, entries[4:])
    h, g = Matrix([1, 2]), Matrix([3, -1])
    a = first * h
    for _ in range(steps):
        second = second - rate * g * a.T
    return gaussian_mean(sympy.expand((a.T * second.T * g)[0]), entries)


def test_second_order_needs_a_second_step(gaussian_mean):
    """The overlap of a and W_2^T g has mean zero before W_2 has moved, and -s |g|^2 E|a|^2 after one step."""
    assert overlap(0, gaussian_mean) == 0
    g, h = 10, 5
    assert overlap(1, gaussian_mean) == -sympy.Symbol("s") * g * 2 * h


@pytest.mark.parametrize("name", ["mup", "mean-field", "depth-mup", "completep"])
def test_maximal_updates_meet_the_spectral_condition(name):
    """|m W|_2 and |m dW|_2 are sqrt(n_out/n_in) for every role, in both coordinates."""
    recipe = named_recipe(name)
    for role in recipe.role_names:
        assert weight_power(recipe, role) == claimed_power(role)
        assert step_power(recipe, role) == claimed_power(role)


def test_kernel_parametrizations_miss_it():
    """SP and NTK move their hidden matrices by n^(-1/2) too little, which is their r = 1/2."""
    for name in ("sp", "ntk"):
        assert step_power(named_recipe(name), "hidden1") == Rational(-1, 2)

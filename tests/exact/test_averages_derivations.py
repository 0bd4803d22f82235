"""Functionals of averages: their mean by the expansion and exactly at any number, and the exponents both give."""

from __future__ import annotations

from itertools import product

import pytest
import sympy
from sympy import Rational

from powercount.derivations.scaling_laws import averages, width_expansion
from powercount.derivations.scaling_laws.averages import NUMBER, RATE, K


@pytest.mark.parametrize("steps", [2, 3, 5])
def test_shift_and_variance_by_two_roads(steps):
    """N (E F - F(m)) and N Var F tend to F'' s/2 and F'^2 s for what T steps leave of the target."""
    left = averages.residual(steps)
    spread = sympy.expand(averages.exact_mean(left**2) - averages.exact_mean(left) ** 2)
    assert sympy.expand(averages.excess(left).coeff(NUMBER, -1) - averages.shift(left)) == 0
    assert sympy.expand(spread.coeff(NUMBER, -1) - averages.variance(left)) == 0


def test_a_loss_is_shifted_by_bias_and_variance():
    """(l of F)'' s/2 = l' F'' s/2 + l'' F'^2 s/2 for l the square."""
    left = averages.residual(3)
    parts = 2 * left.subs(K, 1) * averages.shift(left) + averages.variance(left)
    assert sympy.expand(averages.shift(left**2) - parts) == 0


def test_moments_are_those_of_squares_of_gaussians():
    """E k^3 at N = 2: k is then of the exponential law, of moments 1, 2, 6."""
    assert averages.exact_mean(K**3).subs(NUMBER, 2) == 6


def test_kink_by_enumeration():
    """E |k| over all signs at N = 2, 4, 6."""
    for number in (2, 4, 6):
        mean = sum(abs(sum(signs)) for signs in product((-1, 1), repeat=number)) / Rational(number * 2**number)
        assert sympy.simplify(averages.kink().subs(NUMBER, number) - mean) == 0


def test_next_order_of_the_solvable_net():
    """r (7 r - 4)/(1 - r)^2 over N at T = 5, 7 at r = 7/10."""
    left = averages.residual(5)
    ratio = sympy.cancel(averages.excess(left).coeff(NUMBER, -2) / averages.shift(left))
    assert sympy.cancel(ratio - RATE * (7 * RATE - 4) / (1 - RATE) ** 2) == 0
    assert ratio.subs(RATE, Rational(7, 10)) == 7


def test_exponents_of_smooth_and_kinked():
    """-1 where F is smooth, for any T tried, -1/2 at a kink; bias and excess of wide networks are -1."""
    assert averages.excess_exponent(smooth=True) == averages.exponent(averages.excess(averages.residual(2))) == -1
    assert averages.excess_exponent(smooth=False) == Rational(-1, 2)
    assert (
        width_expansion.bias_exponent()
        == width_expansion.excess_exponent("ntk")
        == width_expansion.excess_exponent("mup")
        == -1
    )

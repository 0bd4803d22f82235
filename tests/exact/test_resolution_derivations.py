"""The distance to the nearest point: its moments by two roads, and the exponents they give."""

from __future__ import annotations

import pytest
import sympy
from sympy import Rational

from powercount.derivations.scaling_laws.resolution import ORDERS, ball, exponent, limit_of_moment, moment
from powercount.derivations.scaling_laws.resolution import moment_by_integral as by_integral


@pytest.mark.parametrize("dimension", [1, 2, 3, 4])
@pytest.mark.parametrize("order", [1, 2, 4])
def test_moments_by_two_roads(order, dimension):
    """The closed form is the integral over the law of the nearest point."""
    first = moment(order, dimension, sympy.Integer(6))
    # Both are exact: what differs is the rounding of the last few digits.
    assert float(first) == pytest.approx(float(by_integral(order, dimension, 6)), rel=1e-12)


@pytest.mark.parametrize(("kind", "dimension"), [("nearest-l1", 1), ("nearest-mse", 1), ("linear-mse", 4)])
def test_exponents_are_order_over_dimension(kind, dimension):
    """D^(p/d) E r^p has the finite limit V_d^(-p/d) Gamma(1 + p/d)."""
    power = Rational(ORDERS[kind], dimension)
    assert exponent(kind, dimension) == power
    constant = ball(dimension) ** -power * sympy.gamma(1 + power)
    assert sympy.simplify(limit_of_moment(ORDERS[kind], dimension) - constant) == 0


def test_unit_balls():
    """Volumes 2, pi, 4 pi/3, pi^2/2."""
    volumes = [2, sympy.pi, 4 * sympy.pi / 3, sympy.pi**2 / 2]
    assert all(sympy.simplify(ball(d) - volume) == 0 for d, volume in enumerate(volumes, start=1))

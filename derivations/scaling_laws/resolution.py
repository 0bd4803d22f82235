r"""Resolution-limited learning: D points on a d-dimensional manifold, a model that interpolates them.

Claim. The distance r from a point to the nearest of D uniform points has, away from borders,
    E r^p = V_d^(-p/d) Gamma(1 + p/d) Gamma(D + 1)/Gamma(D + 1 + p/d) ~ D^(-p/d),  V_d the unit ball's volume.
 Bahri et al. prove that a Lipschitz model
and loss err by O(r), so that the exponent is at least 1/d (a bound), and *estimate* 2/d for a loss that is quadratic
about its minimum and 4/d for piecewise-linear models under it, whose error is of second order in r (estimates: they
hold where the target's first, or second, derivative does not vanish).

Order p of each: absolute error of the nearest neighbour 1; its square 2; square of piecewise-linear interpolation 4.
Worked line: d = 4: the nearest neighbour's loss falls as D^(-1/4), piecewise-linear interpolation's square as D^(-1).

Sources: Bahri et al. (arXiv 2102.06701), theorems 2 and 3 and the remarks after them; the law of r is classical.
"""

from __future__ import annotations

from typing import Final

import sympy
from sympy import Expr, Integer, Rational, Symbol, gamma, oo, pi

ORDERS: Final = {"nearest-l1": 1, "nearest-mse": 2, "linear-mse": 4}
_R: Final = Symbol("r", positive=True)
SAMPLES: Final = Symbol("D", positive=True)


def ball(dimension: int) -> Expr:
    """V_d, the volume of the unit ball."""
    return pi ** Rational(dimension, 2) / gamma(Rational(dimension, 2) + 1)


def moment(order: int, dimension: int, samples: Expr = SAMPLES) -> Expr:
    """E r^p: with u = V_d r^d the share of a point's neighbourhood, P(no point within r) = (1 - u)^D."""
    power = Rational(order, dimension)
    return ball(dimension) ** -power * gamma(1 + power) * gamma(samples + 1) / gamma(samples + 1 + power)


def moment_by_integral(order: int, dimension: int, samples: int) -> Expr:
    """The second road: the integral of D (1 - u)^(D - 1) (u/V_d)^(p/d) over u in (0, 1)."""
    u = Symbol("u", positive=True)
    power = Rational(order, dimension)
    density = sympy.expand(samples * (1 - u) ** (samples - 1))
    return sympy.integrate(sympy.expand(density * u**power), (u, Integer(0), Integer(1))) * ball(dimension) ** -power


def exponent(kind: str, dimension: int) -> Expr:
    """The power p/d at which a loss of that order falls with D: Gamma(D + 1)/Gamma(D + 1 + q) ~ D^(-q) (Stirling)."""
    return Rational(ORDERS[kind], dimension)


def limit_of_moment(order: int, dimension: int) -> Expr:
    """D^(p/d) E r^p as D grows, by SymPy: finite and positive, so that the exponent is p/d."""
    power = Rational(order, dimension)
    return sympy.limit(sympy.gammasimp(moment(order, dimension)) * SAMPLES**power, SAMPLES, oo)

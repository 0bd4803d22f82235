r"""Spectral norms of the matrices a net applies, and of the steps they take, as powers of n.

Symbols: role r applies m_r W_r, with entries of size m_r sigma_r; n_in and n_out are its two sides, n or a constant.

Claim (arXiv 2310.17813). Under maximal updates |m W|_2 and |m dW|_2 are both of order sqrt(n_out/n_in).
    |m W|_2   = m sigma (sqrt(n_out) + sqrt(n_in)),   the edge of a Gaussian matrix's singular values,
    |m dW|_2  = |m dW z| / |z| = (own update sqrt(n_out)) / (|z| sqrt(n_in)),   exact for one example: rank one.
Beside a fixed side d the sum has a slope of its own at finite n, sqrt(n) + sqrt(d), and the edge of a square matrix
is reached from below as 1 - n^(-2/3) times ``EDGE``: Tracy and Widom's mean for real matrices, -1.21, in these units.

Assumptions: independent Gaussian entries at the start; a batch adds up as its members do. Worked line: a hidden matrix
of muP has m sigma = n^(-1/2): |m W|_2 = 2, and an own update of n^0 on |z| = n^0 between equal sides: |m dW|_2 = n^0.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

from sympy import Rational

from powercount.derivations.predict import derive
from powercount.derivations.recipe import Observable, Power, Recipe

EDGE: Final = Fraction(38, 100)
HALF: Final = Rational(1, 2)


def sides(role: str) -> tuple[int, int]:
    """The powers of n of (n_out, n_in): the input and the readout have one fixed side."""
    return int(role != "readout"), int(role != "input")


def claimed_power(role: str) -> Rational:
    """The power of n of sqrt(n_out/n_in)."""
    out, into = sides(role)
    return Rational(out - into, 2)


def weight_power(recipe: Recipe, role: str) -> Rational:
    """The power of n of |m W|_2 at the start, for a role that does not start at zero."""
    powers = recipe.role(role)
    spread = powers.init_std or Power()
    return Rational(powers.multiplier.width + spread.width) + HALF * max(sides(role))


def step_power(recipe: Recipe, role: str) -> Rational:
    """The power of n of |m dW|_2, from the own update and the size of what the matrix meets."""
    own = derive(recipe, Observable(quantity="own-update", role=role)).scale.width
    met = 0 if role == "input" else derive(recipe, Observable(quantity="stream")).scale.width
    if role.startswith("hidden"):
        for j in range(1, int(role.removeprefix("hidden"))):
            met += weight_power(recipe, f"hidden{j}")
    return Rational(own - met) + claimed_power(role)


def finite_weight_norm(recipe: Recipe, role: str, width: int, fixed: int) -> float:
    """|m W|_2 of a Gaussian matrix at one width, ``fixed`` being the side that does not grow; leading corrections."""
    powers = recipe.role(role)
    size = powers.multiplier.at(width, 1) * (powers.init_std or Power()).at(width, 1)
    out, into = sides(role)
    if out and into:
        return size * 2 * math.sqrt(width) * (1 - float(EDGE) * math.exp(-2 * math.log(width) / 3))
    return size * (math.sqrt(width) + math.sqrt(fixed))

r"""The spread of a test loss over initializations, beside its mean: when their ratio is independent of the data's size.

A kernel with eigenvalues lambda_k = k^(-b) interpolates D samples of a target less an initial function f_0, Gaussian
with variances k^(-a) of its modes. What is left of mode k has the variance c_k = k^(-a) (kappa/(lambda_k + kappa))^2,
kappa = D^(-b), so that over initializations the loss, a square of Gaussians, has
    mean mu = sum c_k ~ D^(-min(a - 1, 2 b)),     variance sigma^2 = 2 sum c_k^2 ~ D^(-min(2 a - 1, 4 b)).

Claim. sigma/mu ~ D^(-e) with e = min(a - 1/2, 2 b) - min(a - 1, 2 b): 1/2 for a <= 2 b + 1/2, where what is left lives
in some D modes of like size, a sum of D independent terms; then 2 b + 1 - a; and 0 for a >= 2 b + 1 alone, where a
few large modes hold what is left. Measured on T test points with K outputs the ratio is at least that of K T
independent squares, (2/(K T))^(1/2): it levels off there whatever the kernel.

Assumptions: as ``spectra``; target zero, modes of the error independent at leading order.
Worked line: a = b = 2: sum c_k ~ D^(-1), sum c_k^2 ~ D^(-3), e = 1/2.
Sources: the claim that e = 0 is that of Elsharkawy, Kahn and Hooberman (arXiv 2503.05938), for networks of infinite
width under NTK; the derivation is ours.
"""

from __future__ import annotations

import math
from fractions import Fraction

from sympy import Expr, Max, Min, Rational

from powercount.derivations.scaling_laws import ridge
from powercount.derivations.scaling_laws.spectra import (
    HALF,
    A,
    B,
    at,
    data_exponent,
    exponent_by_integral,
    exponent_of_order,
)


def ratio_exponent() -> Expr:
    """e of sigma/mu: half the power of the sum of c_k^2, terms k^(-2 a) of order four, less that of the sum of c_k."""
    return exponent_of_order(4).subs(A, 2 * A) / 2 - data_exponent()


def ratio_by_cases() -> Expr:
    """The same as one formula: 2 b + 1 - a held between 0 and 1/2."""
    return Max(0, Min(HALF, 2 * B + 1 - A))


def ratio_at(*, target: Rational, capacity: Rational) -> Rational:
    """e at a = target, b = capacity."""
    return at(ratio_exponent(), target=target, capacity=capacity)


def ratio_here(source: Fraction, capacity: Fraction, samples: int, modes: int) -> float:
    """sigma/mu at D samples to leading order, from ``modes`` modes one by one and those beyond as a ridge.

    The power is a limit: at e = 1/4, where the two sums cross over, a hundred samples have a slope of -1/3.
    """
    spectrum, tail = ridge.power_law(capacity, modes), ridge.power_law_tail(capacity, modes)
    kappa = ridge.one_sided_loss(spectrum, samples, tail) / samples
    starts = ridge.power_law(source, modes)
    left = [start * (kappa / (value + kappa)) ** 2 for start, value in zip(starts, spectrum, strict=True)]
    mean = sum(left) + ridge.power_law_tail(source, modes)
    return math.sqrt(2 * sum(each**2 for each in left)) / mean


def ratio_by_integral(*, target: Rational, capacity: Rational) -> Expr:
    """The second road to e: both sums as integrals over k."""
    squares = exponent_by_integral(4, target=2 * target, capacity=capacity)
    return squares / 2 - exponent_by_integral(2, target=target, capacity=capacity)

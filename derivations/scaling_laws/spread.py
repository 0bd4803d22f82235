r"""The spread of a test loss over initializations, beside its mean: when their ratio is independent of the data's size.

A kernel with eigenvalues lambda_k = k^(-b) interpolates D samples of a target less an initial function f_0, Gaussian
with variances k^(-a) of its modes. What is left of mode k has the variance c_k = k^(-a) (kappa/(lambda_k + kappa))^2,
kappa = D^(-b), so that over initializations the loss, a square of Gaussians, has
    mean mu = sum c_k ~ D^(-min(a - 1, 2 b)),     variance sigma^2 = 2 sum c_k^2 ~ D^(-min(2 a - 1, 4 b)).

Claim. sigma/mu ~ D^(-e) with e = min(a - 1/2, 2 b) - min(a - 1, 2 b): 1/2 for a <= 2 b + 1/2, where what is left lives
in some D modes of like size, a sum of D independent terms; then 2 b + 1 - a; and 0 for a >= 2 b + 1 alone, where a
few large modes hold what is left. Measured on T test points with K outputs the ratio is at least that of K T
independent squares, (2/(K T))^(1/2): it levels off there whatever the kernel.

At D samples Z, shape (D, modes). The error is L f_0 and the fit of the noise, with
L = 1 - Lambda Z^T (Z Lambda Z^T + r)^(-1) Z; over f_0 the loss has mean tr C and variance 2 tr C^2,
C = L diag(k^(-a)) L^T + noise. With w_k = lambda_k/(lambda_k + kappa), the share learned of a mode,
u_k = k^(-a) (1 - w_k)^2, s_j = sum w^j/D and h = 1 - s_2:
    mu = (sum u + noise)/h,      tr C^2 = sum u^2/h^2 + F(mu, sum u w, sum u w^2) - sum_k F(u_k/h, u_k w_k, u_k w_k^2),
    F(mu, U1, U2) = (2 mu U2 + mu^2 (s_4 - s_2^2) + 2 (U1 - mu (s_2 - s_3))^2/h)/(D h^2).
Why. tr C = tr R A R B and tr C^2 = tr R A R B R A R B for the resolvent R of the samples, A = diag(k^(-a)/lambda_k),
B = diag(lambda_k). A chain of resolvents is the corner of one resolvent of 2 by 2 or 4 by 4 triangular blocks, whose
deterministic equivalent is G_k = (N_k + lambda_k/K)^(-1), D K = r N + sum lambda_k G_k, N_k the unit with -A, -B, -A
above it: K = kappa on its diagonal, and every entry above solves one linear equation. F is the part of two different
modes: D^2 pairs of relative size 1/D, as much as the squares of D modes. Of one mode with itself it is a fluctuation of
|L e_k|^2, which multiplies mean and spread of a given set of samples alike and is taken out.

Assumptions: as ``spectra``; target zero. The error of sigma/mu at finite D is a factor 1 + O(1/D).
Worked line: a = b = 2: sum c_k ~ D^(-1), sum c_k^2 ~ D^(-3), e = 1/2.
Sources: the claim that e = 0 is that of Elsharkawy, Kahn and Hooberman (arXiv 2503.05938), for networks of infinite
width under NTK; the derivation is ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
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
    """sigma/mu at D samples to leading order, from ``modes`` modes one by one and those beyond as a ridge and a noise.

    The power is a limit: at e = 1/4, where the two sums cross over, a hundred samples have a slope of -.35.
    """
    spectrum, tail = ridge.power_law(capacity, modes), ridge.power_law_tail(capacity, modes)
    kappa = ridge.one_sided_loss(spectrum, samples, tail) / samples
    learned = [value / (value + kappa) for value in spectrum]
    return spread_over_mean(
        [start * (1 - w) ** 2 for start, w in zip(ridge.power_law(source, modes), learned, strict=True)],
        learned,
        samples,
        noise=ridge.power_law_tail(source, modes),
    )


def spread_over_mean(left: Sequence[float], learned: Sequence[float], samples: int, noise: float = 0) -> float:
    """sigma/mu from u_k, what is left of each start, w_k, the share learned of it, and the samples' noise."""
    shares = [math.fsum(w**power for w in learned) / samples for power in (2, 3, 4)]
    kept = 1 - shares[0]
    mean = (math.fsum(left) + noise) / kept
    own = math.fsum(u * u for u in left) / kept**2
    first, second = (math.fsum(u * w**power for u, w in zip(left, learned, strict=True)) for power in (1, 2))
    pairs = between_modes(mean, first, second, shares, samples)
    # what the formula holds of a mode with itself scales mean and spread alike: it is no part of their ratio
    twice = math.fsum(
        between_modes(u / kept, u * w, u * w * w, shares, samples) for u, w in zip(left, learned, strict=True)
    )
    return math.sqrt(2 * (own + pairs - twice)) / mean


def between_modes(mean: float, first: float, second: float, shares: Sequence[float], samples: int) -> float:
    """F(mu, U1, U2): tr C^2 less the squares of single modes."""
    square, cube, fourth = shares
    kept = 1 - square
    along = (first - mean * (square - cube)) ** 2 / kept
    return (2 * mean * second + mean**2 * (fourth - square**2) + 2 * along) / (samples * kept**2)


def ratio_by_integral(*, target: Rational, capacity: Rational) -> Expr:
    """The second road to e: both sums as integrals over k."""
    squares = exponent_by_integral(4, target=2 * target, capacity=capacity)
    return squares / 2 - exponent_by_integral(2, target=target, capacity=capacity)

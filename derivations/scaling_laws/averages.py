r"""Functionals of averages: what finitely many units, or samples, leave of the limit of a trained network.

Let k be the average of N independent terms of mean m and variance s, and F(k) what is read off a trained network, its
output or its loss. After a fixed number of steps from a fixed start a full-batch run on D samples is such an F of their
empirical measure, a net of n units one of its units; k is the plainest case.

Claim. If F has two derivatives at m, with e = k - m,
    F(k) = F(m) + F'(m) e + F''(m) e^2/2 + ...,      E e = 0,  E e^2 = s/N:
the first order, N^(-1/2) in one draw, has mean zero, so that
    E F - F(m) = F''(m) s/(2 N) + O(N^(-2)),         Var F = F'(m)^2 s/N + O(N^(-2)).
Averaging many draws takes the variance away and leaves the shift. A smooth loss l of F is a functional too, of shift
l' F'' s/2 + l'' F'^2 s/2: what the shift of F does to it, and the variance. Where F has a kink at m, as |k - m| has,
the first order does not vanish in the mean and E F - F(m) falls as N^(-1/2): the smoothness is needed.

Halves. (F(A) + F(B))/2 - F(A and B), of two draws and their union: e of the union is the average of the two, so that
the first order cancels draw by draw; the mean is half the shift at N, F'' s/(4 N).

Second road, exact at any N: the one weight of y = w x (or the readout of one linear unit) from zero, rate r, T steps, k
the average of N squares of standard Gaussians: what is left of the target is (1 - r k)^T, a polynomial, and
    E k^j = (1 + 2/N) (1 + 4/N) ... (1 + 2 (j - 1)/N);        for signs, E |k| = C(N, N/2)/2^N at even N.
Worked line: T = 2: E (1 - r k)^2 = (1 - r)^2 + 2 r^2/N, all of it the shift F'' s/2 = 2 r^2.

Next order, for the same net: r (7 r - 4)/((1 - r)^2 N) of the first at T = 5.

Sources: Bahri et al. (arXiv 2102.06701), variance-limited data; Bordelon and Pehlevan (arXiv 2304.03408) and Vyas et
al. (arXiv 2305.18411), narrow networks; the steps are ours.
"""

from __future__ import annotations

from typing import Final

import sympy
from sympy import Expr, Integer, Poly, Rational, Symbol, gamma, oo, pi

K: Final = Symbol("k", positive=True)
NUMBER: Final = Symbol("N", positive=True)
RATE: Final = Symbol("r", positive=True)
# Mean and variance of the square of a standard Gaussian.
MEAN: Final = Integer(1)
SPREAD: Final = Integer(2)


def shift(functional: Expr) -> Expr:
    """F''(m) s/2, the limit of N (E F - F(m))."""
    return sympy.expand(sympy.diff(functional, K, 2).subs(K, MEAN) * SPREAD / 2)


def variance(functional: Expr) -> Expr:
    """F'(m)^2 s, the limit of N Var F."""
    return sympy.expand(sympy.diff(functional, K).subs(K, MEAN) ** 2 * SPREAD)


def residual(steps: int) -> Expr:
    """(1 - r k)^T: what T steps leave of the target."""
    return (1 - RATE * K) ** steps


def exact_mean(functional: Expr) -> Expr:
    """E F at any N, for a polynomial F of the average of N squares of standard Gaussians."""
    terms = Poly(functional, K).terms()
    moments = {power: sympy.prod(1 + 2 * i / NUMBER for i in range(power)) for (power,), _ in terms}
    return sympy.expand(sum(coefficient * moments[power] for (power,), coefficient in terms))


def excess(functional: Expr) -> Expr:
    """E F - F(m), exactly."""
    return sympy.expand(exact_mean(functional) - functional.subs(K, MEAN))


def kink() -> Expr:
    """E |k| for the average of N signs, N even, exactly: the distance from the limit zero."""
    return gamma(NUMBER / 2 + Rational(1, 2)) / (sympy.sqrt(pi) * gamma(NUMBER / 2 + 1))


def exponent(quantity: Expr) -> Expr:
    """The power of N that a quantity follows in the limit, from its ratio two terms on (Raabe): 1 + 2 power/N."""
    ratio = sympy.expand_func(quantity.subs(NUMBER, NUMBER + 2) / quantity)
    return sympy.limit(sympy.cancel(NUMBER * (ratio - 1) / 2), NUMBER, oo)


def excess_exponent(*, smooth: bool) -> Expr:
    """The power of N in E F - F(m): of the solvable net's loss (T = 1) where ``smooth``, of |k - m| where not."""
    return exponent(excess(residual(1) ** 2) if smooth else kink())

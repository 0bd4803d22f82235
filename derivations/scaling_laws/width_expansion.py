r"""Variance and bias of a trained network over its initializations, against the width n: 1/n, the start taken off.

f = c sum_i v_i phi(w_i x) over n hidden units with independent entries of order one, trained at a rate that moves f by
order one: c = n^(-1/2) (NTK, rate n^0) or c = 1/n (muP, rate n).

Claim. The trained f - f_0 is a functional of averages over the n exchangeable units, the kernel among them; each
average fluctuates by n^(-1/2) about its limit, so that its variance is 1/n in both, if it is f - f_0 that is trained
(the centred model). The start itself is a sum of n terms of either sign, |f_0| ~ c n^(1/2): of variance n^0 under NTK,
where a trained f keeps what T steps and the points leave of it; under muP it is 1/n. For a square loss the mean loss
exceeds that of the mean network by exactly this variance: L(n) - L(infinity) ~ 1/n. Subtracting f_0 from a net trained
without it does not help: its movement answers to y - f_0.

Bias. The first order of the fluctuation has mean zero and the second has not (``averages``): E f_n - f_infinity ~ 1/n,
which no ensemble of nets of width n takes away. Under NTK f depends on n besides: an odd power of n^(-1/2) comes with a
sum odd in v, of mean zero, an even one with 1/n at least. The mean loss exceeds its limit by what bias and variance
add, 1/n both, of which the bias may have either sign.

Assumptions: T fixed, phi smooth, the infinite-width limit exists. Worked line: the mean of M nets of width n is off by
b/n + c (n M)^(-1/2), one net of width n M by c (n M)^(-1/2): beyond M ~ n more members change nothing.
Sources: Bahri et al. (arXiv 2102.06701), section on variance-limited width; Bordelon and Pehlevan (arXiv 2304.03408)
and Vyas et al. (arXiv 2305.18411) on bias; the control and the steps are ours.
"""

from __future__ import annotations

from typing import Final

from sympy import Expr, Integer, Rational

from powercount.derivations.recipe import check_name
from powercount.derivations.scale import Scale, product

# c, the factor of the readout, as a power of n.
READOUTS: Final = {"ntk": -Rational(1, 2), "mup": -Integer(1)}
UNITS: Final = Scale(Integer(1))


def start(parametrization: str) -> Scale:
    """|f_0|: n terms of either sign add up as n^(1/2), times c."""
    check_name("parametrization", parametrization, tuple(READOUTS))
    return product(Scale(READOUTS[parametrization]), Scale(UNITS.width / 2))


def fluctuation() -> Scale:
    """The spread of an average over n exchangeable units: n^(1/2)/n."""
    return product(Scale(UNITS.width / 2), Scale(-UNITS.width))


def variance_exponent(parametrization: str, *, centred: bool) -> Expr:
    """The power of n of Var over initializations of the trained f, or of the trained f - f_0 where ``centred``."""
    movement, beginning = fluctuation().width, start(parametrization).width
    return 2 * (movement if centred else max(movement, beginning))


def bias_exponent() -> Expr:
    """The power of n of E f - f_infinity, f centred: the mean of the fluctuation's second order."""
    return 2 * fluctuation().width


def excess_exponent(parametrization: str) -> Expr:
    """The power of n of E loss - loss of the limit, f centred: the larger of what bias and variance add."""
    return max(bias_exponent(), variance_exponent(parametrization, centred=True))

r"""Regression on a power-law spectrum: how the loss falls with the number of samples and of random features.

Inputs x = Lambda^(1/2) z with z standard Gaussian, targets y = w x, features G x with G standard Gaussian (P rows),
D samples, no noise. df_1(kappa) = sum_k lambda_k/(lambda_k + kappa); kappa_m solves df_1(kappa_m) = m: m directions,
of data or of features, resolve the modes with lambda above kappa_m, smoothly.

Claim. lambda_k = k^(-(1 + a)) and a white target give L ~ D^(-a) and L ~ P^(-a): alpha_D = alpha_P = alpha_K, with a
constant and a correction. Exchanging samples and features transposes the error, so that the duality is an identity
sample by sample. Away from it, with m the smaller and M the larger of D and P,
    L(D, P) = m kappa_m (M - 1)/(M - m - 1):  the excess over the smaller one's own loss is variance-limited, 1/M.
For lambda_k ~ k^(-b) and lambda_k w_k^2 ~ k^(-a), data give min(a - 1, 2 b) and features min(a - 1, b): a target much
easier than the spectrum parts the two, because a projection errs at first order in kappa/lambda and a fit at second.

Assumptions: Gaussian z; m large (deterministic equivalent), but for the duality and the factor of M, exact at any size.
Worked line: a = 1: c = pi/2, L = (pi/2)^2 D (D + 1/2)^(-2), of local exponent 2 D/(D + 1/2) - 1, .984 at D = 64.

Sources: Bahri et al. (arXiv 2102.06701); Maloney, Roberts and Sully (arXiv 2210.16859); Bordelon, Atanasov and Pehlevan
(arXiv 2402.01092), who print min(a - 1, 2 b) for features too; the steps are ours.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import sympy
from sympy import Expr, Integer, Min, Rational, Symbol, oo, pi, sin

from powercount.derivations.sources import BAHRI, MALONEY
from powercount.derivations.steps import Value, values

A: Final = Symbol("a", positive=True)
B: Final = Symbol("b", positive=True)
KAPPA: Final = Symbol("kappa", positive=True)
FEWER: Final = Symbol("m", positive=True)
MORE: Final = Symbol("M", positive=True)
HALF: Final = Rational(1, 2)


def constant(power: Expr) -> Expr:
    """c(s) = (pi/s)/sin(pi/s), the integral of 1/(1 + x^s) over x > 0, for s > 1."""
    return (pi / power) / sin(pi / power)


@lru_cache(maxsize=1)
def loss_chain() -> dict[str, Value]:
    """The loss of a white target on lambda_k = k^(-(1 + a)), line by line."""
    s = 1 + A
    threshold = (constant(s) / (FEWER + HALF)) ** s
    return values(
        Value(
            key="df_1",
            value=constant(s) * KAPPA ** (-1 / s) - HALF,
            because="the sum of 1/(1 + kappa k^s) over k >= 1 is its integral from 0 less half the term at 0 "
            "(Euler-Maclaurin); x = kappa^(1/s) k leaves c(s)",
        ),
        Value(
            key="kappa_m",
            value=threshold,
            because="df_1(kappa_m) = m: m directions resolve m modes in all",
            parents=("df_1",),
            source=MALONEY,
        ),
        Value(
            key="L(m)",
            value=FEWER * threshold,
            because="what is left of mode k is lambda_k kappa/(lambda_k + kappa), whose sum is kappa df_1 = m kappa_m",
            parents=("kappa_m",),
            source=BAHRI,
        ),
        Value(
            key="L(D, P)",
            value=FEWER * threshold * (MORE - 1) / (MORE - FEWER - 1),
            because="given the m directions the residual is Gaussian noise, free of them; least squares on M samples "
            "inflates it by E tr of an inverse Wishart matrix, m/(M - m - 1), exactly",
            parents=("L(m)",),
            source=MALONEY,
        ),
    )


def loss() -> Expr:
    """L(m) of the pure power law and a white target: m of one kind, infinitely many of the other."""
    return loss_chain()["L(m)"].value


def joint_factor() -> Expr:
    """L(D, P)/L(m) = (M - 1)/(M - m - 1), exact for Gaussian inputs and features at any size."""
    return sympy.simplify(loss_chain()["L(D, P)"].value / loss_chain()["L(m)"].value)


def local_exponent() -> Expr:
    """The slope -d log L/d log m at finite m: a less (1 + a)/(2 m + 1)."""
    return sympy.simplify(-FEWER * sympy.diff(sympy.log(loss()), FEWER))


def white_exponent() -> Expr:
    """The limit of ``local_exponent``: alpha_D = alpha_P = a = alpha_K."""
    return sympy.limit(local_exponent(), FEWER, oo)


def variance_limited_exponent() -> Expr:
    """The power at which L(D, P) - L(m) falls with M: 1, and the limit of its local value."""
    excess = joint_factor() - 1
    return sympy.limit(sympy.simplify(-MORE * sympy.diff(sympy.log(excess), MORE)), MORE, oo)


def exponent_of_order(order: int) -> Expr:
    """The power of m in the sum over k of k^(-a) (kappa/(lambda + kappa))^order, for lambda = k^(-b), kappa = m^(-b).

    Modes beyond m are all left: m^(-(a - 1)). Those before m leave m^(-b order) k^(b order - a) each, whose sum is
    led by the first mode, m^(-b order), or by those next to m, which repeat the tail.
    """
    return Min(A - 1, order * B)


def data_exponent() -> Expr:
    """min(a - 1, 2 b): a fit to data errs as (kappa/lambda)^2 on the modes it resolves."""
    return exponent_of_order(2)


def feature_exponent() -> Expr:
    """min(a - 1, b): a projection on features leaves lambda kappa/(lambda + kappa), of first order in kappa/lambda."""
    return exponent_of_order(1)


def at(exponent: Expr, *, target: Rational, capacity: Rational) -> Rational:
    """An exponent at a = target, b = capacity."""
    return exponent.subs({A: sympy.nsimplify(target), B: sympy.nsimplify(capacity)})


def exponent_by_integral(order: int, *, target: Rational, capacity: Rational) -> Expr:
    """The second road: the power of m in the same sum as an integral over k >= 1 in whole powers, by SymPy's limit.

    Below and above m the summand is replaced by its two powers of k, which bound it within a factor 2^order.
    """
    m, k = Symbol("m", positive=True), Symbol("k", positive=True)
    a, b = sympy.nsimplify(target), sympy.nsimplify(capacity)
    head = sympy.integrate(m ** (-b * order) * k ** (b * order - a), (k, Integer(1), m))
    tail = m ** (1 - a) / (a - 1)
    return sympy.limit(sympy.simplify(-m * sympy.diff(head + tail, m) / (head + tail)), m, oo)

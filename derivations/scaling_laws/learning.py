r"""What feature learning does to the exponent of time: a two-layer linear network, exactly reduced to one vector.

Network p^T Q x on modes of variance lambda_k, target w, error v = w - Q^T p, loss v Lambda v/2. Gradient flow at rate 1
on p and gamma on Q, from p = 0 and Q orthogonal:
    p' = Q Lambda v,   Q' = gamma p (Lambda v)^T.
Claim. Q Q^T - gamma p p^T = I for all time, so that with q = w - v and s (1 + gamma s) = |q|^2
    v' = -[(1 + gamma s) I + gamma s qhat qhat^T] Lambda v.
Capacity lambda_k ~ k^(-alpha) and source sum_{l > k} lambda_l w_l^2 ~ lambda_k^beta then give L ~ t^(-chi),
    chi = beta max(1, 2/(1 + beta)):
a hard task (beta < 1) has |w|^2 without bound, the kernel grows with what has been learned, and time runs faster; an
easy one (beta > 1) is learned at a finite kernel and keeps the lazy exponent, beta. gamma = 0 is lazy: chi = beta for
any beta, that is (a - 1)/b for lambda_k ~ k^(-b), lambda_k w_k^2 ~ k^(-a). With N modes kept and compute C = N t, the
least loss falls as C^(-alpha beta chi/(alpha beta + chi)).

Assumptions: infinitely many modes, infinite data; gradient flow; beta other than 1 (a logarithm there). The powers are
those of a self-similar solution: that the flow tends to it is seen (``empirical.scaling_laws.flow``), not proven.
Corrections to a local exponent: t^(-(1 - beta)/(1 + beta)) below beta = 1, t^(-min(1, beta - 1)) above, none lazy.
Worked line: beta = 1/2: |q|^2 ~ tau^(1/2), 1 + gamma s ~ tau^(1/4), t ~ tau^(3/4), L ~ tau^(-1/2) = t^(-2/3).

Sources: Bordelon, Atanasov and Pehlevan (arXiv 2409.17858), and 2402.01092 for the lazy one; the steps are ours.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import sympy
from sympy import Expr, Matrix, Max, Min, Rational, Symbol, oo

from powercount.derivations.recipe import QuestionError
from powercount.derivations.scaling_laws.spectra import A, B
from powercount.derivations.sources import FEATURE_LEARNING
from powercount.derivations.steps import Value, values

ALPHA: Final = Symbol("alpha", positive=True)
BETA: Final = Symbol("beta", positive=True)
CHI: Final = Symbol("chi", positive=True)
GAMMA: Final = Symbol("gamma", positive=True)
LAMBDA: Final = Symbol("lambda", positive=True)
TAU: Final = Symbol("tau", positive=True)
TIME: Final = Symbol("t", positive=True)
COMPUTE: Final = Symbol("C", positive=True)


def conserved(modes: int = 2) -> Matrix:
    """d/dt (Q Q^T - gamma p p^T) for a Q, p, w and Lambda of symbols: the zero matrix."""
    matrix = Matrix(modes, modes, lambda i, j: Symbol(f"Q{i}{j}"))
    p = Matrix(modes, 1, lambda i, _: Symbol(f"p{i}"))
    w = Matrix(modes, 1, lambda i, _: Symbol(f"w{i}"))
    spectrum = sympy.diag(*[Symbol(f"lambda{i}") for i in range(modes)])
    force = spectrum * (w - matrix.T * p)
    dp, dq = matrix * force, GAMMA * p * force.T
    return (dq * matrix.T + matrix * dq.T - GAMMA * (dp * p.T + p * dp.T)).expand()


def reduction() -> tuple[Matrix, Expr]:
    """What the reduction leaves out, both zero: Q^T Q + gamma |p|^2 I less its form in q, and |q|^2 - s (1 + gamma s).

    Two modes. All Q with Q Q^T = I + gamma p p^T are its symmetric root times an orthogonal matrix, here Cayley's of a
    skew u; the root is I + (e - 1) p p^T/s with e^2 = 1 + gamma s, which gives gamma from e and keeps all rational.
    """
    e, u = Symbol("e", positive=True), Symbol("u", real=True)
    p = Matrix([Symbol("p0", real=True), Symbol("p1", real=True)])
    s = (p.T * p)[0]
    gamma = (e**2 - 1) / s
    turn = Matrix([[1 - u**2, 2 * u], [-2 * u, 1 - u**2]]) / (1 + u**2)
    features = (sympy.eye(2) + (e - 1) / s * p * p.T) * turn
    q = features.T * p
    norm = (q.T * q)[0]
    # v' = -Q^T p' - Q'^T p = -(Q^T Q + gamma |p|^2) Lambda v
    form = (1 + gamma * s) * sympy.eye(2) + gamma * s * q * q.T / norm
    left = features.T * features + gamma * s * sympy.eye(2) - form
    return left.applyfunc(sympy.cancel), sympy.cancel(norm - s * (1 + gamma * s))


def loss_at_clock() -> Expr:
    """The loss at effective time tau, where v = e^(-lambda tau) w: the integral of the source's density."""
    density = BETA * LAMBDA ** (BETA - 1)
    return sympy.integrate(density * sympy.exp(-2 * LAMBDA * TAU), (LAMBDA, 0, oo), conds="none") / 2


def learned(beta: Expr = BETA) -> Expr:
    """|q|^2 at effective time tau: the target's square on modes with lambda from 1/tau to 1, for beta other than 1."""
    return beta * (TAU ** (1 - beta) - 1) / (1 - beta)


def growth(squared: Expr, gamma: Expr = GAMMA) -> Expr:
    """1 + gamma s where s (1 + gamma s) = |q|^2."""
    return (1 + sympy.sqrt(1 + 4 * gamma * squared)) / 2


@lru_cache(maxsize=1)
def chain() -> dict[str, Value]:
    """The exponents, line by line: each value is a power of the quantity named after the slash."""
    clock = Max(0, 1 - BETA) / 2
    rich = BETA / (1 - clock)
    return values(
        Value(
            key="loss/tau^-1",
            value=-TAU * sympy.diff(sympy.log(loss_at_clock()), TAU),
            because="modes with lambda tau above 1 are learned: the integral of beta lambda^(beta - 1) "
            "e^(-2 lambda tau)",
        ),
        Value(
            key="|q|^2/tau",
            value=Max(0, 1 - BETA),
            because="w_l^2 = beta lambda^(beta - 2) d lambda, from 1/tau up: it grows without bound if beta < 1 only",
        ),
        Value(
            key="(1 + gamma s)/tau",
            value=clock,
            because="s (1 + gamma s) = |q|^2, from the conserved Q Q^T - gamma p p^T: at large |q|, gamma s is "
            "sqrt(gamma) |q|. The rank-one term is gamma s too: under lambda -> c lambda the two scale alike, so it "
            "changes the constant and no power",
            parents=("|q|^2/tau",),
        ),
        Value(
            key="t/tau",
            value=1 - clock,
            because="d tau = (1 + gamma s) dt",
            parents=("(1 + gamma s)/tau",),
        ),
        Value(
            key="chi",
            value=BETA * Max(1, 2 / (1 + BETA)),
            because="the loss in tau with tau in t: beta/(1 - (1 - beta)/2) = 2 beta/(1 + beta) below 1, beta above",
            parents=("loss/tau^-1", "t/tau"),
            source=FEATURE_LEARNING,
        ),
        Value(
            key="correction",
            value=Max(0, 1 - BETA) / 2 / (1 - clock) + Min(1, Max(0, BETA - 1)),
            because="below 1: the 1 beside sqrt(gamma) |q| is smaller by |q|, tau^(-(1 - beta)/2); above 1: what is "
            "left of |w|^2 is tau^(-(beta - 1)), and the origin of time moves, 1/t",
            parents=("(1 + gamma s)/tau", "t/tau"),
        ),
        Value(
            key="compute",
            value=compute_exponent().subs(CHI, rich),
            because="t^(-chi) + N^(-alpha beta) is least at C = N t where its two terms keep a fixed ratio",
            parents=("chi",),
            source=FEATURE_LEARNING,
        ),
    )


def line(name: str) -> Value:
    """One line of the chain."""
    return chain()[name]


def _asked(beta: Expr | int) -> Expr:
    value = sympy.nsimplify(beta)
    if not value > 0 or value == 1:
        raise QuestionError(f"the source exponent must be positive and not 1, where a logarithm appears; got {beta}")
    return value


def chi(beta: Expr | int, *, rich: bool) -> Expr:
    """The exponent of time: beta lazily, beta max(1, 2/(1 + beta)) with features that learn."""
    value = _asked(beta)
    return line("chi").value.subs(BETA, value) if rich else value


def correction(beta: Expr | int) -> Expr:
    """The power of 1/t in the leading correction to the local exponent, with features that learn."""
    return line("correction").value.subs(BETA, _asked(beta))


def lazy_exponent() -> Expr:
    """(a - 1)/b: the source sum_{l > k} l^(-a) ~ k^(-(a - 1)) is lambda_k^((a - 1)/b) for lambda_k = k^(-b)."""
    k = Symbol("k", positive=True)
    tail = k ** (1 - A) / (A - 1)
    return sympy.simplify(sympy.diff(sympy.log(tail), k) / sympy.diff(sympy.log(k**-B), k))


def lazy_loss() -> Expr:
    """The second road to it: the sum over k of k^(-a) e^(-2 t k^(-b))/2 as its integral over k > 0, in closed form.

    The summand is flat at k = 0, so Euler-Maclaurin adds nothing: the error is smaller than any power of t.
    """
    y = Symbol("y", positive=True)
    # k = y^(-1/b)
    integrand = y ** ((A - 1) / B - 1) * sympy.exp(-2 * TIME * y) / B
    return sympy.integrate(integrand, (y, 0, oo), conds="none") / 2


def chi_by_limit(beta: Rational, gamma: Rational) -> Expr:
    """The second road to chi: SymPy's limit of the local power of 1 + gamma s in tau, all terms kept.

    d log t/d log tau tends to 1 less that power (l'Hopital). tau is written as y^q so that every power is whole.
    """
    value = Rational(_asked(beta))
    y, q = Symbol("y", positive=True), 2 * value.q
    fast = growth(sympy.powdenest(learned(value).subs(TAU, y**q), force=True), sympy.nsimplify(gamma))
    power = sympy.limit(sympy.simplify(y * sympy.diff(fast, y) / fast), y, oo) / q
    return value / (1 - power)


def chi_by_scaling() -> Expr:
    """The third road, below beta = 1: the power z for which lambda -> c lambda, t -> c^(-z) t maps solutions to others.

    |q|^2 is of weight beta - 1 in lambda; both terms of the flow then have the rate sqrt(gamma) |q| lambda.
    """
    z = Symbol("z")
    found = sympy.solve(sympy.Eq(z, (BETA - 1) / 2 + 1), z)[0]
    return sympy.simplify(BETA / found)


def compute_optimum() -> Expr:
    """log N at the least t^(-chi) + N^(-alpha beta) with N t = C, from the derivative's zero, linear in log N."""
    n, c = Symbol("n", real=True), sympy.log(COMPUTE)
    width = ALPHA * BETA
    balance = sympy.log(CHI) + CHI * (n - c) - sympy.log(width) + width * n
    return sympy.expand(sympy.solve(balance, n)[0])


def least_loss() -> Expr:
    """The loss there, as a function of C."""
    best = sympy.exp(compute_optimum())
    return (COMPUTE / best) ** (-CHI) + best ** (-ALPHA * BETA)


def compute_exponent() -> Expr:
    """-d log L/d log C of the least loss: alpha beta chi/(alpha beta + chi), exactly a power."""
    return sympy.simplify(CHI * (1 - COMPUTE * sympy.diff(compute_optimum(), COMPUTE)))


def compute_at(alpha: Expr | int, beta: Expr | int, *, rich: bool) -> Expr:
    """The compute-optimal exponent at given capacity and source."""
    values = {ALPHA: sympy.nsimplify(alpha), BETA: _asked(beta), CHI: chi(beta, rich=rich)}
    return sympy.nsimplify(compute_exponent().subs(values))

r"""Neural Feature Dynamics: the infinite-width, infinite-depth system of one-layer blocks, from the discrete network.

Training step k = 0, 1, ..., layer time t = l/L in [0, 1], one sample written (several add a sum), hidden matrices at
width-muP's rate, T the horizon, delta = n dloss/dh. First n -> infinity at fixed L, then L -> infinity:
    dh^k      = sqrt(T) dU^k + T sum_{j<k} [R^{kj} - eta C_phi^{kj}] delta^j dt,        Cov dU^k dU^j = C_phi^{kj} dt
    -ddelta^k = phi'(h^k) {sqrt(T) dV^k + T (sum_{j<=k} S^{kj} phi(h^j) - eta sum_{j<k} C_delta^{kj} phi(h^j)) dt},
    delta^k(1) = e^k v,  e^k = dloss/df,  f^k = E v h^k(1),  C_phi^{kj} = E phi(h^k) phi(h^j),  Cov dV = C_delta dt.
R and S are responses scaled by sqrt(L/T); Neural Feature Dynamics as described in arXiv 2512.21075 has R = S = 0.
S^{kk} vanishes at k = 0 and for linear phi alone: phi'(h^k) in the backward pass has met W^k's own forward product.

``system`` records the derivation line by line; ``increments`` holds the two discrete lines as SymPy expressions, and
``local_limits`` takes L times their mean and variance to infinity. Worked line: for linear phi and one step K' = T K -
eta e C with K = integral of R - eta e C gives f^1 = -eta e T e^T q_0 (``one_step_by_ode``), which equals the limit of
the exact finite-depth value; with R = 0 it is -eta e (e^T - 1) q_0.
Sources: the abstracts of arXiv 2512.21075 (claims); every line is derived here; TP VI (arXiv 2310.02244), prop. 4.4.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import sympy
from sympy import Expr, Integer, Rational, Symbol

from powercount.derivations.dynamics.linear import L, T
from powercount.derivations.scale import ONE, Scale
from powercount.derivations.sources import BOLTHAUSEN, HERE, NFD
from powercount.derivations.steps import Chain, Step

ETA, C, CD, Q0, ERROR = sympy.symbols("eta C_phi C_delta q_0 e", positive=True)
R, S = sympy.symbols("R S", real=True)
DELTA, PHI, SLOPE = sympy.symbols("delta phi phi'", real=True)
t: Final = Symbol("t", nonnegative=True)
MEASURE: Final = sympy.symbols("u z", real=True)


@lru_cache(maxsize=2)
def system(*, responses: bool) -> Chain:
    """The derivation, line by line; without ``responses`` it is Neural Feature Dynamics as described."""
    chain = Chain()
    inverse, root = Scale(Integer(0), -Integer(1)), Scale(Integer(0), -Rational(1, 2))

    def line(
        key: str, symbol: str, formula: str, because: str, scale: Scale, *parents: str, source: str = HERE
    ) -> None:
        chain.add(
            Step(
                key=key,
                symbol=symbol,
                formula=formula,
                because=because,
                scale=scale,
                parents=parents,
                source=source,
                assumes=("infinite width before infinite depth",) if key == "width-limit" else (),
            )
        )

    line(
        "forward",
        r"h_l^k",
        r"h_{l-1}^k+\sqrt{T/L}\;W_l^k\,\phi(h_{l-1}^k)",
        "the network, with W_l(0) of entries N(0, 1/n)",
        root,
    )
    line(
        "step",
        r"W_l^k",
        r"W_l^0-\eta\sqrt{T/L}\,\sum_{j<k}\delta_l^j\,\phi(h_{l-1}^j)^T/n",
        "k steps of gradient descent at width-muP's rate eta n",
        root,
        "forward",
    )
    line(
        "conditioning",
        r"W_l^0\phi(h_{l-1}^k)",
        r"u_l^k+\sum_{j<k}E[\partial\phi(h_{l-1}^k)/\partial\zeta_l^j]\,\delta_l^j" if responses else r"u_l^k",
        "the backward passes j < k have met W_l^T: given their products the new one is a fresh Gaussian vector plus "
        "responses along delta^j"
        if responses
        else "gradient independence: the backward passes are taken to have met another matrix",
        ONE,
        "forward",
        source=BOLTHAUSEN if responses else NFD,
    )
    line(
        "width-limit",
        r"C_\phi^{kj}",
        r"E\,\phi(h^k)\phi(h^j)",
        "coordinates are independent and alike as n grows, and sums over them are expectations",
        ONE,
        "conditioning",
    )
    line(
        "feature-drift",
        r"-\eta(T/L)\,C_\phi^{kj}\,\delta_l^j",
        r"\sqrt{T/L}\;(W_l^k-W_l^0)\,\phi(h_{l-1}^k)",
        "two branch factors and one aligned product: 1/L a layer, of order one over depth",
        inverse,
        "step",
        "width-limit",
    )
    if responses:
        line(
            "response",
            r"R^{kj}=\sqrt{L/T}\;E[\partial\phi(h^k)/\partial\zeta^j]",
            r"E[\phi'(h^k)\phi'(h^j)]\,T\int_0^t[R^{kj}-\eta C_\phi^{kj}]\,ds",
            "zeta_l^j moves delta^j at every layer below by sqrt(T/L) phi', and the stream by each of those layers' "
            "updates (written for k = 1; later steps add terms of the same kind)",
            ONE,
            "conditioning",
            "feature-drift",
        )
    line(
        "feature-equation",
        r"dh^k",
        r"\sqrt{T}\,dU^k+T\,\sum_{j<k}[R^{kj}-\eta C_\phi^{kj}]\,\delta^j\,dt"
        if responses
        else r"\sqrt{T}\,dU^k-T\,\sum_{j<k}\eta C_\phi^{kj}\,\delta^j\,dt",
        "L layers: the fresh parts add like a Brownian motion, the rest like an integral",
        ONE,
        "feature-drift",
        *(("response",) if responses else ()),
        source=NFD,
    )
    line(
        "gradient-equation",
        r"-d\delta^k",
        r"\phi'(h^k)\,(\sqrt{T}\,dV^k+T\,[\sum_{j\le k}S^{kj}\phi(h^j)-\eta\,\sum_{j<k}C_\delta^{kj}\phi(h^j)]\,dt)"
        if responses
        else r"\phi'(h^k)\,(\sqrt{T}\,dV^k-T\,\eta\,\sum_{j<k}C_\delta^{kj}\phi(h^j)\,dt)",
        "the same for the transposed matrices, from t = 1 down; j = k is there since phi'(h^k) has met W_l phi(h^k), "
        "and vanishes at k = 0 and for linear phi"
        if responses
        else "the same for the transposed matrices, from t = 1 down",
        ONE,
        "conditioning",
        "step",
        source=NFD,
    )
    return chain


def increments(*, responses: bool) -> tuple[Expr, Expr]:
    """(h_l - h_{l-1}, delta_{l-1} - delta_l) at finite L after one step, in u ~ (0, C_phi) and z ~ (0, C_delta)."""
    u, z = MEASURE
    e = T / L
    answer, back = (sympy.sqrt(e) * R, sympy.sqrt(e) * S) if responses else (Integer(0), Integer(0))
    forward = sympy.sqrt(e) * (u + answer * DELTA) - ETA * e * C * DELTA
    backward = SLOPE * (sympy.sqrt(e) * (z + back * PHI) - ETA * e * CD * PHI)
    return forward, backward


def local_limits(increment: Expr) -> tuple[Expr, Expr]:
    """(drift, squared diffusion): limits of L times mean and variance of an increment, given the past."""
    u, z = MEASURE
    mean = increment.subs({u: 0, z: 0})
    noise = sympy.expand(increment - mean)
    variance = noise.coeff(u) ** 2 * C + noise.coeff(z) ** 2 * CD
    return sympy.limit(L * mean, L, sympy.oo), sympy.limit(L * variance, L, sympy.oo)


def one_step_by_ode(*, responses: bool) -> Expr:
    """f^1/(-eta e q_0) for linear phi from the infinite-depth system: K' = T (R - eta e C), R = T K or 0, f^1 = K(1).

    C = q_0 e^(T t) is the stream's mean square; delta^0 keeps the mean square e^2 e^(T (1 - t)), of which the share
    along v is e^2.
    """
    k = sympy.Function("K")
    own = -ETA * ERROR * Q0 * sympy.exp(T * t)
    equation = sympy.Eq(k(t).diff(t), T * ((k(t) if responses else 0) + own))
    solved = sympy.dsolve(equation, k(t), ics={k(0): 0}).rhs
    return sympy.simplify(solved.subs(t, 1) / (-ETA * ERROR * Q0))

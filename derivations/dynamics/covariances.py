r"""Covariances of two inputs at initialization, at finite depth and in the infinite-depth limit, one-layer blocks.

    C_l^{ab} = C_{l-1}^{ab} + (T/L) E phi(h^a) phi(h^b),   (h^a, h^b) Gaussian with covariance C_{l-1},
for infinite width. With rho = c / sqrt(q p) of a pair (q, p, c):
    linear  c;      relu  sqrt(q p) (sqrt(1 - rho^2) + rho (pi - arccos rho)) / (2 pi)   (arc-cosine kernel);
    erf     (2/pi) arcsin(2 c / sqrt((1 + 2q)(1 + 2p)))   (arcsine kernel).
The limit is the solution of dC/dt = T E phi phi at t = 1; the recursion is its Euler scheme, off by b/L + O(1/L^2), so
that two depths give the limit by Richardson extrapolation, up to O(1/L^2).

Worked line: linear, T = 1: C_L = C_0 (1 + 1/L)^L for all three, and C_0 e in the limit.
Sources: Cho and Saul (2009); Williams (1997); the rest is derived here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

FINE: Final = 1024


@dataclass(frozen=True, slots=True)
class Pair:
    """Mean squares of two Gaussians and the mean of their product."""

    first: float
    second: float
    both: float


def _linear(first: float, second: float, both: float) -> float:
    return both


def _relu(first: float, second: float, both: float) -> float:
    size = math.sqrt(first * second)
    rho = max(-1, min(1, both / size))
    return size * (math.sqrt(1 - rho * rho) + rho * (math.pi - math.acos(rho))) / (2 * math.pi)


def _erf(first: float, second: float, both: float) -> float:
    return 2 / math.pi * math.asin(2 * both / math.sqrt((1 + 2 * first) * (1 + 2 * second)))


KERNEL: Final[dict[str, Callable[[float, float, float], float]]] = {"linear": _linear, "relu": _relu, "erf": _erf}


def at_depth(activation: str, start: Pair, depth: int, horizon: float = 1) -> Pair:
    """The covariances after L blocks, exactly, for infinite width."""
    kernel, e, c = KERNEL[activation], horizon / depth, start
    for _ in range(depth):
        c = Pair(
            c.first + e * kernel(c.first, c.first, c.first),
            c.second + e * kernel(c.second, c.second, c.second),
            c.both + e * kernel(c.first, c.second, c.both),
        )
    return c


def in_the_limit(activation: str, start: Pair, horizon: float = 1) -> Pair:
    """The covariances at infinite depth."""
    coarse = at_depth(activation, start, FINE, horizon)
    fine = at_depth(activation, start, 2 * FINE, horizon)
    return Pair(2 * fine.first - coarse.first, 2 * fine.second - coarse.second, 2 * fine.both - coarse.both)

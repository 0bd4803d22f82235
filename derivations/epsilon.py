r"""Adam's epsilon beside the entries of a gradient: the step between the sign and a multiple of the gradient.

One example's entry is g = m v z, v the gradient behind the slope, z what the matrix reads; Adam's first step makes
-lambda g/(|g| + epsilon) of it. Summed over the n coordinates of z, in units of lambda m n E|z|,
    B(u) = E zeta^2/(zeta + u),   zeta = |z|/E|z|,   u = epsilon/(m |v| E|z|):
one for u -> 0, the sign; E zeta^2/u for u -> infinity, linear in v. For Gaussian v of size s, tau = epsilon/(m s E|z|),
    C(tau) = E|v| B(tau s/|v|)/s,   S(tau) = E B(tau s/|v|)^2
are the part along v/|v| and the square: (2/pi)^(1/2) and 1, then E zeta^2/tau and its square. Four decades of tau lie
between the two: tabulated, eight points each, straight lines in the logarithm between them.

Worked line: a z of one size (zeta = 1) has B(u) = 1/(1 + u), half of the sign's step at |g| = epsilon.
Source: derived here; tests/instrument/test_epsilon.py holds it against nets.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from powercount.derivations.moments import values_of

PER_DECADE: Final = 8
DECADES: Final = 7  # beyond 10^-7 and 10^7 the two limits hold to the last digit that matters
GRID: Final = tuple(10 ** (i / PER_DECADE) for i in range(-DECADES * PER_DECADE, DECADES * PER_DECADE + 1))
LOGS: Final = tuple(math.log(each) for each in GRID)
DIGITS: Final = 3  # of a variance: what is tabulated hardly depends on it


def _signals() -> tuple[tuple[float, float], ...]:
    """(v, weight) of |v|, v standard normal, by the trapezoidal rule in log v: fine where the step turns over."""
    places = [math.exp(i / PER_DECADE) for i in range(-20 * PER_DECADE, 3 * PER_DECADE)]
    density = [v * math.exp(-v * v / 2) for v in places]
    total = math.fsum(density)
    return tuple((v, each / total) for v, each in zip(places, density, strict=True) if each > total * 2**-60)


SIGNALS: Final = _signals()


@dataclass(frozen=True, slots=True)
class Curve:
    """A positive function of tau: a constant below the grid, ``last``/tau^``power`` beyond it."""

    logs: tuple[float, ...]
    power: int

    def __call__(self, tau: float) -> float:
        """The value at tau, infinite tau included."""
        if tau <= GRID[0]:
            return math.exp(self.logs[0])
        if tau >= GRID[-1]:
            return 0 if tau == math.inf else math.exp(self.logs[-1] - self.power * (math.log(tau) - LOGS[-1]))
        at = math.log(tau)
        place = bisect_right(LOGS, at) - 1
        part = (at - LOGS[place]) / (LOGS[place + 1] - LOGS[place])
        return math.exp(self.logs[place] + part * (self.logs[place + 1] - self.logs[place]))


def _curve(function: Callable[[float], float], power: int) -> Curve:
    return Curve(tuple(math.log(function(each)) for each in GRID), power)


@dataclass(frozen=True, slots=True)
class Damped:
    """B, C and S of one law of z."""

    one: Curve
    along: Curve
    square: Curve


@lru_cache(maxsize=1 << 10)
def _damped(activation: str, variance: float) -> Damped:
    nodes = [(abs(value), weight) for value, weight in values_of(activation, variance)]
    mean = math.fsum(weight * size for size, weight in nodes)
    zeta = [(size / mean, weight) for size, weight in nodes if size > 0]
    one = _curve(lambda u: math.fsum(weight * size * size / (size + u) for size, weight in zeta), 1)
    along = _curve(lambda tau: math.fsum(weight * v * one(tau / v) for v, weight in SIGNALS), 1)
    return Damped(one, along, _curve(lambda tau: math.fsum(weight * one(tau / v) ** 2 for v, weight in SIGNALS), 2))


def damped(activation: str, variance: float) -> Damped:
    """The three curves for z = phi(y), y Gaussian of that variance; of a homogeneous phi the same for all."""
    if activation in ("linear", "abs", "relu"):
        return _damped("relu" if activation == "relu" else "linear", 1)
    return _damped(activation, float(f"{variance:.{DIGITS - 1}e}"))

"""How far several steps go: the factors of momentum and of summed statistics, exact.

Worked line: momentum .9 goes 1 + 1.9 + 2.71 = 5.61 first steps of plain descent in three, Nesterov's 1.9 in its first.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from sympy import Add, Expr, sqrt

MOMENTUM: Final = Fraction(9, 10)


def reach(name: str, steps: int) -> Fraction | Expr:
    """How far that many steps with a constant gradient go, in first steps of plain descent (of the sign, of UV^T).

    SGD, sign, Adam and Muon: T. Momentum: the sum over t of 1 + mu + ... + mu^(t-1). Nesterov: of 1 + mu + ... + mu^t.
    Shampoo, whose statistics are sums: of t^(-1/2).
    """
    if name == "shampoo":
        return Add(*(1 / sqrt(t) for t in range(1, steps + 1)))
    if name not in ("sgd-momentum", "nesterov"):
        return Fraction(steps)
    velocity, gone = Fraction(0), Fraction(0)
    for _ in range(steps):
        velocity = MOMENTUM * velocity + 1
        gone += 1 + MOMENTUM * velocity if name == "nesterov" else velocity
    return gone

"""How far several steps go: the factors of momentum, exact.

Worked line: momentum .9 goes 1 + 1.9 + 2.71 = 5.61 first steps of plain descent in three, Nesterov's 1.9 in its first.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

MOMENTUM: Final = Fraction(9, 10)


def reach(name: str, steps: int) -> Fraction:
    """How far that many steps with a constant gradient go, in first steps of plain descent (of the sign, of UV^T).

    SGD, sign, Adam and Muon: T. Momentum: the sum over t of 1 + mu + ... + mu^(t-1). Nesterov: of 1 + mu + ... + mu^t.
    """
    if name not in ("sgd-momentum", "nesterov"):
        return Fraction(steps)
    velocity, gone = Fraction(0), Fraction(0)
    for _ in range(steps):
        velocity = MOMENTUM * velocity + 1
        gone += 1 + MOMENTUM * velocity if name == "nesterov" else velocity
    return gone

r"""The traces of what a block does to the change of the stream: how layers act on tr K and tr K^2 (``mean_field``).

X = A A^T for the branch's Jacobian A, and R the own updates of its layers, pushed to the block's end. In infinite width
the random matrices of a block are free of what comes before it and of the diagonal slopes phi', so that the traces of
two such operators close under slopes, weights and own updates.

Worked line: one linear layer of gain g makes of X = 1: tr X = g, tr X^2 = 2 g^2.
Source: derived here.
"""

from __future__ import annotations

from dataclasses import dataclass

from powercount.derivations.moments import Moments


@dataclass(frozen=True, slots=True)
class Traces:
    """Normalized traces of X = A A^T and R, two positive operators built by the same layers."""

    x: float
    xx: float
    r: float
    rr: float
    xr: float

    def through_slopes(self, slope: Moments) -> Traces:
        """D X D and D R D for a diagonal D free of both, with tr D^2 and tr D^4 given."""
        mean, spread = slope.slope_square, slope.slope_fourth - slope.slope_square**2
        return Traces(
            mean * self.x,
            mean**2 * self.xx + spread * self.x**2,
            mean * self.r,
            mean**2 * self.rr + spread * self.r**2,
            mean**2 * self.xr + spread * self.x * self.r,
        )

    def through_weights(self, gain: float) -> Traces:
        """W X W^T and W R W^T for an independent Gaussian matrix of squared gain ``gain``."""
        return Traces(
            gain * self.x,
            gain**2 * (self.xx + self.x**2),
            gain * self.r,
            gain**2 * (self.rr + self.r**2),
            gain**2 * (self.xr + self.x * self.r),
        )

    def plus(self, own: float) -> Traces:
        """X and R + own times the identity."""
        if own == 0:
            return self
        return Traces(self.x, self.xx, self.r + own, self.rr + own * (2 * self.r + own), self.xr + own * self.x)

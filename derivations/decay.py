r"""The exact infinite-width value of what weight decay does to the stream and to the output.

Decay of W_J adds -rho y_J, rho = lambda omega, to y_J in every block, and every block passes on what came to it. As
(y, dy) are jointly Gaussian, q = E y^2, e = E y dy and d = E dy^2 are all there is. A random matrix multiplies each by
its gain; behind an activation
    E phi phi' dy = (e/q) E phi phi' y,     E (phi' dy)^2 = (e/q)^2 E phi'^2 y^2 + (d - e^2/q) E phi'^2,
and the stream adds branch^2 of what comes out, the last matrix of a block being independent of the stream.

Worked line (linear, k = 1, gain 1, branch^2 = b): d <- d (1 + b) - 2 rho b e + rho^2 b q, e <- e (1 + b) - rho b q.
"""

from __future__ import annotations

from powercount.derivations.moments import aligned_slopes, joint, moments
from powercount.derivations.propagation import Propagation
from powercount.derivations.recipe import internal_index


def decay_update(values: Propagation, role: str) -> float:
    """E of the square of h_L's change by one role's decay alone, of the readout's of f's; per base step."""
    power = values.recipe.role(role).weight_decay
    if power is None:
        return 0
    rho = values.rate[role] * power.at(values.width, values.depth)
    if role == "readout":
        return rho**2 * values.gradient[-1] * values.width * values.stream[-1]
    q = values.stream[0]
    if role == "input":
        return _carried(values, -rho * q, rho**2 * q, rho=0, decayed=0)
    return _carried(values, 0, 0, rho=rho, decayed=internal_index(role))


def _carried(values: Propagation, e: float, d: float, *, rho: float, decayed: int) -> float:
    """d at h_L, for a stream that starts with these; y of layer ``decayed`` of every block shrinks by rho."""
    for index, block in enumerate(values.blocks):
        q, along, change = values.stream[index], e, d
        for j in range(1, values.layers + 1):
            if j > 1 or values.layers == 1:
                along, change = _behind(values.activation, q, along, change)
            gain, q = values.gains[j - 1], block.preactivations[j - 1]
            along, change = gain * along, gain * change
            if j == decayed:
                along, change = along - rho * q, change - 2 * rho * along + rho**2 * q
        e, d = e + values.branch * along, d + values.branch * change
    return d


def _behind(activation: str, q: float, e: float, d: float) -> tuple[float, float]:
    """(E phi phi' dy, E (phi' dy)^2) of Gaussian y and dy."""
    if q == 0:
        return 0, 0
    across = e * e / q * (joint(activation, q).along - 1) + d
    return e * aligned_slopes(activation, q)[1], moments(activation, q).slope_square * across

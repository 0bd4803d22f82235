r"""One step from initialization, any activation, one-layer blocks, exactly at infinite width and finite depth.

One sample with |x|^2 = d, hidden matrices moved by an infinitesimal step eta, error e, e_b = T L^(2 branch) the squared
branch factor. With q_l = E h_l^2, s_l = E phi(h_{l-1})^2, p_l = E phi'(h_{l-1})^2 and G_l = E g_l^2 (g = delta/e):
    q_l = q_{l-1} + e_b s_l,            G_{l-1} = (1 + e_b p_l) G_l.
The step pushes block l along delta_l by a_l, its own update and the response of W_l(0) to its own transpose:
    a_l = beta rho_l - eta e_b s_l,     rho_l = E dphi(h_{l-1})/dzeta_l = beta p_l sum_{m<l} a_m,
since zeta_l = W_l^T delta_l has kicked every delta_m, m < l, by beta phi'. The output moves by e sum_l a_l.
- tied, forward:   K_l = sum_{m<=l} a_m obeys K_l = (1 + e_b p_l) K_{l-1} - eta e_b s_l;
- tied, backward:  -K_L/eta = sum_l e_b s_l G_l, the squared gradient of f. Two roads, one number.
- decoupled:       rho = 0, so -K_L/eta = q_L - q_0: the stream's own growth.
- covariances:     decoupled gradients have the G_l of tied ones before the first step, so that an output advanced by
                   sum_l e_b s_l G_l of either net moves as the tied one's does.
Trained too, readout and input add q_L and <v, J delta_0> to -(f^1 - f^0)/eta, J the forward Jacobian: G_0 tied, and 1
decoupled, where delta_0 and J share nothing but v. Features of linear blocks, h^1 - h^0 with D_l = E (h_l^1 - h_l^0)^2:
    D_l = (1 + e_b) D_{l-1} + 2 a_l K_{l-1} G_l + a_l^2 G_l.
Activations outside, h_l = h_{l-1} + beta phi(W_l h_{l-1}), with phi odd (any other drifts as sqrt(L)): the step pushes
h_l along phi'(y_l)^2 delta_l, so that tied -(f^1 - f^0)/eta = sum_l e_b p_l q_{l-1} G_l, and decoupled the same with
G_l = 1, where p_l and s_l are moments at q_{l-1}, as above.

Worked line: linear, T = 1, branch -1/2: tied (1 + 1/L)^(L-1) -> e, decoupled (1 + 1/L)^L - 1 -> e - 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from powercount.derivations.moments import moments

FINE: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstStep:
    """What one step does, per unit of eta e, at one depth.

    ``tied`` and ``decoupled`` are -(f^1 - f^0); ``backward`` is ``tied`` by the second road. ``single_layer`` is the
    mean over layers of rho_l sqrt(G_l/s_l), the share of W_l(0) phi^1 along delta_l; ``adjacent`` the mean over
    l >= 2 of its part through block l - 1, times beta sqrt(G_l/q_{l-1}). ``readout`` and ``input`` are what those two
    matrices add to ``tied``, if they are trained as well.
    """

    tied: float
    backward: float
    decoupled: float
    single_layer: float
    adjacent: float
    readout: float
    input: float

    @property
    def ratio(self) -> float:
        """tied over decoupled."""
        return self.tied / self.decoupled

    @property
    def ratio_of_all(self) -> float:
        """tied over decoupled where every matrix is trained."""
        return (self.tied + self.readout + self.input) / (self.decoupled + self.readout + 1)


def first_step(activation: str, depth: int, horizon: float = 1, branch: Fraction = -Fraction(1, 2)) -> FirstStep:
    """The exact values at one depth."""
    squared = horizon * depth ** float(2 * branch)
    beta, q = math.sqrt(squared), [float(1)]
    sizes, slopes = [], []
    for _ in range(depth):
        here = moments(activation, q[-1])
        sizes.append(here.square)
        slopes.append(here.slope_square)
        q.append(q[-1] + squared * here.square)
    gradients = [float(1)]
    for slope in reversed(slopes):
        gradients.append(gradients[-1] * (1 + squared * slope))
    gradients.reverse()
    pushed, shares, adjacent = float(0), [], []
    for block, (size, slope) in enumerate(zip(sizes, slopes, strict=True)):
        response = beta * slope * pushed
        shares.append(response * math.sqrt(gradients[block + 1] / size))
        if block:
            below = -beta * slope * squared * sizes[block - 1]
            adjacent.append(beta * below * math.sqrt(gradients[block + 1] / q[block]))
        pushed += beta * response - squared * size
    return FirstStep(
        tied=-pushed,
        backward=sum(squared * size * gradient for size, gradient in zip(sizes, gradients[1:], strict=True)),
        decoupled=q[-1] - q[0],
        single_layer=sum(shares) / depth,
        adjacent=sum(adjacent) / max(1, len(adjacent)),
        readout=q[-1],
        input=gradients[0],
    )


def first_step_limit(activation: str, horizon: float = 1) -> tuple[float, float]:
    """(tied, decoupled) at infinite depth, by Richardson extrapolation of two depths (error of order L^(-2))."""
    coarse, fine = first_step(activation, FINE, horizon), first_step(activation, 2 * FINE, horizon)
    return 2 * fine.tied - coarse.tied, 2 * fine.decoupled - coarse.decoupled


def outside_step(activation: str, depth: int) -> tuple[float, float]:
    """(tied, decoupled) of blocks phi(W h) with an odd phi, at T = 1 and branch -1/2."""
    squared, q = 1 / depth, [float(1)]
    pushes, slopes = [], []
    for _ in range(depth):
        here = moments(activation, q[-1])
        pushes.append(squared * here.slope_square * q[-1])
        slopes.append(here.slope_square)
        q.append(q[-1] + squared * here.square)
    gradient, tied = float(1), float(0)
    for push, slope in zip(reversed(pushes), reversed(slopes), strict=True):
        tied += push * gradient
        gradient *= 1 + squared * slope
    return tied, sum(pushes)


def linear_features(depth: int, *, tied: bool) -> list[float]:
    """D_l, l = 0..L, per unit of (eta e)^2, of linear blocks at T = 1 and branch -1/2."""
    squared = 1 / depth
    pushed, moved = float(0), [float(0)]
    for block in range(depth):
        own = squared * ((pushed if tied else 0) - (1 + squared) ** block)
        gradient = (1 + squared) ** (depth - block - 1)
        moved.append((1 + squared) * moved[-1] + own * gradient * (2 * pushed + own))
        pushed += own
    return moved

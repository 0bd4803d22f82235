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
    l >= 2 of its part through block l - 1, times beta sqrt(G_l/q_{l-1}).
    """

    tied: float
    backward: float
    decoupled: float
    single_layer: float
    adjacent: float

    @property
    def ratio(self) -> float:
        """tied over decoupled."""
        return self.tied / self.decoupled


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
    )


def first_step_limit(activation: str, horizon: float = 1) -> tuple[float, float]:
    """(tied, decoupled) at infinite depth, by Richardson extrapolation of two depths (error of order L^(-2))."""
    coarse, fine = first_step(activation, FINE, horizon), first_step(activation, 2 * FINE, horizon)
    return 2 * fine.tied - coarse.tied, 2 * fine.decoupled - coarse.decoupled

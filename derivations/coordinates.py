r"""Sign steps of one-layer blocks, coordinate by coordinate: gradients that are spread unevenly.

For k = 1 a coordinate of the gradient keeps its place from block to block, and so do the slopes that it passes:
    g_{p-1} = g_p + b D_p W_p^T g_p,   D_p = phi'(h_{p-1}),   v_r = G_L + sum_{p>r} c_p D_p^2,   c_p = b^2 Gamma^2 G_p,
v_r the variance of g_r given the path of its slopes. Gaussian with a random variance, its sign has (2/pi)^(1/2) v^(1/2)
along it. The change of the stream is, with r = 0 for the input and a_r the size of a step in the stream,
    u_l = - sum_{r<=l} a_r sgn(g_r) - sum_{m<=l} rho_m g_m + noise,
    rho_m = b^2 Gamma^2 ( sum_{r<m} a_r (2/pi)^(1/2) E D_m^2 v_r^(-1/2) + sum_{r<m} rho_r E D_m^2 ),
the response of W_m to its own transpose, and fresh noise of b^2 Gamma^2 E D_m^2 u_{m-1}^2. Averages over v are taken to
second order in its spread, from Cov(D_p^2, D_q^2).

Worked line: slopes of one size (linear, abs): v_r = G_r, and rho_m is b^2 Gamma^2 times all that came before.
Source: derived here; tests/instrument/test_optimizers.py holds it against nets of n = 192.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

from powercount.derivations.moments import COHERENT, slope_covariance
from powercount.derivations.propagation import Propagation


class Coordinates:
    """What a set of sign steps does to the stream; ``pushed`` is a_0, ..., a_L, per unit chi.

    ``squares`` are E u_l^2, l = 0..L, and ``met`` E D_m^2 u_{m-1}^2 of every block, m = 1..L.
    """

    def __init__(self, values: Propagation, pushed: Sequence[float]) -> None:
        self.values, self.pushed, self.depth = values, tuple(pushed), values.depth
        self.gradient, self.gain = values.gradient, values.branch * values.gains[0]
        self.response, self.squares, self.met = [float(0)], list[float](), [float(0)]
        # Of u without its noise: the terms, E u^2, and by how much E D^2 u^2 goes with Cov(D^2, v_r).
        self._terms, self._square = list[tuple[bool, int, float]](), float(0)
        self._weights, noise = [float(0)] * (self.depth + 1), float(0)
        self._add(True, 0, self.pushed[0])
        self.squares.append(self._square)
        for block in range(1, self.depth + 1):
            came = math.fsum(
                a * COHERENT * self.sloped(block, r, -1) for r, a in enumerate(self.pushed[:block]) if a > 0
            )
            self.response.append(self.gain * (came + math.fsum(self.response) * self.slope(block)))
            shared = math.fsum(w * each for w, each in zip(self._weights, self._slopes[block], strict=True))
            self.met.append(self.slope(block) * (self._square + noise) + shared)
            noise += self.gain * self.met[block]
            self._add(True, block, self.pushed[block])
            self._add(False, block, self.response[block])
            self.squares.append(self._square + noise)

    def _add(self, sign: bool, place: int, size: float) -> None:
        """One more term of u, size times sgn(g) or g of a level, beside those before it."""
        if size <= 0 or self.gradient[place] <= 0:
            return
        self._pair((sign, place), (sign, place), size * size)
        for other_sign, other, before in self._terms:
            self._pair((sign, place), (other_sign, other), 2 * size * before)
        self._terms.append((sign, place, size))

    def slope(self, block: int) -> float:
        """E D^2 of a block, counted from 1."""
        return self.values.blocks[block - 1].slopes[0].slope_square

    @cached_property
    def _slopes(self) -> tuple[tuple[float, ...], ...]:
        """[p][r]: Cov(D_p^2, v_r), p = 1..L."""
        stream, blocks = self.values.stream, range(1, self.depth + 1)
        rows = [tuple(float(0) for _ in range(self.depth + 1))]
        for p in blocks:
            row, found = [float(0)], float(0)
            for q in reversed(blocks):
                pair = sorted((stream[p - 1], stream[q - 1]))
                found += self.gain * self.gradient[q] * slope_covariance(self.values.activation, *pair)
                row.append(found)
            rows.append(tuple(reversed(row)))
        return tuple(rows)

    @cached_property
    def _variances(self) -> tuple[tuple[float, ...], ...]:
        """[r][s]: Cov(v_r, v_s)."""
        rows = [[float(0)] * (self.depth + 1)]
        for p in range(self.depth, 0, -1):
            size = self.gain * self.gradient[p]
            rows.append([before + size * new for before, new in zip(rows[-1], self._slopes[p], strict=True)])
        return tuple(tuple(row) for row in reversed(rows))

    def unevenness(self, level: int) -> float:
        """Var v/G^2 of the gradient of h_level."""
        return self._variances[level][level] / self.gradient[level] ** 2 if self.gradient[level] > 0 else 0

    def root(self, level: int, half: int) -> float:
        """E v^(half/2)."""
        power, size = half / 2, self.gradient[level]
        return math.pow(size, power) * (1 + power * (power - 1) / 2 * self.unevenness(level)) if size > 0 else 0

    def sloped(self, block: int, level: int, half: int) -> float:
        """E D^2 v^(half/2)."""
        size = self.gradient[level]
        if size <= 0:
            return 0
        power = half / 2
        return (
            self.slope(block) * self.root(level, half) + power * math.pow(size, power - 1) * self._slopes[block][level]
        )

    def _pair(self, one: tuple[bool, int], other: tuple[bool, int], factor: float) -> None:
        """A product of two terms of u, and of both with the slopes of a block above, to second order in v."""
        (first_sign, first), (second_sign, second) = one, other
        above, below, size = max(first, second), min(first, second), self.gradient
        if first_sign and second_sign:
            self._square += factor * COHERENT**2 * math.asin(math.sqrt(min(1, size[above] / size[below])))
        elif not first_sign and not second_sign:
            self._square += factor * size[above]
            self._weights[above] += factor
        else:
            sign, along = (first, second) if first_sign else (second, first)
            factor, root = factor * COHERENT, math.sqrt(size[sign])
            if along < sign:  # E v_sign^(1/2)
                self._square += factor * self.root(sign, 1)
                self._weights[sign] += factor / (2 * root)
            else:  # E v_along v_sign^(-1/2)
                met = size[along] * self.root(sign, -1) - self._variances[along][sign] / (2 * root**3)
                self._square += factor * met
                self._weights[along] += factor / root
                self._weights[sign] -= factor * size[along] / (2 * root**3)

    def along(self) -> float:
        """The part of h_L's change along its gradient, per unit of it."""
        # v_L is the same for every coordinate
        alone = (a * COHERENT * self.root(r, -1) for r, a in enumerate(self.pushed) if a > 0)
        return math.fsum(alone) + math.fsum(self.response)

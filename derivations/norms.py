r"""How the norms of a net's vectors differ from net to net: covariances of log |h_l|^2 and log |z_j|^2, to order 1/n.

With x = |w|^2 / |h|^2 for the branch w of a block and p = x / (1 + x) its part of the new stream,
    d log |h'|^2 = e d log |h|^2 + noise,    e = 1 - p + p (d log |w|^2 / d log |h|^2),
    n Var(noise) = 4 p (1 - p) + p^2 nu,
the first term from h meeting w, nu / n the block's own relative variance of |w|^2: 2 from its last matrix, and the
kurtosis of each activation on the way. h_0 is a Gaussian vector: n Var(log |h_0|^2) = 2.

For k = 1 the activation reads the stream, whose coordinates stay where they are from block to block: how many of them
are positive, say, is a noise that all blocks share. It adds n Cov(s_l, s_m) between blocks, where s_l is what
log |phi(h_l)|^2 has beyond its share in log |h_l|^2:
    n Cov(s_l, s_m) = Cov(phi(a)^2, phi(b)^2) / (E phi(a)^2 E phi(b)^2) - 2 rho^2 e_l e_m,
a and b Gaussian of variances q_l < q_m and correlation rho = (q_l / q_m)^(1/2). It grows as the square of the number of
blocks' worth of signal where independent noise grows as that number. Worked line: linear, k = 1, x = 1: nothing is
shared, and a block adds (4 + 2) / 4 = 3/2.
"""

from __future__ import annotations

import math
from functools import cached_property
from itertools import pairwise

from powercount.derivations.mean_field import InfiniteWidth
from powercount.derivations.moments import fluctuation, square_covariance


class Norms:
    """n times the covariances of log |h_l|^2, l = 0..L, and of log |z_j|^2, for one recipe at one (n, L)."""

    def __init__(self, values: InfiniteWidth) -> None:
        self.values, self.activation, self.layers = values, values.activation, values.layers
        stream = values.stream
        self.parts = tuple(1 - before / after if after > 0 else 0 for before, after in pairwise(stream))
        self.elasticities = tuple(
            1 - part + part * self.passed(index, self.layers) for index, part in enumerate(self.parts)
        )

    def _inputs(self, index: int, j: int) -> tuple[float, ...]:
        """The variances that the activations before z_j, j = 1..k, are fed with."""
        if self.layers == 1:
            return (self.values.stream[index],)
        return self.values.blocks[index].preactivations[: j - 1]

    def passed(self, index: int, j: int) -> float:
        """d log |z_j|^2 / d log |h|^2; also of the branch itself, for j = k."""
        return math.prod(fluctuation(self.activation, q)[1] for q in self._inputs(index, j))

    def later(self, index: int, j: int) -> float:
        """d log |branch|^2 / d log |z_j|^2."""
        inside = self._inputs(index, self.layers)
        return math.prod(fluctuation(self.activation, q)[1] for q in inside[max(j - 1, 0) :]) if self.layers > 1 else 1

    def own(self, index: int, j: int) -> float:
        """n Var(log |z_j|^2) for a given stream; for k = 1 what is shared with other blocks is not in it."""
        noise = float(0)
        if self.layers > 1:
            for variance in self._inputs(index, j):
                own, elasticity = fluctuation(self.activation, variance)
                noise = own + elasticity**2 * noise
        return noise

    @cached_property
    def _independent(self) -> tuple[float, ...]:
        variances = [float(2)]
        for index, (part, elasticity) in enumerate(zip(self.parts, self.elasticities, strict=True)):
            noise = self.own(index, self.layers) + 2
            variances.append(elasticity**2 * variances[-1] + 4 * part * (1 - part) + part**2 * noise)
        return tuple(variances)

    @cached_property
    def _shared(self) -> tuple[tuple[float, ...], ...]:
        """n Cov(s_l, s_m)."""
        q, depth = self.values.stream, self.values.depth
        if self.layers > 1:
            return tuple(tuple(float(0) for _ in range(depth)) for _ in range(depth))
        elastic = [fluctuation(self.activation, each)[1] for each in q]

        def between(i: int, j: int) -> float:
            low, high = min(q[i], q[j]), max(q[i], q[j])
            if low <= 0:
                return 0
            return square_covariance(self.activation, low, high) - 2 * low / high * elastic[i] * elastic[j]

        return tuple(tuple(between(i, j) for j in range(depth)) for i in range(depth))

    @cached_property
    def _gathered(self) -> tuple[tuple[float, ...], ...]:
        """[l][m]: n Cov(log |h_l|^2, s_m)."""
        rows = [tuple(float(0) for _ in range(self.values.depth))]
        for index, (part, elasticity) in enumerate(zip(self.parts, self.elasticities, strict=True)):
            rows.append(
                tuple(
                    elasticity * before + part * new for before, new in zip(rows[-1], self._shared[index], strict=True)
                )
            )
        return tuple(rows)

    @cached_property
    def covariances(self) -> tuple[tuple[float, ...], ...]:
        """[l][m], m >= l: n Cov(log |h_l|^2, log |h_m|^2), from l on; each block hands on and adds its part."""
        rows = []
        for lower, variance in enumerate(self._independent):
            row = [variance + self.shared(lower)]
            for index in range(lower, self.values.depth):
                row.append(self.elasticities[index] * row[-1] + self.parts[index] * self._gathered[lower][index])
            rows.append(tuple(row))
        return tuple(rows)

    def shared(self, level: int) -> float:
        """The part of n Var(log |h_level|^2) that comes from what all blocks share."""
        found = float(0)
        for index in range(level):
            found = self.elasticities[index] * found + self.parts[index] * self._gathered[level][index]
        return found

    def between(self, first: int, second: int) -> float:
        """n Cov(log |h_first|^2, log |h_second|^2)."""
        lower, upper = min(first, second), max(first, second)
        return self.covariances[lower][upper - lower]

    def noise(self, index: int, j: int) -> float:
        """n Var(log |z_j|^2) at one block."""
        passed = self.passed(index, j)
        shared = self._shared[index][index] + 2 * passed * self._gathered[index][index] if self.layers == 1 else 0
        return passed**2 * self.between(index, index) + self.own(index, j) + shared

    def with_stream(self, index: int, j: int) -> float:
        """n Cov(log |z_j|^2 at one block, log |h_L|^2)."""
        depth = self.values.depth
        found = self.passed(index, j) * self.between(index, depth)
        found += (
            self.own(index, j) * self.parts[index] * self.later(index, j) * math.prod(self.elasticities[index + 1 :])
        )
        return found + (self._gathered[depth][index] if self.layers == 1 else 0)

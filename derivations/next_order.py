r"""The next order in 1/n inside a block: norms that fluctuate on the way, and a gradient that meets what made them.

|z_j|^2 of n coordinates varies from net to net, and with it everything behind it in the block; so does the mean of
phi'(y_j)^2. With theta the logarithms of these noises, n times whose covariance is V and E exp(theta) = 1, a value
F(theta) has, a and b being the first and (per direction) second derivatives of log F,
    E F = F(0) exp( (sum_ij V_ij a_i a_j + sum_i V_ii (b_i - a_i)) / (2 n) ).
V of |z_{j+1}|^2 is E phi^4 / (E phi^2)^2 - 1, V of the slopes is E phi'^4 / (E phi'^2)^2 - 1, between the two of one
layer it is E phi^2 phi'^2 / (E phi^2 E phi'^2) - 1. An own update takes along the noise of the stream too, V = 2.
Worked line: |z_k|^4 of the last layer, linear: each of k layers has V = 2, a = 2, b = 0: exp(2 k / n).

A gradient that knows nothing of y_k has 1/n of its square along it; further down it has alpha_i / n along y_i, since
D_i is made of y_i and W_i^T y_i lies along z_i. With the ratios of ``moments.Joint``
    alpha_i - 1 = along_i - 1 + kept_i (alpha_{i+1} - 1),   alpha_k = 1,
and |D_i W_{i+1}^T p|^2 gains 1 + fed_i (alpha_{i+1} - 1) / n. What K^2 gains along these directions is not derived:
some times ``alignment``, measured; see ``gate.finite_size``.

Source: derived here; tests/instrument/test_next_order.py holds it against nets of n = 64 and 128.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from powercount.derivations.mean_field import InfiniteWidth
from powercount.derivations.moments import Joint, Moments, fluctuation, joint
from powercount.derivations.propagation import Block
from powercount.derivations.traces import Traces

NODES: Final = 5  # blocks of a net whose noise is worked out
# Of a logarithm: its square is far below the next order's own error, its inverse far above rounding.
STEP: Final = 1 / 20


@dataclass(frozen=True, slots=True)
class Noise:
    """One source: n times its variance, the block with it one step up and down, and n Cov with the source before it."""

    variance: float
    up: Block
    down: Block
    with_last: float = 0


def exponent(noises: Iterable[Noise], here: float, around: Iterable[tuple[float, float]]) -> float:
    """n log E F / F of a value that is ``here`` without noise, and ``around`` with each noise one step up and down."""
    if here <= 0:
        return 0
    found = last = float(0)
    for noise, (more, less) in zip(noises, around, strict=True):
        up, down = math.log(more / here), math.log(less / here)
        first, second = (up - down) / (2 * STEP), (up + down) / STEP**2
        found += noise.variance * (first**2 + second - first) / 2 + noise.with_last * first * last
        last = first
    return found


class NextOrder(InfiniteWidth):
    """The values of ``InfiniteWidth`` with what fluctuates inside a block, to order 1/n in the exponent."""

    def _noises(self, index: int) -> tuple[Noise, ...]:
        """The sources inside a block, made once."""
        if index not in self._known_noises:
            self._known_noises[index] = self._inside(index)
        return self._known_noises[index]

    @cached_property
    def _known_noises(self) -> dict[int, tuple[Noise, ...]]:
        return {}

    def _inside(self, index: int) -> tuple[Noise, ...]:
        """For k = 1 all blocks share the sources, and they are left out here."""
        if self.layers == 1:
            return ()
        q, found = self.stream[index], list[Noise]()
        for j, ratios in enumerate(self._joint(index), start=1):
            variance = fluctuation(self.activation, self.blocks[index].preactivations[j - 1])[0]
            up, down = (self.block(q, {j + 1: math.exp(step)}) for step in (STEP, -STEP))
            found.append(Noise(variance, up, down))
            up, down = (_steeper(self.blocks[index], j, math.exp(step)) for step in (STEP, -STEP))
            found.append(Noise(ratios.sharp - 1, up, down, ratios.fed - 1))
        return tuple(found)

    def _joint(self, index: int) -> tuple[Joint, ...]:
        """Of the activations before z_2, ..., z_k."""
        if self.layers == 1:
            return ()
        return tuple(joint(self.activation, q) for q in self.blocks[index].preactivations[:-1])

    def averaged(self, index: int, value: Callable[[Block], float]) -> float:
        """What is made of block ``index``, over the noise inside it."""
        return self._over(index, self._noises(index), value)

    def _over(self, index: int, noises: Iterable[Noise], value: Callable[[Block], float]) -> float:
        here = value(self.blocks[index])
        around = [(value(noise.up), value(noise.down)) for noise in noises]
        return here * math.exp(exponent(noises, here, around) / self.width)

    def through_block(self, index: int, moving: frozenset[str]) -> Traces:
        """The traces of a block over the noise inside it."""
        return self._passing(index, moving)[0]

    def trace_variance(self, roles: Iterable[str]) -> float:
        """The variance of tr K after the last block that the noise inside each block makes."""
        moving, found = frozenset(roles), float(0)
        for index in range(self.depth):
            traces, square = self._passing(index, moving)
            found = found * (1 + self.branch * traces.x) ** 2 + self.branch**2 * (square - traces.r**2)
        return found

    def _passing(self, index: int, moving: frozenset[str]) -> tuple[Traces, float]:
        """(the traces of a block, r^2), each over the noise inside it."""
        if (index, moving) not in self._known_blocks:
            low, high = (
                max(node for node in self._nodes if node <= index),
                min(node for node in self._nodes if node >= index),
            )
            above = (index - low) / (high - low) if high > low else 0
            pairs = zip(self._exponents(low, moving), self._exponents(high, moving), strict=True)
            *traces, square = (
                here * math.exp(((1 - above) * below + above * beyond) / self.width)
                for here, (below, beyond) in zip(self._parts(self.blocks[index], moving), pairs, strict=True)
            )
            self._known_blocks[index, moving] = Traces(*traces), square
        return self._known_blocks[index, moving]

    @cached_property
    def _nodes(self) -> tuple[int, ...]:
        """The blocks whose noise is worked out; between them its exponents are linear to far below the next order."""
        return tuple(sorted({place * (self.depth - 1) // (NODES - 1) for place in range(NODES)}))

    def _parts(self, block: Block, moving: frozenset[str]) -> tuple[float, ...]:
        traces = self.passed(block, moving)
        return traces.x, traces.xx, traces.r, traces.rr, traces.xr, traces.r**2

    def _exponents(self, index: int, moving: frozenset[str]) -> tuple[float, ...]:
        """n times the logarithm of what the noise inside a block makes of each of its parts."""
        if (index, moving) not in self._known_exponents:
            noises = self._noises(index)
            around = [(self._parts(noise.up, moving), self._parts(noise.down, moving)) for noise in noises]
            self._known_exponents[index, moving] = tuple(
                exponent(noises, each, [(up[place], down[place]) for up, down in around])
                for place, each in enumerate(self._parts(self.blocks[index], moving))
            )
        return self._known_exponents[index, moving]

    @cached_property
    def _known_blocks(self) -> dict[tuple[int, frozenset[str]], tuple[Traces, float]]:
        return {}

    @cached_property
    def _known_exponents(self) -> dict[tuple[int, frozenset[str]], tuple[float, ...]]:
        return {}

    def own_update(self, index: int, j: int) -> float:
        """E (m_j dW_j z_j)^2 at one block, per unit E chi^2; the noise of the stream, and of phi(h), is in it."""
        q, gradient = self.stream[index], self.gradient[index + 1]
        noises = [Noise(2, self.block(q * math.exp(STEP)), self.block(q * math.exp(-STEP)))]
        if self.layers == 1:
            up, down = (self.block(q, {1: math.exp(step)}) for step in (STEP, -STEP))
            noises.append(Noise(fluctuation(self.activation, q)[0], up, down))
        noises.extend(self._noises(index))

        def made(block: Block) -> float:
            return self.own(block, j) ** 2 * self.sent_back(block, gradient)[j - 1]

        return self._over(index, noises, made) * math.exp(self.alignment(index, j) / self.width)

    def alignment(self, index: int, j: int) -> float:
        """n times what |p_j|^2 gains since the gradient has met y_{j+1}, ..., y_{k-1} on its way through the block."""
        gain = excess = float(0)
        for each in reversed(self._joint(index)[j - 1 :]):
            gain += each.fed * excess
            excess = each.along - 1 + each.kept * excess
        return gain


def _steeper(block: Block, j: int, factor: float) -> Block:
    """The block with phi'(y_j)^2 multiplied on average: more slopes of the same kind, as for relu."""
    here = block.slopes[j]
    moved = Moments(here.square, here.slope_square * factor, here.slope_fourth * factor)
    return replace(block, slopes=(*block.slopes[:j], moved, *block.slopes[j + 1 :]))

r"""The next order in 1/n under the squared loss, where the error signal chi = V h - y is read off the stream itself.

Under cross-entropy chi is of order one whatever V and h. Under the squared loss its part V h depends on the readout V
(C rows of n entries of variance G) and on the stream h = h_L, and so does the gradient g = V^T chi that every hidden
update is made from: g = V^T V h - V^T y leans towards h, and its length goes with that of h. With W = V^T V, a
Wishart matrix, and any K, R that do not know V (all moments below are exact in n and C):
    E h^T W h       = G C a,
    E W K W         = G^2 [C (C + 1) K + C tr K],
    E h^T W K W K W h = G^3 [C T_1^2 a + C (C + 1) (T_2 a + 2 T_1 b) + (C^3 + 3 C^2 + 4 C) c],
a = |h|^2, b = h^T K h, c = h^T K^2 h, T_1 = tr K, T_2 = tr K^2. A mean square is that of the label's part y, which is
cross-entropy's with an error of one, plus that of the part V h, which is C G a times as large but for
    alignment    how much longer a positive operator P is along h than on average: a P the gradient is sent through has
                 1 + (C + 1) kappa / n in place of 1, kappa = (h^T P h / a) / (tr P / n), and
    fluctuation  |z_l|^2 varies from net to net with |h|^2: products of norms of blocks l, m gain exp(Cov_lm / n).

Alignment through a block, h' = h + w with w = L^-alpha W_k a_k. A vector alpha h' + (isotropic, of square beta) meets
the transposed matrices of the block that made w: W_k^T w is the gain times a_k and an isotropic rest of that size,
phi' a_k is c y + rest with c = E[phi phi' y] / E y^2, and so on down: it arrives as alpha (1 + mu) h + isotropic.
For K as in ``mean_field`` h^T K h and h^T K^2 h follow from the same pass with alpha = 1.

The fluctuations of norms are those of ``norms``. Exact in V; to leading order in the
hidden matrices. Worked line: linear, k = 1, alpha = 0, Gamma = 1: x = 1, each block
multiplies h^T (J J^T) h / (|h|^2 tr J J^T / n) by nothing and adds 3/4: 1 + 3 L / 4 after L blocks.
Source: derived here; Wishart moments by Wick's theorem (a test enumerates the pairings).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from powercount.derivations.mean_field import InfiniteWidth
from powercount.derivations.moments import aligned_slopes
from powercount.derivations.norms import Norms
from powercount.derivations.recipe import Observable, middle


@dataclass(frozen=True, slots=True)
class Backward:
    """A vector alpha h + isotropic sent back through one block.

    ``signals`` its mean squares at y_1..y_k; ``aligned`` and ``isotropic`` what arrives at the stream below: the
    multiple of h, and the mean square of the rest.
    """

    signals: tuple[float, ...]
    aligned: float
    isotropic: float


class SquaredLoss:
    """The mean squares of the observables of a recipe under the squared loss, next order in 1/n included."""

    def __init__(self, values: InfiniteWidth) -> None:
        self.values, self.classes, self.width = values, values.classes, values.width
        self.last, self.norms = values.stream[-1], Norms(values)

    def back(self, index: int, aligned: float, isotropic: float) -> Backward:
        """alpha h_l + isotropic, mean square ``isotropic``, sent back through block ``index`` to h_{l-1}."""
        values = self.values
        block, gains, e, k = values.blocks[index], values.gains, values.branch, values.layers
        q, activation = values.stream[index], values.activation
        after = values.stream[index + 1]
        signals = [e * (aligned**2 * after + isotropic)]
        share = aligned * e * gains[k - 1]
        rest = gains[k - 1] * signals[-1]
        for j in range(k - 1, 0, -1):
            both, along = aligned_slopes(activation, block.preactivations[j - 1])
            signals.append(block.slopes[j].slope_square * rest + share**2 * both)
            share *= along * gains[j - 1]
            rest = gains[j - 1] * signals[-1]
        if k == 1:
            both, along = aligned_slopes(activation, q)
            rest = block.slopes[0].slope_square * rest + share**2 * max(both - along**2 * q, 0)
            share *= along
        made = after - q
        return Backward(tuple(reversed(signals)), aligned + share, aligned**2 * made + isotropic + rest)

    @cached_property
    def received(self) -> tuple[tuple[Backward, ...], tuple[float, float]]:
        """The stream itself sent back from h_L: what every block receives, first block first, and h_0's two parts."""
        aligned, isotropic, found = float(1), float(0), []
        for index in reversed(range(self.values.depth)):
            found.append(self.back(index, aligned, isotropic))
            aligned, isotropic = found[-1].aligned, found[-1].isotropic
        return tuple(reversed(found)), (aligned, isotropic)

    def along(self, size: float, usual: float) -> float:
        """kappa: the mean square of the stream sent somewhere, over that of a vector of its length that is isotropic.

        ``usual`` is the isotropic gain of mean squares from h_L.
        """
        return size / (self.last * usual) if usual > 0 else 1

    def shares(self, roles: Iterable[str]) -> list[tuple[int, float]]:
        """The parts of tr K after the last block: (block it comes from, part); -1 is the input's, which is fixed."""
        values, moving = self.values, frozenset(roles)
        parts: list[tuple[int, float]] = []
        if "input" in moving:
            own = values.rate["input"] * values.multiplier["input"] ** 2
            parts.append((-1, own * values.gradient[0] / values.gradient[-1]))
        for index in range(values.depth):
            mine = sum(
                (
                    values.own(values.blocks[index], j) * values.signals[index][j - 1]
                    for j, role in enumerate(values.hidden, start=1)
                    if role in moving
                ),
                start=float(0),
            )
            parts.append((index, mine / values.gradient[-1]))
        return parts

    def fluctuations(self, parts: list[tuple[int, float]], readout: float = 0) -> float:
        """E (sum of parts)^2 |h|^2 over the product of the means; ``readout`` goes with |h_L|^2 itself."""
        last = self.values.depth
        total = sum((part for _, part in parts), start=readout)
        if total == 0:
            return 1
        # Places rise; the input's share, at -1, varies with nothing.
        every = [(place, part) for place, part in (*parts, (last, readout)) if place >= 0 and part]
        rows = {place: self.norms.covariances[place] for place, _ in every}
        weighed = [(place, part * math.exp(rows[place][-1] / self.width)) for place, part in every]
        fixed = sum((part for place, part in parts if place < 0), start=float(0))
        found, so_far = fixed**2, list[tuple[int, float]]()
        for place, part in weighed:
            pairs = sum(
                (part_below * math.exp(rows[below][place - below] / self.width) for below, part_below in so_far),
                start=fixed,
            )
            found += part * (2 * pairs + part * math.exp(rows[place][0] / self.width))
            so_far.append((place, part))
        return found / total**2

    def alignment(self, roles: Iterable[str], depth: int) -> tuple[float, float]:
        """(h^T K h / |h|^2, h^T K^2 h / |h|^2) after ``depth`` blocks when only ``roles`` move."""
        values, moving = self.values, frozenset(roles)
        first = values.rate["input"] * values.multiplier["input"] ** 2 if "input" in moving else float(0)
        once, twice = first, first**2
        before, squares = values.traces(moving)
        for index in range(depth):
            q, after = values.stream[index], values.stream[index + 1]
            if after <= 0:
                continue
            step, t = self.back(index, float(1), float(0)), before[index]
            s = squares[index]
            own = [
                values.own(values.blocks[index], j) if role in moving else 0
                for j, role in enumerate(values.hidden, start=1)
            ]
            made, mu = after - q, step.aligned - 1
            # The trace part of the block: what K and the block's own updates push along the gradient itself.
            pushed = before[index + 1] - t
            square = step.isotropic
            gain = values.gradient[index] / values.gradient[index + 1] - 1 if values.gradient[index + 1] > 0 else 0
            twice = (
                (1 + mu) ** 2 * (1 + gain) * twice * q
                + s * (1 + gain) * square
                + 2 * (1 + mu) * once * (pushed * (q + mu * q) + t * mu * q)
                + pushed * (pushed * after + 2 * t * made)
                + values.spread(index, moving, t) * after
            ) / after
            once = (
                (1 + mu) ** 2 * q * once
                + t * square
                + sum((rate * signal for rate, signal in zip(own, step.signals, strict=True)), start=float(0))
            ) / after
        return once, twice

    def leaning(self, observable: Observable) -> tuple[float, float]:
        """(kappa, fluctuation) of an update made from a gradient along the stream itself."""
        values, n = self.values, self.width
        index, everything = middle(values.depth) - 1, ("input", *values.hidden)
        match observable.quantity, observable.role:
            case "own-update", "input":
                aligned, isotropic = self.received[1]
                size = aligned**2 * values.stream[0] + isotropic
                return self.along(size, values.gradient[0] / values.gradient[-1]), 1
            case "own-update", str(role):
                j = values.hidden.index(role) + 1
                kappa = self.along(
                    self.received[0][index].signals[j - 1], values.signals[index][j - 1] / values.gradient[-1]
                )
                chance = math.exp((self.norms.noise(index, j) - values.norm_fluctuations[j - 1]) / n)
                return kappa, chance * math.exp(2 * self.norms.with_stream(index, j) / n)
            case "total-update", _:
                _, twice = self.alignment(everything, index)
                s = values.kernel(everything, index)[1]
                here = self.received[0][index]
                size = here.aligned**2 * twice * values.stream[index] + here.isotropic * s
                kappa = self.along(size, s * values.gradient[index] / values.gradient[-1])
                return kappa, self.fluctuations(self.shares(everything))
            case "feature-update", role:
                roles = everything if role is None else (role,)
                _, twice = self.alignment(roles, values.depth)
                s = values.kernel(roles, values.depth)[1]
                return (twice / s if s > 0 else 1), self.fluctuations(self.shares(roles))
        raise ValueError(f"{observable} is not made from a gradient along the stream")

    def mean_square(self, observable: Observable) -> float:
        """E of the square over coordinates and initializations; leading order as ``InfiniteWidth``'s."""
        values, classes, n = self.values, self.classes, self.width
        logit = values.gradient[-1] * n * self.last
        usual = values.mean_square(observable)
        if not observable.reads_error or logit == 0 or usual == 0:
            return usual
        label, followed = usual / (classes * logit + 1), classes * logit
        if observable.role == "readout":
            v = self.norms.between(values.depth, values.depth)
            return label * (math.exp(v / n) + followed * math.exp(3 * v / n))
        if observable.quantity == "output-update":
            return self._output_update(label, observable.role)
        kappa, factor = self.leaning(observable)
        return label * (1 + followed * factor * (1 + (classes + 1) * kappa / n))

    def _output_update(self, label: float, role: str | None) -> float:
        """|(M + rho) chi|^2 over the classes, M = V K V^T and rho the readout's own part."""
        values, classes, n = self.values, self.classes, self.width
        roles = ("input", *values.hidden) if role is None else (role,)
        before, s = values.kernel(roles, values.depth)
        once, twice = self.alignment(roles, values.depth)
        t, reach, a = before[-1], values.gradient[-1], n * self.last
        own = values.rate["readout"] * values.multiplier["readout"] ** 2 * a if role is None else 0
        c = classes
        cubic = (
            c * n * n * (t * t + values.trace_variance(roles))
            + c * (c + 1) * n * (s + 2 * t * once)
            + (c**3 + 3 * c**2 + 4 * c) * twice
        )
        square = c * (c + 1) * once + c * n * t
        followed = a * (reach**3 * cubic + 2 * own * reach**2 * square + own**2 * reach * c)
        parts = [(block, n * reach * part) for block, part in self.shares(roles)]
        return label + followed / c * self.fluctuations(parts, own)


class LearnedReadout:
    """The mean squares after several gentle steps of a readout that starts at zero, but for a factor of T and the rate.

    From the second step on the gradient is g = m^2 lambda chi h_L, along the stream; hidden matrices then move at the
    second order in the rate. ``values`` are those of the recipe with a readout of unit weights in place of the zeros.
    """

    def __init__(self, values: InfiniteWidth) -> None:
        self.values, self.leaning = values, SquaredLoss(values)
        self.learned = values.rate["readout"] * values.multiplier["readout"] ** 2

    def mean_square(self, observable: Observable) -> float:
        """E of the square, to leading order in the rate."""
        values = self.values
        if observable.quantity in ("stream", "branch-sum"):
            return values.mean_square(observable)
        alone = observable.quantity in ("feature-update", "output-update") and observable.role not in (None, "readout")
        if alone or observable.quantity in ("gradient", "output") or str(observable) == "feature-update@readout":
            return 0
        if observable.role == "readout" or str(observable) == "output-update":
            v = self.leaning.norms.between(values.depth, values.depth)
            return (self.learned * values.width * values.stream[-1]) ** 2 * math.exp(v / values.width)
        kappa, factor = self.leaning.leaning(observable)
        per_gradient = values.mean_square(observable) / values.error() / values.gradient[-1]
        return per_gradient * self.learned**2 * values.stream[-1] * kappa * factor

r"""The exact infinite-width values of every observable at finite depth L, for one example per step.

What goes up and down is ``propagation``'s: q = E h^2, G = E g^2. The step: every change of the stream is minus a
positive operator on the gradient, dh_l = -K_l g_l, with
    K_0 = lambda_in m_in^2,   K_l = B K_{l-1} B^T + L^(-2 alpha) R,   B = 1 + L^(-alpha) A,
where A is the branch's Jacobian and R collects the own updates of its layers. In infinite width the random matrices
of a block are free of K_{l-1} and of the diagonal slopes phi', so the normalized traces t = tr K and s = tr K^2
close: that is all |dh_l|^2 = s G_l and df = -n t G_L ask for. The traces carry the response of the forward pass to
its own transposed weights, which gradient independence drops.

Exact for k >= 2. For k = 1 it is exact when phi'^2 is constant (linear, abs); for the others the slopes
phi'(h_l) of different blocks are correlated through h, which is neglected in s (and only there).
Worked line: input alone moves, linear, k = 1: tr K_L = K_0 (1 + L^(-2 alpha) Gamma_1^2)^L.

Source: the traces are derived here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cached_property

from powercount.derivations.decay import decay_update
from powercount.derivations.moments import slope_covariance
from powercount.derivations.propagation import Block, Propagation
from powercount.derivations.recipe import Observable, Recipe, middle, observables
from powercount.derivations.traces import Traces


class InfiniteWidth(Propagation):
    """The infinite-width values of a recipe at one (n, L); n enters through the powers alone.

    Two corrections in 1/n are kept. C output rows of n coordinates overlap by chance, E (v_c K v_c')^2 = tr K^2 / n,
    which adds (C + 1) tr K^2 / n to (tr K)^2 in the mean square of an output update: 9 % at n = 128 and C = 10. And
    |z_j|^2 fluctuates with a relative variance v_j / n, which the mean square of an own update of internal layer j
    gains.
    """

    def __init__(self, recipe: Recipe, width: int, depth: int, classes: int = 10) -> None:
        self._known: dict[frozenset[str], tuple[list[float], list[float]]] = {}
        super().__init__(recipe, width, depth, classes)

    @cached_property
    def _received(self) -> tuple[tuple[float, ...], ...]:
        """[l][j]: block j's variance in the gradient, times Cov(phi'(h_{l-1})^2, phi'(h_{j-1})^2) per unit slope."""
        q, size = self.stream, [self.gains[0] * self.branch * gradient for gradient in self.gradient[1:]]
        return tuple(
            tuple(
                size[j] * slope_covariance(self.activation, q[min(index, j)], q[max(index, j)]) if j != index else 0
                for j in range(self.depth)
            )
            for index in range(self.depth)
        )

    def correlated(self, index: int, traces: list[float]) -> float:
        """X: what E phi'(h)^2 (K g)^2 exceeds the product of means by, at one block; ``traces`` is tr K before each."""
        if self.layers > 1:
            return 0
        weights = [*traces, *([traces[-1]] * (self.depth - len(traces)))]
        return sum(
            (weight * weight * size for weight, size in zip(weights, self._received[index], strict=True)),
            start=float(0),
        )

    def _own(self, block: Block, roles: frozenset[str]) -> list[float]:
        return [self.own(block, j) if r in roles else 0 for j, r in enumerate(self.hidden, start=1)]

    def own_update(self, index: int, j: int) -> float:
        """E (m_j dW_j z_j)^2 at one block, per unit E chi^2."""
        chance = 1 + self.norm_fluctuations[j - 1] / self.width
        return self.own(self.blocks[index], j) ** 2 * self.signals[index][j - 1] * chance

    def kernel(self, roles: Iterable[str], depth: int) -> tuple[list[float], float]:
        """(tr K before each block and after the last, tr K^2 after the last of ``depth`` blocks); ``roles`` move."""
        traces, squares = self.traces(frozenset(roles))
        return traces[: depth + 1], squares[depth]

    def traces(self, moving: frozenset[str]) -> tuple[list[float], list[float]]:
        """tr K and tr K^2 after 0, 1, ..., L blocks when only the roles ``moving`` move."""
        if moving not in self._known:
            self._known[moving] = self._traces(moving)
        return self._known[moving]

    def _traces(self, moving: frozenset[str]) -> tuple[list[float], list[float]]:
        t = self.start(moving)
        s, before, squares = t * t, list[float](), list[float]()
        for index in range(self.depth):
            traces, e = self.through_block(index, moving), self.branch
            mean, square = 1 + e * traces.x, 1 + 4 * e * traces.x + e * e * traces.xx
            before.append(t)
            squares.append(s)
            correlated = self.correlated(index, before)
            s = s * mean**2 + t * t * (square - mean**2) + 2 * t * e * (traces.r + e * traces.xr) + e * e * traces.rr
            if correlated:
                s += e * self.gains[0] * correlated / self.gradient[index + 1]
            t = t * mean + e * traces.r
        return [*before, t], [*squares, s]

    def start(self, moving: frozenset[str]) -> float:
        """tr K before the first block."""
        return self.rate["input"] * self.multiplier["input"] ** 2 if "input" in moving else 0

    def through_block(self, index: int, moving: frozenset[str]) -> Traces:
        """The traces of a block's X = A A^T and of what its own updates push."""
        return self.passed(self.blocks[index], moving)

    def passed(self, block: Block, moving: frozenset[str]) -> Traces:
        """The traces of one block as it is."""
        traces, own = Traces(1, 1, 0, 0, 0), self._own(block, moving)
        for j in range(self.layers):
            traces = traces.through_slopes(block.slopes[j]).through_weights(self.gains[j]).plus(own[j])
        return traces

    def alignment(self, index: int, j: int) -> float:
        """What a gradient gains on its way to layer j by what it meets: nothing in infinite width."""
        return 0

    def uneven(self) -> float:
        """How unevenly the gradient is spread over coordinates where that is left out: not at all."""
        return 0

    def trace_variance(self, roles: Iterable[str]) -> float:
        """The variance of tr K after the last block from net to net: none in infinite width."""
        return 0

    def spread(self, index: int, roles: Iterable[str], t: float) -> float:
        """What one block adds to tr K^2 beyond a Gaussian matrix: the spread of its layers' and slopes' own traces."""
        traces = self.through_block(index, frozenset(roles))
        fresh = t * t * (traces.xx - 2 * traces.x**2) + 2 * t * (traces.xr - traces.x * traces.r)
        return self.branch**2 * (fresh + traces.rr - traces.r**2)

    def total_update(self, j: int) -> float:
        """E (dy_j)^2 at the mid-depth block, per unit E chi^2."""
        index = middle(self.depth) - 1
        before, s = self.kernel(("input", *self.hidden), index)
        t = before[-1]
        gradient = self.gradient[index + 1]

        def made(block: Block) -> float:
            fresh, traces = s * gradient, Traces(1, 1, t, s, t)
            own = self._own(block, frozenset(self.hidden))
            for i in range(j):
                slope, gain = block.slopes[i], self.gains[i]
                fresh = (fresh * slope.slope_square + (self.correlated(index, before) if i == 0 else 0)) * gain
                traces = traces.through_slopes(slope).through_weights(gain).plus(own[i])
            return fresh + traces.rr * self.sent_back(block, gradient)[j - 1]

        return self.averaged(index, made)

    def relative_moves(self, moving: str | None = None) -> Iterator[float]:
        """How far one step at base rate 1 moves the output, and stream and preactivations by their own sizes.

        With ``moving`` only what that role alone moves.
        """
        index = middle(self.depth) - 1
        sizes = dict(zip(self.hidden, self.blocks[index].preactivations, strict=True))
        for observable in observables(self.layers):  # of the gradient's part: decay makes no real steps
            quantity, role = observable.quantity, str(observable.role)
            if moving is not None and (role != moving or quantity == "total-update"):
                continue
            whole: float | None = None
            if quantity == "output-update":
                whole = self.whole_error(self.mean_square(Observable(quantity="output")))
            elif quantity == "feature-update":
                whole = self.stream[-1]
            elif quantity in ("own-update", "total-update") and role in sizes:
                whole = sizes[role]
            if whole:
                yield self.rms(observable) / math.sqrt(whole)

    def whole_error(self, output: float) -> float:
        """What a change of f is small against, as a square, for an output of that mean square: the error signal.

        It is of order one, or as large as the output where that is what it is made of.
        """
        return max(1, output) if self.recipe.optimizer.loss == "mse" else 1

    def rms(self, observable: Observable) -> float:
        """The root mean square of an observable over coordinates and initializations."""
        return math.sqrt(self.mean_square(observable))

    def mean_square(self, observable: Observable) -> float:
        """The mean square of an observable over coordinates and initializations."""
        index = middle(self.depth) - 1
        readout = self.rate["readout"] * self.multiplier["readout"] ** 2 * self.width * self.stream[-1]
        match observable.quantity, observable.role:
            case "stream", None:
                return self.stream[-1]
            case "branch-sum", None:
                return self.branch * sum(block.preactivations[-1] for block in self.blocks)
            case "gradient", None:
                return self.gradient[index + 1]
            case "output", None:
                return self.gradient[-1] * self.width * self.stream[-1]
            case "own-update", "input":
                own = self.rate["input"] * self.multiplier["input"] ** 2
                return self.error() * own**2 * self.gradient[0]
            case "own-update", "readout":
                return self.error() / self.classes * readout**2
            case "own-update", str(role):
                return self.error() * self.own_update(index, self.hidden.index(role) + 1)
            case "total-update", str(role):
                return self.error() * self.total_update(self.hidden.index(role) + 1)
            case "feature-update", role:
                roles = (role,) if role is not None else ("input", *self.hidden)
                return self.error() * self.kernel(roles, self.depth)[1] * self.gradient[-1]
            case "output-update", role:
                roles = (role,) if role is not None else ("input", *self.hidden)
                t, s = self.kernel(roles, self.depth)
                reach = self.width * self.gradient[-1]
                mean = reach * t[-1] + (readout if role in (None, "readout") else 0)
                spread = reach**2 * ((self.classes + 1) * s / self.width + self.trace_variance(roles))
                return self.error() / self.classes * (mean**2 + spread)
            case "decay-update", str(role):
                return decay_update(self, role)
        raise ValueError(f"no infinite-width value for {observable}")

r"""The exact infinite-width values of steps that do not see the gradient's size: sign descent and the polar factor.

One example's gradient is m delta z^T, its sign sgn(delta) sgn(z)^T, its polar factor delta z^T over both norms:
    sign    own_j = -a_j sgn(delta_j),        a_j = lambda m |z_j|_1 = lambda m n E|z_j|
    polar   own_j = -a_j delta_j/|delta_j|,   a_j = lambda m |z_j|     (root mean squares; shape factors as in torch)
The polar step is linear in delta, with a_j/|delta_j| in the place of SGD's coefficient. The sign is, for Gaussian x,
    sgn(x) = (2/pi)^(1/2) x/|x| + rest,     E rest x' = 0 for every x' jointly Gaussian with x,
    E rest rest' = (2/pi) (asin rho - rho) for two signals of correlation rho          (rho = 1: 1 - 2/pi).
delta_j = phi'(y_j) x_j with x_j Gaussian, so that sgn(delta_j) = sgn(phi') sgn(x_j), and behind phi' the linear part
acts on x_j as a_j (2/pi)^(1/2)/|x_j| times |phi'(y_j)|, in the place of SGD's phi'^2: E|phi'| and E|phi'|^3 enter.

The rest goes on as noise that no gradient knows of. Below a random matrix it is fresh in every block, incoherent. That
of the last layer, and of the input, is made of the gradient of the stream itself, which changes slowly: its correlation
between blocks l < m is rho = (G_m/G_l)^(1/2), and it adds up coherently as well, if less.

Of f, the hidden matrices' share lies along chi/|chi|, the readout's along sgn(chi): E|chi|_1/|chi| between them.
Worked line: k = 1, linear, alpha = 1, L = 1: h_1 moves by a_1, of which (2/pi)^(1/2) lies along the gradient.

Source: derived here; tests/instrument/test_optimizers.py holds it against nets of n = 192, of 512 in a night.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from powercount.derivations.coordinates import Coordinates
from powercount.derivations.mean_field import InfiniteWidth
from powercount.derivations.moments import COHERENT, absolute_moments, moments, peaked
from powercount.derivations.recipe import Observable, middle
from powercount.derivations.traces import Traces

INPUTS: Final = 64  # coordinates of an input
FLATNESS: Final = 7 / 9  # |x|_1/d of an input with |x|^2 = d: .75 of digits, .80 of Gaussian ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """How a step of size a answers a Gaussian signal x behind a slope w = |phi'|: E of it over x and w, per unit a.

    With C the part along x/|x| and S the square: along E w C, cubed E w^3 C, square E w^2 C^2, rest E w^2 (S - C^2),
    whole E S. Of the last layer, and the input, w is one.
    """

    along: float
    cubed: float
    square: float
    rest: float
    whole: float


LINEAR: Final = Response(along=1, cubed=1, square=1, rest=0, whole=1)


class Normalised(InfiniteWidth):
    """Values per unit chi; a subclass says what a step is."""

    def error(self) -> float:
        """One: a step does not see chi's size."""
        return 1

    def whole_error(self, output: float) -> float:
        """Under the squared loss the output itself: for all classes but the label's its sign is that of the step."""
        return output if self.recipe.optimizer.loss == "mse" and output > 0 else super().whole_error(output)

    def amplitudes(self, index: int) -> tuple[float, ...]:
        """a_1, ..., a_k of a block; zero where no gradient comes in."""
        raise NotImplementedError

    def of_input(self) -> float:
        """a of the input's matrix."""
        raise NotImplementedError

    def of_readout(self) -> float:
        """a of the readout, along chi/|chi| or sgn(chi)."""
        raise NotImplementedError

    rests = False  # whether a step has a part that is not linear in the signal

    def response(self, index: int, j: int) -> Response:
        """How the step of a block's layer answers its signal."""
        raise NotImplementedError

    def response_of_input(self) -> Response:
        """How the input's step does."""
        raise NotImplementedError

    def behind(self, before: Traces, index: int, j: int, size: float) -> Traces:
        """What came to y_j and its own update of that size, behind phi'(y_j)."""
        at, signal = self.response(index, j), self.signal(index, j)
        passed, per = before.through_slopes(self.blocks[index].slopes[j]), size / signal if signal > 0 else 0
        return Traces(
            passed.x,
            passed.xx,
            passed.r + per * at.along,
            passed.rr + 2 * per * at.cubed * before.r + per**2 * at.square,
            passed.xr + per * at.cubed * before.x,
        )

    def signal(self, index: int, j: int) -> float:
        """|x_j|: what reaches y_j, before its slope, per unit chi."""
        behind = self.signals[index]
        return math.sqrt(behind[j - 1] if j == self.layers else self.gains[j] * behind[j])

    def _moving(self, index: int, moving: frozenset[str]) -> list[float]:
        sizes = zip(self.amplitudes(index), self.hidden, strict=True)
        return [size if role in moving else 0 for size, role in sizes]

    def up_to(self, index: int, j: int, moving: frozenset[str], start: Traces, noise: float) -> tuple[Traces, float]:
        """What reaches y_j of a block from below: the traces, and the rest's mean square."""
        sizes, block, traces = self._moving(index, moving), self.blocks[index], start
        for i in range(j):
            square = block.slopes[i].slope_square
            noise *= square
            if i == 0:
                traces = traces.through_slopes(block.slopes[0])
            else:
                traces = self.behind(traces, index, i, sizes[i - 1])
                noise += sizes[i - 1] ** 2 * self.response(index, i).rest
            traces, noise = traces.through_weights(self.gains[i]), noise * self.gains[i]
        return traces, noise

    def through_block(self, index: int, moving: frozenset[str]) -> Traces:
        """The traces of a block's X = A A^T and of what its own updates push along the gradient."""
        traces, _ = self.up_to(index, self.layers, moving, Traces(1, 1, 0, 0, 0), 0)
        last, signal = self._moving(index, moving)[-1], self.signal(index, self.layers)
        return traces.plus(last * self.response(index, self.layers).along / signal if signal > 0 else 0)

    def start(self, moving: frozenset[str]) -> float:
        """tr K before the first block."""
        if "input" not in moving or self.gradient[0] <= 0:
            return 0
        return self.of_input() * self.response_of_input().along / math.sqrt(self.gradient[0])

    def rest(self, moving: frozenset[str], depth: int) -> float:
        """The mean square of the rest in the stream after that many blocks."""
        if not self.rests:
            return 0
        if moving not in self._known_rests:
            self._known_rests[moving] = self._rest(moving)
        return self._known_rests[moving][depth]

    def _rest(self, moving: frozenset[str]) -> list[float]:
        first = self.of_input() * math.sqrt(self.response_of_input().rest) if "input" in moving else 0
        pushed = [(first if self.gradient[0] > 0 else 0, self.gradient[0])]
        found = [pushed[0][0] ** 2]
        for index in range(self.depth):
            rest = math.sqrt(self.branch * self.response(index, self.layers).rest)
            here, gradient = rest * self._moving(index, moving)[-1], self.gradient[index + 1]
            together = float(0)
            if here > 0:
                for before, larger in pushed:
                    rho = math.sqrt(min(1, gradient / larger)) if larger > 0 else 0
                    together += before * (math.asin(rho) - rho) / (math.pi / 2 - 1)
            traces, noise = self.up_to(index, self.layers, moving, Traces(1, 1, 0, 0, 0), 0)
            found.append(found[-1] * (1 + self.branch * traces.x) + self.branch * noise + here**2 + 2 * here * together)
            pushed.append((here, gradient))
        return found

    @cached_property
    def _known_rests(self) -> dict[frozenset[str], list[float]]:
        return {}

    def hidden_change(self, moving: frozenset[str]) -> tuple[float, float, float]:
        """Of h_L's change: the part along its gradient, the mean square, and that of what is not linear in a signal."""
        t, s = self.kernel(moving, self.depth)
        rest = self.rest(moving, self.depth)
        return t[-1], s * self.gradient[-1] + rest, rest

    def own_update(self, index: int, j: int) -> float:
        """E (m_j dW_j z_j)^2 at one block."""
        return self.amplitudes(index)[j - 1] ** 2 * self.response(index, j).whole

    def total_update(self, j: int) -> float:
        """E (dy_j)^2 at the mid-depth block."""
        index, moving = middle(self.depth) - 1, frozenset(("input", *self.hidden))
        before, s = self.kernel(moving, index)
        gradient, t = self.gradient[index + 1], before[-1]
        fresh, noise = s * gradient, self.rest(moving, index)
        traces = Traces(1, 1, t, s, t)
        for i in range(j):
            square = self.blocks[index].slopes[i].slope_square
            extra = self.correlated(index, before) if i == 0 else 0
            fresh = (fresh * square + extra) * self.gains[i]
        traces, noise = self.up_to(index, j, moving, traces, noise)
        size, signal = self.amplitudes(index)[j - 1], self.signal(index, j)
        met = 2 * size * signal * self.response(index, j).along * traces.r
        return fresh + traces.rr * self.signals[index][j - 1] + noise + self.own_update(index, j) + met

    def mean_square(self, observable: Observable) -> float:
        """The mean square of an observable over coordinates and initializations."""
        roles = frozenset((observable.role,) if observable.role is not None else ("input", *self.hidden))
        match observable.quantity, observable.role:
            case "own-update", "input":
                return self.of_input() ** 2 * self.response_of_input().whole if self.gradient[0] > 0 else 0
            case (("own-update" | "output-update"), "readout"):
                return self.output_square(0, self.of_readout())
            case "feature-update", _:
                return self.hidden_change(roles)[1]
            case "output-update", role:
                along, square, rest = self.hidden_change(roles)
                reach = self.width * self.gradient[-1]
                chance = reach * (square + (square - rest) / self.classes)
                return chance + self.output_square(reach * along, self.of_readout() if role is None else 0)
        return super().mean_square(observable)

    def output_square(self, hidden: float, readout: float) -> float:
        """The mean square over classes of two shares of f's change."""
        raise NotImplementedError


class PolarStep(Normalised):
    """The polar factor of the gradient, times (max(1, rows/columns))^(1/2): Muon as torch has it."""

    def shape(self, rows: int, columns: int) -> float:
        """The square of the shape factor."""
        return max(1, rows / columns)

    def amplitudes(self, index: int) -> tuple[float, ...]:
        """lambda m |z_j|."""
        return tuple(
            self.rate[role] * self.multiplier[role] * math.sqrt(square) if signal > 0 else 0
            for role, square, signal in zip(self.hidden, self.blocks[index].incoming, self.signals[index], strict=True)
        )

    def of_input(self) -> float:
        """lambda m s n^(-1/2)."""
        shape = math.sqrt(self.shape(self.width, INPUTS) / self.width)
        return self.rate["input"] * self.multiplier["input"] * shape

    def of_readout(self) -> float:
        """lambda m s n^(1/2) |h_L|, along chi/|chi|."""
        shape = self.shape(self.classes, self.width)
        return self.rate["readout"] * self.multiplier["readout"] * math.sqrt(shape * self.width * self.stream[-1])

    def response(self, index: int, j: int) -> Response:
        """w x over its own size: linear in x."""
        if j == self.layers:
            return LINEAR
        slope = self.blocks[index].slopes[j]
        square, fourth = slope.slope_square, slope.slope_fourth
        size = math.sqrt(square)
        if size == 0:
            return Response(along=0, cubed=0, square=0, rest=0, whole=0)
        return Response(along=size, cubed=fourth / size, square=fourth / square, rest=0, whole=1)

    def response_of_input(self) -> Response:
        """x over its own size."""
        return LINEAR

    def output_square(self, hidden: float, readout: float) -> float:
        """Both along chi/|chi|."""
        return (hidden + readout) ** 2 / self.classes


class BareStep(PolarStep):
    """The polar factor alone: Shampoo's first step, from statistics of zero."""

    def shape(self, rows: int, columns: int) -> float:
        """One."""
        return 1


SIGN_OF_GAUSSIAN: Final = Response(along=COHERENT, cubed=COHERENT, square=COHERENT**2, rest=1 - COHERENT**2, whole=1)


class SignStep(Normalised):
    """The sign of the gradient: sign descent, and the first step of Lion, Adam and AdamW far above epsilon."""

    rests = True

    def coordinates(self, moving: frozenset[str]) -> Coordinates:
        """For k = 1: what a set of roles does to the stream, coordinate by coordinate."""
        if moving not in self._known_coordinates:
            first = self.of_input() if "input" in moving and self.gradient[0] > 0 else 0
            inside = [math.sqrt(self.branch) * self._moving(index, moving)[0] for index in range(self.depth)]
            self._known_coordinates[moving] = Coordinates(self, [first, *inside])
        return self._known_coordinates[moving]

    @cached_property
    def _known_coordinates(self) -> dict[frozenset[str], Coordinates]:
        return {}

    def uneven(self) -> float:
        """For k = 1 the relative variance over coordinates of the square of the gradient of h_0."""
        return self.coordinates(frozenset(self.hidden)).unevenness(0) if self.layers == 1 else 0

    @property
    def even(self) -> bool:
        """Whether gradients are spread evenly over coordinates: of all blocks but those of one layer."""
        return self.layers > 1

    def total_update(self, j: int) -> float:
        """E (dy_j)^2 at the mid-depth block."""
        if self.even:
            return super().total_update(j)
        block = middle(self.depth)
        seen, size = self.coordinates(frozenset(("input", *self.hidden))), self.amplitudes(block - 1)[0]
        inherited = self.gains[0] * seen.met[block]
        if self.branch == 0 or self.gradient[block] == 0:
            return inherited + self.own_update(block - 1, 1)
        response = seen.response[block] / math.sqrt(self.branch)
        met = response**2 * self.gradient[block] + 2 * size * response * COHERENT * seen.root(block, 1)
        return inherited + met + self.own_update(block - 1, 1)

    def hidden_change(self, moving: frozenset[str]) -> tuple[float, float, float]:
        """Of h_L's change: the part along its gradient, the mean square, and that of what is not linear in a signal."""
        if self.even:
            return super().hidden_change(moving)
        seen = self.coordinates(moving)
        along, square = seen.along(), seen.squares[-1]
        return along, square, square - along**2 * self.gradient[-1]

    def _before(self, index: int, j: int) -> float | None:
        """The variance phi is fed with before z_j; None where z_j is the stream itself."""
        if j == 1:
            return self.stream[index] if self.layers == 1 else None
        return self.blocks[index].preactivations[j - 2]

    def size(self, index: int, j: int) -> float:
        """E|z_j|."""
        fed = self._before(index, j)
        return COHERENT * math.sqrt(self.stream[index]) if fed is None else absolute_moments(self.activation, fed).size

    def amplitudes(self, index: int) -> tuple[float, ...]:
        """lambda m n E|z_j|."""
        return tuple(
            self.rate[role] * self.multiplier[role] * self.width * self.size(index, j) if signal > 0 else 0
            for j, (role, signal) in enumerate(zip(self.hidden, self.signals[index], strict=True), start=1)
        )

    def of_input(self) -> float:
        """lambda m |x|_1/d^(1/2)."""
        return self.rate["input"] * self.multiplier["input"] * math.sqrt(INPUTS) * FLATNESS

    def of_readout(self) -> float:
        """lambda m n E|h_L|, along sgn(chi)."""
        return self.rate["readout"] * self.multiplier["readout"] * self.width * self.size_of_stream()

    def size_of_stream(self) -> float:
        """E|h_L|."""
        return COHERENT * math.sqrt(self.stream[-1])

    def response(self, index: int, j: int) -> Response:
        """sgn(w x): of relu half of the coordinates below the last layer, where phi' is zero so is the gradient."""
        if j == self.layers:
            return SIGN_OF_GAUSSIAN
        at = absolute_moments(self.activation, self.blocks[index].preactivations[j - 1])
        square = self.blocks[index].slopes[j].slope_square
        return Response(
            along=COHERENT * at.slope,
            cubed=COHERENT * at.slope_cubed,
            square=COHERENT**2 * square,
            rest=(1 - COHERENT**2) * square,
            whole=at.alive,
        )

    def response_of_input(self) -> Response:
        """The sign of a Gaussian."""
        return SIGN_OF_GAUSSIAN

    def own_update(self, index: int, j: int) -> float:
        """E (m_j dW_j z_j)^2 at one block, with the fluctuation of |z_j|_1 to order 1/n."""
        fed, inherited = self._before(index, j), float(2)
        if fed is None:
            fluctuation = math.pi / 2 - 1
        else:
            if j > 1:
                inherited = self.norm_fluctuations[j - 2]
            here, square = absolute_moments(self.activation, fed), moments(self.activation, fed).square
            fluctuation = (square / here.size**2 - 1 if here.size > 0 else 0) + here.elasticity**2 * inherited
        return super().own_update(index, j) * (1 + fluctuation / self.width)

    def output_square(self, hidden: float, readout: float) -> float:
        """One along chi/|chi|, one along sgn(chi)."""
        known, logit = float(1), self.gradient[-1] * self.width * self.stream[-1]
        if self.recipe.optimizer.loss == "mse" and logit == 0:
            known = 1 / self.classes  # chi = -e_y, and sgn(0) = 0
        between = peaked(self.recipe.optimizer.loss, self.classes, math.sqrt(logit))
        return (hidden**2 + 2 * hidden * readout * between) / self.classes + readout**2 * known

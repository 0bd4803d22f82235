r"""The exact infinite-width values of Adam's first step beside an epsilon of its own power; without one, the sign's.

    own_j = -a_j sgn(delta_j) B(epsilon/(m |delta_j| E|z_j|)),      a_j = lambda m n E|z_j|,
with B, C and S of ``epsilon``. Where epsilon is seen, so is the error signal's size: mean squares are averages over chi
of drawn Gaussian logits, a few groups of like |chi|, and the readout's step is read at every entry. What is not linear
in a signal is taken to correlate over depth as the sign's does. One-layer blocks are taken as even: half of what that
leaves out is declared.

Worked line: epsilon at the size of the entries, tau = 1: C = .46 of the sign's .80.
Source: derived here; tests/instrument/test_epsilon.py holds it against nets of n = 192.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from functools import cached_property, lru_cache
from typing import Final

from powercount.derivations.epsilon import Curve, Damped, damped
from powercount.derivations.moments import slopes_of
from powercount.derivations.normalised import FLATNESS, INPUTS, BareStep, Normalised, PolarStep, Response, SignStep
from powercount.derivations.recipe import Observable, Recipe

LOGITS: Final = 64  # draws of Gaussian logits, the same for every size
GROUPS: Final = 8  # of like |chi|, where logits are larger than NARROW
NARROW: Final = 1 / 2
FLAT: Final = 1 / 1000  # logits below it leave the softmax uniform
ENTRY: Final = 2 / (math.pi * FLATNESS)  # of an input, so that far above the gradient |x|^2 = d is met exactly
EVEN: Final = 4  # times the eighth of the unevenness that is declared where it is taken along


Rows = tuple[tuple[float, ...], ...]


def size_of(row: tuple[float, ...]) -> float:
    """|chi| of its entries."""
    return math.hypot(*row)


@lru_cache(maxsize=1 << 8)
def error_entries(classes: int, std: float) -> tuple[Rows, ...]:
    """|p - e_y| of every class for drawn logits of that size, in groups of like size; one row where logits vanish."""
    draw, rows = random.Random(0), []
    for _ in range(LOGITS if std > 0 else 1):
        logits = [std * draw.gauss(0, 1) for _ in range(classes)]
        top = max(logits)
        sizes = [math.exp(each - top) for each in logits]
        others = [size / math.fsum(sizes) for size in sizes[1:]]
        rows.append((math.fsum(others), *others))
    rows.sort(key=size_of)
    each = len(rows) // GROUPS if std > NARROW else len(rows)
    return tuple(tuple(rows[first : first + each]) for first in range(0, len(rows), each))


def _mixed(curves: Damped, tau: float, slopes: Iterable[tuple[float, float]]) -> Response:
    """The response behind slopes w of those weights; ``tau`` at w = 1."""
    along = cubed = square = rest = whole = float(0)
    for w, weight in slopes:
        if w > 0:
            c, s = curves.along(tau / w), curves.square(tau / w)
            along, cubed, square = along + weight * w * c, cubed + weight * w**3 * c, square + weight * (w * c) ** 2
            rest, whole = rest + weight * w * w * max(s - c * c, 0), whole + weight * s
    return Response(along=along, cubed=cubed, square=square, rest=rest, whole=whole)


class AdamStep(SignStep):
    """-lambda g/(|g| + epsilon), for the roles that have an epsilon; ``rows`` are the error signals it is taken at."""

    def __init__(self, recipe: Recipe, width: int, depth: int, classes: int = 10, rows: Rows | None = None) -> None:
        super().__init__(recipe, width, depth, classes)
        self.rows = rows
        powers = {name: role.epsilon for name, role in recipe.parametrization.roles()}
        self.epsilon = {name: power.at(width, depth) for name, power in powers.items() if power is not None}

    @cached_property
    def _groups(self) -> tuple[AdamStep, ...]:
        """The same at every group of error signals."""
        logit = math.sqrt(self.gradient[-1] * self.width * self.stream[-1])
        entries = error_entries(self.classes, float(f"{logit:.3g}") if logit > FLAT else 0)
        return tuple(AdamStep(self.recipe, self.width, self.depth, self.classes, rows) for rows in entries)

    def mean_square(self, observable: Observable) -> float:
        """The mean square of an observable over coordinates, initializations and error signals."""
        if self.rows is not None or not self.recipe.damped or not observable.reads_error:
            return super().mean_square(observable)
        return math.fsum(each.mean_square(observable) for each in self._groups) / len(self._groups)

    @property
    def even(self) -> bool:
        """Whether one-layer blocks are taken as even: where input or hidden matrices have an epsilon."""
        return self.layers > 1 or any(role != "readout" for role in self.epsilon)

    def uneven(self) -> float:
        """How unevenly gradients are spread over coordinates, as far as that is left out."""
        return super().uneven() * (EVEN if self.even else 1)

    @cached_property
    def chi(self) -> float:
        """The root mean square of the error signal's size."""
        rows = self.rows or ()
        return math.sqrt(math.fsum(size_of(row) ** 2 for row in rows) / len(rows)) if rows else 0

    def tau(self, role: str, gradient: float, size: float) -> float | None:
        """Epsilon over an entry m chi |x| E|z| of the gradient; None of a role that has no epsilon."""
        if role not in self.epsilon:
            return None
        entry = self.multiplier[role] * gradient * size
        return self.epsilon[role] / entry if entry > 0 else math.inf

    def response(self, index: int, j: int) -> Response:
        """How the step of a block's layer answers its signal."""
        if (index, j) not in self._responses:
            tau = self.tau(self.hidden[j - 1], self.chi * self.signal(index, j), self.size(index, j))
            if tau is None:
                return super().response(index, j)
            if tau == math.inf:  # no gradient comes in
                return Response(along=0, cubed=0, square=0, rest=0, whole=0)
            fed = self._before(index, j)
            curves = damped("linear", 1) if fed is None else damped(self.activation, fed)
            last = j == self.layers
            slopes = ((1, 1),) if last else slopes_of(self.activation, self.blocks[index].preactivations[j - 1])
            self._responses[index, j] = _mixed(curves, tau, slopes)
        return self._responses[index, j]

    @cached_property
    def _responses(self) -> dict[tuple[int, int], Response]:
        return {}

    def response_of_input(self) -> Response:
        """How the input's step does; its entries' law is a Gaussian's, with |x|_1 and |x|^2 those of inputs."""
        tau = self.tau("input", self.chi * math.sqrt(self.gradient[0]), ENTRY / math.sqrt(INPUTS))
        return super().response_of_input() if tau is None else _mixed(damped("linear", 1), tau, ((1, 1),))

    @cached_property
    def _at_entries(self) -> tuple[float, float]:
        """E sum |chi_c| B/|chi| and the mean of B^2 over the classes."""
        rows, seen = self.rows or (), self.multiplier["readout"] * self.size_of_stream()
        curve, at = damped("linear", 1).one, self.epsilon["readout"]
        between = known = float(0)
        for row in rows:
            steps = [_step(curve, at, seen * chi) for chi in row]
            if any(steps):
                size = size_of(row)
                between += math.fsum(chi / size * step for chi, step in zip(row, steps, strict=True)) / len(rows)
            known += math.fsum(step * step for step in steps) / self.classes / len(rows)
        return between, known

    def output_square(self, hidden: float, readout: float) -> float:
        """One along chi/|chi|, one along sgn(chi) B."""
        if "readout" not in self.epsilon:
            return super().output_square(hidden, readout)
        between, known = self._at_entries
        return (hidden**2 + 2 * hidden * readout * between) / self.classes + readout**2 * known


def _step(curve: Curve, epsilon: float, entry: float) -> float:
    return curve(epsilon / entry) if entry > 0 else 0


STEPS: Final[dict[str, type[Normalised]]] = {
    "signsgd": SignStep,
    "lion": SignStep,
    "adam": AdamStep,
    "adamw": AdamStep,
    "muon": PolarStep,
    "shampoo": BareStep,
}

"""What a slope over finite sizes is expected to be, and how well that is known.

The infinite-width values of ``derivations.mean_field`` at the very sizes of a sweep give the expected
slope: at alpha = 1/2, for instance, (1 + c/L)^L -> e^c has a slope of its own at L = 4..64, and two roles
whose shares have different powers cross over. It differs from the exponent by a bias that is stated. Under the squared
loss the error signal is read off the stream, and the next order in 1/n is taken along (``derivations.squared_loss``).

What remains is the error of these values themselves, declared here as a relative error of a size, with
b = sum_l (1 - q_{l-1}/q_l) the number of blocks' worth of random signal in the stream and v / n the
largest relative variance of a |z_j|^2, which the kurtosis of the activations sets:
- finite width: (FINITE_WIDTH (1 + b) + v/4) / n, since every random product of matrices adds a relative variance
  of order 1/n per block's worth, and so does every own update, of which only its own mean square is corrected for
  v. The sign is common to all sizes, the coefficient is trusted to a quarter.
- directions that a gradient meets (k >= 3): ALIGNED times what own updates of the layer are corrected for, where a
  kernel sends a gradient through a block twice (sums, features, outputs); see ``derivations.next_order``.
- coordinates that all blocks share (k = 1): s / n, with s / n their part in the relative variance of |h_L|^2, which the
  square of a norm has; see ``derivations.norms``. Slopes share them too, which ``squared_loss`` leaves out where it
  asks how far h lies along K: (C + 1) s / (SHARED n), measured.
- gradients spread unevenly over coordinates (k = 1, a step that is the sign of its gradient): of the relative variance
  of their squares one part in UNEVEN, measured.
- squared loss: a quarter of the logarithm of the correction that was made, since it is exact in the readout and of
  leading order in the hidden matrices; its sign, too, is common to all sizes.
- T real steps: the second order in the rate, kept under SMALL_STEPS at the largest size (see ``gentle``).
The constants are measured, not guessed: tests/instrument/test_finite_size.py shows that they cover.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sympy import Rational

from powercount.derivations.adam import STEPS
from powercount.derivations.mean_field import InfiniteWidth
from powercount.derivations.next_order import NextOrder
from powercount.derivations.norms import Norms
from powercount.derivations.predict import Prediction, derive, learns_readout
from powercount.derivations.recipe import Axis, Observable, Power, Recipe, middle, observables_of
from powercount.derivations.squared_loss import LearnedReadout, SquaredLoss
from powercount.empirical.design import Sweep
from powercount.empirical.fit import least_squares_weights

FINITE_WIDTH: Final = 2.0
TRUSTED: Final = 4  # a correction's coefficient is trusted to this part of it
SHARED: Final = 6.0
ALIGNED: Final = 2.0
UNEVEN: Final = 8.0
SUMMED: Final = ("total-update", "feature-update", "output-update")
SMALL_STEPS: Final = 0.015625
MUTED: Final = Fraction(1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class FiniteSize:
    """The expected values of a recipe at the sizes of a sweep."""

    recipe: Recipe
    sweep: Sweep
    values: tuple[InfiniteWidth, ...]
    corrected: tuple[SquaredLoss | LearnedReadout, ...]
    norms: tuple[Norms, ...]

    @staticmethod
    def of(recipe: Recipe, sweep: Sweep) -> FiniteSize:
        """Evaluate the recipe at every size of the sweep; the same object for the same recipe and sweep."""
        return _of(recipe, sweep)

    def widened(self, times: int) -> FiniteSize:
        """The same for networks that many times as wide."""
        return FiniteSize.of(self.recipe, self.sweep.widened(times))

    def log_sizes(self, observable: Observable) -> tuple[float, ...]:
        """The logarithm of the rms expected at each size; nan where it is zero or leaves the range of floats."""
        found = []
        for source in self.corrected or self.values:
            try:
                square = source.mean_square(observable)
            except OverflowError:
                square = math.nan
            found.append(math.log(square) / 2 if 0 < square < math.inf else math.nan)
        return tuple(found)

    def slope(self, observable: Observable) -> float:
        """The slope expected over the sweep; nan where a value is zero or too large for a float."""
        return float(self._weights() @ self.log_sizes(observable))

    def _weights(self) -> NDArray[np.float64]:
        return least_squares_weights(sorted(set(self.sweep.sizes)))

    def error(self, observable: Observable | None = None) -> float:
        """How far the expected slope itself may be off; of an observable, the squared loss's own part included."""
        weights = self._weights()
        signed = spread = 0.0
        for place, (weight, value) in enumerate(zip(weights, self.values, strict=True)):
            blocks = value.blocks_of_signal()
            off = (FINITE_WIDTH * (1 + blocks) + max(value.norm_fluctuations) / 4) / value.width
            off += ALIGNED * _alignment(value, observable) / value.width
            shared = self.norms[place].shared(value.depth) / value.width
            off += shared
            if observable is not None and observable.quantity in SUMMED:
                off += value.uneven() / UNEVEN
            if self.corrected and observable is not None:
                off += self._correction(place, observable) / TRUSTED
                if observable.quantity in SUMMED:
                    off += (value.classes + 1) * shared / SHARED
            signed += weight * off
            spread += abs(weight) * off / TRUSTED
        # T real steps stay in the linear regime up to SMALL_STEPS at the largest step of the sweep.
        nonlinear = float(max(abs(weights))) * SMALL_STEPS if self.sweep.steps else 0.0
        return abs(float(signed)) + float(spread) + nonlinear

    def largest_error(self) -> float:
        """The largest error of any observable; zero where the values leave the range of floats."""
        asked = observables_of(self.recipe) if self.corrected else (None,)
        try:
            return max(self.error(each) for each in asked)
        except (OverflowError, ValueError):
            return 0.0

    def _correction(self, place: int, observable: Observable) -> float:
        """|log| of what the next order multiplies a size by; of a learned readout, what its alignment does."""
        source = self.corrected[place]
        if isinstance(source, LearnedReadout):
            if observable.role == "readout" or not observable.is_change or str(observable) == "output-update":
                return 0.0
            if source.mean_square(observable) == 0:
                return 0.0
            return abs(math.log(math.prod(source.leaning.leaning(observable)))) / 2
        try:
            leading = self.values[place].mean_square(observable)
            square = self.corrected[place].mean_square(observable)
        except OverflowError:
            return 0.0
        both = 0 < leading < math.inf and 0 < square < math.inf
        return abs(math.log(square / leading)) / 2 if both else 0.0

    def distance_to_rival(self, prediction: Prediction, rival: Fraction) -> float:
        """How far the expected slope moves when the exponent is off by ``rival``, at these sizes.

        ``rival`` itself, but for a sum of roles whose shares have different powers: there a wrong power of
        the dominant share shows only in proportion to its share at these sizes.
        """
        recipe, axis = prediction.recipe, self.sweep.axis
        top = prediction.along(axis)
        shares = {} if top is None else role_shares(recipe, prediction.observable, axis, prediction.steps_made)
        dominant = tuple(role for role, power in shares.items() if power == top)
        if len(dominant) == len(shares):
            return float(rival)
        return _moved_by(recipe, self.sweep, prediction.observable, dominant, rival)


def _alignment(value: InfiniteWidth, observable: Observable | None) -> float:
    """What a gradient gains on its way to the layer asked for, or to the first one, where it is sent there twice."""
    if observable is not None and observable.quantity not in SUMMED:
        return 0.0
    role = None if observable is None or observable.quantity == "total-update" else observable.role
    if role in ("input", "readout"):
        return 0.0
    j = 1 if role is None else value.hidden.index(role) + 1
    return max(0.0, value.alignment(middle(value.depth) - 1, j))


@lru_cache(maxsize=1 << 6)
def _of(recipe: Recipe, sweep: Sweep) -> FiniteSize:
    learned = learns_readout(recipe, sweep.steps)
    known = with_unit_readout(recipe) if learned else recipe
    made = STEPS.get(recipe.optimizer.name, NextOrder)
    values = tuple(made(known, width, depth) for width, depth in sweep.points())
    corrected: tuple[SquaredLoss | LearnedReadout, ...] = ()
    if learned:
        corrected = tuple(LearnedReadout(value) for value in values)
    elif recipe.optimizer.loss == "mse" and made is NextOrder:  # the others do not see how large the error signal is
        corrected = tuple(SquaredLoss(value) for value in values)
    norms = tuple(Norms(value) for value in values)
    return FiniteSize(recipe=recipe, sweep=sweep, values=values, corrected=corrected, norms=norms)


def with_unit_readout(recipe: Recipe) -> Recipe:
    """The same recipe with a readout that starts at unit weights."""
    readout = replace(recipe.parametrization.readout, init_std=Power())
    return replace(recipe, parametrization=recipe.parametrization.with_role("readout", readout))


@lru_cache(maxsize=1 << 10)
def _moved_by(recipe: Recipe, sweep: Sweep, observable: Observable, roles: tuple[str, ...], by: Fraction) -> float:
    """The smaller of the two changes of a slope when the rates of ``roles`` move by a power up or down."""
    here, distances = FiniteSize.of(recipe, sweep).slope(observable), []
    for shift in (-by, by):
        moved = recipe
        for role in roles:
            moved = moved.shifted(role, "learning_rate", sweep.axis, shift)
        distances.append(abs(FiniteSize.of(moved, sweep).slope(observable) - here))
    return min(distances)


@lru_cache(maxsize=1 << 12)
def role_shares(recipe: Recipe, observable: Observable, axis: Axis, steps_made: int = 0) -> dict[str, Rational]:
    """The exponent of each role's share of a summed observable; empty for an observable that is no sum."""
    if observable.quantity != "total-update" and str(observable) not in ("feature-update", "output-update"):
        return {}
    shares = {}
    for role in recipe.role_names:
        alone = recipe
        for other in recipe.role_names:
            if other != role:
                alone = alone.shifted(other, "learning_rate", axis, -MUTED)
        moved = derive(alone, observable, steps_made=steps_made).along(axis)
        if moved is not None and moved > -MUTED / 2:
            shares[role] = moved
    return shares

"""What a slope over finite sizes is expected to be, and how well that is known.

The infinite-width values of ``derivations.mean_field`` at the very sizes of a sweep give the expected
slope: at alpha = 1/2, for instance, (1 + c/L)^L -> e^c has a slope of its own at L = 4..64, and two roles
whose shares have different powers cross over. It differs from the exponent by a bias that is stated.

What remains is the error of the infinite-width values themselves, declared here as a relative error of a
size, with b = sum_l (1 - q_{l-1}/q_l) the number of blocks' worth of random signal in the stream and v / n the
largest relative variance of a |z_j|^2, which the kurtosis of the activations sets:
- finite width: (FINITE_WIDTH (1 + b) + v/4) / n, since every random product of matrices adds a relative variance
  of order 1/n per block's worth, and so does every own update, of which only its own mean square is corrected for
  v. The sign is common to all sizes, the coefficient is trusted to a quarter.
- T real steps: the second order in the rate, kept under SMALL_STEPS at the largest size (see ``recipes.gentle``).
The first constant is measured, not guessed: tests/instrument/test_finite_size.py shows that it covers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from sympy import Rational

from powercount.derivations.mean_field import InfiniteWidth
from powercount.derivations.predict import Prediction, derive
from powercount.derivations.recipe import Axis, Observable, Recipe
from powercount.empirical.fit import least_squares_weights
from powercount.empirical.sweep import Sweep

FINITE_WIDTH: Final = 2.0
SMALL_STEPS: Final = 0.015625
MUTED: Final = Fraction(1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class FiniteSize:
    """The infinite-width values of a recipe at the sizes of a sweep."""

    sweep: Sweep
    values: tuple[InfiniteWidth, ...]

    @classmethod
    def of(cls, recipe: Recipe, sweep: Sweep) -> FiniteSize:
        """Evaluate the recipe at every size of the sweep."""
        return cls(sweep=sweep, values=tuple(InfiniteWidth(recipe, width, depth) for width, depth in sweep.shapes()))

    def slope(self, observable: Observable) -> float:
        """The slope expected over the sweep; nan where a value is zero or too large for a float."""
        logs = []
        for value in self.values:
            try:
                size = value.rms(observable)
            except OverflowError:
                return math.nan
            if size == 0 or not math.isfinite(size):
                return math.nan
            logs.append(math.log(size))
        return float(least_squares_weights(sorted(set(self.sweep.sizes))) @ logs)

    def error(self) -> float:
        """How far the expected slope itself may be off."""
        weights = least_squares_weights(sorted(set(self.sweep.sizes)))
        signed = spread = 0.0
        for weight, value in zip(weights, self.values, strict=True):
            blocks = value.blocks_of_signal()
            finite_width = (FINITE_WIDTH * (1 + blocks) + max(value.norm_fluctuations) / 4) / value.width
            signed += weight * finite_width
            spread += abs(weight) * finite_width / 4
        # T real steps stay in the linear regime up to SMALL_STEPS at the largest step of the sweep.
        nonlinear = float(max(abs(weights))) * SMALL_STEPS if self.sweep.steps else 0.0
        return abs(float(signed)) + float(spread) + nonlinear

    def distance_to_rival(self, prediction: Prediction, rival: Fraction) -> float:
        """How far the expected slope moves when the exponent is off by ``rival``, at these sizes.

        ``rival`` itself, but for a sum of roles whose shares have different powers: there a wrong power of
        the dominant share shows only in proportion to its share at these sizes.
        """
        recipe, axis = prediction.recipe, self.sweep.axis
        top = prediction.along(axis)
        shares = {} if top is None else role_shares(prediction, axis)
        dominant = [role for role, power in shares.items() if power == top]
        if len(dominant) == len(shares):
            return float(rival)
        here, distances = self.slope(prediction.observable), []
        for by in (-rival, rival):
            moved = recipe
            for role in dominant:
                moved = moved.shifted(role, "learning_rate", axis, by)
            distances.append(abs(FiniteSize.of(moved, self.sweep).slope(prediction.observable) - here))
        return min(distances)

    def largest_move(self, observable: Observable) -> float:
        """The largest first-order change per unit rate over the sweep."""
        return max(value.rms(observable) for value in self.values)


def role_shares(prediction: Prediction, axis: Axis) -> dict[str, Rational]:
    """The exponent of each role's share of a summed observable; empty for an observable that is no sum."""
    observable, recipe = prediction.observable, prediction.recipe
    if observable.quantity != "total-update" and str(observable) not in ("feature-update", "output-update"):
        return {}
    shares = {}
    for role in recipe.role_names:
        alone = recipe
        for other in recipe.role_names:
            if other != role:
                alone = alone.shifted(other, "learning_rate", axis, -MUTED)
        moved = derive(alone, observable).along(axis)
        if moved is not None and moved > -MUTED / 2:
            shares[role] = moved
    return shares

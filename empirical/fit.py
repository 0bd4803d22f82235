"""A slope on log-log axes, and its interval from leaving seeds out.

The size at one point is the root of the mean square over seeds. The slope is ordinary least squares of
log size on log n (or log L), all points of equal weight: at every size the noise is the same handful
of random numbers, so no point deserves more. Points share seeds and weights and are therefore never resampled;
seeds are: the delete-one jackknife over S seeds gives the standard error, and Student's t with S - 1
degrees of freedom the interval (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 11).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

State = Literal["measured", "zero", "diverges"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """A slope with its standard error; nan where the quantity is zero or not finite at some size."""

    slope: float
    standard_error: float
    freedom: int
    state: State

    def interval(self, confidence: float) -> tuple[float, float]:
        """The two-sided Student interval."""
        reach = float(stats.t.ppf((1 + confidence) / 2, self.freedom)) * self.standard_error
        return self.slope - reach, self.slope + reach


def least_squares_weights(sizes: Sequence[int]) -> NDArray[np.float64]:
    """w with slope = sum_i w_i log y_i."""
    x = np.log(np.asarray(sizes, dtype=np.float64))
    centred = x - x.mean()
    weights: NDArray[np.float64] = centred / np.square(centred).sum()
    return weights


def fit_slope(squares: NDArray[np.float64], sizes: Sequence[int]) -> Slope:
    """The slope of the root mean square; ``squares`` has shape (seeds, sizes)."""
    seeds = len(squares)
    if not np.isfinite(squares).all():
        return Slope(slope=np.nan, standard_error=np.nan, freedom=seeds - 1, state="diverges")
    total = squares.sum(axis=0)
    left_out = total - squares
    if (total == 0).any() or (left_out <= 0).any():
        return Slope(slope=np.nan, standard_error=np.nan, freedom=seeds - 1, state="zero")
    weights = least_squares_weights(sizes)
    slope = float(weights @ np.log(total / seeds)) / 2
    without = np.log(left_out / (seeds - 1)) @ weights / 2
    variance = (seeds - 1) / seeds * float(np.square(without - without.mean()).sum())
    return Slope(slope=slope, standard_error=variance**0.5, freedom=seeds - 1, state="measured")

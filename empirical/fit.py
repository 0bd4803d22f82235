"""A slope on log-log axes, or any other statistic of an ensemble, and its interval from leaving seeds out.

The size at one point is the root of the mean square over seeds. The slope is ordinary least squares of
log size on log n (or log L), all points of equal weight: at every size the noise is the same handful
of random numbers, so no point deserves more. Points share seeds and weights and are therefore never resampled;
seeds are: the delete-one jackknife over S seeds gives the standard error, and Student's t with S - 1
degrees of freedom the interval (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 11).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

State = Literal["measured", "zero", "diverges"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its standard error; nan where there is nothing to measure (zero, or not finite, at some size)."""

    value: float
    standard_error: float
    freedom: int
    state: State = "measured"

    def interval(self, confidence: float) -> tuple[float, float]:
        """The two-sided Student interval."""
        reach = float(stats.t.ppf((1 + confidence) / 2, self.freedom)) * self.standard_error
        return self.value - reach, self.value + reach


def from_left_out(value: float, without: NDArray[np.float64]) -> Estimate:
    """A value and its jackknife standard error from the values with one seed left out, shape (seeds,)."""
    seeds = len(without)
    variance = (seeds - 1) / seeds * float(np.square(without - without.mean()).sum())
    return Estimate(value=value, standard_error=variance**0.5, freedom=seeds - 1)


def jackknife(statistic: Callable[[NDArray[np.float64]], float], members: NDArray[np.float64]) -> Estimate:
    """A statistic of an ensemble; ``members`` has one row a seed, and ``statistic`` reads any number of rows."""
    without = [statistic(np.delete(members, left_out, axis=0)) for left_out in range(len(members))]
    return from_left_out(float(statistic(members)), np.asarray(without))


def least_squares_weights(sizes: Sequence[int]) -> NDArray[np.float64]:
    """w with slope = sum_i w_i log y_i."""
    x = np.log(np.asarray(sizes, dtype=np.float64))
    centred = x - x.mean()
    weights: NDArray[np.float64] = centred / np.square(centred).sum()
    return weights


def fit_slope(squares: NDArray[np.float64], sizes: Sequence[int]) -> Estimate:
    """The slope of the root mean square; ``squares`` has shape (seeds, sizes)."""
    seeds = len(squares)
    if not np.isfinite(squares).all():
        return Estimate(value=np.nan, standard_error=np.nan, freedom=seeds - 1, state="diverges")
    total = squares.sum(axis=0)
    left_out = total - squares
    if (total == 0).any() or (left_out <= 0).any():
        return Estimate(value=np.nan, standard_error=np.nan, freedom=seeds - 1, state="zero")
    weights = least_squares_weights(sizes)
    slope = float(weights @ np.log(total / seeds)) / 2
    return from_left_out(slope, np.log(left_out / (seeds - 1)) @ weights / 2)

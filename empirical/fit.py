"""A slope on log-log axes, or any other statistic of an ensemble, and its interval from leaving seeds out.

The size at one point is the root of the mean square over seeds. The slope is ordinary least squares of
log size on log n (or log L), all points of equal weight: at every size the noise is the same handful
of random numbers, so no point deserves more. Points share seeds and weights and are therefore never resampled;
seeds are: the delete-one jackknife over S seeds gives the standard error, and Student's t with S - 1
degrees of freedom the interval (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 11).

Mean squares of a deep net are products of many random factors: to first approximation log-normal, and skewed to
the right. A few seeds seldom hold the large members that carry the mean; what they miss, the interval must allow for.
With Sigma the covariance of a member's log squares between sizes, a log-normal member has
    S var(slope)     = sum_ij a_i a_j exp(Sigma_ij),                       a_i = w_i / 2,  sum_i a_i = 0,
    third moment     = sum_ijk a_i a_j a_k exp(Sigma_ij + Sigma_ik + Sigma_jk),
both read from logs, which a handful of seeds knows well. The interval takes the larger of the two standard errors, the
jackknife's and the log-normal one, and each side is extended by the first term of the expansion of Student's t in
1/sqrt(S) (P. Hall, The Bootstrap and Edgeworth Expansion, section 2.3): gamma (1 + 2 z^2) / (6 sqrt(S)) standard
errors, with gamma the larger of the two skewnesses towards that side, never less than zero. Worked line: S = 16,
gamma = 1, 95 %: 2.13 becomes 2.13 + 8.7/24 = 2.49 on one side. tests/instrument/test_coverage.py holds
what comes out to its word.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from powercount.derivations.recipe import AXES, Axis

State = Literal["measured", "zero", "diverges", "drowned"]
# Times the mean square over members: what rounding may hide of it, in all members together, before it is "drowned".
HIDDEN = 1e-4
LARGEST_LOG_COVARIANCE = 50.0  # exp of three of them is still a float; an interval that wide decides nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its standard error; nan where there is nothing to measure (see ``state``).

    ``state``: "measured"; "zero" or "diverges" at some size; "drowned" in the rounding of the numbers it was computed
    with. ``skewness`` is how far the members lean to the left and to the right, each at least zero.
    """

    value: float
    standard_error: float
    freedom: int
    state: State = "measured"
    skewness: tuple[float, float] = (0.0, 0.0)

    def interval(self, confidence: float) -> tuple[float, float]:
        """The two-sided Student interval, each side extended for the skewness of the members."""
        tail = (1 + confidence) / 2
        student, normal = float(special.stdtrit(self.freedom, tail)), float(special.ndtri(tail))
        per_skewness = (1 + 2 * normal**2) / (6 * (self.freedom + 1) ** 0.5)
        left, right = (student + per_skewness * each for each in self.skewness)
        return self.value - left * self.standard_error, self.value + right * self.standard_error


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


def skewness_of(values: NDArray[np.float64]) -> float:
    """The third standardized moment of a sample; zero where it does not vary."""
    centred = values - values.mean()
    variance = float(np.square(centred).mean())
    return float((centred**3).mean()) / variance**1.5 if variance > 0 else 0.0


def log_normal_noise(squares: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, float]:
    """(standard error, skewness) of the slope of log-normal members, shape (seeds, sizes), from their logs alone."""
    logs = np.log(squares)
    centred = logs - logs.mean(axis=0)
    covariance = np.minimum(centred.T @ centred / (len(logs) - 1), LARGEST_LOG_COVARIANCE)
    # With E = exp(Sigma) - 1 and sum_i a_i = 0 nothing cancels: what is left of the third moment are triples and pairs.
    grown, a = np.expm1(covariance), weights / 2
    reached = grown @ a
    variance = float(a @ reached)
    if variance <= 0:
        return 0.0, 0.0
    third = float(np.sum(a[:, None] * a[None, :] * grown * ((grown * a) @ grown))) + 3 * float(a @ reached**2)
    return (variance / len(logs)) ** 0.5, third / variance**1.5


def seen(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean squares with zero for what is lost in rounding."""
    found: NDArray[np.float64] = np.maximum(squares, 0.0)
    return found


def fit_slope(squares: NDArray[np.float64], sizes: Sequence[int]) -> Estimate:
    """The slope of the root mean square; ``squares`` has shape (seeds, sizes)."""
    return _fit(squares, least_squares_weights(sizes))


def _fit(squares: NDArray[np.float64], weights: NDArray[np.float64]) -> Estimate:
    """sum_i w_i log y_i, with y_i the root mean square at point i and sum_i w_i = 0.

    A negative entry is a change lost in rounding, and minus the most that its square can be: it counts as zero where
    all of them together are at most ``HIDDEN`` of the sum, whichever member is left out, and else nothing can be read
    off ("drowned"). Where all of a sum is one member's, nothing is known about its error: it is infinite.
    """
    seeds = len(squares)
    if not np.isfinite(squares).all():
        return Estimate(value=np.nan, standard_error=np.nan, freedom=seeds - 1, state="diverges")
    squares, lost = seen(squares), seen(-squares)
    total, hidden = squares.sum(axis=0), lost.sum(axis=0)
    left_out = total - squares
    if (hidden - lost > HIDDEN * left_out).any():
        return Estimate(value=np.nan, standard_error=np.nan, freedom=seeds - 1, state="drowned")
    if (total == 0).any():
        return Estimate(value=np.nan, standard_error=np.nan, freedom=seeds - 1, state="zero")
    slope = float(weights @ np.log(total / seeds)) / 2
    if (left_out <= 0).any():
        return Estimate(value=slope, standard_error=np.inf, freedom=seeds - 1)
    without = np.log(left_out / (seeds - 1)) @ weights / 2
    plain = from_left_out(slope, without)
    error, skewness = plain.standard_error, [skewness_of(-without)]
    if (squares > 0).all():  # a member that is zero has no log: the sample must speak for itself
        log_normal_error, log_normal_skewness = log_normal_noise(squares, weights)
        error = max(error, log_normal_error)
        skewness.append(log_normal_skewness)
    return Estimate(
        value=slope,
        standard_error=error,
        freedom=seeds - 1,
        skewness=(max(0.0, -min(skewness)), max(0.0, *skewness)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Slopes:
    """A slope along each axis that varies, and their covariance from leaving seeds out, in the order of ``along``."""

    along: dict[Axis, Estimate]
    covariance: NDArray[np.float64]


def fit_slopes(squares: NDArray[np.float64], points: Sequence[tuple[int, int]]) -> Slopes:
    """The slopes of the root mean square along width and depth; ``squares`` has shape (seeds, points).

    Least squares of log size on log n and log L at once. Along one axis it is ``fit_slope``.
    """
    sizes = {axis: each for axis, each in zip(AXES, zip(*points, strict=True), strict=True) if len(set(each)) > 1}
    if len(sizes) == 1:
        rows = [least_squares_weights(each) for each in sizes.values()]
    else:
        logs = np.log(np.asarray(list(sizes.values()), dtype=np.float64))
        rows = list(np.linalg.pinv(np.concatenate([np.ones((1, len(points))), logs]).T)[1:])
    along = {axis: _fit(squares, weights) for axis, weights in zip(sizes, rows, strict=True)}
    if not all(np.isfinite(each.standard_error) for each in along.values()):
        return Slopes(along=along, covariance=np.full((len(rows), len(rows)), np.nan))
    clear = seen(squares)
    without = np.log(clear.sum(axis=0) - clear) @ np.stack(rows).T / 2
    centred = without - without.mean(axis=0)
    return Slopes(along=along, covariance=(len(squares) - 1) / len(squares) * centred.T @ centred)


def fit_ratio(squares: NDArray[np.float64], others: NDArray[np.float64], sizes: Sequence[int]) -> Estimate:
    """How far the slopes of two positive quantities of the same members differ; both have shape (seeds, sizes)."""
    seeds, weights = len(squares), least_squares_weights(sizes)
    squares, others = seen(squares), seen(others)

    def difference(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.log(top / bottom) @ weights / 2
        return found

    top, bottom = squares.sum(axis=0), others.sum(axis=0)
    if (top - squares <= 0).any() or (bottom - others <= 0).any():  # all of a sum is one member's
        return Estimate(value=float(difference(top, bottom)), standard_error=np.inf, freedom=seeds - 1)
    plain = from_left_out(float(difference(top, bottom)), difference(top - squares, bottom - others))
    skewness = skewness_of(-difference(top - squares, bottom - others)) if seeds > 2 else 0.0
    return replace(plain, skewness=(max(0.0, -skewness), max(0.0, skewness)))


def total(one: Estimate, other: Estimate) -> Estimate:
    """The sum of two independent estimates: variances and third moments add, degrees of freedom as Satterthwaite's."""
    parts = (one, other)
    squares = [each.standard_error**2 for each in parts]
    variance = sum(squares)
    if variance == 0 or not np.isfinite(variance):
        worse = max(parts, key=lambda each: each.standard_error)
        return replace(worse, value=one.value + other.value)
    freedom = int(variance**2 / sum(square**2 / each.freedom for square, each in zip(squares, parts, strict=True)))
    left, right = (
        sum(each.skewness[side] * each.standard_error**3 / (each.freedom + 1) ** 0.5 for each in parts)
        / variance**1.5
        * (freedom + 1) ** 0.5
        for side in (0, 1)
    )
    return Estimate(
        value=one.value + other.value, standard_error=variance**0.5, freedom=freedom, skewness=(left, right)
    )

r"""Power laws with an offset in a table of losses: estimates, and intervals by resampling.

Along one axis x (N parameters or width, D data, C compute) the law is loss = E + A x^(-a), E >= 0, A, a > 0; where N
and D both vary also loss = E + A N^(-a) + B D^(-b). Cells are the distinct sizes; the mean of the n_i runs in cell i
is fitted by relative least squares, S = sum_i n_i (mean_i / f_i - 1)^2: for fixed exponents the law is linear, so a
grid of exponents finds the valley (variable projection) and ``scipy.optimize.least_squares`` its floor.

Intervals. ``scatter`` resamples runs. A resample moves the estimate by one Gauss-Newton step; the spread of these is
the standard error, and Student's t makes it an interval. One axis: an interval holds the values whose profile S exceeds
the least by at most (t x standard error)^2 in Gauss-Newton's units, as E and a trade against each other along a bent
valley that ends at E = 0. Two axes: t intervals, of log a and log b.

Worked line: losses .1 + 3/D at D = 16 to 1024 without noise give a = 1, E = .1, A = 3 and intervals of no length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import optimize, stats

from powercount.derivations.recipe import PowercountError
from powercount.empirical.scaling_laws.scatter import Array, Asked, Losses, cells_of, scatter_of

FEWEST_SIZES: Final = 4  # three parameters and one degree of freedom
SMALLEST, LARGEST = 0.02, 8.0  # exponents looked for; a bound beyond is open


class FitError(PowercountError):
    """A table that this law cannot be fitted to; the text names the value and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A value and its interval; an end is infinite where the table does not bound it."""

    value: float
    low: float
    high: float

    def holds(self, number: float) -> bool:
        """Whether the interval holds a number."""
        return self.low <= number <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisFit:
    """loss = offset + amplitude x^(-exponent) along one axis, in cells ``points`` with mean loss ``means``."""

    axis: str
    exponent: Interval
    offset: Interval
    amplitude: float
    predictions: tuple[tuple[float, Interval], ...]
    points: Array
    means: Array
    resampled: str
    misfit: bool

    def curve(self, x: Array) -> Array:
        """The fitted loss."""
        return self.offset.value + self.amplitude * x**-self.exponent.value


@dataclass(frozen=True, slots=True, kw_only=True)
class JointFit:
    """loss = E + A N^(-a) + B D^(-b): its exponents, their difference a - b, the offset and one prediction."""

    exponents: Mapping[str, Interval]
    difference: Interval
    offset: Interval
    prediction: Interval
    resampled: str
    misfit: bool


def _valley(z: Array, u: Array, logs: Array, exponents: Array) -> tuple[Array, Array, Array]:
    """S, E, A of the best law at each exponent, with E, A >= 0; z, u are the means and ones in units of the fit."""
    v = u * np.exp(-exponents[:, None] * logs)
    apart = v - (v @ u / (u @ u))[:, None] * u
    amplitude = apart @ z / np.square(apart).sum(axis=1)
    amplitude = np.maximum(amplitude, 0)
    offset = (u @ z - amplitude * (v @ u)) / (u @ u)
    low = offset < 0  # then E = 0, and A alone
    amplitude = np.where(low, v @ z / np.square(v).sum(axis=1), amplitude)
    offset = np.where(low, 0, offset)
    misses = np.square(z - offset[:, None] * u - amplitude[:, None] * v).sum(axis=1)
    return misses, offset, amplitude


def _least(z: Array, u: Array, logs: Array) -> tuple[Array, float]:
    """(E, log A, log a) of the best law, and its S: the valley on a grid, its floor by least squares."""
    grid = np.geomspace(SMALLEST, LARGEST, 160)
    misses, offset, amplitude = _valley(z, u, logs, grid)
    best = int(np.argmin(misses))
    start = np.array([offset[best], np.log(max(amplitude[best], 1e-300)), np.log(grid[best])])

    def law(p: Array) -> Array:
        return np.asarray(z - u * (p[0] + np.exp(p[1] - np.exp(p[2]) * logs)))

    def slopes(p: Array) -> Array:
        falls = u * np.exp(p[1] - np.exp(p[2]) * logs)
        return -np.stack([u, falls, -np.exp(p[2]) * logs * falls], axis=1)

    bounds = ([0, -np.inf, np.log(SMALLEST)], [np.inf, np.inf, np.log(LARGEST)])
    start[2] = np.clip(start[2], np.log(SMALLEST) + 1e-9, np.log(LARGEST) - 1e-9)
    start[0] = max(start[0], 1e-9 * float(z.mean() / u.mean()))
    # 1e-14: tolerances at the rounding error, so that a law without noise is recovered to all digits it has.
    done = optimize.least_squares(law, start, slopes, bounds, x_scale="jac", ftol=1e-14, xtol=1e-14, gtol=1e-14)
    found, floor = np.asarray(done.x), 2 * float(done.cost)
    return (found, floor) if floor <= misses[best] else (start, float(misses[best]))


def _accepted(grid: Array, excess: Array, level: float) -> tuple[float, float]:
    """The ends of the values whose excess is at most the level; infinite where the grid ends first."""
    height = np.sqrt(np.maximum(excess, 0))
    inside = np.flatnonzero(excess <= level)
    first, last, top = int(inside[0]), int(inside[-1]), level**0.5

    def crossing(into: int, out: int) -> float:
        part = (top - height[into]) / (height[out] - height[into])
        return float(grid[into] + part * (grid[out] - grid[into]))

    low = -np.inf if first == 0 else crossing(first, first - 1)
    return low, np.inf if last == len(grid) - 1 else crossing(last, last + 1)


def fit_axis(losses: Losses, axis: str, at: tuple[float, ...] = (), asked: Asked | None = None) -> AxisFit:
    """The law along one axis, with the mean loss it predicts at the sizes ``at``."""
    asked = asked or Asked()
    cells = cells_of(losses, (axis,))
    x, means = cells.points[:, 0], cells.means
    check_falls(x, means, axis)
    centre = float(np.exp(np.log(x).mean()))
    logs = np.log(x / centre)
    fitted = means
    for turn in range(2):  # the second time relative to the law itself: the means' own noise would bias the weights
        u = np.sqrt(cells.counts) / fitted
        found, floor = _least(u * means, u, logs)
        exponent, scale = float(np.exp(found[2])), float(np.exp(found[1]))
        if turn == 0:
            fitted = found[0] + scale * np.exp(-exponent * logs)
    z = u * means
    falls = u * np.exp(-exponent * logs)
    jacobian = np.stack([u, falls, -scale * logs * falls], axis=1)
    scatter = scatter_of(cells, found[0] + scale * np.exp(-exponent * logs), jacobian, asked)
    influence = np.linalg.pinv(jacobian)
    student = float(stats.t.ppf((1 + asked.confidence) / 2, scatter.freedom))

    def reach(moves: Array) -> tuple[float, float]:
        """The interval's half length by Gauss and Newton, and the excess of S that it is."""
        half = student * scatter.error(moves)
        return half, (half / float(np.linalg.norm(moves))) ** 2

    half, level = reach(influence[2])
    wide = min(8 * half / exponent, np.log(LARGEST / SMALLEST))
    near = exponent * np.exp(wide * np.linspace(-1, 1, 81))
    grid = np.unique(np.concatenate([np.geomspace(SMALLEST, LARGEST, 60), np.clip(near, SMALLEST, LARGEST)]))
    low, high = _accepted(grid, _valley(z, u, logs, grid)[0] - floor, level + 1e-15 * float(z @ z))

    def profiled(place: float) -> Interval:
        """The law's value at a size, infinity for the offset: given it, only A and a are free."""
        there = np.exp(-grid * np.log(place / centre)) if np.isfinite(place) else np.zeros_like(grid)
        now = float(np.exp(-exponent * np.log(place / centre))) if np.isfinite(place) else 0.0
        value = float(found[0] + scale * now)
        slope = np.array([1, now, -scale * now * np.log(place / centre) if now else 0.0])
        half, level = reach(slope @ influence)
        coarse = np.linspace(0, 2 * max(value, means.max()), 40)
        values = np.unique(np.concatenate([value + 4 * half * np.linspace(-1, 1, 65), coarse]).clip(0))
        basis = u * (np.exp(-grid[:, None] * logs) - there[:, None])
        square = np.square(basis).sum(axis=1)
        most = np.divide(1, there, out=np.full_like(there, np.inf), where=there > 0)
        # |z - y u - A basis|^2 for each value y and exponent, with 0 <= A <= y / there, so that E >= 0.
        along = basis @ z - values[:, None] * (basis @ u)
        bound = np.multiply(values[:, None], most, where=np.isfinite(most), out=np.full_like(along, np.inf))
        taken = np.clip(along / square, 0, bound)
        rest = z - values[:, None] * u
        excess = (np.square(rest).sum(axis=1)[:, None] + taken * (taken * square - 2 * along)).min(axis=1) - floor
        excess = np.where(np.abs(values - value) <= 1e-12 * max(value, 1e-300), 0, excess)
        ends = _accepted(values, excess, level + 1e-13 * float(z @ z))
        return Interval(value=value, low=max(0.0, min(ends[0], value)), high=max(ends[1], value))

    return AxisFit(
        axis=axis,
        exponent=Interval(value=exponent, low=min(max(low, 0.0), exponent), high=max(high, exponent)),
        offset=profiled(np.inf),
        amplitude=scale * centre**exponent,
        predictions=tuple((place, profiled(place)) for place in at),
        points=x,
        means=means,
        resampled=scatter.resampled,
        misfit=scatter.misfit,
    )


def check_falls(x: Array, means: Array, axis: str) -> None:
    """Raise ``FitError`` unless the sizes suffice and the loss falls from the smallest to the largest."""
    if len(x) < FEWEST_SIZES:
        raise FitError(f"{axis} has {len(x)} distinct sizes; three parameters need at least {FEWEST_SIZES}: add sizes")
    if means[-1] >= means[0]:
        raise FitError(
            f"loss does not fall along {axis}: {means[0]:.4g} at {x[0]:g}, {means[-1]:.4g} at {x[-1]:g}; "
            "a power law needs a loss that falls: check the columns or choose another --axis"
        )


def fit_joint(losses: Losses, at: tuple[float, float], asked: Asked | None = None) -> JointFit:
    """The additive law in N and D, with the mean loss it predicts at one (N, D)."""
    asked = asked or Asked()
    cells = cells_of(losses, ("N", "D"))
    if len(cells.points) < 6:
        raise FitError(f"{len(cells.points)} pairs (N, D) for five parameters; give at least 6, or choose an --axis")
    centre = np.exp(np.log(cells.points).mean(axis=0))
    logs = np.log(cells.points / centre)
    grid = np.geomspace(0.05, 4, 16)
    first, second = (each.ravel() for each in np.meshgrid(grid, grid))
    fitted = cells.means
    found = np.zeros(5)
    for turn in range(2):
        u = np.sqrt(cells.counts) / fitted
        z = u * cells.means

        def columns(p: Array, u: Array = u) -> Array:
            powers = p[1:3, None] - np.exp(p[3:, None]) * logs.T
            return np.concatenate([u[None], u * np.exp(powers)])

        def law(p: Array, u: Array = u, z: Array = z) -> Array:
            parts = columns(p, u)
            return np.asarray(z - p[0] * u - parts[1] - parts[2])

        def slopes(p: Array, u: Array = u) -> Array:
            parts = columns(p, u)
            return -np.stack([u, parts[1], parts[2], *(-np.exp(p[3:, None]) * logs.T * parts[1:])], axis=1)

        if turn == 0:
            v = u * np.exp(-first[:, None] * logs[:, 0]), u * np.exp(-second[:, None] * logs[:, 1])
            three = np.stack([np.broadcast_to(u, v[0].shape), *v], axis=2)
            square = np.swapaxes(three, 1, 2) @ three + 1e-10 * np.eye(3) * (u @ u)
            linear = np.linalg.solve(square, (np.swapaxes(three, 1, 2) @ z)[..., None])[..., 0]
            linear = np.maximum(linear, 1e-4 * float(cells.means.min()))
            best = int(np.argmin(np.square(z - (three @ linear[..., None])[..., 0]).sum(axis=1)))
            found = np.array([linear[best, 0], *np.log(linear[best, 1:]), np.log(first[best]), np.log(second[best])])
        bounds = ([0, -np.inf, -np.inf, *np.log([SMALLEST] * 2)], [np.inf, np.inf, np.inf, *np.log([LARGEST] * 2)])
        found = np.asarray(optimize.least_squares(law, found, slopes, bounds, x_scale="jac").x)
        if turn == 0:
            fitted = (z - law(found)) / u
    jacobian = -slopes(found)
    scatter = scatter_of(cells, (z - law(found)) / u, jacobian, asked)
    influence = np.linalg.pinv(jacobian)
    student = float(stats.t.ppf((1 + asked.confidence) / 2, scatter.freedom))

    def of_log(value: float, moves: Array) -> Interval:
        factor = float(np.exp(min(student * scatter.error(moves), 700.0)))  # e^700 is a number still
        return Interval(value=value, low=value / factor, high=value * factor)

    def of_value(value: float, moves: Array) -> Interval:
        half = student * scatter.error(moves)
        return Interval(value=value, low=value - half, high=value + half)

    a, b = (float(each) for each in np.exp(found[3:]))
    offset = of_value(float(found[0]), influence[0])
    away = np.log(np.asarray(at) / centre)
    parts = np.exp(found[1:3] - np.array([a, b]) * away)
    slope = np.array([1, *parts, *(-np.array([a, b]) * away * parts)])
    value = float(found[0] + parts.sum())
    return JointFit(
        exponents={"N": of_log(a, influence[3]), "D": of_log(b, influence[4])},
        difference=of_value(a - b, a * influence[3] - b * influence[4]),
        offset=Interval(value=offset.value, low=max(0.0, offset.low), high=offset.high),
        prediction=of_log(value, slope @ influence / value),
        resampled=scatter.resampled,
        misfit=scatter.misfit,
    )

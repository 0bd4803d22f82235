"""The best learning rate, the edge and the speed, read off losses trained over a grid of rates.

With r(rate) = log loss_T - log loss_0 of one network, and its base-two rates on the axis:
    edge        the largest rate up to which no run's loss ever rises above where it started: the edge of stability
    optimum     where r is least among those runs, by the parabola through the least point and its two neighbours
    speed       the rate at which the loss has fallen by ``PROGRESS``: short of any edge, first order in the rate
    best        r at the optimum
    accuracy    on held-out digits, at the grid point nearest the optimum
    late-edge, late-optimum, late-best   the same of all runs, judged by their last loss alone
A run can be thrown out of its start and land somewhere better (a catapult). With hidden matrices alone and few
blocks the least last loss lies at rates near 1000, where the net has memorized its batch and forgotten the digits;
hence the runs that never rose are the measure, and the others are told apart, not left out.
All are read for each member by itself and averaged afterwards: a mean of r over members would be governed by the
few that failed. r is bounded below by ``FLOOR``, since float32 does not tell smaller losses from zero, and above by
zero, where nothing has been learned; a run that is no number has failed.

The grid has half octaves from ``LOWEST`` to ``HIGHEST`` and is widened until it brackets the first three for every
member: upwards by octaves, downwards by double octaves, where r is a power law of the rate. Upwards it also follows
the late optimum, as far as ``LATE_HIGH``; one beyond is no number. Nor is a speed where input and readout move at a
fixed rate, and the loss with them: that grid begins at ``NO_SPEED_LOWEST`` and has half octaves throughout.
Worked line: r = -1, -2, 0 at rates 1, 2, 4 is least a sixth of an octave below 2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from powercount.empirical.dynamics.rate_training import Moving, RateRun, TransferError, train_rates
from powercount.empirical.ensemble import chunks
from powercount.empirical.fit import Estimate, jackknife, least_squares_weights

Array = NDArray[np.float64]

LOWEST, HIGHEST, STEP = -1.0, 3.5, 0.5
NO_SPEED_LOWEST = 1.0
LIMIT_LOW, LATE_HIGH, LIMIT_HIGH = -13.0, 6.5, 12.5
# One eighth: far enough from rounding and from the edge alike; its second order is declared where it is judged.
PROGRESS: Final = 0.125
FLOOR: Final = math.log(2.0**-23)
RATES: Final = ("optimum", "edge", "speed", "late-optimum", "late-edge")
READINGS: Final = (*RATES, "best", "late-best", "accuracy")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCurves:
    """r of every member at every rate of a grid: at the last step, and its largest value over all steps.

    ``exponents`` are the base-two logarithms of the rates; arrays have shape (members, rates).
    """

    exponents: tuple[float, ...]
    last: Array
    highest: Array
    accuracy: Array

    def joined(self, other: RateCurves) -> RateCurves:
        """Both grids as one, in order."""
        both = np.asarray(self.exponents + other.exponents)
        order = np.argsort(both)

        def merge(mine: Array, theirs: Array) -> Array:
            return np.concatenate([mine, theirs], axis=1)[:, order]

        return RateCurves(
            exponents=tuple(float(each) for each in both[order]),
            last=merge(self.last, other.last),
            highest=merge(self.highest, other.highest),
            accuracy=merge(self.accuracy, other.accuracy),
        )


def bounded(losses: Array) -> Array:
    """log loss_t - log loss_0 between ``FLOOR`` and 1, for losses of shape (steps + 1, ...)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(losses) - np.log(losses[:1])
    kept: Array = np.clip(np.nan_to_num(ratio, nan=1.0, posinf=1.0, neginf=FLOOR), FLOOR, 1.0)
    return kept


def train_grid(run: RateRun, members: Sequence[int], exponents: Sequence[float]) -> RateCurves:
    """Train every member at every rate."""
    run.check_memory(len(exponents))
    rates = [2.0**each for each in exponents]
    numbers = len(rates) * run.recipe.block.layers * run.depth * run.width**2
    trained = [train_rates(run, [members[place] for place in some], rates) for some in chunks(len(members), numbers)]
    # Losses by (step, member, rate).
    ratio = np.concatenate([bounded(each.train.double().numpy()) for each in trained], axis=1)
    return RateCurves(
        exponents=tuple(exponents),
        last=ratio[-1],
        highest=ratio[1:].max(axis=0),
        accuracy=np.concatenate([each.accuracy.double().numpy() for each in trained]),
    )


def first_grid(moving: Moving = "all") -> tuple[float, ...]:
    """The rates every run is trained at first: where no speed is read off, only those around the optimum."""
    lowest = NO_SPEED_LOWEST if moving == "split" else LOWEST
    return tuple(float(each) for each in np.arange(lowest, HIGHEST + STEP / 2, STEP))


def trained_curves(run: RateRun, members: Sequence[int]) -> RateCurves:
    """The curves on a grid wide enough for every member; ``TransferError`` where none is."""
    curves = train_grid(run, members, first_grid(run.moving))
    while beyond_above(curves):
        top = curves.exponents[-1]
        if top + 2 * STEP > LIMIT_HIGH:
            raise TransferError(
                f"{run.recipe.name} at depth {run.depth} ({run.moving}) is stable and improves even at a rate of "
                f"2^{top:g}; raise --steps, or move more of its matrices"
            )
        curves = curves.joined(train_grid(run, members, (top + STEP, top + 2 * STEP)))
    while beyond_below(curves, run):
        bottom = curves.exponents[0]
        if bottom - 2 < LIMIT_LOW:
            raise TransferError(
                f"{run.recipe.name} at depth {run.depth} ({run.moving}) is too fast or unstable even at a rate of "
                f"2^{bottom:g}; lower --steps, or check the powers of its rates"
            )
        # Where a speed is read off the optimum is far above; where none is, it lies there.
        lower = (bottom - 2 * STEP, bottom - STEP) if run.moving == "split" else (bottom - 2,)
        curves = curves.joined(train_grid(run, members, lower))
    return curves


def beyond_above(curves: RateCurves) -> bool:
    """Whether the edge or the optimum of some member lies above the grid."""
    last_place = len(curves.exponents) - 1
    no_edge = curves.highest.max(axis=1) <= 0
    late = curves.last.argmin(axis=1) == last_place
    if curves.exponents[-1] >= LATE_HIGH:
        late[:] = False
    return bool((no_edge | late | (steady(curves).argmin(axis=1) == last_place)).any())


def beyond_below(curves: RateCurves, run: RateRun) -> bool:
    """Whether the optimum of some member lies below the grid, or the speed where there is one."""
    fast = curves.last[:, 0] <= -PROGRESS
    if run.moving == "split":
        fast[:] = False
    return bool((fast | (steady(curves).argmin(axis=1) == 0)).any())


def steady(curves: RateCurves) -> Array:
    """r at the last step, zero (nothing learned) for a run that rose above its start on the way."""
    return np.where(curves.highest > 0, 0.0, np.minimum(curves.last, 0.0))


def vertex(exponents: Sequence[float], values: Array) -> tuple[float, float]:
    """Where the parabola through the least value and its neighbours is least, and the least value itself."""
    place = int(values.argmin())
    if place in (0, len(values) - 1):
        return float(exponents[place]), float(values[place])
    x, y = np.asarray(exponents[place - 1 : place + 2]) - exponents[place], values[place - 1 : place + 2]
    below, above = (y[1] - y[0]) / (x[1] - x[0]), (y[2] - y[1]) / (x[2] - x[1])
    curvature = (above - below) / (x[2] - x[0])
    if curvature <= 0:
        return float(exponents[place]), float(values[place])
    slope_here = below - curvature * x[0]
    shift = -slope_here / (2 * curvature)
    return float(exponents[place] + shift), float(values[place])


def crossing(exponents: Sequence[float], values: Array, level: float) -> float:
    """The first exponent at which ``values`` rise through ``level``, by linear interpolation."""
    above = np.flatnonzero(values > level)
    if len(above) == 0 or above[0] == 0:
        return math.nan
    place = int(above[0])
    low, high = values[place - 1], values[place]
    share = float((level - low) / (high - low))
    return float(exponents[place - 1] + share * (exponents[place] - exponents[place - 1]))


def readings(curves: RateCurves) -> dict[str, Array]:
    """Every reading for each member, shape (members,); nan where the grid does not hold it."""
    found: dict[str, list[float]] = {name: [] for name in READINGS}
    exponents, learned = curves.exponents, np.minimum(curves.last, 0.0)
    for member, kept in enumerate(steady(curves)):
        optimum, best = vertex(exponents, kept)
        late_optimum, late_best = vertex(exponents, learned[member])
        inside = late_optimum < exponents[-1]
        nearest = int(np.abs(np.asarray(exponents) - optimum).argmin())
        fallen = np.log(np.maximum(-learned[member], 2.0**-40))
        for name, value in (
            ("optimum", optimum),
            ("edge", crossing(exponents, curves.highest[member], 0.0)),
            ("speed", crossing(exponents, fallen, math.log(PROGRESS))),
            ("late-optimum", late_optimum if inside else math.nan),
            ("late-edge", crossing(exponents, curves.last[member], 0.0)),
            ("best", best),
            ("late-best", late_best if inside else math.nan),
            ("accuracy", float(curves.accuracy[member, nearest])),
        ):
            found[name].append(value)
    return {name: np.asarray(values) for name, values in found.items()}


def depth_slope(values: Array, depths: Sequence[int], *, base_two: bool) -> Estimate:
    """The slope against log L of a quantity given by its logarithm, shape (members, depths); seeds are left out.

    ``base_two`` says that the logarithm is to base two, as an exponent of a rate is.
    """
    weights = least_squares_weights(depths) * (math.log(2) if base_two else 1.0)

    def slope(rows: Array) -> float:
        return float(rows.mean(axis=0) @ weights)

    return jackknife(slope, values)

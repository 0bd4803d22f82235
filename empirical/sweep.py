"""``measure``: one recipe along one axis, every observable at once, until the interval is narrow.

A sweep changes width at fixed depth, or depth at fixed width. Seeds are added by doubling until the
interval of every observable asked for is narrower than ``half_width`` on each side, or ``most_seeds`` is
reached; a measurement says how many it took. Member i of an ensemble depends on (seed, i) and the largest
size alone, so a replay is exact and growing changes nothing already measured.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray

from powercount.derivations.recipe import Axis, Observable, PowercountError, Recipe, check_powers
from powercount.empirical.data import DATA
from powercount.empirical.ensemble import Draws, Ensemble, chunks, draw_ensemble
from powercount.empirical.fit import Estimate, State, fit_ratio, fit_slope, seen, total
from powercount.empirical.observables import at_initialization
from powercount.empirical.training import after_training, in_double

FEWEST_SIZES = 3
MEMORY_SHARE = 0.5
EXAMPLES = 16
PAIRED = 16  # members that make at first real steps beside their first-order response
PAIRED_SHARE = 0.9  # of an interval's width left to the first-order response
SMALLEST_SQUARE = 1e-40  # squares of sizes from 1e-20 on: what they are computed from keeps its digits in float32
Progress = Callable[[int, int], None]


class SweepError(PowercountError):
    """The sweep cannot be run: too few sizes, a size that makes no network, or one that does not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Sizes along one axis at one size of the other, seeds, data, and how the step is made.

    ``steps = 0`` is the exact first-order response to one step at base rate 1, of each of ``examples`` inputs; ``steps
    = T`` runs T real optimizer steps on one input, at base rate ``rate``, or at that of ``alone`` (role, rate) where
    only one role moves: a role that moves little would be lost in rounding at the rate that is gentle for all.
    """

    axis: Axis
    sizes: tuple[int, ...]
    fixed: int
    seeds: int = 16
    most_seeds: int = 128
    seed: int = 0
    confidence: float = 0.95
    half_width: float = 0.05
    data: str = "digits"
    examples: int = EXAMPLES
    steps: int = 0
    rate: float = 2.0**-6
    alone: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.sizes)) < FEWEST_SIZES:
            raise SweepError(f"sizes = {list(self.sizes)}: a slope needs at least {FEWEST_SIZES} different sizes")
        if min(self.sizes) < 1 or self.fixed < 1:
            other = "depth" if self.axis == "width" else "width"
            raise SweepError(
                f"{self.axis} = {min(self.sizes)}, {other} = {self.fixed}: every width and depth is at least 1"
            )
        if self.seeds < 2 or self.most_seeds < self.seeds:
            raise SweepError(
                f"seeds = {self.seeds}, at most {self.most_seeds}: use at least 2, and no more than the most"
            )
        if self.seed < 0:
            raise SweepError(f"seed = {self.seed} is negative; give 0 or more")
        if self.examples < 1 or self.steps < 0 or self.rate <= 0:
            raise SweepError("examples is at least 1, steps at least 0 and rate positive")
        if self.steps and self.examples != 1:
            raise SweepError(
                f"examples = {self.examples} with {self.steps} real steps: they are made on one example, whose values "
                "are known; set examples = 1, or steps = 0"
            )
        if not 0 < self.confidence < 1 or self.half_width <= 0:
            raise SweepError("confidence lies between 0 and 1, and half_width is positive")
        if self.data not in DATA:
            raise SweepError(f"unknown data {self.data!r}; choose one of: {', '.join(DATA)}")

    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(width, depth) of every point."""
        if self.axis == "width":
            return tuple((size, self.fixed) for size in sorted(set(self.sizes)))
        return tuple((self.fixed, size) for size in sorted(set(self.sizes)))

    def widened(self, times: Fraction | int) -> Sweep:
        """The same sweep with networks that many times as wide."""
        if self.axis == "depth":
            return replace(self, fixed=int(self.fixed * times))
        return replace(self, sizes=tuple(int(size * times) for size in self.sizes))


class MeasurementRow(TypedDict):
    """A measurement as plain data."""

    observable: str
    axis: str
    slope: float | None
    low: float | None
    high: float | None
    confidence: float
    sizes: list[int]
    seeds: int
    cpu_seconds: float
    points: list[float | None]
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The slope of one observable along one axis, and everything it came from."""

    observable: Observable
    sweep: Sweep
    fitted: Estimate
    sizes: tuple[int, ...]
    points: tuple[float, ...]
    seeds: int
    cpu_seconds: float

    @property
    def slope(self) -> float:
        """The fitted power."""
        return self.fitted.value

    @property
    def state(self) -> State:
        """Whether there is a slope at all."""
        return self.fitted.state

    def interval(self, confidence: float | None = None) -> tuple[float, float]:
        """(low, high) at the sweep's confidence, or another."""
        return self.fitted.interval(self.sweep.confidence if confidence is None else confidence)

    def as_row(self) -> MeasurementRow:
        """As plain data, ready for JSON: numbers that do not exist are null."""
        low, high = self.interval()
        return {
            "observable": str(self.observable),
            "axis": self.sweep.axis,
            "slope": finite(self.slope),
            "low": finite(low),
            "high": finite(high),
            "confidence": self.sweep.confidence,
            "sizes": list(self.sizes),
            "seeds": self.seeds,
            "cpu_seconds": self.cpu_seconds,
            "points": [finite(point) for point in self.points],
            "state": self.state,
        }


def finite(value: float) -> float | None:
    """The value, or None where JSON has no number for it."""
    return float(value) if np.isfinite(value) else None


def memory_needed(recipe: Recipe, sweep: Sweep) -> int:
    """Bytes of the largest allocation: one member's weights, and gradients and steps where it trains."""
    width, depth = sweep.shapes()[-1]
    numbers = recipe.block.layers * depth * width**2 + 128 * width
    states = recipe.block.layers * depth * width * sweep.examples * 16
    return 4 * (numbers * (4 if sweep.steps else 1) + states)


def memory_here() -> int:
    """Bytes of memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def check_memory(recipe: Recipe, sweep: Sweep) -> None:
    """Raise ``SweepError`` where one member of the largest size would not fit."""
    needed, here = memory_needed(recipe, sweep), memory_here()
    if needed > MEMORY_SHARE * here:
        width, depth = sweep.shapes()[-1]
        raise SweepError(
            f"width {width} at depth {depth} needs about {needed / 2**30:.1f} GiB for one network and this machine has "
            f"{here / 2**30:.1f} GiB; choose smaller --sizes"
        )


def member_squares(
    recipe: Recipe, asked: Sequence[Observable], sweep: Sweep, draws: Draws
) -> dict[Observable, NDArray[np.float64]]:
    """The mean square of every observable for each drawn member, shape (members, sizes).

    In float32, and once more in float64 where a number comes near the end of float32's range: what is zero or infinite
    then is so in float64.
    """
    if sweep.steps:
        return _squares(recipe, asked, sweep, in_double(draws))
    squares = _squares(recipe, asked, sweep, draws)
    # The stream does not read the readout: a zero by construction.
    seen = [values for each, values in squares.items() if str(each) != "feature-update@readout"]
    safe = all(bool(((values > SMALLEST_SQUARE) & (values < 1 / SMALLEST_SQUARE)).all()) for values in seen)
    return squares if safe else _squares(recipe, asked, sweep, in_double(draws))


def _squares(
    recipe: Recipe, asked: Sequence[Observable], sweep: Sweep, draws: Draws
) -> dict[Observable, NDArray[np.float64]]:
    columns: dict[Observable, list[NDArray[np.float64]]] = {each: [] for each in asked}
    for width, depth in sweep.shapes():
        ensemble = Ensemble(recipe, width, depth, draws)
        if sweep.steps:
            values = after_training(ensemble, asked, steps=sweep.steps, rate=sweep.rate, alone=dict(sweep.alone))
        else:
            with torch.no_grad():
                values = at_initialization(ensemble)
        for each in asked:
            columns[each].append(values[each].numpy())
    return {each: np.stack(column, axis=1) for each, column in columns.items()}


def measure(
    recipe: Recipe,
    asked: Sequence[Observable],
    sweep: Sweep,
    half_widths: Mapping[Observable, float] | None = None,
    progress: Progress | None = None,
) -> dict[Observable, Measurement]:
    """The slopes of the observables asked for along one axis.

    ``half_widths`` sets the sweep's ``half_width`` for each observable apart; ``progress(seeds done, seeds
    wanted)`` is called as they come in.
    """
    check_memory(recipe, sweep)
    check_powers(recipe)
    started = time.process_time()
    if sweep.steps:
        squares, fitted, seeds = _real_steps(recipe, asked, sweep, half_widths or {}, progress)
    else:
        squares, fitted = _grow(recipe, asked, sweep, half_widths or {}, progress)
        seeds = {each: len(squares[each]) for each in asked}
    spent = time.process_time() - started
    return {
        each: Measurement(
            observable=each,
            sweep=sweep,
            fitted=fitted[each],
            sizes=tuple(sorted(set(sweep.sizes))),
            points=tuple(float(point) for point in np.sqrt(seen(squares[each]).mean(axis=0))),
            seeds=seeds[each],
            cpu_seconds=spent,
        )
        for each in asked
    }


def drawn(recipe: Recipe, sweep: Sweep, members: Iterable[int]) -> Draws:
    """The draws of some members of a sweep."""
    width, depth = sweep.shapes()[-1]
    return draw_ensemble(
        seed=sweep.seed,
        members=list(members),
        width=width,
        depth=depth,
        layers=recipe.block.layers,
        data=sweep.data,
        examples=sweep.examples,
    )


Squares = dict[Observable, NDArray[np.float64]]


def _grow(
    recipe: Recipe,
    asked: Sequence[Observable],
    sweep: Sweep,
    narrow: Mapping[Observable, float],
    progress: Progress | None,
) -> tuple[Squares, dict[Observable, Estimate]]:
    """Add members by doubling until every interval is narrow, or there are ``most_seeds``."""
    width, depth = sweep.shapes()[-1]
    squares: Squares = {each: np.empty((0, len(set(sweep.sizes)))) for each in asked}
    done, wanted = 0, sweep.seeds
    while True:
        for members in chunks(wanted - done, recipe.block.layers * depth * width**2 * (4 if sweep.steps else 1)):
            new = member_squares(recipe, asked, sweep, drawn(recipe, sweep, (done + member for member in members)))
            squares = {each: np.concatenate([squares[each], new[each]]) for each in asked}
            if progress is not None:
                progress(done + members.stop, wanted)
        done = wanted
        fitted = {each: fit_slope(squares[each], sorted(set(sweep.sizes))) for each in asked}
        if done >= sweep.most_seeds or all(
            _narrow(slope, sweep, narrow.get(each, sweep.half_width)) for each, slope in fitted.items()
        ):
            return squares, fitted
        wanted = min(2 * done, sweep.most_seeds)


def _real_steps(
    recipe: Recipe,
    asked: Sequence[Observable],
    sweep: Sweep,
    narrow: Mapping[Observable, float],
    progress: Progress | None,
) -> tuple[Squares, dict[Observable, Estimate], dict[Observable, int]]:
    """T real steps with the first-order response to one as a control variate.

    ``PAIRED`` members make real steps, more where that is too few; on the same weights and example the first-order
    response is known exactly and differs by little but the factor T rate. The slope is that of the first-order response
    over as many members and examples as it takes, plus the difference of the two slopes on the pairs: whatever the real
    steps do otherwise is in the difference. What the first step leaves at zero has no such response and is measured by
    real steps alone.
    """
    sizes = sorted(set(sweep.sizes))
    first = replace(sweep, steps=0, examples=EXAMPLES)
    plain, slopes = _grow(
        recipe, asked, first, {each: PAIRED_SHARE * width for each, width in narrow.items()}, progress
    )
    width, depth = sweep.shapes()[-1]
    real: Squares = {each: np.empty((0, len(sizes))) for each in asked}
    response, done, wanted = dict(real), 0, min(PAIRED, sweep.most_seeds)
    while True:
        for members in chunks(wanted - done, 4 * recipe.block.layers * depth * width**2):
            draws = drawn(recipe, sweep, (done + member for member in members))
            for known, asked_of in ((real, sweep), (response, replace(sweep, steps=0))):
                for each, squares in member_squares(recipe, asked, asked_of, draws).items():
                    known[each] = np.concatenate([known[each], squares])
        done = wanted
        fitted: dict[Observable, Estimate] = {}
        for each in asked:
            fitted[each], paired = fit_slope(real[each], sizes), fit_slope(response[each], sizes)
            if fitted[each].state == paired.state == "measured":
                fitted[each] = total(slopes[each], fit_ratio(real[each], response[each], sizes))
        pairs = [each for each in asked if slopes[each].state == "measured"]
        if done >= sweep.most_seeds or all(
            _narrow(fitted[each], sweep, narrow.get(each, sweep.half_width)) for each in pairs
        ):
            break
        wanted = min(2 * done, sweep.most_seeds)
    lonely = [each for each in asked if fitted[each].state == "measured" and slopes[each].state != "measured"]
    if lonely:
        grown, found = _grow(recipe, lonely, sweep, narrow, progress)
        fitted |= found
        plain |= grown
    points = {each: real[each] if each not in lonely else plain[each] for each in asked}
    # The interval narrows with the members of the first-order response, not with the pairs.
    seeds = {each: len(plain[each]) if fitted[each].state == "measured" else len(real[each]) for each in asked}
    return points, fitted, seeds


def _narrow(slope: Estimate, sweep: Sweep, half_width: float) -> bool:
    low, high = slope.interval(sweep.confidence)
    return slope.state != "measured" or high - low <= 2 * half_width

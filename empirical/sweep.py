"""``measure``: one recipe along one axis, every observable at once, until the interval is narrow.

A sweep changes width at fixed depth, or depth at fixed width. Seeds are added by doubling until the
interval of every observable asked for is narrower than ``half_width`` on each side, or ``most_seeds`` is
reached; a measurement says how many it took. Member i of an ensemble depends on (seed, i) and the largest
size alone, so a replay is exact and growing changes nothing already measured.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray

from powercount.derivations.recipe import Axis, Observable, PowercountError, Recipe, check_powers
from powercount.empirical.data import DATA
from powercount.empirical.ensemble import Draws, Ensemble, chunks, draw_ensemble
from powercount.empirical.fit import Estimate, State, fit_slope
from powercount.empirical.observables import at_initialization
from powercount.empirical.training import after_training, in_double

FEWEST_SIZES = 3
MEMORY_SHARE = 0.5
Progress = Callable[[int, int], None]


class SweepError(PowercountError):
    """The sweep cannot be run: too few sizes, a size that makes no network, or one that does not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Sizes along one axis at one size of the other, seeds, data, and how the step is made.

    ``steps = 0`` is the exact first-order response to one step at base rate 1; ``steps = T`` runs T
    real optimizer steps at base rate ``rate``.
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
    examples: int = 16
    steps: int = 0
    rate: float = 2.0**-6

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
        if not 0 < self.confidence < 1 or self.half_width <= 0:
            raise SweepError("confidence lies between 0 and 1, and half_width is positive")
        if self.data not in DATA:
            raise SweepError(f"unknown data {self.data!r}; choose one of: {', '.join(DATA)}")

    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(width, depth) of every point."""
        if self.axis == "width":
            return tuple((size, self.fixed) for size in sorted(set(self.sizes)))
        return tuple((self.fixed, size) for size in sorted(set(self.sizes)))


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
    """The mean square of every observable for each drawn member, shape (members, sizes)."""
    draws = in_double(draws) if sweep.steps else draws
    columns: dict[Observable, list[NDArray[np.float64]]] = {each: [] for each in asked}
    for width, depth in sweep.shapes():
        ensemble = Ensemble(recipe, width, depth, draws)
        if sweep.steps:
            values = after_training(ensemble, asked, steps=sweep.steps, rate=sweep.rate)
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
    narrow = half_widths or {}
    check_memory(recipe, sweep)
    check_powers(recipe)
    started = time.process_time()
    width, depth = sweep.shapes()[-1]
    layers = recipe.block.layers
    sizes = tuple(sorted(set(sweep.sizes)))
    squares: dict[Observable, NDArray[np.float64]] = {each: np.empty((0, len(sizes))) for each in asked}
    done, wanted = 0, sweep.seeds
    while True:
        for members in chunks(wanted - done, layers * depth * width**2 * (4 if sweep.steps else 1)):
            draws = draw_ensemble(
                seed=sweep.seed,
                members=[done + member for member in members],
                width=width,
                depth=depth,
                layers=layers,
                data=sweep.data,
                examples=sweep.examples,
            )
            new = member_squares(recipe, asked, sweep, draws)
            squares = {each: np.concatenate([squares[each], new[each]]) for each in asked}
            if progress is not None:
                progress(done + members.stop, wanted)
        done = wanted
        fitted = {each: fit_slope(squares[each], sizes) for each in asked}
        if done >= sweep.most_seeds or all(
            _narrow(slope, sweep, narrow.get(each, sweep.half_width)) for each, slope in fitted.items()
        ):
            break
        wanted = min(2 * done, sweep.most_seeds)
    spent = time.process_time() - started
    return {
        each: Measurement(
            observable=each,
            sweep=sweep,
            fitted=fitted[each],
            sizes=sizes,
            points=tuple(float(point) for point in np.sqrt(squares[each].mean(axis=0))),
            seeds=done,
            cpu_seconds=spent,
        )
        for each in asked
    }


def _narrow(slope: Estimate, sweep: Sweep, half_width: float) -> bool:
    low, high = slope.interval(sweep.confidence)
    return slope.state != "measured" or high - low <= 2 * half_width

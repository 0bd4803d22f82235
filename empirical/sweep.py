"""``measure``: one recipe along one axis, every observable at once, until the interval is narrow.

A measurement says how many seeds it took. Member i of an ensemble depends on (seed, i) and the largest size alone, so a
replay is exact and growing changes nothing already measured.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypedDict

import numpy as np

from powercount.derivations.recipe import Observable, Recipe, check_powers
from powercount.empirical.design import EXAMPLES, Sweep
from powercount.empirical.ensemble import chunks
from powercount.empirical.fit import Estimate, State, fit_ratio, fit_slope, seen, total
from powercount.empirical.grow import Progress, grow, narrow
from powercount.empirical.nets import RecipeNets, check_possible, drawn, member_squares
from powercount.empirical.subject import Squares

PAIRED = 16  # members that make at first real steps beside their first-order response
PAIRED_SHARE = 0.9  # of an interval's width left to the first-order response


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

    def plain(self) -> dict[str, Any]:
        """All of it as plain data, for ``of``."""
        return {**asdict(self), "observable": asdict(self.observable)}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Measurement:
        """The measurement of what ``plain`` and JSON made of one."""
        fitted = {**plain["fitted"], "skewness": tuple(plain["fitted"]["skewness"])}
        return cls(
            observable=Observable(**plain["observable"]),
            sweep=Sweep.of(plain["sweep"]),
            fitted=Estimate(**fitted),
            sizes=tuple(plain["sizes"]),
            points=tuple(plain["points"]),
            seeds=plain["seeds"],
            cpu_seconds=plain["cpu_seconds"],
        )

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
    check_possible(recipe, sweep)
    check_powers(recipe)
    started = time.process_time()
    if sweep.steps:
        squares, fitted, seeds = _real_steps(recipe, asked, sweep, half_widths or {}, progress)
    else:
        squares, slopes = grow(RecipeNets(recipe), asked, sweep, half_widths, progress)
        fitted = {each: slopes[each].along[sweep.axis] for each in asked}
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


def _real_steps(
    recipe: Recipe,
    asked: Sequence[Observable],
    sweep: Sweep,
    half_widths: Mapping[Observable, float],
    progress: Progress | None,
) -> tuple[Squares, dict[Observable, Estimate], dict[Observable, int]]:
    """T real steps with the first-order response to one as a control variate.

    ``PAIRED`` members make real steps, more where that is too few; on the same weights and example the first-order
    response is known exactly and differs by little but the factor T rate. The slope is that of the first-order response
    over as many members and examples as it takes, plus the difference of the two slopes on the pairs: whatever the real
    steps do otherwise is in the difference. What the first step leaves at zero has no such response and is measured by
    real steps alone.
    """
    nets, sizes = RecipeNets(recipe), sorted(set(sweep.sizes))
    first = replace(sweep, steps=0, examples=EXAMPLES)
    plain, grown = grow(
        nets, asked, first, {each: PAIRED_SHARE * width for each, width in half_widths.items()}, progress
    )
    slopes = {each: grown[each].along[sweep.axis] for each in asked}
    real: Squares = {each: np.empty((0, len(sizes))) for each in asked}
    response, done, wanted = dict(real), 0, min(PAIRED, sweep.most_seeds)
    while True:
        for members in chunks(wanted - done, nets.numbers(sweep)):
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
            narrow(fitted[each], sweep, _pairs_reach(slopes[each], sweep, half_widths.get(each, sweep.half_width)))
            for each in pairs
        ):
            break
        wanted = min(2 * done, sweep.most_seeds)
    lonely = [each for each in asked if fitted[each].state == "measured" and slopes[each].state != "measured"]
    if lonely:
        alone, found = grow(nets, lonely, sweep, half_widths, progress)
        fitted |= {each: found[each].along[sweep.axis] for each in lonely}
        plain |= alone
    points = {each: real[each] if each not in lonely else plain[each] for each in asked}
    # The interval narrows with the members of the first-order response, not with the pairs.
    seeds = {each: len(plain[each]) if fitted[each].state == "measured" else len(real[each]) for each in asked}
    return points, fitted, seeds


def _pairs_reach(slope: Estimate, sweep: Sweep, half_width: float) -> float:
    """The half-width that more pairs can get to: what is asked for, or their share on top of a rest that is wider."""
    low, high = slope.interval(sweep.confidence)
    rest = (high - low) / 2
    return half_width if rest < half_width else rest / PAIRED_SHARE

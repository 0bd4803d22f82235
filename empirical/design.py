"""Where and how often is measured: points over any number of axes, seeds and their growth, data, steps, device.

A ``Sweep`` changes width at fixed depth, or depth at fixed width; a ``Plane`` has any points (width, depth), such as a
grid or a cross, and gives a slope along each axis that varies. Seeds are added by doubling until the interval of every
quantity asked for is narrower than ``half_width`` on each side, or ``most_seeds`` is reached.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from powercount.derivations.recipe import Axis, PowercountError
from powercount.empirical.data import DATA

FEWEST_SIZES = 3
EXAMPLES = 16
DEVICES = ("cpu", "cuda")
Point = tuple[int, int]


class SweepError(PowercountError):
    """The sweep cannot be run: too few sizes, a size that makes no network, or one that does not fit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What every design has: seeds, data, and how the step is made. Its points are those of a subclass.

    ``steps = 0`` is the exact first-order response to one step at base rate 1, of each of ``examples`` inputs; ``steps
    = T`` runs T real optimizer steps on one input, at base rate ``rate``, or at that of ``alone`` (role, rate) where
    only one role moves: a role that moves little would be lost in rounding at the rate that is gentle for all.
    ``device`` is where the arithmetic is done; what is drawn does not depend on it.
    """

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
    device: str = "cpu"

    def check(self) -> None:
        """Raise ``SweepError`` where no measurement can follow."""
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
        if self.device not in DEVICES:
            raise SweepError(f"unknown device {self.device!r}; choose one of: {', '.join(DEVICES)}")

    def points(self) -> tuple[Point, ...]:
        """(width, depth) of every point."""
        raise NotImplementedError

    def largest(self) -> Point:
        """(width, depth) that holds every point: what is drawn is drawn at this size and cut down."""
        widths, depths = zip(*self.points(), strict=True)
        return max(widths), max(depths)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep(Design):
    """Sizes along one axis at one size of the other."""

    axis: Axis
    sizes: tuple[int, ...]
    fixed: int

    def __post_init__(self) -> None:
        if len(set(self.sizes)) < FEWEST_SIZES:
            raise SweepError(f"sizes = {list(self.sizes)}: a slope needs at least {FEWEST_SIZES} different sizes")
        if min(self.sizes) < 1 or self.fixed < 1:
            other = "depth" if self.axis == "width" else "width"
            raise SweepError(
                f"{self.axis} = {min(self.sizes)}, {other} = {self.fixed}: every width and depth is at least 1"
            )
        self.check()

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Sweep:
        """The sweep of what ``dataclasses.asdict`` and JSON made of one."""
        alone = tuple((str(role), float(rate)) for role, rate in plain["alone"])
        return cls(**{**plain, "sizes": tuple(plain["sizes"]), "alone": alone})

    def points(self) -> tuple[Point, ...]:
        """(width, depth) of every point, each once, smallest first."""
        if self.axis == "width":
            return tuple((size, self.fixed) for size in sorted(set(self.sizes)))
        return tuple((self.fixed, size) for size in sorted(set(self.sizes)))

    def widened(self, times: Fraction | int) -> Sweep:
        """The same sweep with networks that many times as wide."""
        if self.axis == "depth":
            return replace(self, fixed=int(self.fixed * times))
        return replace(self, sizes=tuple(int(size * times) for size in self.sizes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane(Design):
    """Any points (width, depth), over both axes at once."""

    at: tuple[Point, ...]

    def __post_init__(self) -> None:
        if any(min(point) < 1 for point in self.at):
            raise SweepError(f"points = {list(self.at)}: every width and depth is at least 1")
        widths, depths = (sorted(set(each)) for each in zip(*self.at, strict=True))
        if min(len(widths), len(depths)) < FEWEST_SIZES:
            raise SweepError(
                f"widths = {widths}, depths = {depths}: a slope needs at least {FEWEST_SIZES} different sizes"
            )
        logs = [[1.0, *map(math.log, point)] for point in self.at]
        if np.linalg.matrix_rank(logs) < len(logs[0]):
            raise SweepError(f"points = {list(self.at)} lie on one line: no two slopes can be told apart")
        self.check()

    def points(self) -> tuple[Point, ...]:
        """(width, depth) of every point, each once, smallest first."""
        return tuple(sorted(set(self.at)))


def grid(widths: Sequence[int], depths: Sequence[int]) -> tuple[Point, ...]:
    """Every width at every depth."""
    return tuple(product(widths, depths))


def cross(widths: Sequence[int], depths: Sequence[int], center: Point) -> tuple[Point, ...]:
    """Every width at the center's depth, and every depth at its width."""
    width, depth = center
    return (*((each, depth) for each in widths), *((width, each) for each in depths))

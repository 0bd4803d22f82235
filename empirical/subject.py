"""What is measured: anything that gives the mean squares of named quantities for members at the points of a design.

A member is a seed. All points of a member share its random numbers, so that their noise cancels in a slope. A recipe's
own nets are the ``RecipeNets`` of ``powercount.empirical.nets``; ``Rows`` are numbers that were computed elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from powercount.empirical.design import Design, SweepError

Squares = dict[Any, NDArray[np.float64]]


class Subject(Protocol):
    """The one thing an instrument needs to know."""

    def squares(self, asked: Sequence[Any], design: Design, members: Sequence[int]) -> Squares:
        """The mean squares of the quantities asked for, shape (members, points) each, points as in ``design``.

        Member i depends on (``design.seed``, i) and the design's largest point alone. A negative number is minus the
        most that a square lost in rounding can be.
        """
        ...

    def numbers(self, design: Design) -> int:
        """How many numbers one member holds at once: what ensembles are cut into chunks by."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Members that are there already: mean squares by name, shape (members, points) each."""

    known: Mapping[Any, NDArray[np.float64]]

    def squares(self, asked: Sequence[Any], design: Design, members: Sequence[int]) -> Squares:
        """Those rows."""
        for name in asked:
            rows, points = self.known[name].shape
            if points != len(design.points()) or max(members) >= rows:
                raise SweepError(
                    f"{name} has {rows} members at {points} points; the design has {len(design.points())} points and "
                    f"asks for {max(members) + 1} members: give as many rows, or set most_seeds = {rows}"
                )
        return {name: self.known[name][list(members)] for name in asked}

    def numbers(self, design: Design) -> int:
        """One number a point."""
        return len(design.points())

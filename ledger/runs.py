"""Ensembles of training runs for the claims: one row a member, cell by cell, and the statistics claims ask of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from powercount.empirical.dynamics.training import Run, Trajectory, train
from powercount.empirical.fit import Estimate, jackknife, least_squares_weights
from powercount.studies.study import Study, function_named

Rows = NDArray[np.float64]
Read = Callable[[Trajectory], Tensor]

ROOM: Final = 1 << 31  # bytes of members trained at once


def fitted(study: Study, activation: str, depth: int, *, width: int, steps: int = 3, tied: bool = True) -> Run:
    """A few steps of order one on four digits."""
    return Run(
        width=width,
        depth=depth,
        activation=activation,
        steps=steps,
        samples=4,
        rate=0.5,
        tied=tied,
        kind="lazy",
        seed=study.seed,
        centred=True,
    )


def members_of(study: Study, run: Run, members: int, reads: Sequence[Read]) -> Rows:
    """What is read off each member's trajectory, shape (members, readings); a reading may have several columns."""
    return members_of_each(study, [run], members, reads)[0]


def members_of_each(study: Study, runs: Iterable[Run], members: int, reads: Sequence[Read]) -> list[Rows]:
    """The same of several runs, which the study may have computed side by side."""
    names = ", ".join(read.__name__ for read in reads)
    asked = [f"{read.__module__}:{read.__name__}" for read in reads]
    cells = {
        f"{names} of {members} members of {run!r}": {"run": run.plain(), "members": members, "reads": asked}
        for run in runs
    }
    return [np.asarray(rows) for rows in study.cells(read_off, cells)]


def read_off(*, run: Mapping[str, Any], members: int, reads: Sequence[str]) -> list[list[float]]:
    """The readings, named as "module:function", of every member of a run."""
    made = Run.of(run)
    size, rows = max(1, min(members, ROOM // made.memory())), []
    functions = [function_named(each) for each in reads]
    for first in range(0, members, size):
        rows.extend(_read(made, range(first, min(first + size, members)), functions))
    return rows


def _read(run: Run, members: Sequence[int], reads: Sequence[Read]) -> list[list[float]]:
    """The readings of some members; their trajectory is gone when the next one starts."""
    trajectory = train(run, members)
    columns = [read(trajectory).reshape(len(members), -1).numpy() for read in reads]
    rows: list[list[float]] = np.concatenate(columns, axis=1).tolist()
    return rows


def mean_of(members: Rows) -> Estimate:
    """The mean of one reading, shape (members,)."""
    return jackknife(lambda rows: float(rows.mean()), members)


def ratio_of_means(over: Rows, under: Rows) -> Estimate:
    """mean(over)/mean(under), of members that share their random numbers."""
    both = np.stack([over, under], axis=1)
    return jackknife(lambda rows: float(rows[:, 0].mean() / rows[:, 1].mean()), both)


def slope_of(quantity: Callable[[Rows], Rows], members: Rows, sizes: Sequence[int]) -> Estimate:
    """The slope of log |quantity| against log size.

    ``members`` has one row a member and the sizes on its second axis; ``quantity`` reduces the members to one number
    a size, such as the mean. Members are resampled, sizes never.
    """
    weights = least_squares_weights(sizes)
    return jackknife(lambda rows: float(weights @ np.log(np.abs(quantity(rows)))), members)


def next_order(sizes: Sequence[int], coefficient: float) -> float:
    """How far a factor 1 + c/n, |c| <= ``coefficient``, moves a slope against n."""
    return coefficient * abs(float(least_squares_weights(sizes) @ (1 / np.asarray(sizes, dtype=np.float64))))


def exact(value: float) -> Estimate:
    """A value without noise: computed, not drawn."""
    return Estimate(value=value, standard_error=0.0, freedom=1)


def slope_expected(values: Sequence[float], sizes: Sequence[int]) -> float:
    """The slope of exact values at the same sizes."""
    return float(least_squares_weights(sizes) @ np.log(np.abs(np.asarray(values))))


def mean(rows: Rows) -> Rows:
    """The mean over members."""
    averaged: Rows = rows.mean(axis=0)
    return averaged

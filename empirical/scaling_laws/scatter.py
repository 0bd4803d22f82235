"""A table of losses, the runs behind each of its cells, and how far their means may be off: resampled deviations.

Cells are the distinct sizes. Whole runs are resampled where a column pairs them over sizes, else the runs of each size;
with fewer than four runs there is nothing to resample but the relative residuals of the rows, taken as alike at every
size: where noise falls with size single runs cannot show it, and intervals are too narrow. Percentiles of so few runs
are too narrow as well, so that Student's t is used, with (runs - 1) degrees of freedom at the size with the fewest:
whatever the variances at the sizes, the effective number is not smaller (Mickey and Brown, Ann. Math. Stat. 37, 1966),
and intervals cover at least as often as stated. For residuals it has (rows - parameters). Where the means miss the
curve by more than the runs' scatter allows (one time in a hundred) the misfit joins it, as an independent error of
every cell, and the degrees of freedom are at most (cells - parameters).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
FEWEST_RUNS: Final = 4  # with three, Student's t is 4.3: the rows' residuals know more
WHOLE, EACH = "whole runs", "runs at each size"
RESIDUALS: Final = "relative residuals, taken as alike at every size: fewer than four runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """A table: ``sizes`` maps an axis to the size in each row; ``runs`` names each row's run, or is None."""

    sizes: Mapping[str, Array]
    loss: Array
    runs: tuple[str, ...] | None = None

    def taken(self, rows: NDArray[np.bool_]) -> Losses:
        """The table of these rows."""
        runs = None if self.runs is None else tuple(np.asarray(self.runs)[rows])
        return Losses(sizes={axis: size[rows] for axis, size in self.sizes.items()}, loss=self.loss[rows], runs=runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How intervals are made: from how many resamples, of which seed, at which confidence."""

    resamples: int = 1000
    seed: int = 0
    confidence: float = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Distinct sizes (cells, axes), the runs in each, and their mean loss."""

    points: Array
    means: Array
    counts: Array
    cell: NDArray[np.intp]
    losses: Losses


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """Resampled deviations in units of the fit, their degrees of freedom, what was resampled, and the misfit."""

    deviations: Array
    freedom: int
    resampled: str
    misfit: bool

    def error(self, influence: Array) -> float:
        """The standard error of what moves by ``influence`` @ deviations."""
        return float(np.std(self.deviations @ influence))


def cells_of(losses: Losses, axes: tuple[str, ...]) -> Cells:
    """The cells of a table over some axes."""
    table = np.stack([losses.sizes[axis] for axis in axes], axis=1)
    points, cell = np.unique(table, axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    counts = np.bincount(cell).astype(np.float64)
    means = np.bincount(cell, weights=losses.loss) / counts
    return Cells(points=points, means=means, counts=counts, cell=cell, losses=losses)


def _paired(cells: Cells) -> Array | None:
    """Losses of whole runs, shape (runs, cells), if each run is once in each cell and there are enough."""
    runs = cells.losses.runs
    if runs is None:
        return None
    names, row = np.unique(np.asarray(runs), return_inverse=True)
    place = row.reshape(-1) * len(cells.points) + cells.cell
    whole = np.bincount(place, minlength=len(names) * len(cells.points))
    if len(names) < FEWEST_RUNS or (whole != 1).any():
        return None
    return np.asarray(np.bincount(place, weights=cells.losses.loss), dtype=np.float64).reshape(len(names), -1)


def scatter_of(cells: Cells, fitted: Array, jacobian: Array, asked: Asked) -> Scatter:
    """Resampled relative deviations of the means, times the root of the number of runs."""
    generator = np.random.default_rng(asked.seed)
    count, size = asked.resamples, len(fitted)
    spare = size - jacobian.shape[1]
    paired, fewest = _paired(cells), int(cells.counts.min())
    drawn: Array = np.empty((count, size))
    if paired is not None:
        runs = len(paired)
        apart = (paired - cells.means) / fitted * (runs / (runs - 1)) ** 0.5
        weights = generator.multinomial(runs, np.full(runs, 1 / runs), size=count) / runs
        drawn, freedom, resampled = weights @ apart, runs - 1, WHOLE
    elif fewest >= FEWEST_RUNS:
        freedom, resampled = fewest - 1, EACH
        for place in range(size):
            own = cells.losses.loss[cells.cell == place]
            apart = (own - own.mean()) / fitted[place] * (len(own) / (len(own) - 1)) ** 0.5
            drawn[:, place] = apart[generator.integers(len(own), size=(count, len(own)))].mean(axis=1)
    else:
        rows = len(cells.cell)
        freedom, resampled = rows - jacobian.shape[1], RESIDUALS
        apart = cells.losses.loss / fitted[cells.cell] - 1
        apart = (apart - apart.mean()) * (rows / freedom) ** 0.5
        chosen = apart[generator.integers(rows, size=(count, rows))]
        for place in range(size):
            drawn[:, place] = chosen[:, cells.cell == place].mean(axis=1)
    deviations = drawn * np.sqrt(cells.counts)
    if resampled == RESIDUALS or spare < 1:
        return Scatter(deviations=deviations, freedom=freedom, resampled=resampled, misfit=False)
    basis = np.linalg.qr(jacobian)[0]
    missed = deviations - deviations @ basis @ basis.T
    spread = np.sqrt(np.square(missed).mean(axis=0)) + 1e-12  # rounding, where the runs do not differ
    seen = float(np.square(np.sqrt(cells.counts) * (cells.means / fitted - 1) / spread).sum())
    chance = np.square(missed / spread).sum(axis=1)
    # The spread is known from few runs only, as in Student's t beside the normal law.
    unsure = float(stats.t.ppf(0.995, freedom) / stats.norm.ppf(0.995)) ** 2
    if seen <= unsure * float(np.quantile(chance, 0.99)):
        return Scatter(deviations=deviations, freedom=freedom, resampled=resampled, misfit=False)
    missing = np.square(np.sqrt(cells.counts) * (cells.means / fitted - 1)).sum() / spare
    deviations = deviations + missing**0.5 * generator.standard_normal(deviations.shape)
    return Scatter(deviations=deviations, freedom=min(freedom, spare), resampled=resampled, misfit=True)

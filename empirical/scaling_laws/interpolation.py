"""Interpolation of a smooth function on the unit cube: nearest neighbour and piecewise linear (SciPy).

D uniform points in d dimensions; targets are sin(u (x - centre) + pi/4) for random unit vectors u, whose slope and
curvature are close to constant and of one size over the cube, as the exponents assume. Test points lie near the centre,
so that no border is felt. One member shares directions, tests and points (the first D of one draw) along a sweep.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import KDTree

Array = NDArray[np.float64]

MIDDLE: Final = 0.4
TESTS: Final = 1024
WAVES: Final = 8  # directions that share one draw of points


def _interpolated(points: Array, values: Array, tests: Array, *, linear: bool) -> Array:
    """What the points' values say at the tests."""
    if not linear:
        _, nearest = KDTree(points).query(tests)
        found: Array = values[nearest]
    elif points.shape[1] == 1:
        order = points[:, 0].argsort()
        rows = [np.interp(tests[:, 0], points[order, 0], column) for column in values[order].T]
        found = np.stack(rows, axis=1)
    else:
        found = LinearNDInterpolator(points, values)(tests)
    return found


def losses(kind: str, dimension: int, sizes: Sequence[int], members: int, seed: Sequence[int]) -> Array:
    """Losses of independent members, shape (members, sizes).

    ``kind`` is nearest-l1 or nearest-mse (mean absolute and mean square error of the nearest neighbour), or linear-mse.
    """
    rows = []
    for member in range(members):
        generator = np.random.default_rng([*seed, member])
        directions = generator.standard_normal((dimension, WAVES if dimension > 1 else 1))
        directions /= np.linalg.norm(directions, axis=0)
        tests = 0.5 + MIDDLE * (generator.random((TESTS, dimension)) - 0.5)
        points = generator.random((max(sizes), dimension))

        def target(at: Array, directions: Array = directions) -> Array:
            values: Array = np.sin((at - 0.5) @ directions + np.pi / 4)
            return values

        row = []
        for size in sizes:
            gap = _interpolated(points[:size], target(points[:size]), tests, linear=kind == "linear-mse") - target(
                tests
            )
            row.append(float(np.abs(gap).mean() if kind == "nearest-l1" else np.square(gap).mean()))
        rows.append(row)
    return np.asarray(rows)

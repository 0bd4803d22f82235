"""Claims about resolution-limited learning: the powers 1/d, 2/d and 4/d of interpolation in d dimensions.

The theorem's 1/d is attained by a nearest neighbour under an absolute error; 2/d and 4/d are estimates of the source.
Expected slopes are those of the exact moments of the distance to the nearest point at the same sizes; what the target's
curvature leaves is of relative order r^2, r the distance, with a coefficient of one for a wave of unit wave number.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from typing import Final

import numpy as np

from powercount.derivations.scale import as_fraction
from powercount.derivations.scaling_laws.resolution import ORDERS, exponent, moment
from powercount.derivations.sources import BAHRI
from powercount.empirical.fit import least_squares_weights
from powercount.empirical.scaling_laws.interpolation import losses
from powercount.ledger.claim import Claim
from powercount.ledger.finding import Evidence, from_estimate
from powercount.ledger.runs import Rows, mean, slope_expected, slope_of
from powercount.studies.study import Study

SIZES: Final = {
    1: (64, 128, 256, 512),
    2: (128, 256, 512, 1024),
    3: (256, 512, 1024, 2048),
    4: (1024, 4096, 16384),
}
TRIANGULATED: Final = (512, 1024, 1536)  # SciPy's triangulation in four dimensions costs seconds beyond
MEMBERS: Final = {1: 768, 2: 96, 3: 48, 4: 48}


@cache
def errors(study: Study, kind: str, dimension: int) -> tuple[tuple[int, ...], Rows]:
    """Sizes, and one loss at each of them by member, shape (members, sizes)."""
    sizes = TRIANGULATED if kind == "linear-mse" and dimension == 4 else SIZES[dimension]
    members = MEMBERS[dimension] // (2 if study.quick and dimension > 1 else 1)
    name = f"{kind} in {dimension} dimensions, D = {sizes}, {members} members"
    asked = {"kind": kind, "dimension": dimension, "sizes": sizes, "members": members, "seed": study.seed}
    return sizes, np.asarray(study.cell(name, error_rows, **asked))


def error_rows(*, kind: str, dimension: int, sizes: Sequence[int], members: int, seed: int) -> list[list[float]]:
    """One member after the other, its loss at each size."""
    rows: list[list[float]] = losses(kind, dimension, sizes, members, (seed, dimension)).tolist()
    return rows


def interpolation(study: Study, kind: str, dimension: int) -> Evidence:
    """The slope of one loss in one dimension beside p/d; the nearest rival is the power of the order next to it."""
    sizes, rows = errors(study, kind, dimension)
    order = ORDERS[kind]
    moments = [float(moment(order, dimension, size)) for size in sizes]
    distances = np.asarray([float(moment(2, dimension, size)) for size in sizes])
    power = as_fraction(exponent(kind, dimension))
    return from_estimate(
        slope_of(mean, rows, sizes),
        -Fraction(order, dimension),
        -power,
        part=f"slope of {kind} against D",
        condition=f"d = {dimension}",
        expected=slope_expected(moments, sizes),
        allowance=abs(float(least_squares_weights(sizes) @ distances)),
        rival=float(Fraction(max(1, order // 2), dimension)),
    )


def _dimensions(study: Study) -> tuple[int, ...]:
    return (1, 2, 3) if study.quick else (1, 2, 3, 4)


def l7(study: Study) -> list[Evidence]:
    """A Lipschitz loss falls as D^(-1/d) at least, which a nearest neighbour attains."""
    return [interpolation(study, "nearest-l1", dimension) for dimension in _dimensions(study)]


def l8(study: Study) -> list[Evidence]:
    """Estimates: 2/d under a smooth loss, 4/d for piecewise-linear models under the square."""
    kinds = ("nearest-mse", "linear-mse")
    dimensions = _dimensions(study)
    return [
        interpolation(study, kind, dimension)
        for dimension in dimensions
        for kind in (kinds if dimension < 3 or not study.quick else kinds[:1])
    ]


RESOLUTION_TEST: Final = "tests/laws/scaling_laws/test_exponents_resolution_limited.py"

CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="L7",
        source=BAHRI,
        summary="a Lipschitz loss of data on a d-dimensional manifold falls at least as D^(-1/d)",
        statement="|f - f_D| ~ D^(-1/d) for a nearest neighbour, which attains the bound (theorem)",
        conditions="the unit cube, d = 1..4, a smooth target, test points away from borders",
        check=l7,
        test=RESOLUTION_TEST,
    ),
    Claim(
        id="L8",
        source=BAHRI,
        summary="a smooth loss doubles the exponent, a piecewise-linear model under it doubles it again",
        statement="L ~ D^(-2/d) for a nearest neighbour, D^(-4/d) piecewise linear (estimates)",
        conditions="as L7; mean square; linear interpolation on a triangulation",
        check=l8,
        test=RESOLUTION_TEST,
    ),
)

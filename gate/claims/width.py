"""Claims about the variance of trained networks over initializations: 1/n once centred, and the control that is not."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Final

import numpy as np

from powercount.claims.finding import Evidence, from_estimate
from powercount.claims.runs import Rows, slope_of
from powercount.derivations.scaling_laws.width import variance_exponent
from powercount.empirical.fit import least_squares_weights
from powercount.empirical.scaling_laws.width import outputs
from powercount.study import Study

SIZES: Final = (64, 128, 256, 512, 1024)
STEPS: Final = 20
RATE: Final = 1.0
# The next term of the variance, beside the first: n Var is within some 10 % of its limit at n = 64.
NEXT: Final = 8.0


def spread(members: Rows) -> Rows:
    """The variance over members, averaged over tests; members (members, sizes, tests)."""
    variance: Rows = members.var(axis=0, ddof=1).mean(axis=-1)
    return variance


@cache
def trained(study: Study, parametrization: str, *, centred: bool) -> tuple[tuple[int, ...], Rows]:
    """Widths, and what the trained networks say, shape (members, widths, tests)."""
    sizes, members = (SIZES[:3], 128) if study.quick else (SIZES, 384)

    def compute() -> list[list[list[float]]]:
        columns = []
        for width in sizes:
            said = outputs(
                parametrization, width, centred=centred, members=members, steps=STEPS, rate=RATE, seed=study.seed
            )
            columns.append(said)
        rows: list[list[list[float]]] = np.stack(columns, axis=1).tolist()
        return rows

    name = f"{_kind(centred)} under {parametrization}, n = {sizes}, {members} members"
    return sizes, np.asarray(study.cell(name, compute))


def _kind(centred: bool) -> str:
    return "f - f_0" if centred else "f"


def variance(study: Study, parametrization: str, *, centred: bool, claimed: int) -> Evidence:
    """The slope of the variance of a trained f, or of a trained f - f_0, against n."""
    sizes, rows = trained(study, parametrization, centred=centred)
    return from_estimate(
        slope_of(spread, rows, sizes),
        claimed,
        Fraction(str(variance_exponent(parametrization, centred=centred))),
        part=f"slope of the variance of {_kind(centred)} against n",
        condition=parametrization,
        allowance=NEXT * abs(float(least_squares_weights(sizes) @ (1 / np.asarray(sizes)))),
        rival=1.0,
    )


def l5(study: Study) -> list[Evidence]:
    """Variance-limited in width: 1/n under NTK and muP, the start taken off."""
    return [variance(study, name, centred=True, claimed=-1) for name in ("ntk", "mup")]


def l6(study: Study) -> list[Evidence]:
    """The control: under NTK what is not centred keeps the variance of its start."""
    return [variance(study, "ntk", centred=False, claimed=0)]

"""The claim that an arc-cosine kernel on a sphere has the exponent of its singularity: alpha_D = alpha_K = t/m.

Uniform points on S^2, targets drawn from the kernel itself, the loss averaged over the draw (exactly) and over fresh
points. Expected slopes are those of the deterministic equivalent of the exact spectrum at the same sizes. Real points
are not its Gaussian ones: the loss itself is larger, by 1.06 (NTK) or, drifting, 1.3 to 1.4 (NNGP), of which nothing is
allowed beyond 1 + c/D. The nearest exponent to be told apart is the other kernel's.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import numpy as np

from powercount.derivations.scale import as_fraction
from powercount.derivations.scaling_laws import ridge, sphere
from powercount.derivations.sources import BAHRI
from powercount.empirical.scaling_laws import kernels
from powercount.ledger.claim import Claim
from powercount.ledger.finding import Evidence, Number, from_estimate
from powercount.ledger.runs import Rows, mean, slope_expected, slope_of
from powercount.ledger.spectra import generator_at, size_allowance
from powercount.studies.study import Study

TESTS: Final = 512
DEGREES: Final = 150  # 11 479 functions; the degrees beyond are a ridge
DIMENSION: Final = 2
CLAIMED: Final = {"nngp": Fraction(3, 2), "ntk": Fraction(1, 2)}


def losses(study: Study, kind: str) -> tuple[tuple[int, ...], Rows]:
    """D, and losses of shape (members, sizes)."""
    sizes, members = ((64, 128, 256), 32) if study.quick else ((64, 128, 256, 512, 1024), 48)
    name = f"{kind} on the sphere, D = {sizes}, {members} members"
    found = study.cell(name, losses_on_sphere, kind=kind, sizes=sizes, members=members, seed=study.seed)
    return sizes, np.asarray(found)


def losses_on_sphere(*, kind: str, sizes: Sequence[int], members: int, seed: int) -> list[list[float]]:
    """One member after the other, its loss at each size."""
    rows = []
    for member in range(members):
        drawn = generator_at(seed, 12, member).standard_normal((sizes[-1] + TESTS, DIMENSION + 1))
        points = kernels.on_sphere(drawn)
        kernel, tests = kernels.arc_cosine(kind, points @ points.T), np.arange(sizes[-1], len(points))
        row = []
        for size in sizes:
            seen = np.arange(size)
            row.append(kernels.white_loss(kernel, kernels.weights(kernel, seen, tests), seen, tests))
        rows.append(row)
    return rows


def data_exponent(study: Study, kind: str, claimed: Number) -> Evidence:
    """The slope of one kernel's loss against D beside a claimed alpha_D."""
    sizes, rows = losses(study, kind)
    spectrum, rest = sphere.spectrum(kind, DEGREES)
    return from_estimate(
        slope_of(mean, rows, sizes),
        -claimed,
        -as_fraction(sphere.spectral_exponent(kind, DIMENSION)),
        part="slope of the loss against D",
        condition=f"{kind} on S^{DIMENSION}",
        expected=slope_expected([ridge.one_sided_loss(spectrum, size, rest) for size in sizes], sizes),
        allowance=size_allowance(sizes),
        rival=float(CLAIMED["nngp"] - CLAIMED["ntk"]),
    )


def l9(study: Study) -> list[Evidence]:
    """NNGP 3/m, NTK 1/m, on S^2."""
    return [data_exponent(study, kind, claimed) for kind, claimed in CLAIMED.items()]


CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="L9",
        source=f"{BAHRI}, after Weyl and Kuehn",
        summary="a kernel whose first odd power is t on an m-dimensional manifold has the data exponent t/m",
        statement="ReLU networks on S^m: alpha_D = alpha_K = 3/m (NNGP kernel), 1/m (NTK)",
        conditions="m = 2, uniform points, targets drawn from the kernel; D = 64..1024",
        check=l9,
        test="tests/laws/scaling_laws/test_exponents_arc_cosine_kernels.py",
    ),
)

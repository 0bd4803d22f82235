"""The claim about compute: what the best size at each budget gains where features are learned."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np

from powercount.derivations.scale import as_fraction, as_rational
from powercount.derivations.scaling_laws.learning import ALPHA, BETA, CHI, compute_at, compute_exponent, correction
from powercount.derivations.sources import FEATURE_LEARNING
from powercount.empirical.scaling_laws.flow import (
    SPACING,
    envelope,
)
from powercount.ledger.claim import LEARNING_TEST, Claim
from powercount.ledger.finding import Evidence, from_estimate
from powercount.ledger.learning import (
    COMPUTED,
    DECADES,
    FIRST_COMPUTE,
    ROUNDING,
    SIZES,
    Found,
    exponent,
    left_over,
    printed_compute,
    rippled,
)
from powercount.studies.study import Study


def compute_slope(alpha: int, beta: Fraction, gamma: float, *, per_unit: int = 20) -> Found:
    """The slope of the least loss over N against C, over whole periods of the lattice of sizes.

    N and the modes lie on lattices; moving both by one multiplies C by e^(h (1/alpha + beta/chi)). Slopes over whole
    such periods do not see the lattices.
    """
    power = exponent(beta, gamma)
    period = SPACING * (1 / alpha + float(beta / power))
    step = period * round(DECADES * np.log(10) / period)
    computes = np.exp(np.log(FIRST_COMPUTE) + step * np.arange(4))
    curves = [
        envelope(float(beta), gamma, alpha, computes.tolist(), sizes=SIZES, per_unit=each)
        for each in (per_unit, per_unit // 2)
    ]
    slopes, rough = (-np.diff(curve) / step for curve in curves)
    # t = C^(alpha beta/(alpha beta + chi)) at the optimum carries the correction in t to C.
    share = float(alpha * beta / (alpha * beta + power))
    decay = float(correction(as_rational(beta))) * share if gamma else 0.0
    numerical = abs(float(slopes[2] - rough[2])) + ROUNDING + rippled(float(beta), float(step), SPACING)
    return Found(float(slopes[2]), left_over(slopes.tolist(), float(np.exp(step)), decay) + numerical)


def l18(study: Study) -> list[Evidence]:
    """L18: at the best N for each C = N t the loss falls as C^(-alpha beta chi/(alpha beta + chi))."""
    evidence = []
    for alpha, beta in COMPUTED[:2] if study.quick else COMPUTED:
        for gamma in (0.0, 1.0):
            power = as_rational(beta)
            derived = as_fraction(compute_at(alpha, power, rich=gamma > 0))
            found = compute_slope(alpha, beta, gamma, per_unit=10 if study.quick else 20)
            other = compute_exponent().subs({ALPHA: alpha, BETA: power, CHI: 2 * power / (1 + power)})
            lazy = compute_at(alpha, power, rich=False)
            evidence.append(
                from_estimate(
                    found.estimate,
                    printed_compute(alpha, beta, gamma),
                    derived,
                    part=f"compute-optimal exponent, alpha = {alpha}, beta = {beta}",
                    condition="lazy flow" if gamma == 0 else "rich flow, gamma = 1",
                    allowance=found.error,
                    rival=float(abs(other - lazy)),
                )
            )
    return evidence


CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="L18",
        source=FEATURE_LEARNING,
        summary="the compute-optimal exponent follows from those of time and size",
        statement="min over N of L(N, C/N) ~ C^(-alpha beta chi/(alpha beta + chi)), chi as in L16; beta lazily",
        conditions="N modes kept, C = N t; alpha = 2, 3; beta = 1/4 to 3/2; gamma = 0 and 1; C = 1e10 to 1e19",
        check=l18,
        test=LEARNING_TEST,
    ),
)

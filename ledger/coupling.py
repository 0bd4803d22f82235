r"""Claims about gradient independence, reading by reading, each against the exact values of one infinitesimal step.

The assumption: in the backward pass W^T may be treated as independent of the forward W. What is judged is our reading
of it, for of arXiv 2512.21075 we could read abstracts and the notes of others alone: the matrices of the backward
passes are an independent copy of the initial ones, the updates are shared, hidden matrices alone are trained, T = 1,
one sample, one small step (``readings`` has other readings). The source's 1/L is the error of finite steps in layer
time; to the coupling of a reused weight it gives a rate of its own, L^(-2), for the whole term. Nets trained tied and
decoupled (``empirical.dynamics``) share their random numbers, and everything the step does at infinite width and
finite depth is known (``derivations.dynamics.first_step``), so a slope over L = 4..128 is compared with the slope
of exact values at the very same depths. The first constant below bounds what finite width adds to a slope: the
1/n corrections of ``convergence`` have coefficients under 1/2 a decade, here n = 4096 (1024 in a quick study).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import numpy as np
from sympy import Rational

from powercount.derivations.dynamics.first_step import first_step
from powercount.derivations.dynamics.gradient_independence import reading
from powercount.derivations.scale import as_fraction
from powercount.derivations.sources import HERE, NFD
from powercount.empirical.dynamics import dependence
from powercount.empirical.dynamics.training import Kind, Run
from powercount.ledger.claim import ABSTRACT, DYNAMICS_TEST, V3_ONLY, Claim
from powercount.ledger.finding import Evidence, from_estimate
from powercount.ledger.runs import (
    Rows,
    mean,
    mean_of,
    members_of,
    members_of_each,
    ratio_of_means,
    slope_of,
)
from powercount.studies.study import Study

FINITE_WIDTH: Final = 0.01
SMALL: Final = 1e-3
HALF: Final = Fraction(1, 2)
ACTIVATIONS: Final = ("linear", "relu", "tanh")
ORACLE_DEPTHS: Final = (4, 16, 64)
LATE: Final = 32


def activations(study: Study) -> Sequence[str]:
    """The activations a claim is tried on; a quick study leaves out the last."""
    return ACTIVATIONS[:2] if study.quick else ACTIVATIONS


def depths(study: Study) -> tuple[int, ...]:
    """The depths of a sweep."""
    return (4, 8, 16, 32) if study.quick else (4, 8, 16, 32, 64, 128)


def members(study: Study) -> int:
    """Seeds of every sweep: Student's t at the suite's confidence is 5.0 for 48 and 4.8 for 64."""
    return 48 if study.quick else 64


def run_of(
    study: Study,
    activation: str,
    depth: int,
    *,
    tied: bool = True,
    branch: Fraction = -HALF,
    width: int | None = None,
    kind: Kind = "lazy",
) -> Run:
    """One sample, one infinitesimal step of the hidden matrices."""
    return Run(
        width=width or (1024 if study.quick else 4096),
        depth=depth,
        activation=activation,
        steps=1,
        samples=1,
        # A step is small beside what it does, however the stream grows.
        rate=SMALL / first_step(activation, depth, branch=branch).tied,
        branch=branch,
        tied=tied,
        kind=kind,
        data="gaussian",
        seed=study.seed,
        centred=True,
    )


READS: Final = (
    dependence.chance,
    dependence.single_layer,
    dependence.adjacent,
    dependence.moved_output,
    dependence.moved_features,
    dependence.moved_middle,
    dependence.advanced_output,
)
CHANCE, SINGLE, ADJACENT, OUTPUT, FEATURES, MIDDLE, ADVANCED = range(len(READS))


def sweep(study: Study, activation: str, *, tied: bool = True, branch: Fraction = -HALF, most: int = 128) -> Rows:
    """Every reading of every member at every depth, shape (members, depths, readings)."""
    runs = [run_of(study, activation, depth, tied=tied, branch=branch) for depth in depths(study) if depth <= most]
    return np.stack(members_of_each(study, runs, members(study), READS), axis=1)


def c14(study: Study) -> list[Evidence]:
    """(i) At initialization the overlap of W^T delta with the forward signal is 1/n in mean square, whatever L."""
    found = []
    widths = (64, 128, 256, 512)
    for activation in activations(study):
        for tied in (True, False):
            condition = f"{activation}, {'tied' if tied else 'decoupled'}"
            wider = [run_of(study, activation, 16, tied=tied, width=width) for width in widths]
            deeper = [run_of(study, activation, depth, tied=tied, width=256) for depth in (4, 8, 16, 32)]
            over_width, over_depth = (
                np.stack(members_of_each(study, runs, 2 * members(study), READS), axis=1)[:, :, CHANCE]
                for runs in (wider, deeper)
            )
            scale = reading("chance", alpha=Rational(1, 2))
            found.append(
                from_estimate(
                    slope_of(mean, over_width, widths),
                    -1,
                    as_fraction(2 * scale.width),
                    part="power of n of the mean square overlap",
                    condition=condition,
                    rival=0.5,
                )
            )
            found.append(
                from_estimate(
                    slope_of(mean, over_depth, (4, 8, 16, 32)),
                    0,
                    as_fraction(2 * scale.depth),
                    part="power of L of the mean square overlap",
                    condition=condition,
                    rival=0.5,
                )
            )
    return found


def c16(study: Study) -> list[Evidence]:
    """The linear oracle: the output moves by T(1 + T/L)^(L-1) tied and (1 + T/L)^L - 1 decoupled."""
    found = []
    for depth in ORACLE_DEPTHS:
        exact = first_step("linear", depth)
        lazy = {
            each: members_of(study, run_of(study, "linear", depth, tied=each), 2 * members(study), READS)[:, OUTPUT]
            for each in (True, False)
        }
        ratio = ratio_of_means(lazy[False], lazy[True])
        found.append(
            from_estimate(
                ratio,
                1 / exact.ratio,
                1 / exact.ratio,
                part="decoupled/tied",
                condition=f"L = {depth}",
                allowance=FINITE_WIDTH,
                rival=1 - 1 / exact.ratio,
            )
        )
        found.append(
            from_estimate(
                mean_of(lazy[True]),
                exact.tied,
                exact.tied,
                part="tied",
                condition=f"L = {depth}",
                allowance=FINITE_WIDTH,
                rival=exact.tied - exact.decoupled,
            )
        )
        if not study.quick:
            dense = members_of(study, run_of(study, "linear", depth, kind="dense", width=1024), 16, READS)[:, OUTPUT]
            found.append(
                from_estimate(
                    mean_of(dense),
                    exact.tied,
                    exact.tied,
                    part="tied, all n^2 entries held, n = 1024",
                    condition=f"L = {depth}",
                    allowance=FINITE_WIDTH,
                    rival=exact.tied - exact.decoupled,
                )
            )
    return found


CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="C14",
        source=NFD,
        summary="(i) at initialization the coupling of forward and backward pass is O(1/n), uniformly in depth",
        statement="E cos^2(W_l^T delta_l, phi(h_{l-1})) ~ n^(-1) L^0",
        conditions="linear, relu, tanh; tied and decoupled; n = 64..512, L = 4..32; k = 1, alpha = 1/2",
        check=c14,
        test=DYNAMICS_TEST,
        marks=(V3_ONLY, ABSTRACT),
    ),
    Claim(
        id="C16",
        source=HERE,
        summary="linear blocks have an exact oracle for tied and decoupled training",
        statement="the output moves by T(1 + T/L)^(L-1) tied and (1 + T/L)^L - 1 decoupled",
        conditions="L = 4, 16, 64; n = 4096 known by products and n = 1024 with all entries; T = 1",
        check=c16,
        test=DYNAMICS_TEST,
    ),
)

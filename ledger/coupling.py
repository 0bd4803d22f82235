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
import torch
from sympy import Rational
from torch import Tensor

from powercount.decide import falls
from powercount.derivations.dynamics.coupling import reading
from powercount.derivations.dynamics.first_step import first_step, linear_features
from powercount.empirical.dynamics import coupling
from powercount.empirical.dynamics.training import Kind, Run, Trajectory
from powercount.empirical.fit import Estimate
from powercount.ledger.finding import Evidence, from_estimate, from_side
from powercount.ledger.runs import (
    Rows,
    fitted,
    mean,
    mean_of,
    members_of,
    members_of_each,
    ratio_of_means,
    slope_expected,
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
    """Seeds of every sweep: Student's t at the suite's confidence is 5.3 for 32 and 4.8 for 64."""
    return 32 if study.quick else 64


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
    coupling.chance,
    coupling.single_layer,
    coupling.adjacent,
    coupling.moved_output,
    coupling.moved_features,
    coupling.moved_middle,
    coupling.advanced_output,
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
                    Fraction(str(2 * scale.width)),
                    part="power of n of the mean square overlap",
                    condition=condition,
                    rival=0.5,
                )
            )
            found.append(
                from_estimate(
                    slope_of(mean, over_depth, (4, 8, 16, 32)),
                    0,
                    Fraction(str(2 * scale.depth)),
                    part="power of L of the mean square overlap",
                    condition=condition,
                    rival=0.5,
                )
            )
    return found


def _shares(study: Study, place: int, key: str, claimed: Fraction, part: str) -> list[Evidence]:
    found = []
    for activation in activations(study):
        members_here = sweep(study, activation)[:, :, place]
        exact = [getattr(first_step(activation, depth), key) for depth in depths(study)]
        found.append(
            from_estimate(
                slope_of(mean, members_here, depths(study)),
                claimed,
                Fraction(str(reading(key.replace("_", "-"), alpha=Rational(1, 2)).depth)),
                part=part,
                condition=activation,
                expected=slope_expected(exact, depths(study)),
                allowance=FINITE_WIDTH,
            )
        )
    return found


def c15_single(study: Study) -> list[Evidence]:
    """(ii) One layer's coupling in training, the share of W_l(0) phi along the past delta_l, falls as L^(-1/2)."""
    return _shares(study, SINGLE, "single_layer", -HALF, "power of L of one layer's share along delta")


def c15_adjacent(study: Study) -> list[Evidence]:
    """(iii) What comes through the block just below adds L^(-2) a layer to the stream: which term is our inference."""
    return _shares(study, ADJACENT, "adjacent", Fraction(-2), "power of L of the adjacent layer's share")


def gap_slope(study: Study, activation: str, place: int, *, branch: Fraction = -HALF, most: int = 128) -> Estimate:
    """The slope of mean(tied)/mean(decoupled) - 1 of one reading against L."""
    tied = sweep(study, activation, branch=branch, most=most)[:, :, place]
    decoupled = sweep(study, activation, tied=False, branch=branch, most=most)[:, :, place]
    sizes = [depth for depth in depths(study) if depth <= most]
    both = np.stack([tied, decoupled], axis=2)
    return slope_of(lambda rows: mean(rows)[:, 0] / mean(rows)[:, 1] - 1, both, sizes)


def _gap_expected(study: Study, activation: str, branch: Fraction, most: int = 128) -> float:
    sizes = [depth for depth in depths(study) if depth <= most]
    return slope_expected([first_step(activation, d, branch=branch).ratio - 1 for d in sizes], sizes)


def _features_expected(study: Study, activation: str) -> float:
    """The slope of the same for squared features: exact for linear blocks, elsewhere not derived."""
    if activation != "linear":
        return float("nan")
    tied, decoupled = ([linear_features(depth, tied=each)[-1] for depth in depths(study)] for each in (True, False))
    return slope_expected([one / other - 1 for one, other in zip(tied, decoupled, strict=True)], depths(study))


def remaining(gap: Estimate, expected: float, predicted: Fraction, *, part: str, condition: str) -> Evidence:
    """Whether a gap between tied and decoupled nets falls with depth, as claimed; the source's rate is its own."""
    return from_side(
        gap, falls, claimed="below 0", predicted=str(predicted), expected=expected, part=part, condition=condition
    )


def c15_accumulated(study: Study) -> list[Evidence]:
    """(iv) The accumulated effect on output and features: claimed to vanish, by our derivation of order one."""
    found = []
    derived = Fraction(str(reading("relative-gap", alpha=Rational(1, 2)).depth))
    for activation in activations(study):
        for place, what in ((OUTPUT, "output"), (FEATURES, "squared features")):
            found.append(
                remaining(
                    gap_slope(study, activation, place),
                    _gap_expected(study, activation, -HALF)
                    if place == OUTPUT
                    else _features_expected(study, activation),
                    derived,
                    part=f"power of L of tied/decoupled - 1, {what} moved in one step",
                    condition=activation,
                )
            )
        deepest = depths(study)[-1]
        tied = sweep(study, activation)[:, -1, OUTPUT]
        decoupled = sweep(study, activation, tied=False)[:, -1, OUTPUT]
        exact = first_step(activation, deepest).ratio
        found.append(
            from_estimate(
                ratio_of_means(tied, decoupled),
                1.0,
                exact,
                part=f"tied/decoupled movement of the output at L = {deepest}",
                condition=activation,
                allowance=FINITE_WIDTH,
                rival=exact - 1,
            )
        )
    return found


def _powers(study: Study, alphas: Sequence[Fraction], claimed: dict[Fraction, Fraction], most: int) -> list[Evidence]:
    found = []
    for alpha in alphas:
        for activation in activations(study):
            derived = Fraction(str(reading("relative-gap", alpha=Rational(str(alpha))).depth))
            found.append(
                from_estimate(
                    gap_slope(study, activation, OUTPUT, branch=-alpha, most=most),
                    claimed[alpha],
                    derived,
                    part=f"power of L of tied/decoupled - 1 at alpha = {alpha}",
                    condition=activation,
                    expected=_gap_expected(study, activation, -alpha, most),
                    allowance=FINITE_WIDTH,
                )
            )
    return found


def c15_branch(study: Study) -> list[Evidence]:
    """(v) Without the 1/sqrt(L) branch the effect grows: as L for a plain residual sum, alpha = 0."""
    zero = Fraction(0)
    # Streams multiply by a factor a block: the fluctuations of a mean grow as e^(L/n), so depths stay small.
    return _powers(study, [zero], {zero: Fraction(1)}, 32)


def c15_alpha(study: Study) -> list[Evidence]:
    """For alpha > 1/2 gradient independence does come back at infinite depth, as L^(1 - 2 alpha)."""
    alphas = [Fraction(3, 4), Fraction(1)]
    return _powers(study, alphas, {alpha: 1 - 2 * alpha for alpha in alphas}, 64)


def _losses(trajectory: Trajectory) -> Tensor:
    """The loss at every step over the first, shape (S, K + 1)."""
    losses = torch.stack(trajectory.losses, dim=1)
    return losses / losses[:, :1]


def c15_late(study: Study) -> list[Evidence]:
    """(vi) At later training times both fit the labels and the gap in the loss shrinks, whatever the depth."""
    found = []
    for activation in ("relu", "tanh"):
        steps, depth = (24, 8) if study.quick else (LATE, 16)
        both = np.stack(
            [
                members_of(
                    study,
                    fitted(study, activation, depth, width=512 if study.quick else 1024, steps=steps, tied=tied),
                    16,
                    (_losses,),
                )
                for tied in (True, False)
            ],
            axis=2,
        )
        gaps = both[:, :, 1] - both[:, :, 0]
        widest = int(np.argmax(mean(gaps)))
        peak = mean_of(gaps[:, widest])
        found.append(
            from_estimate(
                mean_of(gaps[:, -1]),
                0,
                0,
                part=f"loss gap over initial loss after {steps} steps (at most {peak.value:.3f}, after {widest})",
                condition=activation,
                rival=peak.value,
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

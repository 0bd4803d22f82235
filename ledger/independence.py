"""Claims about gradient independence in training: one layer, its neighbours, all of them, and other powers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import numpy as np
import torch
from sympy import Rational
from torch import Tensor

from powercount.decide import falls
from powercount.derivations.dynamics.first_step import first_step, linear_features
from powercount.derivations.dynamics.gradient_independence import reading
from powercount.derivations.scale import as_fraction, as_rational
from powercount.derivations.sources import HERE, NFD
from powercount.empirical.dynamics.training import Trajectory
from powercount.empirical.fit import Estimate
from powercount.ledger.claim import ABSTRACT, DYNAMICS_TEST, INFERRED, V3_ONLY, Claim
from powercount.ledger.coupling import (
    ADJACENT,
    FEATURES,
    FINITE_WIDTH,
    HALF,
    LATE,
    OUTPUT,
    SINGLE,
    activations,
    depths,
    sweep,
)
from powercount.ledger.finding import Evidence, from_estimate, from_side
from powercount.ledger.runs import (
    fitted,
    mean,
    mean_of,
    members_of,
    ratio_of_means,
    slope_expected,
    slope_of,
)
from powercount.studies.study import Study


def _shares(study: Study, place: int, key: str, claimed: Fraction, part: str) -> list[Evidence]:
    found = []
    for activation in activations(study):
        members_here = sweep(study, activation)[:, :, place]
        exact = [getattr(first_step(activation, depth), key) for depth in depths(study)]
        found.append(
            from_estimate(
                slope_of(mean, members_here, depths(study)),
                claimed,
                as_fraction(reading(key.replace("_", "-"), alpha=Rational(1, 2)).depth),
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
    derived = as_fraction(reading("relative-gap", alpha=Rational(1, 2)).depth)
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
            derived = as_fraction(reading("relative-gap", alpha=as_rational(alpha)).depth)
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
    """(vi) At later training times both fit the labels and the gap in the loss shrinks, whatever the depth.

    No number is claimed for a last step: the gap may be as large as the loss that the tied net itself has left, which
    must be small beside the gap at its largest.
    """
    found = []
    for activation in ("relu", "tanh"):
        steps, depth = (28, 8) if study.quick else (LATE, 16)
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
                allowance=float(mean(both[:, -1])[0]),
                rival=peak.value,
            )
        )
    return found


CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="C15-ii",
        source=NFD,
        summary="(ii) in training one layer's coupling to its own past gradients vanishes with depth",
        statement="the share of W_l(0) phi(h_{l-1}) along past delta_l ~ L^(-1/2)",
        conditions="linear, relu, tanh; one step, L = 4..128, n = 4096; k = 1, alpha = 1/2",
        check=c15_single,
        test=DYNAMICS_TEST,
        marks=(ABSTRACT,),
    ),
    Claim(
        id="C15-iii",
        source=NFD,
        summary="(iii) the coupling of a reused weight through the block next to it is faster still",
        statement="its share of the stream ~ L^(-2) a layer; the source gives L^(-2) to the whole term, whose formula "
        "we could not read: that a layer is meant is our inference",
        conditions="linear, relu, tanh; one step, L = 4..128, n = 4096; k = 1, alpha = 1/2",
        check=c15_adjacent,
        test=DYNAMICS_TEST,
        marks=(V3_ONLY, INFERRED, ABSTRACT),
    ),
    Claim(
        id="C15-iv",
        source=NFD,
        summary="(iv) gradient independence becomes valid again in training as depth grows: its effect on output and "
        "features vanishes",
        statement="tied/decoupled - 1 -> 0; derived here L^0: T e^T/(e^T - 1) - 1 for linear blocks. The source's 1/L "
        "is its error of discretisation; the coupling's own rate there is L^(-2), for the whole term",
        conditions="our reading: an independent copy of W(0)^T in the backward pass, shared updates, hidden matrices "
        "alone, T = 1, one small step; linear, relu, tanh; L = 4..128, n = 4096; k = 1, alpha = 1/2",
        check=c15_accumulated,
        test=DYNAMICS_TEST,
        marks=(ABSTRACT,),
    ),
    Claim(
        id="C15-v",
        source=NFD,
        summary="(v) without the 1/sqrt(L) branch the assumption gets worse with depth",
        statement="tied/decoupled - 1 ~ L at alpha = 0",
        conditions="linear, relu, tanh; one step, L = 4..32, n = 4096; k = 1",
        check=c15_branch,
        test=DYNAMICS_TEST,
        marks=(ABSTRACT,),
    ),
    Claim(
        id="C15-vi",
        source=NFD,
        summary="(vi) at later training times the losses of tied and decoupled nets agree: both fit the labels",
        statement="loss(decoupled) - loss(tied) -> 0 with the number of steps, at fixed depth",
        conditions="relu, tanh; four digits, 32 steps at eta = 1/2, L = 16, n = 1024; k = 1, alpha = 1/2",
        check=c15_late,
        test=DYNAMICS_TEST,
        marks=(ABSTRACT,),
    ),
    Claim(
        id="C15'",
        source=HERE,
        summary="gradient independence does come back at infinite depth for every alpha above 1/2, and only there",
        statement="tied/decoupled - 1 ~ L^(1 - 2 alpha)",
        conditions="linear, relu, tanh; alpha = 3/4 and 1; one step, L = 4..64, n = 4096; k = 1",
        check=c15_alpha,
        test=DYNAMICS_TEST,
    ),
)

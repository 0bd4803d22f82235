"""The claim about weight decay too weak for its samples: the risk on the peak, and after it."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Final

import numpy as np

from powercount.derivations.scale import as_fraction
from powercount.derivations.scaling_laws import lasso_risk
from powercount.derivations.sources import DEFILIPPIS
from powercount.ledger.claim import LASSO_TEST, SECOND_HAND, Claim
from powercount.ledger.finding import Evidence, Number, from_estimate
from powercount.ledger.lasso import FEW, NOISE, PLACES, RIDGE_APART, STRENGTHS, UNIT, WEAK, Problem, compared
from powercount.ledger.runs import exact
from powercount.studies.study import Study


def on_the_peak(study: Study, claimed: Fraction) -> list[Evidence]:
    """At n = d, along lambda."""
    dimension, members = (64, 240) if study.quick else (128, 1024)
    here = Problem(gamma=1.0, dimension=dimension, samples=dimension)
    return compared(
        study,
        [(here, [strength * UNIT * dimension**0.5 for strength in STRENGTHS])],
        STRENGTHS,
        (claimed, as_fraction(lasso_risk.peak_exponent())),
        members=members,
        part=f"R against lambda at n = d = {dimension}",
        condition="the peak",
        rival=RIDGE_APART,
    )


def limit_of_the_peak(place: Number) -> list[Evidence]:
    """Slope, height and ``place`` of the peak of state evolution at n = d, in the limit of a small penalty."""
    target = lasso_risk.power_law_target(1, FEW)

    def state(strength: float, samples: float = FEW) -> lasso_risk.State:
        return lasso_risk.at_penalty(target, samples=samples, noise=NOISE, penalty=strength * FEW**0.5)

    states = [state(strength) for strength in WEAK]
    numbers = {lasso_risk.NOISE: NOISE, lasso_risk.SIZE: sum(each**2 for each, _ in target)}
    height, order = (
        np.asarray([float(each.subs(numbers | {lasso_risk.PENALTY: strength})) for strength in WEAK])
        for each in (lasso_risk.peak(), lasso_risk.peak_correction())
    )
    near = height * (1 + order) - NOISE
    # The square of the first order; and what the target adds, mu^4/4 of r(mu) where mu^2 = d theta^2/q.
    left = max(order) ** 2 + FEW * sum(each**4 for each, _ in target) / (12 * min(height) ** 2)
    greatest = max(PLACES, key=lambda step: state(WEAK[1], FEW * (1 + step * states[1].cut)).risk)
    return [
        from_estimate(
            exact(math.log10(states[0].risk / states[1].risk)),
            -Fraction(2, 3),
            -as_fraction(lasso_risk.peak_exponent()),
            part=f"slope of state evolution against lambda at n = d, lambda = {WEAK[0]:g} to {WEAK[1]:g}",
            condition="the peak",
            expected=math.log10(near[0] / near[1]),
            allowance=left,
            rival=RIDGE_APART,
        ),
        from_estimate(
            exact((NOISE + states[1].risk) / height[1]),
            1,
            1,
            part=f"s2 + R over (pi/32)^(1/3) s2^(4/3) lambda^(-2/3), lambda = {WEAK[1]:g}",
            condition="the peak",
            expected=1 + order[1],
            allowance=left,
        ),
        from_estimate(
            exact(greatest),
            place,
            0,
            part=f"(n/d - 1)/alpha where R is greatest, lambda = {WEAK[1]:g}",
            condition="the peak",
            # Half a step between the places tried.
            allowance=1 / 2,
            # The least n that has this alpha, d r(0), lies 2 s alpha from d.
            rival=2 * (2 / math.pi) ** 0.5,
        ),
    ]


def after_the_peak(study: Study, claimed: Fraction) -> list[Evidence]:
    """Beyond n = d, along n at a small penalty."""
    sizes = (256, 512, 1024)
    return compared(
        study,
        [(Problem(gamma=1.0, dimension=64, samples=size), [8 * UNIT]) for size in sizes],
        sizes,
        (claimed, as_fraction(lasso_risk.beyond_exponent())),
        members=96 if study.quick else 256,
        part="R against n, d = 64, lambda = 1/64",
        condition="beyond",
    )


def best_beyond(claimed: Number) -> Evidence:
    """The best risk where n >> d^(2 gamma)."""
    dimension = 1000
    samples = 16 * NOISE * dimension**2
    state = lasso_risk.best(lasso_risk.power_law_target(1, dimension), samples=samples, noise=NOISE)
    return from_estimate(
        exact(state.risk * samples / (NOISE * dimension)),
        claimed,
        1,
        part="best R n/(s2 d), gamma = 1, d = 1000, n = 16 s2 d^2",
        condition="the best penalty beyond d^(2 gamma)",
        # Least squares' in state evolution.
        expected=samples / (samples - dimension),
        # The least weight lies 4 tau from 0: a threshold gains no more than the density there.
        allowance=math.exp(-8),
    )


def l23(study: Study) -> list[Evidence]:
    """A small penalty peaks at n = d as lambda^(-2/3) and falls as d/n beyond; past d^(2 gamma) the best does too."""
    peak, beyond = on_the_peak(study, Fraction(2, 3)), after_the_peak(study, Fraction(1))
    return [*peak, *limit_of_the_peak(0), *beyond, best_beyond(1)]


CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="L23",
        source=DEFILIPPIS,
        summary="a small weight decay peaks at interpolation, and beyond the peak learns as least squares",
        statement="n = d: R ~ lambda^(-2/3), here s2 + R -> (pi/32)^(1/3) s2^(4/3) lambda^(-2/3); n >> d: R ~ d/n",
        conditions="s2 = 1/2, gamma = 1; n = d = 128, lambda = 1/64..1/4; n = 4..16 d, d = 64; limits at lambda = 1e-6",
        check=l23,
        test=LASSO_TEST,
        marks=(SECOND_HAND,),
    ),
)

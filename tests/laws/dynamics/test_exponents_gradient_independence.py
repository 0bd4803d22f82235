"""Law: the effect of gradient dependence on one step is L^(1 - 2 alpha) of the step itself, for one-layer blocks.

At alpha = 1/2 it is of order one at any depth: tied nets move the output by a fixed factor more than decoupled ones.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from sympy import Rational

from powercount.derivations.dynamics.first_step import first_step
from powercount.derivations.dynamics.gradient_independence import reading
from powercount.ledger.coupling import OUTPUT, READS, SINGLE, run_of
from powercount.ledger.finding import from_estimate
from powercount.ledger.runs import mean_of, members_of, ratio_of_means
from powercount.studies.study import Study

STUDY = Study(quick=True, seed=3)
SEEDS = 32
# 1/n corrections have coefficients under 1/2 a decade (tests of C17-b); here n = 1024 and factors up to 2.
FINITE_WIDTH = 0.01


def movement(activation, depth, *, tied, branch=-Fraction(1, 2), place=OUTPUT):
    """What one reading says of each member."""
    return members_of(STUDY, run_of(STUDY, activation, depth, tied=tied, branch=branch), SEEDS, READS)[:, place]


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
@pytest.mark.parametrize("depth", [4, 32])
def test_tied_over_decoupled_is_the_exact_ratio(activation, depth, powercount_laws):
    """At alpha = 1/2 the ratio is its exact value at L = 4 and at L = 32, far from the 1 of gradient independence."""
    exact = first_step(activation, depth)
    ratio = ratio_of_means(movement(activation, depth, tied=True), movement(activation, depth, tied=False))
    evidence = from_estimate(
        ratio,
        exact.ratio,
        exact.ratio,
        part="tied/decoupled",
        condition=activation,
        allowance=FINITE_WIDTH,
        rival=exact.ratio - 1,
    )
    powercount_laws.note(
        f"{activation} L={depth}", f"tied/decoupled {ratio.value:.3f}, exact {exact.ratio:.3f}, claimed 1"
    )
    assert evidence.outcome == "AGREES"


@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_one_layer_share_is_its_exact_value(activation, powercount_laws):
    """The share of W_l(0) phi along past delta_l at L = 32 is the exact one, far smaller than what it sums to."""
    exact = first_step(activation, 32)
    share = mean_of(movement(activation, 32, tied=True, place=SINGLE))
    evidence = from_estimate(
        share,
        exact.single_layer,
        exact.single_layer,
        part="share",
        condition=activation,
        allowance=FINITE_WIDTH * abs(exact.single_layer),
        rival=abs(exact.single_layer),
    )
    powercount_laws.note(f"{activation} L=32", f"one layer's share {share.value:.4f}, exact {exact.single_layer:.4f}")
    assert evidence.outcome == "AGREES"


def test_twin_the_claimed_limit_is_contradicted(powercount_laws):
    """Gradient independence at alpha = 1/2, tied/decoupled = 1, is CONTRADICTED at L = 32."""
    exact = first_step("relu", 32)
    ratio = ratio_of_means(movement("relu", 32, tied=True), movement("relu", 32, tied=False))
    evidence = from_estimate(ratio, 1.0, exact.ratio, part="tied/decoupled", condition="relu", allowance=FINITE_WIDTH)
    powercount_laws.note(
        "twin: relu L=32", f"tied/decoupled {ratio.value:.3f} against the claimed 1: {evidence.outcome}"
    )
    assert evidence.outcome == "CONTRADICTS"


def test_the_effect_vanishes_above_one_half():
    """The exponent of the effect is 1 - 2 alpha, whatever the power of L on the hidden rate."""
    for alpha in ("0", "1/2", "3/4", "1"):
        for rate in (0, 1):
            found = reading("relative-gap", alpha=Rational(alpha), rate=Rational(rate)).depth
            assert found == 1 - 2 * Rational(alpha)

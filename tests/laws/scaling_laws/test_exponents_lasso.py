"""Law: a diagonal linear net with weight decay is LASSO, and its excess risk that of state evolution.

At the best penalty it falls as n^(-1 + 1/(2 gamma)); a small one peaks at n = d as lambda^(-2/3), then falls as d/n.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from powercount.claims.lasso import CLOSEST, RIDGE_APART, Problem, ratio, slope
from powercount.empirical.scaling_laws.lasso import minimizers, problem, trained_net

GAP = 1e-12
SIZES, STRENGTHS, UNIT = (32, 64, 128), (32, 8, 2), 1 / 64
seeds = st.integers(0, 2**32 - 1)
problems = st.builds(
    Problem,
    gamma=st.floats(0.75, 2.5),
    dimension=st.integers(48, 160),
    samples=st.integers(32, 96),
    noise=st.floats(0.1, 1),
)


def agreement(here, stated, members, seed):
    """Measured risk at the best penalty of ``here``, over state evolution of ``stated`` at that penalty."""
    penalty = here.best().penalty
    rows = here.measured([penalty], members, np.random.default_rng(seed))
    return ratio(rows, [stated.at(penalty)], [stated.samples], part="", condition="").outcome


def with_samples(here, samples):
    """The same problem of another n."""
    return Problem(gamma=here.gamma, dimension=here.dimension, samples=samples, noise=here.noise)


@settings(max_examples=10)
@given(here=problems, seed=seeds)
def test_any_problem_has_its_state_evolution(here, seed):
    """|w - theta|^2 is state evolution's R within noise and 1/(n - active), for any gamma, d, n and noise."""
    assert agreement(here, here, 24, seed) != "CONTRADICTS"


@settings(max_examples=4)
@given(gamma=st.floats(0.75, 2.5), noise=st.floats(0.1, 1), seed=seeds)
def test_twin_a_quarter_of_the_samples_is_seen(gamma, noise, seed):
    """State evolution of n/4 is contradicted."""
    here = Problem(gamma=gamma, dimension=128, samples=128, noise=noise)
    assert agreement(here, with_samples(here, 32), 48, seed) == "CONTRADICTS"


@settings(max_examples=3)
@given(gamma=st.floats(0.75, 2), seed=seeds)
def test_best_risk_falls_with_samples(gamma, seed):
    """R ~ n^(-1 + 1/(2 gamma)), and its twin: no fall, as of ridge, the lazy net, while n << d, is contradicted."""
    several = [Problem(gamma=gamma, dimension=256, samples=size) for size in SIZES]
    states, generator = [each.best() for each in several], np.random.default_rng(seed)
    rows = [each.measured([state.penalty], 64, generator)[:, 0] for each, state in zip(several, states, strict=True)]
    power = Fraction(1 - 1 / (2 * gamma))
    for claimed, outcomes in ((power, {"AGREES", "UNDECIDED"}), (Fraction(0), {"CONTRADICTS"})):
        found = slope(
            np.stack(rows, axis=1), states, SIZES, SIZES, (claimed, power), part="", condition="", rival=CLOSEST
        )
        assert found.outcome in outcomes, found


def peak(gamma, claimed, members, seed):
    """The slope against lambda at n = d = 64, judged against a claimed power."""
    here = Problem(gamma=gamma, dimension=64, samples=64)
    penalties = [strength * UNIT * 8 for strength in STRENGTHS]
    rows = here.measured(penalties, members, np.random.default_rng(seed))
    states, exponents = [here.at(penalty) for penalty in penalties], (claimed, Fraction(2, 3))
    return slope(rows, states, [64] * 3, STRENGTHS, exponents, part="", condition="", rival=RIDGE_APART).outcome


@settings(max_examples=3)
@given(gamma=st.floats(0.75, 2), seed=seeds)
def test_small_penalties_peak(gamma, seed):
    """R ~ lambda^(-2/3) at n = d, whatever the target."""
    assert peak(gamma, Fraction(2, 3), 64, seed) != "CONTRADICTS"


def test_twin_the_peak_is_not_that_of_ridge():
    """lambda^(-1/2), the peak of ridge, is contradicted where lambda^(-2/3) agrees."""
    assert peak(1.0, Fraction(2, 3), 384, 3) == "AGREES"
    assert peak(1.0, Fraction(1, 2), 384, 3) == "CONTRADICTS"


@settings(max_examples=10)
@given(gamma=st.floats(0.5, 2), penalty=st.floats(1, 8), seed=seeds)
def test_a_trained_net_is_lasso(gamma, penalty, seed):
    """u v of the trained net predicts as w does, to the duality gap; its twin, w at a penalty 1 % off, does not."""
    generator = np.random.default_rng(seed)
    inputs, labels = problem(np.arange(1, 33) ** -gamma, 24, 0.5, generator)
    off, exact = minimizers(inputs, labels, [1.01 * penalty, penalty], GAP).T
    product, scale = trained_net(inputs, labels, penalty, generator), np.linalg.norm(labels)
    # The gap bounds |X (w - u v)|^2/2, over |y|^2.
    bound = (2 * GAP) ** 0.5
    assert np.linalg.norm(inputs @ (product - exact)) / scale < bound
    assert np.linalg.norm(inputs @ (product - off)) / scale > bound

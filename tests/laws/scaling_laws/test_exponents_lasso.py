"""Law: a diagonal linear net with weight decay is LASSO, and its excess risk that of state evolution, corrected.

At the best penalty it falls as n^(-1 + 1/(2 gamma)); a small one peaks at n = d as lambda^(-2/3), then falls as d/n.
The claims are measured quickly, once, and their twins judged on the same rows.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powercount.derivations.scaling_laws import lasso_risk as derived
from powercount.empirical.scaling_laws.diagonal_nets import minimizers, problem, trained_net
from powercount.ledger import lasso, peak
from powercount.ledger.finding import from_estimate, judgement
from powercount.ledger.lasso import CLOSEST, Problem
from powercount.ledger.record import recorded
from powercount.ledger.register import CLAIMS
from powercount.ledger.runs import mean_of
from powercount.studies.study import Study

pytestmark = pytest.mark.xdist_group("lasso")
GAP = 1e-12
seeds = st.integers(0, 2**32 - 1)
problems = st.builds(
    Problem,
    gamma=st.floats(0.75, 2.5),
    dimension=st.integers(48, 160),
    samples=st.integers(32, 96),
    noise=st.floats(0.1, 1),
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A quick study that measures each cell once."""
    return Study(quick=True, folder=tmp_path_factory.mktemp("lasso"))


def judged(ratios, left):
    """Whether measured over expected is 1, but for what is left."""
    return from_estimate(mean_of(ratios), 1, 1, part="", condition="", allowance=left, rival=CLOSEST).outcome


def agreement(here, stated, factor, members, seed):
    """Measured risk of ``here`` at a factor of its best penalty, over the one expected of ``stated`` there."""
    penalty = factor * here.best()
    rows, (risk, left) = here.measured([penalty], members, np.random.default_rng(seed)), stated.at(penalty)
    return judged(rows[:, 0] / risk, left)


@settings(max_examples=10)
@given(here=problems, factor=st.sampled_from([0.5, 2]), seed=seeds)
def test_any_problem_has_its_state_evolution(here, factor, seed):
    """|w - theta|^2 is the expected R, for any gamma, d, n and noise, at half and twice the best penalty."""
    assert agreement(here, here, factor, 24, seed) != "CONTRADICTS"


@settings(max_examples=4)
@given(gamma=st.floats(0.75, 2.5), noise=st.floats(0.1, 1), seed=seeds)
def test_twin_a_quarter_of_the_samples_is_seen(gamma, noise, seed):
    """State evolution of n/4 is contradicted."""
    here, few = (Problem(gamma=gamma, dimension=128, samples=samples, noise=noise) for samples in (128, 32))
    assert agreement(here, few, 1, 48, seed) == "CONTRADICTS"


def test_twin_state_evolution_alone_is_seen():
    """At n = 24 R agrees with its correction, one part in nine, and contradicts state evolution without."""
    here = Problem(gamma=2.5, dimension=256, samples=24)
    penalty, target = here.best(), derived.power_law_target(here.gamma, here.dimension)
    alone = derived.at_penalty(target, samples=here.samples, noise=here.noise, penalty=penalty).risk
    rows, (risk, left) = here.measured([penalty], 2400, np.random.default_rng(0))[:, 0], here.at(penalty)
    assert judged(rows / risk, left) == "AGREES"
    assert judged(rows / alone, left) == "CONTRADICTS"


@pytest.mark.parametrize("name", [claim.id for claim in CLAIMS if claim.family in ("lasso", "peak")])
def test_a_quick_measurement_gives_the_recorded_verdict(name, study, powercount_laws, twins):
    """The verdict computed from fewer members and sizes is the one in the record."""
    (claim,) = (claim for claim in CLAIMS if claim.id == name)
    evidence = claim.check(study)
    twins(evidence)
    found = judgement(evidence)
    powercount_laws.note(f"claim {name}", f"{found}, {len(evidence)} pieces of evidence")
    assert found == recorded()[name]["verdict"], [each.as_row() for each in evidence if each.outcome != "AGREES"]


def test_twins_of_the_best_rate(study):
    """No fall, as of ridge, the lazy net, while n << d, is contradicted; so is another power of the same limit."""
    found, _ = lasso.best_risks(study, Fraction(1), Fraction(0))
    assert found.outcome == "CONTRADICTS"
    assert lasso.local_slope(Fraction(1), 9, Fraction(1, 2)).outcome == "AGREES"
    for claimed in (Fraction(3, 4), 17):
        assert lasso.local_slope(Fraction(1), 9, claimed).outcome == "CONTRADICTS"


def test_twins_of_the_peak(study):
    """lambda^(-1/2), the peak of ridge, and one at n/d = 1 + 2 s alpha are contradicted."""
    found, _ = peak.on_the_peak(study, Fraction(1, 2))
    assert found.outcome == "CONTRADICTS"
    assert peak.limit_of_the_peak(2 * (2 / np.pi) ** 0.5)[-1].outcome == "CONTRADICTS"


def test_twins_beyond_the_peak(study):
    """d/n^2, and twice least squares' risk, are contradicted."""
    found, _ = peak.after_the_peak(study, Fraction(2))
    assert found.outcome == "CONTRADICTS"
    assert peak.best_beyond(2).outcome == "CONTRADICTS"


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

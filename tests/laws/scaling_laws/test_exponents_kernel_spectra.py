"""Law: on eigenvalues k^(-(1 + a)) a white target is learned as D^(-a) and P^(-a), and samples and features exchange.

Any spectrum, target, ridge, noise and size has its loss in the deterministic equivalent.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powercount.derivations.scaling_laws import ridge, spectra
from powercount.empirical.scaling_laws.features import draws, one_sided_losses, white_losses
from powercount.ledger.finding import from_estimate
from powercount.ledger.ridge import RidgeSetting
from powercount.ledger.runs import mean, mean_of, slope_expected, slope_of
from powercount.ledger.spectra import CLOSEST, EXACT, size_allowance

MODES, SIZES, MEMBERS = 512, (32, 48, 64, 96, 128), 24
seeds = st.integers(0, 2**32 - 1)
SIZES_APART = st.tuples(st.integers(24, 64), st.integers(8, 64), st.booleans()).map(
    lambda drawn: (drawn[0], drawn[0] + drawn[1])[:: 1 if drawn[2] else -1]
)
settings_drawn = st.builds(
    lambda sizes, **rest: RidgeSetting(samples=sizes[0], features=sizes[1], **rest),
    sizes=SIZES_APART,
    capacity=st.floats(1.25, 3),
    source=st.floats(1.2, 4),
    ridge=st.sampled_from([0.0, 1e-4, 1e-2]),
    noise=st.sampled_from([0.0, 0.1]),
)


def slope(capacity, seed):
    """The measured slope of a white target's loss over ``SIZES``, and the exact one at these sizes."""
    spectrum, tail = ridge.power_law(1 + capacity, MODES), ridge.power_law_tail(1 + capacity, MODES)
    directions = draws(MEMBERS, SIZES[-1], MODES, np.random.default_rng(seed))
    rows = np.stack([one_sided_losses(spectrum, directions[:, :size], tail) for size in SIZES], axis=1)
    return slope_of(mean, rows, SIZES), ridge.local_slope(spectrum, SIZES, tail)


def judged(measured, expected, claimed, predicted):
    """AGREES, CONTRADICTS or UNDECIDED."""
    return from_estimate(
        measured,
        claimed,
        predicted,
        part="slope",
        condition="white",
        expected=expected,
        allowance=size_allowance(SIZES),
        rival=CLOSEST,
    ).outcome


@settings(max_examples=6)
@given(capacity=st.floats(0.25, 2), seed=seeds)
def test_loss_falls_with_the_spectrum(capacity, seed):
    """L ~ m^(-a) for any a, and its twin: a claim of a - 1/4 is contradicted by the same measurement."""
    measured, expected = slope(capacity, seed)
    assert judged(measured, expected, -capacity, -capacity) == "AGREES"
    assert judged(measured, expected, 0.25 - capacity, -capacity) == "CONTRADICTS"
    # The finite-size slope itself is the pure power law's, whose limit SymPy takes.
    pure = [float(spectra.loss().subs({spectra.A: capacity, spectra.FEWER: size})) for size in SIZES]
    assert abs(slope_expected(pure, SIZES) - expected) < (SIZES[-1] / MODES) ** (1 + 2 * capacity) + SIZES[0] ** -2


@given(
    power=st.floats(1.1, 4),
    sizes=SIZES_APART,
    penalty=st.one_of(st.just(0.0), st.floats(1e-3, 100)),
    seed=seeds,
)
@settings(max_examples=20)
def test_samples_and_features_exchange(power, sizes, penalty, seed):
    """L(Z, G) = L(G, Z) to rounding for a white target, whatever spectrum, sizes and ridge."""
    generator, spectrum = np.random.default_rng(seed), ridge.power_law(power, 160)
    one, other = (draws(2, size, 160, generator) for size in sizes)
    first, second = white_losses(spectrum, one, other, penalty), white_losses(spectrum, other, one, penalty)
    assert abs(first / second - 1).max() < EXACT


@settings(max_examples=12)
@given(problem=settings_drawn, seed=seeds)
def test_any_setting_has_its_deterministic_equivalent(problem, seed):
    """Measured over exact is 1 within noise and the 1/m of the equivalent."""
    errors = problem.measured(24, np.random.default_rng(seed))
    evidence = from_estimate(
        mean_of(errors / problem.expected()),
        1,
        1,
        part="measured over exact",
        condition="drawn",
        # of relative order 1/m with a coefficient of one
        allowance=1 / min(problem.samples, problem.features),
        rival=np.inf,
    )
    assert evidence.outcome == "AGREES", evidence


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_twin_half_the_samples_are_seen(noise):
    """The equivalent of half the samples is contradicted."""
    problem = RidgeSetting(capacity=2.0, source=2.0, samples=96, features=64, ridge=1e-4, noise=noise)
    halved = RidgeSetting(capacity=2.0, source=2.0, samples=48, features=64, ridge=1e-4, noise=noise)
    ratio = mean_of(problem.measured(48, np.random.default_rng(1)) / halved.expected())
    assert from_estimate(ratio, 1, 1, part="", condition="", allowance=1 / 48).outcome == "CONTRADICTS"

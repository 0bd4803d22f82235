"""The instrument recovers planted slopes, covers at its stated rate, and rejects rivals: rates measured, printed.

Synthetic members stand in for networks: log-sizes on a line plus noise that is shared between points (common
random numbers) and grows at small sizes, as real ensembles' does.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import Observable
from powercount.empirical.fit import Estimate, fit_slope, least_squares_weights
from powercount.empirical.sweep import Measurement, Sweep
from powercount.finite_size import FiniteSize
from powercount.verdict import CONFIDENCE, RIVAL, judge

SIZES = (4, 8, 16, 32, 64)


def synthetic(generator, slope, *, seeds, noise, sizes=SIZES):
    """Mean squares (seeds, sizes) of members whose rms follows size^slope, with log-normal noise."""
    shared = generator.standard_normal((seeds, 1))
    own = generator.standard_normal((seeds, len(sizes)))
    logs = slope * np.log(np.asarray(sizes)) + noise * (0.7 * shared + 0.7 * own)
    return np.exp(2 * logs)


@given(
    slope=st.fractions(min_value=-3, max_value=3, max_denominator=8),
    scale=st.floats(min_value=1e-12, max_value=1e12),
)
def test_a_noiseless_slope_is_recovered_exactly(slope, scale):
    """squares = (scale size^s)^2 gives slope s and standard error 0, up to rounding."""
    squares = scale * np.tile(np.asarray(SIZES, dtype=float) ** (2 * float(slope)), (4, 1))
    fitted = fit_slope(squares, SIZES)
    assert abs(fitted.value - float(slope)) < 1e-12
    assert fitted.standard_error < 1e-12


def test_least_squares_weights_read_a_line_and_ignore_a_constant():
    """sum_i w_i = 0 and sum_i w_i log size_i = 1."""
    weights = least_squares_weights(SIZES)
    assert abs(weights.sum()) < 1e-14
    assert abs(weights @ np.log(SIZES) - 1) < 1e-14


def test_zeros_and_overflows_are_states_not_slopes():
    """A vanishing or non-finite size gives no slope: state "zero" or "diverges"."""
    ones = np.ones((3, 5))
    assert fit_slope(0 * ones, SIZES).state == "zero"
    assert fit_slope(ones * np.inf, SIZES).state == "diverges"
    assert fit_slope(ones, SIZES).state == "measured"


@pytest.mark.parametrize("seeds", [8, 16, 32])
def test_intervals_cover_at_their_stated_rate(seeds, ledger):
    """The jackknife interval misses the truth in 1 - confidence of 4000 planted ensembles, within sampling error."""
    generator, trials = np.random.default_rng(seeds), 4000
    fits = [fit_slope(synthetic(generator, -0.5, seeds=seeds, noise=0.15), SIZES) for _ in range(trials)]
    for confidence in (0.9, 0.95, 0.99):
        missed = sum(not low <= -0.5 <= high for low, high in (fit.interval(confidence) for fit in fits)) / trials
        allowed = 1 - confidence
        ledger.note(f"{seeds} seeds", f"interval at {confidence:.0%} misses {missed:.2%}")
        # Four binomial standard errors, and a tenth more for the curvature of the logarithm.
        assert missed < 1.1 * allowed + 4 * (allowed * confidence / trials) ** 0.5


def judged(squares, sizes, prediction, values, sweep):
    """The verdict on synthetic members."""
    measurement = Measurement(
        observable=prediction.observable,
        sweep=sweep,
        fitted=fit_slope(squares, sizes),
        sizes=sizes,
        points=tuple(np.sqrt(squares.mean(axis=0))),
        seeds=len(squares),
        cpu_seconds=0.0,
    )
    return judge(prediction, measurement, finite_size=values)


@pytest.mark.parametrize("noise", [0.05, 0.15])
def test_false_alarm_and_miss_rates_of_judge(noise, ledger):
    """judge never contradicts a planted truth and never agrees with a rival 1/4 away, in 1000 ensembles each."""
    recipe = named_recipe("depth-mup")
    prediction = derive(recipe, Observable(quantity="own-update", role="hidden1"))
    sweep = Sweep(axis="depth", sizes=SIZES, fixed=128, confidence=CONFIDENCE)
    values, generator = FiniteSize.of(recipe, sweep), np.random.default_rng(1)
    truth, trials = values.slope(prediction.observable), 1000
    outcomes = {}
    for name, by in (("truth", 0), ("rival +1/4", RIVAL), ("rival -1/4", -RIVAL)):
        found = [
            judged(
                synthetic(generator, truth + float(by), seeds=16, noise=noise), SIZES, prediction, values, sweep
            ).outcome
            for _ in range(trials)
        ]
        outcomes[name] = {outcome: found.count(outcome) / trials for outcome in ("AGREES", "CONTRADICTS", "UNDECIDED")}
        ledger.note(f"noise {noise} per member", f"{name}: {outcomes[name]}")
    assert outcomes["truth"]["CONTRADICTS"] == 0
    assert outcomes["rival +1/4"]["AGREES"] == outcomes["rival -1/4"]["AGREES"] == 0
    if noise < 0.1:
        assert outcomes["truth"]["AGREES"] == 1
        assert outcomes["rival +1/4"]["CONTRADICTS"] == outcomes["rival -1/4"]["CONTRADICTS"] == 1


@settings(max_examples=20)
@given(by=st.sampled_from([Fraction(-1, 2), Fraction(-1, 4), Fraction(1, 4), Fraction(1, 2)]))
def test_too_wide_an_interval_is_undecided_never_a_pass(by):
    """With noise so large that 1/4 cannot be resolved, judge says UNDECIDED of truth and rival alike."""
    recipe = named_recipe("depth-mup")
    prediction = derive(recipe, Observable(quantity="stream"))
    sweep = Sweep(axis="depth", sizes=SIZES, fixed=128, confidence=CONFIDENCE)
    values = FiniteSize.of(recipe, sweep)
    squares = synthetic(np.random.default_rng(3), float(by), seeds=4, noise=1.0)
    assert judged(squares, SIZES, prediction, values, sweep).outcome == "UNDECIDED"


@pytest.mark.parametrize(("part", "outcome"), [(0.9, "AGREES"), (1.1, "UNDECIDED"), (1.9, "UNDECIDED")])
def test_half_the_distance_to_the_rival_must_be_resolved(part, outcome):
    """A slope seen where it is expected agrees if its resolution is under half of 1/4, and not above, short of 1/4."""
    recipe = named_recipe("depth-mup")
    prediction = derive(recipe, Observable(quantity="own-update", role="hidden1"))
    sweep = Sweep(axis="depth", sizes=SIZES, fixed=128)
    values = FiniteSize.of(recipe, sweep)
    unit = Estimate(value=0.0, standard_error=1.0, freedom=15).interval(CONFIDENCE)[1]
    room = part * float(RIVAL) / 2 - values.error(prediction.observable)
    assert room > 0
    expected = values.slope(prediction.observable)
    measurement = Measurement(
        observable=prediction.observable,
        sweep=sweep,
        fitted=Estimate(value=expected, standard_error=room / unit, freedom=15),
        sizes=SIZES,
        points=(1.0,) * len(SIZES),
        seeds=16,
        cpu_seconds=0.0,
    )
    found = judge(prediction, measurement, finite_size=values)
    assert found.resolution == pytest.approx(part * float(RIVAL) / 2)  # rounding
    assert found.outcome == outcome

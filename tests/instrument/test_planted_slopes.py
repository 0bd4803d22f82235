"""The instrument recovers planted slopes, covers at its stated rate, and rejects rivals: rates measured, printed.

Synthetic members stand in for networks: log-sizes on a line plus noise that is shared between points (common
random numbers) and grows at small sizes, as real ensembles' does.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powercount.decide import CONFIDENCE, RIVAL, Limit, decide
from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import Observable
from powercount.empirical.design import Sweep
from powercount.empirical.fit import HIDDEN, Estimate, fit_ratio, fit_slope, jackknife, least_squares_weights, total
from powercount.empirical.sweep import Measurement
from powercount.finite_size import FiniteSize
from powercount.recipes import targets
from powercount.verdict import judge

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


def test_the_jackknife_of_a_mean_is_its_standard_error():
    """s / sqrt(S), with S - 1 degrees of freedom: leaving seeds out is exact for a mean."""
    members = np.random.default_rng(4).standard_normal(12)
    found = jackknife(lambda rows: float(rows.mean()), members)
    assert found.value == pytest.approx(members.mean())
    assert found.standard_error == pytest.approx(members.std(ddof=1) / 12**0.5)
    assert found.freedom == 11


@pytest.mark.parametrize("noise", [0.15, 0.8])
@pytest.mark.parametrize("seeds", [8, 16, 32])
def test_intervals_cover_at_their_stated_rate(seeds, noise, powercount_laws):
    """The interval misses the truth in 1 - confidence of 4000 planted ensembles at most, within sampling error.

    The larger noise is that of the worst real cell: squares 3.5 times as spread as their mean, skewed as e^(1.6 x).
    """
    generator, trials = np.random.default_rng(seeds), 4000
    fits = [fit_slope(synthetic(generator, -0.5, seeds=seeds, noise=noise), SIZES) for _ in range(trials)]
    for confidence in (0.9, 0.95, 0.99):
        missed = sum(not low <= -0.5 <= high for low, high in (fit.interval(confidence) for fit in fits)) / trials
        allowed = 1 - confidence
        powercount_laws.note(f"{seeds} seeds, noise {noise}", f"interval at {confidence:.0%} misses {missed:.2%}")
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
def test_false_alarm_and_miss_rates_of_judge(noise, powercount_laws):
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
        powercount_laws.note(f"noise {noise} per member", f"{name}: {outcomes[name]}")
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


ONES, ZEROS = (1.0,) * len(SIZES), (0.0,) * len(SIZES)


def seen(prediction, fitted, points=ONES):
    """The verdict on an estimate."""
    sweep = Sweep(axis="depth", sizes=SIZES, fixed=128)
    measurement = Measurement(
        observable=prediction.observable,
        sweep=sweep,
        fitted=fitted,
        sizes=SIZES,
        points=points,
        seeds=16,
        cpu_seconds=0.0,
    )
    return judge(prediction, measurement)


def own_update():
    """What depth-mup claims of W_1's own update along depth, and its values at these sizes."""
    recipe = named_recipe("depth-mup")
    values = FiniteSize.of(recipe, Sweep(axis="depth", sizes=SIZES, fixed=128))
    return derive(recipe, Observable(quantity="own-update", role="hidden1")), values


@pytest.mark.parametrize(("part", "outcome"), [(0.9, "AGREES"), (1.1, "UNDECIDED"), (1.9, "UNDECIDED")])
def test_half_the_distance_to_the_rival_must_be_resolved(part, outcome):
    """A slope seen where it is expected agrees if its resolution is under half of 1/4, and not above, short of 1/4."""
    prediction, values = own_update()
    unit = Estimate(value=0.0, standard_error=1.0, freedom=15).interval(CONFIDENCE)[1]
    room = part * float(RIVAL) / 2 - values.error(prediction.observable)
    assert room > 0
    expected = values.slope(prediction.observable)
    found = seen(prediction, Estimate(value=expected, standard_error=room / unit, freedom=15))
    assert found.resolution == pytest.approx(part * float(RIVAL) / 2)  # rounding
    assert found.outcome == outcome


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("part", "outcome"), [(0.9, "AGREES"), (1.1, "CONTRADICTS")])
def test_the_declared_error_is_allowed_for_and_no_more(sign, part, outcome):
    """A slope seen without noise agrees up to the declared error off what is expected, and contradicts beyond it."""
    prediction, values = own_update()
    off = sign * part * values.error(prediction.observable)
    fitted = Estimate(value=values.slope(prediction.observable) + off, standard_error=1e-9, freedom=15)
    assert seen(prediction, fitted).outcome == outcome


def test_what_is_no_slope_has_its_verdict():
    """Lost in rounding decides nothing; an overflow, and a zero that is not derived, contradict; a derived one agrees.

    Where a network has no size at all, zeros are no evidence.
    """
    prediction, _ = own_update()
    nothing = dict.fromkeys(("value", "standard_error"), float("nan")) | {"freedom": 15}
    for state, outcome in (("drowned", "UNDECIDED"), ("diverges", "CONTRADICTS"), ("zero", "CONTRADICTS")):
        assert seen(prediction, Estimate(**nothing, state=state)).outcome == outcome
    zero = Estimate(**nothing, state="zero")
    still = derive(named_recipe("depth-mup"), Observable(quantity="feature-update", role="readout"))
    assert seen(still, zero, ZEROS).outcome == "AGREES"
    assert seen(still, Estimate(value=0.0, standard_error=0.01, freedom=15)).outcome == "CONTRADICTS"
    void = named_recipe("depth-mup").parametrization
    for role in ("input", "readout"):
        void = void.with_role(role, replace(dict(void.roles())[role], init_std=None))
    dead = derive(replace(named_recipe("depth-mup"), parametrization=void), Observable(quantity="stream"))
    assert seen(dead, zero, ZEROS).outcome == "UNDECIDED"


def test_seeds_are_asked_for_until_judge_can_decide():
    """The half-width that is aimed at, with the declared error, is just under half the distance to the rival."""
    prediction, values = own_update()
    aimed = targets([prediction], values)[prediction.observable]
    assert 0.9 < (aimed + values.error(prediction.observable)) / (float(RIVAL) / 2) < 1


def test_estimates_add_as_independent_ones_do():
    """Values and variances add, degrees of freedom are at least the fewer, and the ratio of two slopes is theirs."""
    one, other = (Estimate(value=value, standard_error=error, freedom=9) for value, error in ((1.0, 0.3), (2.0, 0.4)))
    both = total(one, other)
    assert (both.value, both.standard_error) == pytest.approx((3.0, 0.5))
    assert 9 <= both.freedom <= 18
    squares = synthetic(np.random.default_rng(5), 0.3, seeds=8, noise=0.2)
    steeper = fit_ratio(squares * np.asarray(SIZES, dtype=float) ** 0.5, squares, SIZES)
    assert (steeper.value, steeper.standard_error) == pytest.approx((0.25, 0.0), abs=1e-12)  # rounding
    loud = synthetic(np.random.default_rng(6), 0.3, seeds=8, noise=0.4)
    apart = fit_ratio(loud, squares, SIZES)
    assert apart.value == pytest.approx(fit_slope(loud, SIZES).value - fit_slope(squares, SIZES).value)
    assert apart.standard_error > 0.01


@pytest.mark.parametrize("seeds", [2, 8])
def test_what_rests_on_one_member_decides_nothing(seeds):
    """All but one member lost in rounding at one size: drowned; exactly zero there: a slope of unknown error."""
    for rest, state, error in ((-1e-30, "drowned", np.nan), (0.0, "measured", np.inf)):
        squares = np.outer(np.ones(seeds), np.asarray(SIZES, dtype=np.float64))
        squares[1:, -1] = rest
        estimate = fit_slope(squares, SIZES)
        assert estimate.state == state
        np.testing.assert_equal(estimate.standard_error, error)
        for value in (0.5, -3.0):
            decision = decide(estimate, Limit(value=value))
            assert decision.outcome == "UNDECIDED"


def test_one_drowned_or_one_infinite_member_is_enough():
    """A mean square that is lost, and may be as large as the others, or is not finite, at one size leaves no slope."""
    for value, state in ((-1.0, "drowned"), (np.inf, "diverges")):
        squares = np.ones((4, 5))
        squares[2, 3] = value
        assert fit_slope(squares, SIZES).state == state


def test_a_member_too_small_to_be_seen_counts_as_zero():
    """One network whose error signal is saturated moves by less than rounding: it takes nothing from the mean of many.

    What all such members may hide together is bounded: beyond 1e-4 of the sum there is no slope.
    """
    squares = np.random.default_rng(8).uniform(0.5, 1.5, (16, 5))
    without = squares.copy()
    without[2, 3], squares[2, 3] = 0.0, -1e-12
    assert fit_slope(squares, SIZES) == fit_slope(without, SIZES)
    for share, state in ((0.9, "measured"), (1.1, "drowned")):
        squares[2, 3] = -share * HIDDEN * without[:, 3].sum()
        assert fit_slope(squares, SIZES).state == state

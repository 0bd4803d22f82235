"""Weight decay as LASSO: the exponents by two roads, and the identities of state evolution."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import sympy

from powercount.derivations.recipe import QuestionError
from powercount.derivations.scaling_laws import lasso

TARGET = lasso.power_law_target(1, 64)
# What the solver stops at, 2^-44, met at most a thousandfold by a derivative of the state.
SOLVED = 1e-9


@pytest.mark.parametrize("gamma", [Fraction(3, 4), Fraction(1), Fraction(3, 2), Fraction(2)])
def test_best_exponent_by_two_roads(gamma):
    """1 - 1/(2 gamma) is the power of the chain's last line, of the integral's limit, and of the logarithm."""
    power = lasso.best_exponent().subs(lasso.GAMMA, sympy.nsimplify(gamma))
    assert power == 1 - 1 / (2 * sympy.nsimplify(gamma)) == lasso.best_exponent_by_integral(gamma)
    assert sympy.simplify(lasso.logarithm_power() - lasso.best_exponent()) == 0
    # At infinite alpha nothing is left of the logarithm.
    assert lasso.local_exponent(gamma, math.inf) == float(power)


def test_every_line_rests_on_lines_before_it():
    """The chain can be read from the top, and each line has a reason."""
    names = [line.name for line in lasso.best_chain()]
    for place, line in enumerate(lasso.best_chain()):
        assert line.because
        assert set(line.parents) <= set(names[:place])


def test_null_risk_by_two_roads():
    """r(0) is the integral of the soft threshold's square, and the numbers' closed form at mu = 0."""
    assert sympy.simplify((lasso.null_risk_by_integral() - lasso.null_risk()).rewrite(sympy.erf).expand()) == 0
    for cut in (0.25, 1, 3):
        exact = float(lasso.null_risk().subs(lasso.CUT, sympy.nsimplify(cut)))
        # The same formula in floats: a few roundings, grown by the cancellation of 1/alpha^4.
        assert lasso.channel_risk(0, cut) == pytest.approx(exact, rel=1e-12)


def test_peak_by_two_roads():
    """q lambda^(2/3) -> (pi/32)^(1/3) s2^(4/3) at n = d, and its slope -2/3; the second road drops no order."""
    slope, height = lasso.peak_by_limit()
    assert slope == lasso.peak_exponent() == sympy.Rational(2, 3)
    assert sympy.simplify(height - lasso.peak() * lasso.PENALTY ** sympy.Rational(2, 3)) == 0
    assert sympy.simplify(height - (sympy.pi / 32) ** sympy.Rational(1, 3) * lasso.NOISE ** sympy.Rational(4, 3)) == 0


def test_beyond_the_peak_is_least_squares():
    """s2 d/(n - d - 1) falls as 1/n; state evolution at alpha = 0 is it but for the 1."""
    assert lasso.beyond_exponent() == 1
    exact = lasso.beyond().subs({lasso.NOISE: 1, lasso.DIMENSION: 64, lasso.SAMPLES: 129})
    state = lasso.fixed_point(TARGET, samples=128, noise=1, cut=0)
    assert state.risk == pytest.approx(float(exact), rel=SOLVED)
    assert state.penalty == 0


@pytest.mark.parametrize(("mu", "cut"), [(0.0, 0.5), (0.7, 1.3), (3.0, 2.0)])
def test_channel_is_the_integral_over_its_noise(mu, cut):
    """r(mu) is E (eta(mu + Z) - mu)^2 by Riemann's sum, and channel_slope half its derivative."""
    step = 1e-3
    total = 0.0
    for place in range(-10_000, 10_001):
        z = place * step
        moved = mu + z
        error = math.copysign(max(abs(moved) - cut, 0.0), moved) - mu
        total += error**2 * math.exp(-z * z / 2)
    # Riemann's sum errs by step^2 at the two kinks, the difference quotient by step^2 too.
    assert lasso.channel_risk(mu, cut) == pytest.approx(total * step / math.sqrt(2 * math.pi), abs=step**2)
    across = (lasso.channel_risk(mu, cut + step) - lasso.channel_risk(mu, cut - step)) / (2 * step)
    assert 2 * lasso.channel_slope(mu, cut) == pytest.approx(across, abs=step**2)


@pytest.mark.parametrize("samples", [24, 64, 200])
def test_states_are_fixed_points(samples):
    """n tau^2 = s2 + R at the penalty asked for, below, at and above n = d."""
    state = lasso.at_penalty(TARGET, samples=samples, noise=0.5, penalty=2.0)
    assert samples * state.level**2 == pytest.approx(0.5 + state.risk, rel=SOLVED)
    assert state.penalty == pytest.approx(2.0, rel=SOLVED)


@pytest.mark.parametrize("samples", [24, 64, 200])
def test_no_penalty_does_better_than_the_best(samples):
    """R at the best penalty is below R at a hundredth more or less."""
    state = lasso.best(TARGET, samples=samples, noise=0.5)
    for factor in (0.99, 1.01):
        near = lasso.at_penalty(TARGET, samples=samples, noise=0.5, penalty=state.penalty * factor)
        assert near.risk > state.risk


def test_the_best_is_found_where_functions_are_steepest():
    """At d = 1e48, where noise falls by fifty powers of ten with alpha, a hundredth more or less alpha is worse."""
    target, samples = lasso.power_law_target(2, 10**48, 4), 1e24
    state = lasso.best(target, samples=samples, noise=0.5)
    for factor in (0.99, 1.01):
        assert lasso.fixed_point(target, samples=samples, noise=0.5, cut=state.cut * factor).risk > state.risk


def test_blocks_stand_for_their_weights():
    """A target in blocks has as many weights as one spelt out, and its risk within a block's relative width squared."""
    plain, blocks = (lasso.power_law_target(1, 512, parts) for parts in (512, 32))
    assert sum(count for _, count in plain) == sum(count for _, count in blocks) == 512
    assert len(blocks) < len(plain) == 512
    first, second = (lasso.best(each, samples=64, noise=0.5).risk for each in (plain, blocks))
    assert first == pytest.approx(second, rel=32**-2)


def test_refusals_name_the_remedy():
    """No noise, or fewer samples than r(0) asks for, has no fixed point."""
    with pytest.raises(QuestionError, match="positive noise"):
        lasso.fixed_point(TARGET, samples=32, noise=0, cut=2)
    with pytest.raises(QuestionError, match=r"n > d r\(0\)"):
        lasso.fixed_point(TARGET, samples=32, noise=1, cut=0)
    with pytest.raises(QuestionError, match="smaller one"):
        lasso.at_penalty(TARGET, samples=32, noise=1, penalty=1e9)

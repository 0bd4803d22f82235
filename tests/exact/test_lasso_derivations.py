"""Weight decay as LASSO: the exponents by two roads, and the identities of state evolution."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import sympy
from sympy import Rational, Symbol, oo, pi, sqrt

from powercount.derivations.recipe import QuestionError
from powercount.derivations.scaling_laws import lasso_risk

TARGET = lasso_risk.power_law_target(1, 64)
# What the solver stops at, 2^-44, met at most a thousandfold by a derivative of the state.
SOLVED = 1e-9
GAMMAS = [Fraction(3, 4), Fraction(1), Fraction(3, 2), Fraction(2)]


def best_exponent_by_integral(gamma):
    """The second road: min(k^(-gamma), t)^2 integrated over k >= 1, t = n^(-1/2), and SymPy's limit of its slope."""
    k, n = Symbol("k", positive=True), lasso_risk.SAMPLES
    last = n ** (1 / (2 * gamma))
    error = (last - 1) / n + sympy.integrate(k ** (-2 * gamma), (k, last, oo))
    return sympy.limit(sympy.simplify(-n * sympy.diff(error, n) / error), n, oo)


def null_risk_by_integral():
    """The second road: 2 times the integral of (z - alpha)^2 phi(z) over z > alpha."""
    z = Symbol("z", positive=True)
    return 2 * sympy.integrate(z**2 * sympy.exp(-((z + lasso_risk.CUT) ** 2) / 2) / sqrt(2 * pi), (z, 0, oo))


def peak_at():
    """q = s2/(1 - r(0)) and lambda = alpha sqrt(q) (1 - P(|Z| > alpha)) at n = d, no weights and no order dropped."""
    q = lasso_risk.NOISE / (1 - lasso_risk.null_risk())
    return q, lasso_risk.CUT * sqrt(q) * (1 - sympy.erfc(lasso_risk.CUT / sqrt(2)))


@pytest.mark.parametrize("gamma", GAMMAS)
def test_best_exponent_by_two_roads(gamma):
    """1 - 1/(2 gamma) is the power of the chain's last line, of the integral's limit, and of the logarithm."""
    exact = sympy.nsimplify(gamma)
    power = lasso_risk.best_exponent().subs(lasso_risk.GAMMA, exact)
    assert power == 1 - 1 / (2 * exact) == best_exponent_by_integral(exact)
    assert sympy.simplify(lasso_risk.logarithm_power() - lasso_risk.best_exponent()) == 0
    # At infinite alpha nothing is left of the logarithm.
    assert lasso_risk.local_exponent(gamma, math.inf) == float(power)


@pytest.mark.parametrize("gamma", GAMMAS)
def test_first_orders_by_hand(gamma):
    """R has 1 + p (2 p + 1)/A, bias p (2 p - 1) and noise 2 p; A + 3 log A is moved by -(6 + 2 (2 p - 1) (p - 1))/A."""
    p = 1 - 1 / (2 * gamma)
    first, _, shift, _ = lasso_risk.next_orders(gamma)
    # Exact fractions, rounded once.
    assert first == float(p * (2 * p + 1))
    assert shift == float(-6 - 2 * (2 * p - 1) * (p - 1))


def test_null_risk_by_two_roads():
    """r(0) is the integral of the soft threshold's square, and the numbers' closed form at mu = 0."""
    assert sympy.simplify((null_risk_by_integral() - lasso_risk.null_risk()).rewrite(sympy.erf).expand()) == 0
    for cut in (0.25, 1, 3):
        exact = float(lasso_risk.null_risk().subs(lasso_risk.CUT, sympy.nsimplify(cut)))
        # The same formula in floats: a few roundings, grown by the cancellation of 1/alpha^4.
        assert lasso_risk.channel_risk(0, cut) == pytest.approx(exact, rel=1e-12)


def test_peak_by_two_roads():
    """q lambda^(2/3) -> (pi/32)^(1/3) s2^(4/3), so that its power is 2/3; the second road drops no order."""
    q, penalty = peak_at()
    height = sympy.cbrt(sympy.limit(sympy.simplify(q**3 * penalty**2), lasso_risk.CUT, 0))
    assert lasso_risk.peak_exponent() == Rational(2, 3)
    assert sympy.simplify(height - lasso_risk.peak() * lasso_risk.PENALTY ** Rational(2, 3)) == 0
    assert sympy.simplify(height - sympy.cbrt(pi / 32) * lasso_risk.NOISE ** Rational(4, 3)) == 0


def test_next_order_of_the_peak():
    """What the correction leaves, of no weights, is less than its square; twice the correction leaves more."""
    small = {lasso_risk.CUT: Rational(1, 1000), lasso_risk.NOISE: 1}
    q, penalty = (each.subs(small).evalf(30) for each in peak_at())
    at = {lasso_risk.PENALTY: penalty, lasso_risk.NOISE: 1, lasso_risk.SIZE: 0}
    over, first = q / lasso_risk.peak().subs(at) - 1, lasso_risk.peak_correction().subs(at)
    assert abs(over - first) < first**2 < abs(over - 2 * first)


def test_the_peak_is_at_n_equal_to_d():
    """D = x + 2 s alpha is least along s alpha^2 - D alpha + sqrt(D) lambda/sqrt(s2) = 0 where x = 0."""
    least, s = Symbol("D", positive=True), sqrt(2 / pi)
    curve = s * lasso_risk.CUT**2 - least * lasso_risk.CUT + sqrt(least) * lasso_risk.PENALTY / sqrt(lasso_risk.NOISE)
    (found,) = sympy.solve(sympy.diff(curve, lasso_risk.CUT), least)
    assert found - 2 * s * lasso_risk.CUT == 0
    # And D is as in the height's formula there.
    penalty = sympy.solve(curve.subs(least, found), lasso_risk.PENALTY)[0]
    assert sympy.simplify(lasso_risk.NOISE / lasso_risk.peak().subs(lasso_risk.PENALTY, penalty) - found) == 0


def test_beyond_the_peak_is_least_squares():
    """s2 d/(n - d - 1) falls as 1/n; state evolution at alpha = 0 is it but for the 1."""
    assert lasso_risk.beyond_exponent() == 1
    exact = lasso_risk.beyond().subs({lasso_risk.NOISE: 1, lasso_risk.DIMENSION: 64, lasso_risk.SAMPLES: 129})
    state = lasso_risk.fixed_point(TARGET, samples=128, noise=1, cut=0)
    assert state.risk == pytest.approx(float(exact), rel=SOLVED)
    assert (state.penalty, state.spare) == (0, 64)


@pytest.mark.parametrize("samples", [72, 128, 640])
def test_size_correction_is_exact_for_least_squares(samples):
    """1/(n - d), the first order of 1/(n - d - 1); its square, the next, is what is left."""
    state = lasso_risk.fixed_point(TARGET, samples=samples, noise=1, cut=0)
    # The difference quotient errs by the square of its step over 1 - d/n, and a factor of a dozen.
    wrong = 12 * (float(lasso_risk.STEP) * samples / (samples - 64)) ** 2
    assert lasso_risk.size_correction(TARGET, state, samples) == pytest.approx(1 / (samples - 64), rel=wrong)
    assert lasso_risk.size_left(TARGET, state, samples) == pytest.approx((samples - 64) ** -2, rel=SOLVED)


@pytest.mark.parametrize("gamma", GAMMAS[1:])
def test_size_correction_where_alpha_is_large(gamma):
    """p alpha^2/(2 n) at the best penalty: E exp(-alpha^2/(2 (1 + e))), e of variance 2/n, on 2 p/alpha^2 of R."""
    samples, power = 1e16, 1 - 1 / (2 * gamma)
    target = lasso_risk.power_law_target(gamma, 10**24, 8)
    state = lasso_risk.best(target, samples=samples, noise=0.5)
    # The next order in 1/alpha^2, of a coefficient near p.
    assert abs(lasso_risk.size_correction(target, state, samples) * samples - power * state.cut**2 / 2) < power


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
    assert lasso_risk.channel_risk(mu, cut) == pytest.approx(total * step / math.sqrt(2 * math.pi), abs=step**2)
    across = (lasso_risk.channel_risk(mu, cut + step) - lasso_risk.channel_risk(mu, cut - step)) / (2 * step)
    assert 2 * lasso_risk.channel_slope(mu, cut) == pytest.approx(across, abs=step**2)


@pytest.mark.parametrize("samples", [24, 64, 200])
def test_states_are_fixed_points(samples):
    """n tau^2 = s2 + R at the penalty asked for, below, at and above n = d."""
    state = lasso_risk.at_penalty(TARGET, samples=samples, noise=0.5, penalty=2.0)
    assert samples * state.level**2 == pytest.approx(0.5 + state.risk, rel=SOLVED)
    assert state.penalty == pytest.approx(2.0, rel=SOLVED)
    # l = alpha tau (n - active), worked out once more.
    root = math.sqrt(2)
    kept = sum(
        count * (math.erfc((state.cut - w / state.level) / root) + math.erfc((state.cut + w / state.level) / root)) / 2
        for w, count in TARGET
    )
    assert state.cut * state.level * (samples - kept) == pytest.approx(2.0, rel=SOLVED)


@pytest.mark.parametrize("samples", [24, 64, 200])
def test_no_penalty_does_better_than_the_best(samples):
    """R at the best penalty is below R at a hundredth more or less."""
    state = lasso_risk.best(TARGET, samples=samples, noise=0.5)
    for factor in (0.99, 1.01):
        near = lasso_risk.at_penalty(TARGET, samples=samples, noise=0.5, penalty=state.penalty * factor)
        assert near.risk > state.risk


def test_the_best_is_found_where_functions_are_steepest():
    """At d = 1e48, where noise falls by fifty powers of ten with alpha, a hundredth more or less alpha is worse."""
    target, samples = lasso_risk.power_law_target(2, 10**48, 4), 1e24
    state = lasso_risk.best(target, samples=samples, noise=0.5)
    for factor in (0.99, 1.01):
        assert lasso_risk.fixed_point(target, samples=samples, noise=0.5, cut=state.cut * factor).risk > state.risk


def test_blocks_stand_for_their_weights():
    """A target in blocks has as many weights as one spelt out, and its risk within a block's relative width squared."""
    plain, blocks = (lasso_risk.power_law_target(1, 512, parts) for parts in (512, 32))
    assert sum(count for _, count in plain) == sum(count for _, count in blocks) == 512
    assert len(blocks) < len(plain) == 512
    first, second = (lasso_risk.best(each, samples=64, noise=0.5).risk for each in (plain, blocks))
    assert first == pytest.approx(second, rel=32**-2)


def test_refusals_name_the_remedy():
    """No noise, or fewer samples than r(0) asks for, has no fixed point; not all penalties have a state."""
    with pytest.raises(QuestionError, match="positive noise"):
        lasso_risk.fixed_point(TARGET, samples=32, noise=0, cut=2)
    with pytest.raises(QuestionError, match=r"n > d r\(0\)"):
        lasso_risk.fixed_point(TARGET, samples=32, noise=1, cut=0)
    with pytest.raises(QuestionError, match="samples above 0"):
        lasso_risk.best(TARGET, samples=0, noise=1)
    with pytest.raises(QuestionError, match="penalty above 0"):
        lasso_risk.at_penalty(TARGET, samples=128, noise=1, penalty=0)
    with pytest.raises(QuestionError, match="fewer samples"):
        lasso_risk.best(lasso_risk.power_law_target(1, 10), samples=1e6, noise=0.5)
    with pytest.raises(QuestionError, match="smaller one"):
        lasso_risk.at_penalty(TARGET, samples=32, noise=1, penalty=1e9)

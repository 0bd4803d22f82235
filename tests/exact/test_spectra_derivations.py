"""Scaling laws of power-law spectra: two roads to each exponent, constants against sums, limits of the equivalent."""

from __future__ import annotations

import math

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from sympy import Rational

from powercount.derivations.scaling_laws import ridge, spectra

RATIONALS = [Rational(1, 4), Rational(1, 2), Rational(1), Rational(2)]


def test_constant_is_the_integral():
    """c(s) is the integral of 1/(1 + x^s): pi/2 at s = 2, 2 pi/(3 sqrt 3) at s = 3."""
    x = sympy.Symbol("x", positive=True)
    for s in (2, 3, 4):
        integral = sympy.integrate(1 / (1 + x**s), (x, 0, sympy.oo))
        assert sympy.simplify(integral - spectra.constant(sympy.Integer(s))) == 0


def test_exponents_of_a_white_target():
    """The local exponent tends to a from below, a - (1 + a)/(2 m + 1); the variance-limited one is 1."""
    expected = spectra.A - (1 + spectra.A) / (2 * spectra.FEWER + 1)
    assert sympy.simplify(spectra.local_exponent() - expected) == 0
    assert spectra.white_exponent() == spectra.A
    assert spectra.variance_limited_exponent() == 1


@pytest.mark.parametrize("capacity", [Rational(3, 2), Rational(2)])
@pytest.mark.parametrize("target", [Rational(3, 2), Rational(2), Rational(7, 3), Rational(6)])
@pytest.mark.parametrize("order", [1, 2])
def test_source_exponents_by_a_second_road(order, target, capacity):
    """min(a - 1, order b) is the limit of the sum's local power."""
    first = spectra.at(spectra.exponent_of_order(order), target=target, capacity=capacity)
    assert spectra.exponent_by_integral(order, target=target, capacity=capacity) == first


def test_a_white_target_does_not_break_the_duality_of_exponents():
    """With w = 1, a = b, data and features agree; they part when a - 1 > b."""
    white = {spectra.A: spectra.B}
    for b in (Rational(5, 4), Rational(3)):
        assert spectra.data_exponent().subs(white).subs(spectra.B, b) == b - 1
        assert spectra.feature_exponent().subs(white).subs(spectra.B, b) == b - 1
    easy = {"target": Rational(6), "capacity": Rational(3, 2)}
    assert spectra.at(spectra.data_exponent(), **easy) == 3
    assert spectra.at(spectra.feature_exponent(), **easy) == Rational(3, 2)


@pytest.mark.parametrize("a", RATIONALS)
def test_constant_and_correction_are_those_of_the_sum(a):
    """c^(1 + a) m (m + 1/2)^(-(1 + a)) is m kappa_m of the whole sum, within the next Euler-Maclaurin term, m^(-2)."""
    modes, m = 4096, 64
    spectrum, tail = ridge.power_law(1 + a, modes), ridge.power_law_tail(1 + a, modes)
    summed = ridge.one_sided_loss(spectrum, m, tail)
    formula = float(spectra.loss().subs({spectra.A: a, spectra.FEWER: m}))
    # The tail as a ridge is exact to lambda_S/kappa = (m/S)^(1 + a) of its share of the loss, (m/S)^a.
    assert summed == pytest.approx(formula, rel=m**-2 + float((m / modes) ** (1 + 2 * a)))


@given(
    power=st.floats(1.25, 3),
    samples=st.integers(16, 96),
    more=st.integers(8, 64),
)
def test_two_formulas_of_one_law(power, samples, more):
    """Ridgeless and white: m kappa_m M/(M - m), the joint law but for 1/M; samples and features alike."""
    spectrum, white = ridge.power_law(power, 256), [1] * 256
    few, many = samples, samples + more
    expected = ridge.one_sided_loss(spectrum, few) * many / (many - few)
    for pair in ({"samples": few, "features": many}, {"samples": many, "features": few}):
        # One identity in floats: the threshold's last digit, 1e-15, grows by the condition of 1 - gamma_1.
        assert ridge.expected_error(spectrum, white, **pair) == pytest.approx(expected, rel=1e-6)


@given(power=st.floats(1.25, 3), samples=st.integers(4, 128), penalty=st.floats(1e-4, 1))
def test_infinitely_many_features_are_kernel_ridge_regression(power, samples, penalty):
    """P infinite: (sum lambda w^2 (kappa/(lambda + kappa))^2 + s2)/(1 - df_2/D)."""
    spectrum, white, noise = ridge.power_law(power, 128), [1] * 128, 0.1
    kappa = ridge.threshold(spectrum, samples, math.inf, penalty)
    left = sum(value * (kappa / (value + kappa)) ** 2 for value in spectrum)
    expected = (left + noise) / (1 - ridge.resolved(kappa, spectrum, 2) / samples)
    found = ridge.expected_error(spectrum, white, samples=samples, ridge=penalty, noise=noise)
    # One identity in floats, summed in two orders.
    assert found == pytest.approx(expected, rel=1e-9)


def test_enough_samples_learn_every_mode():
    """More samples and features than modes: no loss without noise, noise (1 + S/(D - S)) with it."""
    spectrum = ridge.power_law(2, 8)
    assert ridge.expected_error(spectrum, [1] * 8, samples=16, features=32) == 0
    assert ridge.expected_error(spectrum, [1] * 8, samples=16, features=32, noise=1) == 2

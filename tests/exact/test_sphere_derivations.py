"""Arc-cosine kernels on spheres, and the spread of a loss: exact identities and second roads."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational

from powercount.derivations.recipe import QuestionError
from powercount.derivations.scaling_laws import sphere, spread
from powercount.derivations.scaling_laws.spectra import A, B

POWERS = st.fractions(min_value=Fraction(5, 4), max_value=8, max_denominator=8)


@pytest.mark.parametrize(("kind", "order"), [("nngp", 3), ("ntk", 1)])
def test_the_singularity_gives_the_exponent(kind, order):
    """alpha_K = t/m with theta^t the first odd power; the eigenvalues on S^2 decay as l^(-(2 + t))."""
    assert sphere.singular_order(kind) == order
    assert [sphere.spectral_exponent(kind, m) for m in (1, 2, 4)] == [order, Rational(order, 2), Rational(order, 4)]
    assert sphere.decay(kind) == 2 + order


@pytest.mark.parametrize("kind", sphere.KERNELS)
def test_eigenvalues_are_integrals_against_legendre_polynomials(kind):
    """The recursion's fractions are SymPy's integrals; odd degrees from 3 on vanish, all are positive or zero."""
    known = sphere.coefficients(kind, 60)
    assert [sphere.coefficient_by_integral(kind, degree) for degree in (0, 1, 2)] == [
        Rational(str(value)) for value in known[:3]
    ]
    assert all(value == 0 for value in known[3::2])
    assert all(value > 0 for value in [known[1], *known[::2]])


@pytest.mark.parametrize("kind", sphere.KERNELS)
def test_the_trace_is_the_kernel_at_zero_angle(kind):
    """What the degrees beyond hold of the trace falls as its own tail, l^(-t)."""
    tails = [1 - sum((2 * k + 1) * value for k, value in enumerate(sphere.coefficients(kind, n))) for n in (200, 400)]
    assert 0 < tails[1] < tails[0]
    # Their ratio has a correction of a few 1/l.
    assert float(tails[0] / tails[1]) == pytest.approx(2 ** sphere.singular_order(kind), rel=0.02)
    values, rest = sphere.spectrum(kind, 200)
    assert values == sorted(values, reverse=True)
    # The same fraction, rounded once.
    assert rest == float(tails[0])


def test_an_unknown_kernel_is_refused():
    """The remedy is the list of names."""
    with pytest.raises(QuestionError, match="nngp"):
        sphere.coefficients("rbf", 3)


@settings(max_examples=30)
@given(source=POWERS, capacity=POWERS)
def test_the_ratio_of_spread_and_mean_lies_between_zero_and_a_half(source, capacity):
    """e is 2 b + 1 - a held between 0 and 1/2, whichever way it is written."""
    at = {A: Rational(str(source)), B: Rational(str(capacity))}
    assert spread.ratio_exponent().subs(at) == spread.ratio_by_cases().subs(at)


@pytest.mark.parametrize("case", [("2", "2", "1/2"), ("15/4", "3/2", "1/4"), ("6", "3/2", "0")])
def test_the_ratio_by_integrals(case):
    """Both sums as integrals over k give the same power, in all three regimes."""
    source, capacity, expected = map(Rational, case)
    assert spread.ratio_at(target=source, capacity=capacity) == expected
    assert spread.ratio_by_integral(target=source, capacity=capacity) == expected


@pytest.mark.parametrize(
    ("source", "capacity", "within"), [("2", "2", 0.01), ("6", "3/2", 0.01), ("15/4", "3/2", 0.07)]
)
def test_the_ratio_at_finite_size_tends_to_its_power(source, capacity, within):
    """The local slope of sigma/mu from D = 512 to 1024 is -e; at e = 1/4, where two powers cross, still on its way."""
    a, b = Fraction(source), Fraction(capacity)
    few, many = (spread.ratio_here(a, b, size, 8192) for size in (512, 1024))
    exact = float(spread.ratio_at(target=Rational(source), capacity=Rational(capacity)))
    # The next terms: of order 1/D where one power rules, and D^(-1/4) of order .4 where two cross.
    assert abs(math.log2(few / many) - exact) < within

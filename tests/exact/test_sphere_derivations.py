"""Arc-cosine kernels on spheres, and the spread of a loss: exact identities and second roads."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational

from powercount.derivations.recipe import QuestionError
from powercount.derivations.scaling_laws import ridge, sphere, spread
from powercount.derivations.scaling_laws.spectra import A, B
from powercount.ledger.spread import ratio_rows

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
    ("source", "capacity", "size", "within"),
    [("2", "2", 512, 0.01), ("6", "3/2", 512, 0.01), ("15/4", "3/2", 16384, 0.04)],
)
def test_the_ratio_at_finite_size_tends_to_its_power(source, capacity, size, within):
    """The local slope of sigma/mu from D to 2 D is -e; at e = 1/4, where two powers cross, still on its way."""
    a, b = Fraction(source), Fraction(capacity)
    few, many = (spread.ratio_here(a, b, samples, 8 * size) for samples in (size, 2 * size))
    exact = float(spread.ratio_at(target=Rational(source), capacity=Rational(capacity)))
    # The next terms: of order 1/D where one power rules, D^(-1/4) where two cross (.093 at D = 512, .055 at 4096).
    assert abs(math.log2(few / many) - exact) < within


def squared_covariance_of_blocks(source, capacity, samples, modes):
    """The second road to E tr C^2: the deterministic equivalent of one resolvent of 4 by 4 blocks, by iteration."""
    values, starts = (np.array(ridge.power_law(power, modes)) for power in (capacity, source))
    tail, noise = ridge.power_law_tail(capacity, modes), ridge.power_law_tail(source, modes)
    blocks, beyond = np.tile(np.eye(4), (modes, 1, 1)), np.eye(4)
    for row, above in enumerate((starts / values, values, starts / values)):
        blocks[:, row, row + 1] = -above
    beyond[0, 1] = beyond[2, 3] = noise / tail
    total = np.eye(4) * ridge.one_sided_loss(values.tolist(), samples, tail)
    for _ in range(200):
        corner = np.linalg.inv(blocks + values[:, None, None] * samples * np.linalg.inv(total))
        total = tail * beyond + np.einsum("k,kij->ij", values, corner)
    return total[0, 3]


@settings(max_examples=10)
@given(
    source=st.fractions(min_value=Fraction(5, 4), max_value=6, max_denominator=8),
    capacity=st.fractions(min_value=Fraction(5, 4), max_value=3, max_denominator=8),
    samples=st.integers(4, 60),
)
def test_the_square_of_the_covariance_is_that_of_the_blocks(source, capacity, samples):
    """The one formula beside the fixed point of blocks, fluctuations of single modes counted in."""
    values, tail = ridge.power_law(capacity, 128), ridge.power_law_tail(capacity, 128)
    kappa = ridge.one_sided_loss(values, samples, tail) / samples
    learned = [value / (value + kappa) for value in values]
    left = [start * (1 - w) ** 2 for start, w in zip(ridge.power_law(source, 128), learned, strict=True)]
    shares = [math.fsum(w**power for w in learned) / samples for power in (2, 3, 4)]
    mean = (math.fsum(left) + ridge.power_law_tail(source, 128)) / (1 - shares[0])
    sums = [math.fsum(u * w**power for u, w in zip(left, learned, strict=True)) for power in (1, 2)]
    squares = math.fsum(u * u for u in left) / (1 - shares[0]) ** 2
    found = squares + spread.between_modes(mean, *sums, shares, samples)
    assert found == pytest.approx(squared_covariance_of_blocks(source, capacity, samples, 128), rel=1e-8)


@pytest.mark.parametrize("case", [("3/2", "9/5"), ("9/4", "3/2"), ("3", "3/2"), ("6", "2"), ("9", "2")])
def test_the_ratio_at_finite_size_is_that_of_draws(case):
    """Over the whole range of e, within 3/D beside the noise of 48 draws: where few modes are left and where many."""
    source, capacity = map(Fraction, case)
    for size in (16, 64):
        seen = [
            row[0] for row in ratio_rows(source=case[0], capacity=case[1], sizes=[size], modes=256, members=48, seed=1)
        ]
        expected = spread.ratio_here(source, capacity, size, 256)
        assert abs(np.mean(seen) / expected - 1) < 3 / size + 4 * np.std(seen) / 48**0.5 / expected

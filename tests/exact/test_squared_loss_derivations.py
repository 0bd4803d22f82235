"""The squared loss's next order: Wishart moments by enumeration, alignment and norms against free probability.

``approx`` alone is rounding: both sides are exact. Where another tolerance is given its reason stands beside it.
"""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from scipy.special import erf, expit, ndtr

from powercount.derivations.mean_field import InfiniteWidth
from powercount.derivations.moments import aligned_slopes, moments, slope_covariance, square_covariance
from powercount.derivations.named import named_recipe
from powercount.derivations.norms import Norms
from powercount.derivations.recipe import ACTIVATIONS, Optimizer, observables
from powercount.derivations.squared_loss import SquaredLoss


def pairings(places):
    """Every way to pair up an even number of places."""
    if not places:
        yield []
        return
    first, rest = places[0], places[1:]
    for index, second in enumerate(rest):
        for others in pairings(rest[:index] + rest[index + 1 :]):
            yield [(first, second), *others]


def loops(places, one, other):
    """The cycles of two pairings, as lists of places."""
    seen, found = set(), []
    for start in places:
        here, cycle = start, []
        while here not in seen:
            seen |= {here, one[here]}
            cycle.append(here)
            here = other[one[here]]
        if cycle:
            found.append(cycle)
    return found


def wishart(operators):
    """E tr(W A_1 W A_2 ...), W = V^T V, rows of V of variance one: {(power of C, traces of words): count}."""
    places = list(range(2 * len(operators)))
    rows = {place: place ^ 1 for place in places}
    columns = {}
    for index in range(len(operators)):
        a, b = 2 * index + 1, (2 * index + 2) % len(places)
        columns[a], columns[b] = b, a
    found = Counter()
    for pairing in pairings(places):
        mate = dict(pairing) | {b: a for a, b in pairing}
        words = []
        for cycle in loops(places, columns, mate):
            letters = [operators[min(here, columns[here]) // 2 if {here, columns[here]} != {0, len(places) - 1} else -1]
                       for here in cycle]  # fmt: skip
            words.append("".join(sorted(letters)))
        found[len(loops(places, rows, mate)), tuple(sorted(words))] += 1
    return dict(found)


def test_wishart_moments_are_those_of_the_module():
    """E h^T W h, h^T W K W h and h^T W K W K W h, H = h h^T: every power of C and every trace, by Wick's theorem.

    Words have sorted letters: with one H each, K and H commute under the trace up to h^T K h = tr K H.
    """
    assert wishart("H") == {(1, ("H",)): 1}
    assert wishart("KH") == {(2, ("HK",)): 1, (1, ("HK",)): 1, (1, ("H", "K")): 1}
    assert wishart("KKH") == {
        (3, ("HKK",)): 1,
        (2, ("HKK",)): 3,
        (1, ("HKK",)): 4,
        (2, ("HK", "K")): 2,
        (1, ("HK", "K")): 2,
        (2, ("H", "KK")): 1,
        (1, ("H", "KK")): 1,
        (1, ("H", "K", "K")): 1,
    }


def linear(depth, name="ntk"):
    """One-layer linear blocks at alpha = 0: every block a free copy of M = (1 + W)^T (1 + W), x = 1."""
    recipe = named_recipe(name, layers=1, activation="linear", optimizer=Optimizer(loss="mse"))
    return SquaredLoss(InfiniteWidth(recipe, 64, depth))


@pytest.mark.parametrize("depth", [1, 3, 7])
def test_alignment_of_linear_blocks_is_free_multiplication(depth):
    """h^T (J J^T) h / (|h|^2 tr J J^T / n) = 1 + 3 L / 4: the variances of free factors add.

    And h^T K^2 h is the third moment of the product where the input alone moves: free cumulants 2, 3, 4 of M.
    """
    values = linear(depth)
    aligned, isotropic = values.received[1]
    size = aligned**2 * values.values.stream[0] + isotropic
    assert values.along(size, values.values.gradient[0] / values.values.gradient[-1]) == pytest.approx(1 + 0.75 * depth)
    k1, k2, k3 = 2, 3, 4
    once = twice = tau1 = tau2 = Fraction(1)
    for _ in range(depth):
        before = once
        once = Fraction(k1**2 * once + k2 * tau1, k1)
        twice = Fraction(k1**3 * twice + k1 * k2 * (2 * tau1 * before + tau2) + k3 * tau1**2, k1)
        tau2 = k1**2 * tau2 + k2 * tau1**2
        tau1 *= k1
    found = values.alignment(("input",), depth)
    scale = values.values.rate["input"] * values.values.multiplier["input"] ** 2
    assert found[0] == pytest.approx(float(once) * scale)
    assert found[1] == pytest.approx(float(twice) * scale**2)


def test_norms_of_linear_blocks():
    """n Var log |h_l|^2 = 2 + 3 l / 2 at alpha = 0, shared noise none; two levels share the lower one's."""
    norms = Norms(linear(5).values)
    assert [norms.between(level, level) for level in range(6)] == pytest.approx([2 + 1.5 * level for level in range(6)])
    assert norms.between(2, 5) == pytest.approx(norms.between(2, 2))
    assert abs(norms.shared(5)) < 1e-12


def test_shared_noise_of_relu_grows_as_the_square_of_the_blocks():
    """k = 1, relu, alpha = 1/2 is bounded; at alpha = 0 what all blocks share outgrows what each adds."""
    grows = Norms(InfiniteWidth(named_recipe("mup", layers=1), 64, 16))
    bounded = Norms(InfiniteWidth(named_recipe("depth-mup", layers=1), 64, 16))
    assert grows.shared(16) > 2 * grows.shared(8) > 4 * grows.shared(4)
    assert grows.shared(16) > 0.5 * grows.between(16, 16)
    assert 0 < bounded.shared(16) < 1


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_moments_of_squares_and_slopes_at_equality(activation):
    """At rho = 1 Cov(phi^2, phi^2) is the kurtosis; phi' phi along y is half of d E phi^2 / dq."""
    q, step = 0.7, 1e-4
    # The difference quotient is off by step^2 times a third derivative of order one.
    slope = (moments(activation, q + step).square - moments(activation, q - step).square) / (2 * step)
    assert aligned_slopes(activation, q)[1] == pytest.approx(slope, rel=1e-4)
    kurtosis = {"linear": 2, "abs": 2, "relu": 5}.get(activation)
    if kurtosis is not None:
        assert square_covariance(activation, q, q) == pytest.approx(kurtosis)
    # At rho = 1e-3 what is left is of the order of rho.
    assert square_covariance(activation, q, 1e6 * q) == pytest.approx(0, abs=1e-2)


@pytest.mark.parametrize("activation", ["erf", "tanh", "gelu", "silu"])
@pytest.mark.parametrize("std", [0.5, 2, 4, 10, 30])
def test_covariances_between_blocks_at_any_width_of_the_input(activation, std):
    """Against quadrature over both Gaussians, at correlations up to .995: within 7 %, exact where Mehler converges."""
    value, slope = {
        "erf": (erf, lambda y: 2 / np.sqrt(np.pi) * np.exp(-y * y)),
        "tanh": (np.tanh, lambda y: 1 / np.cosh(np.clip(y, -300, 300)) ** 2),
        "gelu": (lambda y: y * ndtr(y), lambda y: ndtr(y) + y * np.exp(-y * y / 2) / np.sqrt(2 * np.pi)),
        "silu": (lambda y: y * expit(y), lambda y: expit(y) * (1 + y * expit(-y))),
    }[activation]
    # Steps of .05 of what bends and of the narrower Gaussian; the rest of both lies beyond eight standard deviations.
    for part in (0.3, 0.9, 0.99):
        first, second = part * std**2, std**2
        a = np.linspace(-8, 8, round(max(400, 160 * std)) | 1) * math.sqrt(first)
        e = np.linspace(-8, 8, round(max(400, 160 * std * math.sqrt(1 - part))) | 1) * math.sqrt(second - first)
        outer, inner = np.exp(-(a**2) / first / 2), np.exp(-(e**2) / (second - first) / 2)
        outer, inner = outer / outer.sum(), inner / inner.sum()
        for fed, found in (
            (value, square_covariance(activation, first, second)),
            (slope, slope_covariance(activation, first, second)),
        ):
            here = fed(a) ** 2
            there = np.array([fed(each + e) ** 2 @ inner for each in a])
            covariance = outer @ (here * there) - (outer @ here) * (outer @ there)
            if fed is value:
                covariance /= (outer @ here) * (outer @ there)
            assert found == pytest.approx(covariance, rel=0.07 if std > 1 else 1e-4)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_next_order_vanishes_with_the_width(layers):
    """n (corrected / leading - 1) has a limit, and what cross-entropy's loss measures is left as it is."""
    recipe = named_recipe("sp", layers=layers, optimizer=Optimizer(loss="mse"))
    seen = 0
    for observable in observables(layers):
        near, far = (
            width * (SquaredLoss(values).mean_square(observable) / (values.mean_square(observable) or 1) - 1)
            for width in (10**5, 10**7)
            for values in [InfiniteWidth(recipe, width, 3)]
        )
        if observable.quantity.endswith("-update") and str(observable) != "feature-update@readout":
            # What is left between n = 1e5 and 1e7 is the order after this one, 1e-5 of it times some hundreds.
            assert near == pytest.approx(far, rel=0.01)
            assert far > 5
            seen += 1
    assert seen == len(observables(layers)) - 5

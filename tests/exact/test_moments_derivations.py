"""Gaussian moments of the activations hold at every variance, small or large."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate

from powercount.derivations.moments import aligned_slopes, fluctuation, moments

# The trapezoidal rule ends at 8 standard deviations, beyond which lies 1e-15 of the weight and 1e-12 of y^4.
ROUNDED = 1e-10


def mean(function, std):
    """E F(std x) by adaptive quadrature, cut where an activation bends."""
    cuts = [0.0, *sorted(x for x in (1 / std, 5 / std, 25 / std) if x < 9), 9.0]

    def both_sides(x):
        return (function(std * x) + function(-std * x)) * math.exp(-x * x / 2) / math.sqrt(2 * math.pi)

    return sum(
        integrate.quad(both_sides, low, high, epsabs=0, epsrel=1e-12, limit=200)[0] for low, high in pairwise(cuts)
    )


def tanh(y):
    return math.tanh(y), 1 - math.tanh(y) ** 2


def erf(y):
    return math.erf(y), 2 / math.sqrt(math.pi) * math.exp(-y * y)


def gelu(y):
    below = math.erfc(-y / math.sqrt(2)) / 2
    return y * below, below + y * math.exp(-y * y / 2) / math.sqrt(2 * math.pi)


def silu(y):
    s = 1 / (1 + math.exp(-max(y, -700)))
    return y * s, s * (1 + y * (1 - s))


@pytest.mark.parametrize("std", [1e-2, 1, 4, 16, 100, 1e4])
@pytest.mark.parametrize("both", [tanh, erf, gelu, silu], ids=lambda each: each.__name__)
def test_moments_hold_at_every_size_of_their_input(both, std):
    """Every moment is that of adaptive quadrature, for inputs far smaller and far larger than where phi bends."""
    name, q = both.__name__, std * std
    here = moments(name, q)
    found = [here.square, here.slope_square, here.slope_fourth, fluctuation(name, q)[0] + 1, aligned_slopes(name, q)[0]]
    square = mean(lambda y: both(y)[0] ** 2, std)
    expected = [
        square,
        mean(lambda y: both(y)[1] ** 2, std),
        mean(lambda y: both(y)[1] ** 4, std),
        mean(lambda y: both(y)[0] ** 4, std) / square**2,
        mean(lambda y: (both(y)[0] * both(y)[1]) ** 2, std),
    ]
    assert np.abs(np.array(found) / expected - 1).max() < ROUNDED

"""Trained networks of one hidden layer over many initializations: the variance of what they say, against the width.

f(x) = c sum_i v_i tanh(w_i x), d = 3 inputs on the sphere, targets a smooth function of them; full-batch gradient
descent on the mean square. NTK: c = n^(-1/2), rate eta; muP: c = 1/n, rate eta n. Members are initializations; they
share the points and the targets. Gradients are written out: with e = (f - y)/points, dv = c e phi, dw = c e v phi' x.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from powercount.derivations.recipe import check_name

Array = NDArray[np.float64]

INPUTS: Final = 3
POINTS: Final = 24
TESTS: Final = 32
POWERS: Final = {"ntk": 0.5, "mup": 1.0}


def _sphere(points: int, generator: np.random.Generator) -> Array:
    drawn = generator.standard_normal((points, INPUTS))
    found: Array = drawn / np.linalg.norm(drawn, axis=1, keepdims=True) * INPUTS**0.5
    return found


def outputs(
    parametrization: str, width: int, *, centred: bool, members: int, steps: int, rate: float, seed: int
) -> Array:
    """The trained network at fresh points, shape (members, tests); ``centred`` trains f - f_0 in place of f."""
    check_name("parametrization", parametrization, tuple(POWERS))
    data = np.random.default_rng([seed, 0])
    points, tests = _sphere(POINTS, data), _sphere(TESTS, data)
    direction = data.standard_normal(INPUTS)
    targets = np.sin(points @ direction / np.linalg.norm(direction))
    generator = np.random.default_rng([seed, 1, width])
    first = generator.standard_normal((members, width, INPUTS)) / INPUTS**0.5
    last = generator.standard_normal((members, width))
    power = POWERS[parametrization]
    factor, rate = width**-power, rate * width ** (2 * power - 1)

    def say(hidden: Array) -> Array:
        said: Array = factor * np.einsum("mn,mnp->mp", last, hidden)
        return said

    start, before = (say(np.tanh(first @ at.T)) * centred for at in (points, tests))
    for _ in range(steps):
        hidden = np.tanh(first @ points.T)
        error = (say(hidden) - start - targets) * (factor * rate / POINTS)
        pulled = (1 - hidden**2) * last[..., None] * error[:, None, :]
        last = last - np.einsum("mp,mnp->mn", error, hidden)
        first = first - pulled @ points
    return say(np.tanh(first @ tests.T)) - before

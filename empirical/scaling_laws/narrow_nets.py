"""Trained networks of one hidden layer over many initializations: what they say, and its loss, against the width.

f(x) = c sum_i v_i tanh(w_i x), d = 3 inputs on the sphere, targets a smooth function of them; full-batch gradient
descent on the mean square. NTK: c = n^(-1/2), rate eta; muP: c = 1/n, rate eta n. Members are initializations; they
share the points and the targets. Gradients are written out: with e = (f - y)/points, dv = c e phi, dw = c e v phi' x.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from powercount.derivations.recipe import check_name

Array = NDArray[np.float64]

INPUTS: Final = 3
POINTS: Final = 24
TESTS: Final = 32
POWERS: Final = {"ntk": 0.5, "mup": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Points on the sphere and their targets, to be learned and to be tested on."""

    points: Array
    targets: Array
    tests: Array
    truths: Array


def sphere_task(points: int, tests: int, generator: np.random.Generator) -> Task:
    """A sine of the projection on one direction."""
    both = []
    for count in (points, tests):
        drawn = generator.standard_normal((count, INPUTS))
        both.append(drawn / np.linalg.norm(drawn, axis=1, keepdims=True) * INPUTS**0.5)
    direction = generator.standard_normal(INPUTS)
    targets, truths = (np.sin(at @ direction / np.linalg.norm(direction)) for at in both)
    return Task(points=both[0], targets=targets, tests=both[1], truths=truths)


def learned(
    parametrization: str, first: Array, last: Array, task: Task, *, centred: bool, steps: int, rate: float
) -> Array:
    """Trained nets at the tests, shape (nets, tests), from w (nets, n, inputs) and v (nets, n).

    ``centred`` trains f - f_0 in place of f. Points and targets are shared, or each net's own on a first axis.
    """
    check_name("parametrization", parametrization, tuple(POWERS))
    power, width = POWERS[parametrization], last.shape[-1]
    factor, rate = width**-power, rate * width ** (2 * power - 1)
    turned, tests = np.swapaxes(task.points, -1, -2), task.tests.T

    def say(hidden: Array) -> Array:
        said: Array = factor * np.einsum("mn,mnp->mp", last, hidden)
        return said

    start, before = (say(np.tanh(first @ at)) * centred for at in (turned, tests))
    for _ in range(steps):
        hidden = np.tanh(first @ turned)
        error = (say(hidden) - start - task.targets) * (factor * rate / turned.shape[-1])
        pulled = (1 - hidden**2) * last[..., None] * error[:, None, :]
        last = last - np.einsum("mp,mnp->mn", error, hidden)
        first = first - pulled @ task.points
    return say(np.tanh(first @ tests)) - before


def outputs(
    parametrization: str, width: int, *, centred: bool, members: int, steps: int, rate: float, seed: int
) -> Array:
    """The trained network at fresh points, shape (members, tests)."""
    task = sphere_task(POINTS, TESTS, np.random.default_rng([seed, 0]))
    generator = np.random.default_rng([seed, 1, width])
    first = generator.standard_normal((members, width, INPUTS)) / INPUTS**0.5
    last = generator.standard_normal((members, width))
    return learned(parametrization, first, last, task, centred=centred, steps=steps, rate=rate)


def divided(parametrization: str, widths: Sequence[int], *, member: int, steps: int, rate: float, seed: int) -> Array:
    """The centred f of one member cut into nets of each width, shape (widths, tests + 1); the loss is the last column.

    Nets of every width share their units: the widest has them all, the others are disjoint parts of it, over which
    what is read is averaged.
    """
    task = sphere_task(POINTS, TESTS, np.random.default_rng([seed, 0]))
    generator = np.random.default_rng([seed, 2, member])
    first = generator.standard_normal((widths[-1], INPUTS)) / INPUTS**0.5
    last = generator.standard_normal(widths[-1])
    rows = []
    for width in widths:
        parts = first.reshape(-1, width, INPUTS), last.reshape(-1, width)
        said = learned(parametrization, *parts, task, centred=True, steps=steps, rate=rate)
        rows.append([*said.mean(axis=0), np.square(said - task.truths).mean()])
    return np.asarray(rows)

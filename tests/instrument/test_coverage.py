"""The interval keeps its word on real members, stopping included: resampled from pools of the most skewed cells.

A pool is measured once; its own slope is the truth. Experiments draw seeds from it with replacement and double them
until the interval at the suite's confidence is narrow, as ``measure`` does. In a default run each of two cells is
resampled a few thousand times; ``tox -e nightly`` draws a million from six.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from powercount.decide import CONFIDENCE
from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import Optimizer, observable_named
from powercount.empirical.design import Sweep
from powercount.empirical.ensemble import chunks, draw_ensemble
from powercount.empirical.fit import LARGEST_LOG_COVARIANCE, fit_slope, least_squares_weights
from powercount.empirical.nets import member_squares

MEMBERS = 2048
LEVELS = (0.05, 1e-3, 1 - CONFIDENCE)
ALLOWED = (2.0, 3.0, 3.0)  # times the nominal rate, on real members
FIRST, MOST, HALF_WIDTH = 16, 256, 0.1
SP, GROWTH = {"axis": "width", "sizes": (16, 32, 64, 128), "fixed": 3}, {"axis": "depth", "sizes": (2, 4, 8, 16)}
CELLS = {
    "sp, n = 16..128, output-update@input": ("sp", 2, "relu", "cross-entropy", SP, "output-update@input"),
    "ntk k=3, n = 16..128, output-update@hidden2": ("ntk", 3, "relu", "cross-entropy", SP, "output-update@hidden2"),
    "mup growth, width 48, own-update:readout": (
        "mup", 2, "relu", "cross-entropy", {**GROWTH, "fixed": 48}, "own-update:readout",
    ),
    "mup growth, width 48, own-update:1": ("mup", 2, "relu", "cross-entropy", {**GROWTH, "fixed": 48}, "own-update:1"),
    "sp growth, width 64, squared loss, own-update:readout": (
        "sp", 2, "relu", "mse", {**GROWTH, "fixed": 64}, "own-update:readout",
    ),
    "sp growth, width 64, squared loss, output-update@input": (
        "sp", 2, "relu", "mse", {**GROWTH, "fixed": 64}, "output-update@input",
    ),
}  # fmt: skip
NIGHT = 10**5
QUICK = ("sp, n = 16..128, output-update@input", "mup growth, width 48, own-update:readout")


@cache
def pool(cell):
    """(mean squares of real members, sizes): shape (members, sizes)."""
    name, layers, activation, loss, asked, observable = CELLS[cell]
    recipe = named_recipe(name, layers=layers, activation=activation, optimizer=Optimizer(loss=loss))
    sweep, wanted = Sweep(**asked), observable_named(observable, layers)
    width, depth = sweep.points()[-1]
    found = []
    for members in chunks(MEMBERS, layers * depth * width**2):
        draws = draw_ensemble(
            seed=1, members=members, width=width, depth=depth, layers=layers, data="digits", examples=sweep.examples
        )
        found.append(member_squares(recipe, [wanted], sweep, draws)[wanted])
    return np.concatenate(found), sweep.sizes


def intervals(squares, sizes):
    """What ``fit_slope`` gives, for many ensembles at once: (value, standard error, skewness left and right)."""
    seeds = squares.shape[1]
    weights = least_squares_weights(sizes)
    total = squares.sum(axis=1)
    value = np.log(total / seeds) @ weights / 2
    without = np.log((total[:, None] - squares) / (seeds - 1)) @ weights / 2
    centred = without - without.mean(axis=1, keepdims=True)
    error = np.sqrt((seeds - 1) / seeds * np.square(centred).sum(axis=1))
    skewness = -(centred**3).mean(axis=1) / np.square(centred).mean(axis=1) ** 1.5
    logs = np.log(squares)
    logs -= logs.mean(axis=1, keepdims=True)
    covariance = np.minimum(np.einsum("esi,esj->eij", logs, logs) / (seeds - 1), LARGEST_LOG_COVARIANCE)
    grown, a = np.expm1(covariance), weights / 2
    seen = grown @ a
    variance = seen @ a
    third = np.einsum("i,j,eij,eij->e", a, a, grown, (grown * a) @ grown) + 3 * np.square(seen) @ a
    log_normal = third / variance**1.5
    error = np.maximum(error, np.sqrt(variance / seeds))
    left, right = np.maximum(0, -np.minimum(skewness, log_normal)), np.maximum(0, np.maximum(skewness, log_normal))
    return value, error, left, right


def misses(cell, experiments, generator, batch=2000):
    """(how often each interval misses the pool's own slope; mean seeds) over that many experiments."""
    squares, sizes = pool(cell)
    truth = float(np.log(squares.mean(axis=0)) @ least_squares_weights(sizes)) / 2
    missed, seeds_used = np.zeros(len(LEVELS)), 0
    for first in range(0, experiments, batch):
        drawn = generator.integers(0, len(squares), (min(batch, experiments - first), MOST))
        seeds = FIRST
        while len(drawn):
            value, error, left, right = intervals(squares[drawn[:, :seeds]], sizes)
            reach = [stretch(seeds, level) for level in LEVELS]
            low = [value - error * (student + per * left) for student, per in reach]
            high = [value + error * (student + per * right) for student, per in reach]
            stop = (high[-1] - low[-1] <= 2 * HALF_WIDTH) | (seeds == MOST)
            for place in range(len(LEVELS)):
                missed[place] += (((truth < low[place]) | (truth > high[place])) & stop).sum()
            seeds_used += seeds * int(stop.sum())
            drawn, seeds = drawn[~stop], 2 * seeds
    return missed / experiments, seeds_used / experiments


@cache
def stretch(seeds, level):
    """(Student's quantile, what a skewness of one adds to it), read off ``Estimate.interval`` itself."""
    plain = fit_slope(np.array([[1.0, 2.0], [2.0, 1.0]] * (seeds // 2)), (1, 2))
    per_error = [
        type(plain)(value=0.0, standard_error=1.0, freedom=seeds - 1, skewness=(0.0, skew)).interval(1 - level)[1]
        for skew in (0.0, 1.0)
    ]
    return per_error[0], per_error[1] - per_error[0]


@pytest.mark.parametrize("cell", QUICK)
def test_the_formula_resampled_is_fit_slope(cell):
    """The many-at-once formula of this file is ``fit_slope`` and ``Estimate.interval``, to rounding."""
    squares, sizes = pool(cell)
    chosen = squares[:48].reshape(3, 16, -1)
    value, error, left, right = intervals(chosen, sizes)
    for place, sample in enumerate(chosen):
        fitted = fit_slope(sample, sizes)
        assert np.allclose(
            (value[place], error[place], left[place], right[place]),
            (fitted.value, fitted.standard_error, *fitted.skewness),
        )
        student, per = stretch(16, LEVELS[-1])
        assert np.isclose(fitted.interval(CONFIDENCE)[1], value[place] + error[place] * (student + per * right[place]))


def pytest_generate_tests(metafunc):
    """Every cell where a night is spent on it, else the two quick ones."""
    if "skewed_cell" in metafunc.fixturenames:
        metafunc.parametrize("skewed_cell", CELLS if metafunc.config.getoption("--experiments") >= NIGHT else QUICK)


def test_intervals_keep_their_word_on_skewed_members(skewed_cell, powercount_laws, pytestconfig):
    """Misses at most twice the nominal rate at 5 %, three times at 1e-3 and 1e-5; sampling error added, 4 sigma."""
    experiments = pytestconfig.getoption("--experiments")
    missed, seeds = misses(skewed_cell, experiments, np.random.default_rng(5))
    shown = ", ".join(f"{level:.0e}: {rate:.2e}" for level, rate in zip(LEVELS, missed, strict=True))
    powercount_laws.note(skewed_cell, f"{experiments} experiments, {seeds:.0f} seeds on average; misses at {shown}")
    for level, allowed, rate in zip(LEVELS, ALLOWED, missed, strict=True):
        assert rate <= allowed * level + 4 * (allowed * level / experiments) ** 0.5

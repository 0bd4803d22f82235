"""One small network on samples of a finite population: its loss on all of it, against the number of samples.

The net of ``width.py`` (NTK, width 8, one start for all) is trained on D points drawn with replacement from P = 512;
what infinitely many draws would leave is the same net trained on the population, exactly. Two losses: the mean square
to the targets, smooth; and the mean distance to the outputs of that limit itself, which has a kink there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from powercount.empirical.scaling_laws.narrow_nets import INPUTS, Array, learned, sphere_task

WIDTH: Final = 8
POPULATION: Final = 512


def losses(sizes: Sequence[int], *, members: int, steps: int, rate: float, seed: int) -> Array:
    """The two losses less their limits, shape (members, sizes, 2).

    One member is one draw of sizes[-1] samples; smaller ones are disjoint parts of it, over which losses are averaged.
    """
    data = np.random.default_rng([seed, 0])
    population = sphere_task(POPULATION, 0, data)
    population = replace(population, tests=population.points, truths=population.targets)
    first, last = data.standard_normal((1, WIDTH, INPUTS)) / INPUTS**0.5, data.standard_normal((1, WIDTH))
    limit = learned("ntk", first, last, population, centred=False, steps=steps, rate=rate)
    floor = np.square(limit - population.truths).mean()
    generator, found = np.random.default_rng([seed, 1]), np.empty((members, len(sizes), 2))
    for row in found:
        drawn = generator.integers(0, POPULATION, sizes[-1])
        for place, size in enumerate(sizes):
            parts = drawn.reshape(-1, size)
            task = replace(population, points=population.points[parts], targets=population.targets[parts])
            start = np.repeat(first, len(parts), axis=0), np.repeat(last, len(parts), axis=0)
            said = learned("ntk", *start, task, centred=False, steps=steps, rate=rate)
            row[place] = np.square(said - population.truths).mean() - floor, np.abs(said - limit).mean()
    return found

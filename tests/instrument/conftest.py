"""A bench on which implementations of one recipe are measured on the same draws and judged by its claims."""

from __future__ import annotations

import numpy as np
import pytest

from powercount.decide import CONFIDENCE
from powercount.derivations.predict import derive
from powercount.derivations.recipe import Observable, observables_of
from powercount.empirical.design import Sweep
from powercount.empirical.ensemble import draw_ensemble
from powercount.empirical.fit import fit_slope
from powercount.empirical.nets import member_squares
from powercount.empirical.sweep import Measurement
from powercount.finite_size import FiniteSize
from powercount.verdict import judge

WIDTH = Sweep(axis="width", sizes=(64, 128, 256), fixed=3, seeds=32, examples=8, confidence=CONFIDENCE)
DEPTH = Sweep(axis="depth", sizes=(4, 8, 16, 32), fixed=96, seeds=24, examples=8, confidence=CONFIDENCE)
SQUARED = Sweep(axis="width", sizes=(128, 256, 512), fixed=3, seeds=64, examples=8, confidence=CONFIDENCE)
GROWTH = Sweep(axis="depth", sizes=(2, 4, 8), fixed=128, seeds=32, examples=8, confidence=CONFIDENCE)


class Bench:
    """Verdicts on implementations of one claimed recipe along one axis, all on the same draws."""

    def __init__(self, against, axis, *, seed):
        grows = derive(against, Observable(quantity="stream")).along("depth") is None
        wide = SQUARED if against.optimizer.loss == "mse" else WIDTH
        self.against, self.axis = against, axis
        self.sweep = wide if axis == "width" else GROWTH if grows else DEPTH
        self.draws = self.drawn(seed=seed, data="digits")
        self.values = FiniteSize.of(against, self.sweep)
        self.predictions = {each: derive(against, each) for each in observables_of(against)}

    def drawn(self, *, seed, data):
        """Members of the sweep, drawn from a seed of the test's own."""
        width, depth = self.sweep.points()[-1]
        sizes = {"width": width, "depth": depth, "layers": self.against.block.layers}
        return draw_ensemble(
            seed=seed, members=range(self.sweep.seeds), data=data, examples=self.sweep.examples, **sizes
        )

    def verdicts(self, implementation):
        """Every observable of an implementation, judged by the claims."""
        squares = member_squares(implementation, list(self.predictions), self.sweep, self.draws)
        found = []
        for each, prediction in self.predictions.items():
            measurement = Measurement(
                observable=each,
                sweep=self.sweep,
                fitted=fit_slope(squares[each], self.sweep.sizes),
                sizes=self.sweep.sizes,
                points=tuple(np.sqrt(squares[each].mean(axis=0))),
                seeds=self.sweep.seeds,
                cpu_seconds=0.0,
            )
            found.append(judge(prediction, measurement, finite_size=self.values))
        return found

    def contradicts(self, implementation):
        """Whether some observable contradicts the implementation."""
        found = self.verdicts(implementation)
        assert len(found) == len(self.predictions)
        return any(verdict.outcome == "CONTRADICTS" for verdict in found)


@pytest.fixture(scope="session")
def bench_of():
    """``bench_of(claims, axis, seed=...)``."""
    return Bench

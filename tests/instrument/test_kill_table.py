"""The kill table: every single power of every named recipe, moved by 1/4 and by 1/2, is CONTRADICTED.

Each mutant is built and measured; the claims are the named recipe's. Small sweeps with shared draws come
first; a mutant they do not decide is measured again as ``verify`` would.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from powercount.derivations.named import NAMED, named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import AXES, LOSSES, Observable, Optimizer, observables
from powercount.empirical.ensemble import draw_ensemble
from powercount.empirical.fit import fit_slope
from powercount.empirical.sweep import Measurement, Sweep, member_squares
from powercount.finite_size import FiniteSize
from powercount.recipes import default_sweep, verify_axis
from powercount.verdict import CONFIDENCE, judge

README = Path(__file__).parents[2] / "README.md"
SHIFTS = (Fraction(-1, 2), Fraction(-1, 4), Fraction(1, 4), Fraction(1, 2))
WIDTH = Sweep(axis="width", sizes=(64, 128, 256), fixed=3, seeds=32, examples=8, confidence=CONFIDENCE)
DEPTH = Sweep(axis="depth", sizes=(4, 8, 16, 32), fixed=96, seeds=24, examples=8, confidence=CONFIDENCE)
SQUARED = Sweep(axis="width", sizes=(128, 256, 512), fixed=3, seeds=64, examples=8, confidence=CONFIDENCE)
GROWTH = Sweep(axis="depth", sizes=(2, 4, 8), fixed=128, seeds=32, examples=8, confidence=CONFIDENCE)


class Killer:
    """Judges mutants of one recipe on one axis, all on the same draws."""

    def __init__(self, claims, axis):
        grows = derive(claims, Observable(quantity="stream")).along("depth") is None
        self.claims, self.axis = claims, axis
        self.sweep = WIDTH if axis == "width" else GROWTH if grows else DEPTH
        width, depth = self.sweep.shapes()[-1]
        if claims.optimizer.loss == "mse" and axis == "width":
            self.sweep = SQUARED
            width, depth = self.sweep.shapes()[-1]
        self.draws = draw_ensemble(
            seed=11, members=range(self.sweep.seeds), width=width, depth=depth, layers=2, data="digits", examples=8
        )
        self.values = FiniteSize.of(claims, self.sweep)
        self.predictions = {each: derive(claims, each) for each in observables(2)}

    def outcomes(self, implementation):
        """The outcome of every observable of an implementation, judged by the claims."""
        found = {}
        squares = member_squares(implementation, list(self.predictions), self.sweep, self.draws)
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
            found[each] = judge(prediction, measurement, finite_size=self.values).outcome
        return found

    def kills(self, implementation):
        """Whether some observable contradicts the implementation."""
        if "CONTRADICTS" in self.outcomes(implementation).values():
            return True
        return any(v.outcome == "CONTRADICTS" for v in verify_axis(implementation, self.axis, claims=self.claims))


def pytest_generate_tests(metafunc):
    """Cross-entropy always; a night holds the squared loss and real steps as well."""
    night = metafunc.config.getoption("--night")
    if "loss" in metafunc.fixturenames:
        metafunc.parametrize("loss", LOSSES if night else ("cross-entropy",))
    if "real_kills" in metafunc.fixturenames:
        metafunc.parametrize("real_kills", [200 if night else 3])


def table(claims):
    """(how many mutants were tried by size of the move, the survivors)."""
    tried, survivors = Counter(), []
    for axis in AXES:
        killer = Killer(claims, axis)
        assert "CONTRADICTS" not in killer.outcomes(claims).values()
        for role, kind, of in claims.single_powers():
            for shift in SHIFTS:
                if of == axis:
                    mutant = claims.shifted(role, kind, axis, shift)
                    tried[abs(shift)] += 1
                    if not killer.kills(mutant):
                        survivors.append((abs(shift), mutant.name))
    return tried, survivors


@pytest.mark.parametrize("name", NAMED)
def test_every_moved_power_is_contradicted(name, loss, ledger):
    """Each of the 25 powers of a recipe, moved by 1/2 or 1/4 either way, contradicts some observable's claim.

    The README's line of the kill table is the one that was measured just now.
    """
    tried, survivors = table(named_recipe(name, optimizer=Optimizer(loss=loss)))
    lost = Counter(size for size, _ in survivors)
    ledger.note(
        f"{name}, {loss}",
        ", ".join(f"+-{size}: {tried[size] - lost[size]} of {tried[size]} contradicted" for size in sorted(tried)),
    )
    cells = [f"{tried[size] - lost[size]} of {tried[size]} contradicted" for size in (Fraction(1, 2), Fraction(1, 4))]
    assert tried == {Fraction(1, 2): 50, Fraction(1, 4): 50}
    assert not survivors
    assert f"| `{name}` | {cells[0]} | {cells[1]} |" in README.read_text(encoding="utf-8")


def test_an_unmoved_recipe_survives_on_other_draws():
    """The killer is no murderer: the claims' own implementation contradicts nothing on fresh draws."""
    killer = Killer(named_recipe("completep"), "depth")
    killer.draws = draw_ensemble(seed=12, members=range(24), width=96, depth=32, layers=2, data="gaussian", examples=8)
    assert "CONTRADICTS" not in killer.outcomes(killer.claims).values()


def test_wrong_powers_are_contradicted_after_real_steps(real_kills, ledger):
    """Powers drawn at random, moved by 1/2 or 1/4, contradict the claims of the recipe after one or five real steps."""
    draw, killed, survivors = random.Random(8), Counter(), []
    for _ in range(real_kills):
        claims = named_recipe(
            draw.choice(list(NAMED)), layers=draw.choice((1, 2)), activation=draw.choice(("relu", "tanh"))
        )
        axis, steps, shift = draw.choice(AXES), draw.choice((1, 5)), draw.choice(SHIFTS)
        role, kind, _ = draw.choice([each for each in claims.single_powers() if each[2] == axis])
        mutant = claims.shifted(role, kind, axis, shift)
        sweep = default_sweep(claims, axis, steps=steps)
        seen = verify_axis(mutant, axis, claims=claims, sweep=replace(sweep, most_seeds=64))
        if any(verdict.outcome == "CONTRADICTS" for verdict in seen):
            killed[abs(shift)] += 1
        else:
            survivors.append((abs(shift), f"{mutant.name}, {claims.block}, {axis}, T = {steps}"))
    ledger.note(f"{real_kills} kills after real steps", f"{dict(killed)} contradicted; survivors {survivors}")
    assert not [each for each in survivors if each[0] == Fraction(1, 2)]
    assert len(survivors) <= real_kills / 100

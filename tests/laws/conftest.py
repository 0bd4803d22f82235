"""The cases a law is held to, and one cached measurement per case and axis.

A law's test asks for ``case`` and ``axis`` and is run wherever the stream has an exponent on that axis;
one that asks for ``growing_case`` is run where it has none along depth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

import pytest

from powercount.decide import CONFIDENCE
from powercount.derivations.named import NAMED, named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import AXES, Axis, Kind, Observable, Optimizer, Recipe, observables
from powercount.empirical.sweep import Measurement, measure
from powercount.finite_size import FiniteSize
from powercount.ledger.finding import Evidence
from powercount.recipes import default_sweep, targets


@dataclass(frozen=True)
class Case:
    """A recipe and the data it is measured on."""

    recipe: Recipe
    data: str = "digits"

    def __str__(self) -> str:
        block, loss = self.recipe.block, self.recipe.optimizer.loss
        return f"{self.recipe.name} k={block.layers} {block.activation} {loss} {self.data}"


def cases(quick: bool) -> Iterator[Case]:
    """Every named recipe on digits; the depth recipes on Gaussian inputs too; other blocks and losses."""
    for name in NAMED:
        yield Case(named_recipe(name))
    if quick:
        return
    for name in ("depth-mup", "depth-mup-sqrt", "completep"):
        yield Case(named_recipe(name), "gaussian")
    yield Case(named_recipe("depth-mup", layers=1))
    yield Case(named_recipe("mup", layers=1, activation="tanh"))
    yield Case(named_recipe("ntk", layers=1, activation="gelu"))
    yield Case(named_recipe("depth-mup", activation="abs"))
    yield Case(named_recipe("completep", activation="tanh"))
    yield Case(named_recipe("depth-mup-sqrt", layers=3, activation="silu"), "gaussian")
    yield Case(named_recipe("depth-mup", activation="erf", optimizer=Optimizer(loss="mse")))


def grows(case: Case, axis: Axis) -> bool:
    """Whether the stream has no exponent on that axis."""
    return derive(case.recipe, Observable(quantity="stream")).along(axis) is None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Spell out the cases; tests of one case stay on one worker, which measures it once."""
    every = list(cases(bool(metafunc.config.getoption("--quick"))))
    if "case" in metafunc.fixturenames:
        pairs = [(case, axis) for case in every for axis in AXES if not grows(case, axis)]
        metafunc.parametrize(
            ("case", "axis"),
            [pytest.param(case, axis, marks=pytest.mark.xdist_group(str(case))) for case, axis in pairs],
            ids=[f"{case} along {axis}" for case, axis in pairs],
        )
    if "growing_case" in metafunc.fixturenames:
        growing = [case for case in every if grows(case, "depth")]
        metafunc.parametrize(
            "growing_case",
            [pytest.param(case, marks=pytest.mark.xdist_group(str(case))) for case in growing],
            ids=[str(case) for case in growing],
        )


Measured = Callable[[Case, Axis], dict[Observable, Measurement]]


@pytest.fixture(scope="session")
def measured() -> Measured:
    """Every observable of a case along one axis, measured once until ``judge`` can decide."""

    @cache
    def measure_case(case: Case, axis: Axis) -> dict[Observable, Measurement]:
        sweep = replace(default_sweep(case.recipe, axis), data=case.data, confidence=CONFIDENCE)
        wanted = observables(case.recipe.block.layers)
        half_widths = targets([derive(case.recipe, each) for each in wanted], FiniteSize.of(case.recipe, sweep))
        return measure(case.recipe, wanted, sweep, half_widths)

    return measure_case


@pytest.fixture
def twins() -> Callable[[Iterable[Evidence]], None]:
    """The twin of every number a claim gives: moved by its rival, what the measurement agrees with is contradicted."""

    def hold(evidence: Iterable[Evidence]) -> None:
        for each in evidence:
            if each.twins and each.outcome == "AGREES":
                assert each.twins == ("CONTRADICTS", "CONTRADICTS"), each

    return hold


@pytest.fixture
def broken() -> Callable[..., Recipe]:
    """depth-mup with one power moved by 1/4: the smallest legal mistake."""

    def break_power(role: str, kind: Kind, axis: Axis, by: Fraction = Fraction(1, 4)) -> Recipe:
        return named_recipe("depth-mup").shifted(role, kind, axis, by)

    return break_power

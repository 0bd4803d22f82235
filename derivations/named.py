"""The parametrizations people use, as recipes for a block of any number of internal layers.

Coordinates A put the powers on explicit multipliers and start every weight at N(0, 1);
coordinates B use no multiplier and put them on the initial standard deviation. Moving a power of n
between the two changes the learning rate (Tensor Programs IV, section on symmetries: for SGD
(a, b, c) -> (a + theta, b - theta, c - 2 theta)).

Worked line: under ``depth-mup`` a hidden matrix starts at N(0, 1), acts as n^(-1/2) W, learns at
rate n, and its branch is multiplied by L^(-1/2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from powercount.derivations.recipe import (
    Block,
    Optimizer,
    Parametrization,
    Power,
    QuestionError,
    Recipe,
    Role,
)
from powercount.derivations.sources import COMPLETEP, EVERETT, NFD, TP4, TP6, WIDTH_DEPTH

HALF: Final = Fraction(1, 2)


def _n(power: Fraction | int) -> Power:
    return Power(width=Fraction(power))


def _sp(layers: int) -> Parametrization:
    role = Role(init_std=_n(-HALF), learning_rate=_n(-1))
    return Parametrization(input=Role(learning_rate=_n(-1)), hidden=(role,) * layers, readout=role)


def _ntk(layers: int) -> Parametrization:
    role = Role(multiplier=_n(-HALF))
    return Parametrization(input=Role(), hidden=(role,) * layers, readout=role)


def _coordinates_a(
    layers: int, *, branch: Fraction = Fraction(0), first: Fraction = Fraction(0), rest: Fraction = Fraction(0)
) -> Parametrization:
    """muP in width, written with multipliers; powers of L on the hidden rates (first layer, the others)."""

    def hidden(depth: Fraction) -> Role:
        return Role(multiplier=_n(-HALF), learning_rate=Power(width=Fraction(1), depth=depth))

    return Parametrization(
        input=Role(learning_rate=_n(1)),
        hidden=(hidden(first), *(hidden(rest) for _ in range(layers - 1))),
        readout=Role(multiplier=_n(-1), learning_rate=_n(1)),
        branch=branch,
    )


def _mup(layers: int) -> Parametrization:
    return Parametrization(
        input=Role(learning_rate=_n(1)),
        hidden=(Role(init_std=_n(-HALF)),) * layers,
        readout=Role(init_std=_n(-1), learning_rate=_n(-1)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A named parametrization: what it is, where it is printed, how it is made."""

    about: str
    source: str
    make: Callable[[int], Parametrization]


NAMED: Final[dict[str, Named]] = {
    "sp": Named(
        about="standard parametrization at its largest stable global rate, 1/n; no rule for depth",
        source=f"{TP4}, table 1",
        make=_sp,
    ),
    "ntk": Named(
        about="neural tangent parametrization; no rule for depth",
        source=f"{TP4}, table 1",
        make=_ntk,
    ),
    "mean-field": Named(
        about="mean-field parametrization (the powers of muP, on multipliers); no rule for depth",
        source=f"{EVERETT}, table of parametrizations",
        make=_coordinates_a,
    ),
    "mup": Named(
        about="maximal update parametrization in width, without multipliers; no rule for depth",
        source=f"{TP4} and V (arXiv 2203.03466)",
        make=_mup,
    ),
    "depth-mup": Named(
        about="muP with the branch multiplied by 1/sqrt(L)",
        source=f"{TP6}; {NFD}",
        make=lambda layers: _coordinates_a(layers, branch=-HALF),
    ),
    "depth-mup-sqrt": Named(
        about="depth-mup with sqrt(L) on the rate of the first internal matrix: our inference of the "
        "correction announced in arXiv 2512.21075, whose exact rule we could not read",
        source=f"inferred from the abstract of {NFD}",
        make=lambda layers: _coordinates_a(layers, branch=-HALF, first=HALF),
    ),
    "completep": Named(
        about="muP with the branch multiplied by 1/L and L on the hidden SGD rates",
        source=f"{COMPLETEP}; {WIDTH_DEPTH}",
        make=lambda layers: _coordinates_a(layers, branch=-Fraction(1), first=Fraction(1), rest=Fraction(1)),
    ),
}


def named_recipe(name: str, *, layers: int = 2, activation: str = "relu", optimizer: Optimizer | None = None) -> Recipe:
    """The named recipe for a block of that many internal layers."""
    if name not in NAMED:
        raise QuestionError(
            f"unknown recipe {name!r}; choose one of: {', '.join(NAMED)}, or give the path of a TOML file"
        )
    block = Block(layers=layers, activation=activation)
    return Recipe(name=name, parametrization=NAMED[name].make(layers), block=block, optimizer=optimizer or Optimizer())

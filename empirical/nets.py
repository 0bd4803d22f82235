"""``RecipeNets``: the residual nets a recipe describes, as the subject of a measurement.

Weights are drawn on the CPU, from a generator of each member's own, at the largest point of the design, and cut down to
the smaller ones; then they go where the arithmetic is done. A seed means the same numbers everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from powercount.derivations.recipe import Observable, Recipe
from powercount.empirical.design import Design, SweepError
from powercount.empirical.ensemble import Draws, Ensemble, draw_ensemble
from powercount.empirical.memory import check_fits
from powercount.empirical.observables import at_initialization
from powercount.empirical.subject import Squares
from powercount.empirical.training import after_training, in_double

SMALLEST_SQUARE = 1e-40  # squares of sizes from 1e-20 on: what they are computed from keeps its digits in float32


@dataclass(frozen=True, slots=True)
class RecipeNets:
    """The nets of one recipe."""

    recipe: Recipe

    def squares(self, asked: Sequence[Observable], design: Design, members: Sequence[int]) -> Squares:
        """The mean square of every observable for each member, shape (members, points)."""
        return member_squares(self.recipe, asked, design, drawn(self.recipe, design, members))

    def numbers(self, design: Design) -> int:
        """The hidden weights of one member; a training run holds their gradients and steps as well."""
        width, depth = design.largest()
        return self.recipe.block.layers * depth * width**2 * (4 if design.steps else 1)


def memory_needed(recipe: Recipe, design: Design) -> int:
    """Bytes of the largest allocation: one member's weights, and gradients and steps where it trains."""
    width, depth = design.largest()
    numbers = recipe.block.layers * depth * width**2 + 128 * width
    states = recipe.block.layers * depth * width * design.examples * 16
    return 4 * (numbers * (4 if design.steps else 1) + states)


def check_possible(recipe: Recipe, design: Design) -> None:
    """Raise ``SweepError`` where one member does not fit, the device is not there, or real steps are not made so."""
    if design.steps and recipe.decayed:
        raise SweepError(
            f"{recipe.name}: weights of {', '.join(recipe.decayed)} decay, which is measured of one infinitesimal "
            "step; use --steps 0, or leave weight_decay out"
        )
    if design.device == "cuda" and not torch.cuda.is_available():
        raise SweepError("device 'cuda': this torch sees no GPU; use --device cpu")
    width, depth = design.largest()
    what = f"width {width} at depth {depth} needs, for one network,"
    check_fits(memory_needed(recipe, design), what, "smaller --sizes", SweepError, design.device)


def drawn(recipe: Recipe, design: Design, members: Iterable[int]) -> Draws:
    """The draws of some members of a design."""
    width, depth = design.largest()
    return draw_ensemble(
        seed=design.seed,
        members=list(members),
        width=width,
        depth=depth,
        layers=recipe.block.layers,
        data=design.data,
        examples=design.examples,
    )


def member_squares(recipe: Recipe, asked: Sequence[Observable], design: Design, draws: Draws) -> Squares:
    """The mean square of every observable for each drawn member, shape (members, points).

    In float32, and once more in float64 where a number comes near the end of float32's range: what is zero or infinite
    then is so in float64.
    """
    if design.device != "cpu":
        draws = Draws(*(getattr(draws, each.name).to(design.device) for each in fields(Draws)))
    if design.steps:
        return _squares(recipe, asked, design, in_double(draws))
    squares = _squares(recipe, asked, design, draws)
    # The stream does not read the readout: a zero by construction.
    seen = [values for each, values in squares.items() if str(each) != "feature-update@readout"]
    safe = all(bool(((values > SMALLEST_SQUARE) & (values < 1 / SMALLEST_SQUARE)).all()) for values in seen)
    return squares if safe else _squares(recipe, asked, design, in_double(draws))


def _squares(recipe: Recipe, asked: Sequence[Observable], design: Design, draws: Draws) -> Squares:
    columns: dict[Observable, list[NDArray[np.float64]]] = {each: [] for each in asked}
    for width, depth in design.points():
        ensemble = Ensemble(recipe, width, depth, draws)
        if design.steps:
            values = after_training(ensemble, asked, steps=design.steps, rate=design.rate, alone=dict(design.alone))
        else:
            with torch.no_grad():
                values = at_initialization(ensemble, asked)
        for each in asked:
            columns[each].append(values[each].cpu().numpy())
    return {each: np.stack(column, axis=1) for each, column in columns.items()}

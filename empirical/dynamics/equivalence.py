r"""Two parametrizations trained from the same standard normal draws: how far apart their outputs are.

Both ensembles start from the same unit weights, W = std * unit, and take T steps of their optimizer on the loss of the
same batch, in float64. The difference is max |f' - f| / max |f| over members, examples, outputs and steps. Symbols: f
and f' the two outputs. Assumption: the base rate keeps both runs finite. Worked line: a recipe beside itself gives
exactly zero.
"""

from __future__ import annotations

import torch

from powercount.derivations.recipe import Recipe
from powercount.empirical.ensemble import Ensemble, draw_ensemble
from powercount.empirical.training import in_double, train


def output_difference(
    one: Recipe,
    other: Recipe,
    *,
    seed: int,
    data: str,
    width: int = 32,
    depth: int = 4,
    members: int = 4,
    examples: int = 8,
    steps: int = 5,
    rate: float = 0.25,
) -> float:
    """The largest relative difference of the outputs after 1, ..., T steps."""
    draws = in_double(
        draw_ensemble(
            seed=seed,
            members=range(members),
            width=width,
            depth=depth,
            layers=one.block.layers,
            data=data,
            examples=examples,
        )
    )
    first, second = (Ensemble(recipe, width, depth, draws) for recipe in (one, other))
    largest = apart = 0.0
    for count in range(1, steps + 1):
        outputs = []
        for ensemble in (first, second):
            after = train(ensemble, one.role_names, steps=count, rate=rate)
            with torch.no_grad():
                outputs.append(ensemble.forward(after).output)
        largest = max(largest, float(outputs[0].abs().max()))
        apart = max(apart, float((outputs[1] - outputs[0]).abs().max()))
    return apart / largest

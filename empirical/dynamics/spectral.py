r"""Spectral norms of the matrices a net applies, and of what one batch step adds to them.

The matrix role r applies is its effective one, m_r W_r (over sqrt(d) for the input, which reads x/sqrt(d)). A step on
the mean loss of B examples adds
    -m_r^2 lambda_r sum_b delta_b z_b^T / B,
of rank at most B: its norm is that of the small matrix R_delta R_z^T, with delta = Q R_delta and z = Q' R_z. Hidden
matrices are read at the mid-depth block. Everything is a square per member, shape (S,), for ``fit_slope``.

Symbols: S members, n width, B examples; delta = dloss/dy, z the vector the matrix meets. Assumption: nothing is
sampled, norms are exact to rounding. Worked line: for one example the step's norm is m^2 lambda |delta|_2 |z|_2.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from powercount.derivations.recipe import Recipe, middle
from powercount.empirical.data import FEATURES
from powercount.empirical.ensemble import Ensemble, chunks, draw_ensemble
from powercount.empirical.observables import Needed, backward
from powercount.empirical.training import in_double


def low_rank_norm(left: Tensor, right: Tensor) -> Tensor:
    """The spectral norm of left right^T for tall left and right of shapes (S, n, B) and (S, m, B)."""
    first, second = torch.linalg.qr(left, mode="r").R, torch.linalg.qr(right, mode="r").R
    norm: Tensor = torch.linalg.matrix_norm(first @ second.transpose(1, 2), 2)
    return norm


def spectral_squares(ensemble: Ensemble) -> dict[str, Tensor]:
    """The squared norm of every role's effective matrix ("input", ...) and of its step ("input step", ...)."""
    passed = ensemble.forward(slopes=True)
    error = ensemble.error(passed.output)
    needed = Needed(label=False, lowest=0, moving=(), highest=0)
    _, start, signals = backward(ensemble, passed, error, needed)
    block, batch, weights = middle(ensemble.depth) - 1, error.shape[2], ensemble.weights()
    meets = {"input": (weights["input"][0], start, ensemble.x / FEATURES**0.5)}
    for j, role in enumerate(ensemble.hidden_roles):
        meets[role] = (weights[role][block], signals[block][j], passed.incoming[block][j])
    meets["readout"] = (weights["readout"][0], error, passed.end)
    values = {}
    for role, (weight, delta, z) in meets.items():
        reads = FEATURES**-0.5 if role == "input" else 1.0
        multiplier = ensemble.multiplier[role]
        values[role] = (reads * multiplier * torch.linalg.matrix_norm(weight, 2)).square()
        step = reads * multiplier**2 * ensemble.rate[role] * low_rank_norm(delta, z) / batch
        values[f"{role} step"] = step.square()
    return values


def spectral_along_width(
    recipe: Recipe, widths: Sequence[int], *, depth: int, members: int, seed: int, data: str, examples: int
) -> dict[str, NDArray[np.float64]]:
    """``spectral_squares`` at initialization for every width: name to squares of shape (S, widths)."""
    found: dict[str, list[NDArray[np.float64]]] = {}
    layers, widest = recipe.block.layers, max(widths)
    for some in chunks(members, 2 * layers * depth * widest**2):
        draws = in_double(
            draw_ensemble(
                seed=seed, members=some, width=widest, depth=depth, layers=layers, data=data, examples=examples
            )
        )
        with torch.no_grad():
            points = [spectral_squares(Ensemble(recipe, width, depth, draws)) for width in widths]
        for name in points[0]:
            found.setdefault(name, []).append(torch.stack([point[name] for point in points], dim=1).numpy())
    return {name: np.concatenate(batches) for name, batches in found.items()}

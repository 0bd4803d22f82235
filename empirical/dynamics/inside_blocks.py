r"""Inside the blocks of a trained net: increments of the stream, linearisation, products of two updates, one share.

For a two-layer block b(h) = m_2 W_2 phi(m_1 W_1 h) with W = W(0) + dW after T steps, at its trained input h:
    linear   m_2 W_2(0) [phi'(y) m_1 dW_1 h] + m_2 dW_2 phi(y),   y = m_1 W_1(0) h
    second   m_2 dW_2 [phi'(y) m_1 dW_1 h]
    change   b(h; W) - b(h; W(0)), exact, and its remainder: change - linear.
The sums over blocks carry the factor L^(-alpha) of the branches. An increment is h_{l+m} - h_l of the trained stream.

Everything is a mean square per member in float64, shape (S,) or (S, fractions). Assumption: dW is the difference of two
stored matrices, whose rounding, 1e-16 of |W|, is far below any |dW| that is measured. Worked line: with dW_1 = 0 the
change is linear in dW_2 and the remainder is exactly zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from powercount.derivations.recipe import Recipe, middle
from powercount.empirical.data import draw
from powercount.empirical.ensemble import Draws, Ensemble, chunks, draw_ensemble, seed_of
from powercount.empirical.network import build
from powercount.empirical.observables import mean_square
from powercount.empirical.training import in_double, train

OFFSETS: Final = 4
QUANTITIES: Final = ("change", "remainder", "first_sum", "second_sum", "norm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Who is trained and how: width, members, seed, data, examples, steps T and base rate."""

    width: int = 64
    members: int = 16
    seed: int = 0
    data: str = "gaussian"
    examples: int = 1
    steps: int = 3
    rate: float = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Mean squares of each member, shape (S,): over all blocks (change, remainder), summed over depth, at mid-depth."""

    change: Tensor
    remainder: Tensor
    first_sum: Tensor
    second_sum: Tensor
    norm: Tensor

    def stacked(self) -> Tensor:
        """All of them in the order of ``QUANTITIES``, shape (S, 5)."""
        return torch.stack([getattr(self, name) for name in QUANTITIES], dim=1)


def block_orders(ensemble: Ensemble, after: dict[str, list[Tensor]]) -> Orders:
    """The orders in the updates of every two-layer block, between the ensemble's initial weights and ``after``."""
    before, passed = ensemble.weights(), ensemble.forward(after)
    one, two = ensemble.multiplier["hidden1"], ensemble.multiplier["hidden2"]
    first = second = torch.zeros_like(passed.start)
    change = remainder = norm = passed.start.new_zeros(passed.start.shape[0])
    for block in range(ensemble.depth):
        h = passed.incoming[block][0]
        w1, w2 = one * before["hidden1"][block], two * before["hidden2"][block]
        d1, d2 = one * after["hidden1"][block] - w1, two * after["hidden2"][block] - w2
        y, moved = torch.bmm(w1, h), torch.bmm(d1, h)
        a = ensemble.inside.phi(y)
        pushed = ensemble.inside.slope(y, a) * moved
        linear = torch.bmm(w2, pushed) + torch.bmm(d2, a)
        whole = torch.bmm(w2 + d2, ensemble.inside.phi(y + moved)) - torch.bmm(w2, a)
        change = change + mean_square(whole)
        remainder = remainder + mean_square(whole - linear)
        first = first + ensemble.branch * linear
        second = second + ensemble.branch * torch.bmm(d2, pushed)
        if block == middle(ensemble.depth) - 1:
            norm = torch.linalg.matrix_norm(d2, 2).square()
    return Orders(
        change=change,
        remainder=remainder,
        first_sum=mean_square(first),
        second_sum=mean_square(second),
        norm=norm,
    )


def increments(ensemble: Ensemble, after: dict[str, list[Tensor]], fractions: Sequence[int]) -> Tensor:
    """The mean square of h_{l + L/F} - h_l of the trained stream for each F, shape (S, fractions)."""
    streams: list[Tensor] = []
    ensemble.forward(after, streams=streams)
    stream, columns = torch.stack(streams), []
    for fraction in fractions:
        window = ensemble.depth // fraction
        # Windows that overlap by three quarters hold nearly all there is to know, at a quarter of the work.
        rise = (stream[window:] - stream[:-window])[:: max(1, window // OFFSETS)]
        columns.append(mean_square(rise.transpose(0, 1)))
    return torch.stack(columns, dim=1)


def _batches(recipe: Recipe, deepest: int, training: Training) -> Iterator[Draws]:
    """The members' draws in float64, as many at a time as fit with their gradients and steps."""
    layers = recipe.block.layers
    for members in chunks(training.members, 2 * layers * deepest * training.width**2):
        yield in_double(
            draw_ensemble(
                seed=training.seed,
                members=members,
                width=training.width,
                depth=deepest,
                layers=layers,
                data=training.data,
                examples=training.examples,
            )
        )


def _along_depth(
    recipe: Recipe,
    depths: Sequence[int],
    training: Training,
    reduce: Callable[[Ensemble, dict[str, list[Tensor]]], Tensor],
) -> NDArray[np.float64]:
    """``reduce`` of the trained ensemble at every depth, shape (S, depths, ...)."""
    batches = []
    for draws in _batches(recipe, max(depths), training):
        points = []
        for depth in depths:
            ensemble = Ensemble(recipe, training.width, depth, draws)
            after = train(ensemble, recipe.role_names, steps=training.steps, rate=training.rate)
            with torch.no_grad():
                points.append(reduce(ensemble, after))
        batches.append(torch.stack(points, dim=1).numpy())
    return np.concatenate(batches)


def orders_along_depth(recipe: Recipe, depths: Sequence[int], training: Training) -> dict[str, NDArray[np.float64]]:
    """``Orders`` after T steps in which every role moves: name to mean squares of shape (S, depths)."""
    found = _along_depth(recipe, depths, training, lambda net, after: block_orders(net, after).stacked())
    return {name: found[:, :, index] for index, name in enumerate(QUANTITIES)}


def increments_along_depth(
    recipe: Recipe, depths: Sequence[int], fractions: Sequence[int], training: Training
) -> NDArray[np.float64]:
    """``increments`` after T steps in which every role moves, shape (S, depths, fractions)."""
    return _along_depth(recipe, depths, training, lambda net, after: increments(net, after, fractions))


def share_of_first_matrices(
    recipe: Recipe, width: int, depth: int, *, seed: int, rates: Sequence[float], data: str
) -> tuple[float, ...]:
    """df / (-chi eta sum_l |df/dW_1,l|^2) at each base rate eta, when the first internal matrices alone step.

    f is one logit of the plain net in float64 under the loss (f - 1)^2 / 2; every gradient is autograd's.
    """
    net = build(recipe, width, depth, seed).double()
    x, _ = draw(data, 1, torch.Generator().manual_seed(seed_of(seed, 0)))
    x = x.double()
    matrices = net.role_of()["hidden1"]
    f = net(x)[0, 0]
    slopes = torch.autograd.grad(f, matrices)
    chi, start = float(f.detach()) - 1.0, float(f.detach())
    square = sum(float(slope.square().sum()) for slope in slopes)
    each, ratios = recipe.role("hidden1").learning_rate.at(width, depth), []
    before = [matrix.detach().clone() for matrix in matrices]
    with torch.no_grad():
        for rate in rates:
            for matrix, old, slope in zip(matrices, before, slopes, strict=True):
                matrix.copy_(old - rate * each * chi * slope)
            ratios.append((float(net(x)[0, 0]) - start) / (-chi * rate * each * square))
    return tuple(ratios)

"""Many seeds of the residual net at once, and one optimizer step differentiated exactly.

Standard normal weights are drawn once at the largest size of a sweep and cut down to the smaller ones:
common random numbers, which cancel most of the noise of a slope. A recipe's powers are then plain
factors. Shapes: S seeds, n width, L depth, k internal layers, B examples, C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from powercount.derivations.recipe import Recipe
from powercount.empirical.activations import ACTIVATION, SLOPE
from powercount.empirical.data import CLASSES, FEATURES, draw


def seed_of(seed: int, member: int) -> int:
    """The generator seed of one member of an ensemble; members do not depend on how many there are."""
    return int(np.random.SeedSequence((seed, member)).generate_state(1, np.uint64)[0] >> 1)


@dataclass(frozen=True, slots=True)
class Draws:
    """Standard normal weights and data for S seeds at the largest size.

    input (S, n, 64); readout (S, 10, n); hidden (L, k, S, n, n); x (S, 64, B); labels (S, B).
    """

    input: Tensor
    readout: Tensor
    hidden: Tensor
    x: Tensor
    labels: Tensor


def draw_ensemble(
    *, seed: int, members: Sequence[int], width: int, depth: int, layers: int, data: str, examples: int
) -> Draws:
    """Draw everything a sweep needs; member i depends on (seed, i) and the largest size alone."""
    count = len(members)
    weights_in = torch.empty(count, width, FEATURES)
    weights_out = torch.empty(count, CLASSES, width)
    hidden = torch.empty(depth, layers, count, width, width)
    x, labels = torch.empty(count, FEATURES, examples), torch.empty(count, examples, dtype=torch.int64)
    for place, member in enumerate(members):
        inputs, targets = draw(data, examples, torch.Generator().manual_seed(seed_of(seed + 1, member)))
        x[place], labels[place] = inputs.T, targets
        generator = torch.Generator().manual_seed(seed_of(seed, member))
        weights_in[place] = torch.randn(width, FEATURES, generator=generator)
        weights_out[place] = torch.randn(CLASSES, width, generator=generator)
        for block in range(depth):
            for layer in range(layers):
                torch.randn(width, width, generator=generator, out=hidden[block, layer, place])
    return Draws(weights_in, weights_out, hidden, x, labels)


@dataclass(slots=True)
class Pass:
    """What a forward pass leaves behind.

    h_0 and h_L (S, n, B); branch_sum (S, n, B); f (S, C, B); per block and layer: z, y (S, n, B).
    """

    start: Tensor
    end: Tensor
    branch_sum: Tensor
    output: Tensor
    incoming: list[list[Tensor]]
    preactivations: list[list[Tensor]]
    streams: list[Tensor]


class Ensemble:
    """S networks of one recipe and one size, sharing nothing but the code."""

    def __init__(self, recipe: Recipe, width: int, depth: int, draws: Draws) -> None:
        self.recipe, self.width, self.depth = recipe, width, depth
        self.layers = recipe.block.layers
        self.phi, self.slope = ACTIVATION[recipe.block.activation], SLOPE[recipe.block.activation]
        self.x, self.labels = draws.x, draws.labels
        self.branch = float(depth**recipe.parametrization.branch)
        self.multiplier, self.rate, std = {}, {}, {}
        for name, role in recipe.parametrization.roles():
            self.multiplier[name] = role.multiplier.at(width, depth)
            self.rate[name] = role.learning_rate.at(width, depth)
            std[name] = 0.0 if role.init_std is None else role.init_std.at(width, depth)
        self.hidden_roles = tuple(f"hidden{j}" for j in range(1, self.layers + 1))
        # A unit weight and the factor before it stand for the weight: W = std * unit.
        self.unit_input = draws.input[:, :width]
        self.unit_readout = draws.readout[:, :, :width]
        self.unit_hidden = draws.hidden[:depth, :, :, :width, :width]
        self.std = std
        self.factor = {name: self.multiplier[name] * std[name] for name in std}

    def weights(self) -> dict[str, list[Tensor]]:
        """The weights themselves, by role: input (S, n, 64); hidden L tensors (S, n, n); readout (S, C, n)."""
        hidden = {
            role: [self.std[role] * self.unit_hidden[block, j] for block in range(self.depth)]
            for j, role in enumerate(self.hidden_roles)
        }
        return {
            "input": [self.std["input"] * self.unit_input],
            **hidden,
            "readout": [self.std["readout"] * self.unit_readout],
        }

    def forward(self, weights: dict[str, list[Tensor]] | None = None) -> Pass:
        """Run all members; with ``weights`` use those in place of the initial ones."""
        factor = self.factor if weights is None else self.multiplier
        w_in = self.unit_input if weights is None else weights["input"][0]
        w_out = self.unit_readout if weights is None else weights["readout"][0]
        h = start = factor["input"] * torch.bmm(w_in, self.x) / FEATURES**0.5
        branch_sum = torch.zeros_like(h)
        incoming, preactivations, streams = [], [], [h]
        for block in range(self.depth):
            y, zs, ys = h, [], []
            for j, role in enumerate(self.hidden_roles):
                z = y if j == 0 and self.layers > 1 else self.phi(y)
                w = self.unit_hidden[block, j] if weights is None else weights[role][block]
                y = factor[role] * torch.bmm(w, z)
                zs.append(z)
                ys.append(y)
            branch_sum = branch_sum + self.branch * y
            h = start + branch_sum
            incoming.append(zs)
            preactivations.append(ys)
            streams.append(h)
        output = factor["readout"] * torch.bmm(w_out, h)
        return Pass(start, h, branch_sum, output, incoming, preactivations, streams)

    def error(self, output: Tensor) -> Tensor:
        """dloss/df of each example's own loss, shape (S, C, B)."""
        target = torch.nn.functional.one_hot(self.labels, CLASSES).transpose(1, 2).to(output.dtype)
        guess = torch.softmax(output, dim=1) if self.recipe.optimizer.loss == "cross-entropy" else output
        return guess - target

    def loss(self, output: Tensor) -> Tensor:
        """The mean loss over the batch of each member, shape (S,)."""
        if self.recipe.optimizer.loss == "cross-entropy":
            each = torch.nn.functional.cross_entropy(output, self.labels, reduction="none")
        else:
            target = torch.nn.functional.one_hot(self.labels, CLASSES).transpose(1, 2).to(output.dtype)
            each = 0.5 * (output - target).square().sum(dim=1)
        return each.mean(dim=1)

    def below(self, passed: Pass, block: int, j: int) -> Tensor | None:
        """phi' where the activation feeds internal layer j (counted from 0) of a block; None where it does not."""
        if j > 0:
            return self.slope(passed.preactivations[block][j - 1])
        return None if self.layers > 1 else self.slope(passed.streams[block])

    def backward(self, passed: Pass, signal: Tensor, block: int) -> tuple[Tensor, list[Tensor]]:
        """From d/dh_l to d/dh_{l-1} and to d/dy_1..d/dy_k of one block; columns are (any, B)."""
        columns = signal.shape[2] // self.x.shape[2]
        current, signals = self.branch * signal, []
        for j in range(self.layers - 1, -1, -1):
            signals.append(current)
            current = self.factor[self.hidden_roles[j]] * torch.bmm(self.unit_hidden[block, j].transpose(1, 2), current)
            slope = self.below(passed, block, j)
            current = current if slope is None else current * slope.repeat(1, 1, columns)
        return signal + current, signals[::-1]


def chunks(members: int, numbers_each: int, most: int = 1 << 25) -> Iterator[range]:
    """Ranges of members that hold at most ``most`` weights at a time."""
    size = max(1, min(members, most // max(1, numbers_each)))
    for first in range(0, members, size):
        yield range(first, min(first + size, members))

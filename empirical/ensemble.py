"""Many seeds of the residual net at once, and one optimizer step differentiated exactly.

Standard normal weights are drawn once at the largest size of a sweep and cut down to the smaller ones:
common random numbers, which cancel most of the noise of a slope. A recipe's powers are then plain
factors. Shapes: S seeds, n width, L depth, k internal layers, B examples, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from powercount.derivations.recipe import Recipe, middle
from powercount.empirical.activations import ACTIVATION, SLOPE
from powercount.empirical.data import CLASSES, FEATURES, draw
from powercount.empirical.losses import loss_named, one_hot


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

    h_0 and h_L (S, n, B); branch_sum (S, n, B); f (S, C, B); per block and layer what its matrix reads, z (S, n, B),
    and where asked for the derivative that z was made with, None where no activation is; y_1..y_k at mid-depth.
    """

    start: Tensor
    end: Tensor
    branch_sum: Tensor
    output: Tensor
    incoming: list[list[Tensor]]
    slopes: list[list[Tensor | None]]
    preactivations: list[Tensor]


def times(factor: float, matrices: Tensor, columns: Tensor) -> Tensor:
    """factor * matrices @ columns of every member, in one product."""
    return torch.baddbmm(columns.new_empty(1).expand(1, 1, 1), matrices, columns, beta=0, alpha=factor)


@dataclass(frozen=True, slots=True)
class Branch:
    """The branch of a block, whatever its weights: phi and phi', and which of its layers read phi of what is below."""

    phi: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor, Tensor], Tensor]
    active: tuple[bool, ...]

    @classmethod
    def of(cls, activation: str, layers: int, *, outside: bool = False) -> Branch:
        """Of two and more layers the first reads the stream; so does one alone whose activation is ``outside``."""
        bent = tuple(activation != "linear" and (j > 0 or (layers == 1 and not outside)) for j in range(layers))
        return cls(ACTIVATION[activation], SLOPE[activation], bent)

    def through(
        self, h: Tensor, matrices: Sequence[Tensor], factors: Sequence[float], *, slopes: bool
    ) -> tuple[list[Tensor], list[Tensor | None], list[Tensor]]:
        """What each matrix reads, z_j, the derivative z_j was made with (None where no activation is), and y_j."""
        y, zs, derivatives, ys = h, [], [], []
        for active, matrix, factor in zip(self.active, matrices, factors, strict=True):
            z = self.phi(y) if active else y
            if slopes:
                derivatives.append(self.slope(y, z) if active else None)
            y = times(factor, matrix, z)
            zs.append(z)
            ys.append(y)
        return zs, derivatives, ys


class Ensemble:
    """S networks of one recipe and one size, sharing nothing but the code."""

    def __init__(self, recipe: Recipe, width: int, depth: int, draws: Draws) -> None:
        self.recipe, self.width, self.depth = recipe, width, depth
        self.layers = recipe.block.layers
        self.inside = Branch.of(recipe.block.activation, self.layers)
        self.x, self.labels, self._loss = draws.x, draws.labels, loss_named(recipe.optimizer.loss)
        self.branch = float(depth**recipe.parametrization.branch)
        self.multiplier, self.rate, self.decay, self.epsilon, std = {}, {}, {}, {}, {}
        for name, role in recipe.parametrization.roles():
            self.multiplier[name] = role.multiplier.at(width, depth)
            self.rate[name] = role.learning_rate.at(width, depth)
            if role.weight_decay is not None:
                self.decay[name] = role.weight_decay.at(width, depth)
            if role.epsilon is not None:
                self.epsilon[name] = role.epsilon.at(width, depth)
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

    def forward(
        self,
        weights: dict[str, list[Tensor]] | None = None,
        *,
        slopes: bool = False,
        streams: list[Tensor] | None = None,
    ) -> Pass:
        """Run all members, with ``weights`` in place of the initial ones.

        ``slopes`` keeps the derivatives; h_0, ..., h_L are appended to ``streams``.
        """
        factor = self.factor if weights is None else self.multiplier
        w_in = self.unit_input if weights is None else weights["input"][0]
        w_out = self.unit_readout if weights is None else weights["readout"][0]
        h = start = times(factor["input"] / FEATURES**0.5, w_in, self.x)
        branch_sum = torch.zeros_like(h)
        incoming, derivatives, preactivations = [], [], []
        factors = [factor[role] for role in self.hidden_roles]
        for block in range(self.depth):
            matrices = (
                self.unit_hidden[block].unbind() if weights is None else [weights[r][block] for r in self.hidden_roles]
            )
            zs, ds, ys = self.inside.through(h, matrices, factors, slopes=slopes)
            branch_sum = torch.add(branch_sum, ys[-1], alpha=self.branch)
            if streams is not None:
                streams.append(h)
            h = start + branch_sum
            incoming.append(zs)
            derivatives.append(ds)
            if block == middle(self.depth) - 1:
                preactivations = ys
        if streams is not None:
            streams.append(h)
        output = times(factor["readout"], w_out, h)
        return Pass(start, h, branch_sum, output, incoming, derivatives, preactivations)

    def error(self, output: Tensor) -> Tensor:
        """dloss/df of each example's own loss, shape (S, C, B)."""
        return self._loss.error(output, one_hot(self.labels, output.dtype))

    def direction(self, output: Tensor) -> Tensor:
        """dloss/df of each example up to a positive factor, shape (S, C, B)."""
        return self._loss.direction(output, one_hot(self.labels, output.dtype))

    def sizes(self, output: Tensor) -> Tensor:
        """What ``direction`` is multiplied by to be dloss/df, shape (S, 1, B)."""
        return self._loss.size(output, one_hot(self.labels, output.dtype))

    def loss(self, output: Tensor) -> Tensor:
        """The mean loss over the batch of each member, shape (S,)."""
        return self._loss.value(output, one_hot(self.labels, output.dtype))

    def backward(self, passed: Pass, signal: Tensor, block: int) -> tuple[Tensor, list[Tensor]]:
        """From d/dh_l to d/dh_{l-1} and to d/dy_1..d/dy_k of one block; columns are (S, n, any, B)."""
        current, signals = self.branch * signal, []
        for j in range(self.layers - 1, -1, -1):
            signals.append(current)
            current = self.applied(block, j, current, transposed=True)
            slope = passed.slopes[block][j]
            current = current if slope is None else current.mul_(slope[:, :, None])
        return current.add_(signal), signals[::-1]

    def applied(self, block: int, j: int, columns: Tensor, *, transposed: bool = False) -> Tensor:
        """m W of internal layer j, or its transpose, times columns (S, n, any, B)."""
        unit = self.unit_hidden[block, j]
        factor, w = self.factor[self.hidden_roles[j]], unit.transpose(1, 2) if transposed else unit
        return times(factor, w, columns.flatten(2)).view(columns.shape)


def chunks(members: int, numbers_each: int, most: int = 1 << 25) -> Iterator[range]:
    """Ranges of members that hold at most ``most`` weights at a time."""
    size = max(1, min(members, most // max(1, numbers_each)))
    for first in range(0, members, size):
        yield range(first, min(first + size, members))

r"""What goes up and what comes down at initialization, in infinite width and at finite depth L.

Forward, block by block, with q = E h^2 and Gamma_j = m_j sigma_j n^(1/2):
    Q_1 = Gamma_1^2 q (k >= 2) or Gamma_1^2 E phi(h)^2 (k = 1),  Q_{j+1} = Gamma_{j+1}^2 E phi(y_j)^2,
    q' = q + L^(-2 alpha) Q_k.
Backward, with G = E g^2 and P_j = E p_j^2, p_j = df/dy_j:
    P_k = L^(-2 alpha) G',  P_j = E phi'(y_j)^2 Gamma_{j+1}^2 P_{j+1},
    G = G' + Gamma_1^2 P_1 (times E phi'(h)^2 for k = 1).

Worked line: linear, k = 1, alpha = 1/2: q_L = q_0 (1 + 1/L)^L -> e q_0.
Sources: Tensor Programs VI; the fluctuation of norms is derived here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Final

from powercount.derivations.moments import Moments, fluctuation, moments, softmax_error
from powercount.derivations.momentum import reach
from powercount.derivations.recipe import Recipe, middle

IDENTITY: Final = Moments(1, 1, 1)
NONE: Final[Mapping[int, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Block:
    """One block at initialization: mean squares of z_j and y_j, slopes of the activation before z_j, j = 1..k."""

    incoming: tuple[float, ...]
    preactivations: tuple[float, ...]
    slopes: tuple[Moments, ...]


class Propagation:
    """Signals of a recipe at one (n, L) in infinite width; n enters through the powers alone.

    ``classes`` outputs, inputs with |x|^2 = d, one-hot labels.
    """

    def __init__(self, recipe: Recipe, width: int, depth: int, classes: int = 10) -> None:
        self.recipe, self.width, self.depth, self.classes = recipe, width, depth, classes
        self.layers, self.activation = recipe.block.layers, recipe.block.activation
        self.branch = float(depth ** (2 * recipe.parametrization.branch))
        self.std = {}
        self.multiplier = {}
        self.rate = {}
        for name, role in recipe.parametrization.roles():
            self.std[name] = 0 if role.init_std is None else role.init_std.at(width, depth)
            self.multiplier[name] = role.multiplier.at(width, depth)
            self.rate[name] = role.learning_rate.at(width, depth) * float(reach(recipe.optimizer.name, 1))
        self.hidden = tuple(f"hidden{j}" for j in range(1, self.layers + 1))
        self.gains = tuple((self.multiplier[r] * self.std[r]) ** 2 * width for r in self.hidden)
        self._forward()
        self._backward()

    def _forward(self) -> None:
        q = (self.multiplier["input"] * self.std["input"]) ** 2
        self.stream, self.blocks = [q], []
        for _ in range(self.depth):
            self.blocks.append(self.block(q))
            q += self.branch * self.blocks[-1].preactivations[-1]
            self.stream.append(q)

    def block(self, q: float, factors: Mapping[int, float] = NONE) -> Block:
        """The block that a stream of mean square q enters; ``factors[j]`` multiplies |z_j|^2."""
        first = moments(self.activation, q) if self.layers == 1 else replace(IDENTITY, square=q)
        incoming, slopes, sizes = [first.square * factors.get(1, 1)], [first], []
        for j, gain in enumerate(self.gains, start=1):
            sizes.append(gain * incoming[-1])
            if j < self.layers:
                here = moments(self.activation, sizes[-1])
                incoming.append(here.square * factors.get(j + 1, 1))
                slopes.append(here)
        return Block(tuple(incoming), tuple(sizes), tuple(slopes))

    def averaged(self, index: int, value: Callable[[Block], float]) -> float:
        """What is made of block ``index``, over the noise of its own norms: none in infinite width."""
        return value(self.blocks[index])

    def _backward(self) -> None:
        gradient = (self.multiplier["readout"] * self.std["readout"]) ** 2
        self.gradient, self.signals = [gradient], []
        for block in reversed(self.blocks):
            signals = self.sent_back(block, gradient)
            gradient += block.slopes[0].slope_square * self.gains[0] * signals[0]
            self.gradient.append(gradient)
            self.signals.append(signals)
        self.gradient.reverse()
        self.signals.reverse()

    def sent_back(self, block: Block, gradient: float) -> tuple[float, ...]:
        """P_1, ..., P_k of a block, for a gradient of that mean square behind it."""
        signals = [self.branch * gradient]
        for j in range(self.layers - 1, 0, -1):
            signals.append(block.slopes[j].slope_square * self.gains[j] * signals[-1])
        return tuple(reversed(signals))

    def error(self) -> float:
        """E |dloss/df|^2 over the classes at the first step."""
        logit = (self.multiplier["readout"] * self.std["readout"]) ** 2 * self.width * self.stream[-1]
        if self.recipe.optimizer.loss == "mse":
            return self.classes * logit + 1
        return softmax_error(self.classes, math.sqrt(logit))

    def blocks_of_signal(self) -> float:
        """sum_l (1 - q_{l-1}/q_l): how many blocks' worth of random signal the stream has taken up."""
        pairs = zip(self.stream, self.stream[1:], strict=False)
        return sum((1 - before / after for before, after in pairs if after > 0), start=float(0))

    @cached_property
    def norm_fluctuations(self) -> tuple[float, ...]:
        """n times the relative variance of |z_j|^2 at mid-depth, j = 1..k, for a stream of Gaussian coordinates.

        Each activation adds its own kurtosis to what it inherits: v_j = kurt_j - 1 + elasticity_j^2 v_{j-1}, with
        v = 2 for the stream itself.
        """
        index = middle(self.depth) - 1
        inputs = self.blocks[index].preactivations[:-1]
        found = [self._passed(self.stream[index], 2) if self.layers == 1 else 2]
        for variance in inputs:
            found.append(self._passed(variance, found[-1]))
        return tuple(found)

    def _passed(self, variance: float, inherited: float) -> float:
        own, elasticity = fluctuation(self.activation, variance)
        return own + elasticity**2 * inherited

    def own(self, block: Block, j: int) -> float:
        """The coefficient of a block's own update: m_j dW_j z_j = -own * chi p_j."""
        role = self.hidden[j - 1]
        return self.rate[role] * self.multiplier[role] ** 2 * self.width * block.incoming[j - 1]

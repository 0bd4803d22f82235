"""The plain residual net a recipe describes: one ``nn.Module``, one obvious loop.

This is the network everything else must agree with. Weights are drawn from one generator per seed, in
the order input, readout, then block by block.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from powercount.derivations.recipe import Recipe, check_powers
from powercount.empirical.activations import ACTIVATION
from powercount.empirical.data import CLASSES, FEATURES


class ResidualNet(nn.Module):
    """f(x) for x of shape (batch, 64); returns (batch, 10).

    Parameters: ``input`` (n, 64), ``readout`` (10, n), ``hidden`` L * k matrices (n, n), block by block.
    """

    def __init__(self, recipe: Recipe, width: int, depth: int, generator: torch.Generator) -> None:
        super().__init__()
        self.recipe, self.layers = recipe, recipe.block.layers
        self.phi = ACTIVATION[recipe.block.activation]
        self.branch = float(depth**recipe.parametrization.branch)
        self.multiplier = {name: role.multiplier.at(width, depth) for name, role in recipe.parametrization.roles()}

        def weight(role: str, rows: int, columns: int) -> nn.Parameter:
            power = recipe.role(role).init_std
            std = 0.0 if power is None else power.at(width, depth)
            return nn.Parameter(std * torch.randn(rows, columns, generator=generator))

        self.input = weight("input", width, FEATURES)
        self.readout = weight("readout", CLASSES, width)
        self.hidden = nn.ParameterList(
            weight(f"hidden{j}", width, width) for _ in range(depth) for j in range(1, self.layers + 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """f(x)."""
        h: Tensor = self.multiplier["input"] * x @ self.input.T / FEATURES**0.5
        for block in range(len(self.hidden) // self.layers):
            y = h
            for j in range(1, self.layers + 1):
                z = y if j == 1 and self.layers > 1 else self.phi(y)
                y = self.multiplier[f"hidden{j}"] * z @ self.hidden[block * self.layers + j - 1].T
            h = h + self.branch * y
        return self.multiplier["readout"] * h @ self.readout.T

    def role_of(self) -> dict[str, list[nn.Parameter]]:
        """The parameters of each role."""
        hidden = {f"hidden{j}": list(self.hidden[j - 1 :: self.layers]) for j in range(1, self.layers + 1)}
        return {"input": [self.input], **hidden, "readout": [self.readout]}


def build(recipe: Recipe, width: int, depth: int, seed: int) -> ResidualNet:
    """The network of a recipe at one size, its weights drawn from ``seed``."""
    check_powers(recipe)
    return ResidualNet(recipe, width, depth, torch.Generator().manual_seed(seed))

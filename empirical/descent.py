"""Optimizers of real steps that torch has not: the sign of the gradient, Lion, Shampoo, Muon's exact polar factor.

Every matrix is the last two dimensions of a parameter (..., rows, columns), members before them. Rates and momenta are
torch's; there is no weight decay.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import torch
from torch import Tensor

from powercount.empirical.design import SweepError

# torch's Newton-Schulz multiplies a small singular value by 3.4445 five times: what is smaller stays small.
LIFTED: Final = 3.4445**-5


class TurnedError(SweepError):
    """Gradients of different steps point in different directions: a smaller rate may mend it."""


class Descent(torch.optim.Optimizer):
    """A step of every parameter along minus its rate times ``direction``."""

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        super().__init__(groups, {})

    def direction(self, gradient: Tensor, state: dict[str, Any]) -> Tensor:
        """What is subtracted at rate 1, shape of the gradient; ``state`` lasts from step to step."""
        raise NotImplementedError

    def _moving(self) -> Iterator[tuple[Tensor, Tensor, float]]:
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    yield weight, weight.grad, group["lr"]

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter once."""
        for weight, gradient, rate in self._moving():
            weight.sub_(self.direction(gradient, self.state[weight]), alpha=rate)


class SignDescent(Descent):
    """-rate sgn(gradient)."""

    def direction(self, gradient: Tensor, state: dict[str, Any]) -> Tensor:
        """The sign of the gradient."""
        return gradient.sign()


class Lion(Descent):
    """-rate sgn of momentum: Chen et al. (arXiv 2302.06675), beta = .9, .99."""

    def direction(self, gradient: Tensor, state: dict[str, Any]) -> Tensor:
        """sgn(.9 m + .1 g), and m <- .99 m + .01 g."""
        before: Tensor = state.setdefault("average", torch.zeros_like(gradient))
        found = before.lerp(gradient, 0.1).sign()
        before.lerp_(gradient, 0.01)
        return found


class PolarDescent(Descent):
    """Muon with the exact polar factor, for gradients of rank one up to what torch's Newton-Schulz would not lift."""

    momentum: Final = 0.95

    def direction(self, gradient: Tensor, state: dict[str, Any]) -> Tensor:
        """Nesterov's average as torch has it, its polar factor, and (max(1, rows/columns))^(1/2)."""
        average: Tensor = state.setdefault("average", torch.zeros_like(gradient))
        average.lerp_(gradient, 1 - self.momentum)
        shape = max(1.0, gradient.shape[-2] / gradient.shape[-1]) ** 0.5
        return polar_of_rank_one(gradient.lerp(average, self.momentum)).mul_(shape)


class Shampoo(Descent):
    """L^(-1/4) G R^(-1/4): Gupta et al. (arXiv 1802.09568), L and R the sums of G G^T and G^T G from zero, no epsilon.

    Of gradients s u v^T of rank one that do not turn both sums have one direction, and the step is s_t/|s| u v^T.
    """

    def direction(self, gradient: Tensor, state: dict[str, Any]) -> Tensor:
        """The polar factor of the sum of gradients so far, by this one's share of the root of summed squares."""
        whole: Tensor = state.setdefault("sum", torch.zeros_like(gradient))
        whole.add_(gradient)
        square = gradient.square().sum(dim=(-2, -1), keepdim=True)
        squares: Tensor = state.setdefault("squares", torch.zeros_like(square))
        squares.add_(square)
        share = (square / squares).nan_to_num(nan=0.0).sqrt()
        return polar_of_rank_one(whole).mul_(share)


def polar_of_rank_one(matrices: Tensor) -> Tensor:
    """The leading pair u v^T of singular vectors, zero for zero; ``TurnedError`` where another value is above LIFTED.

    From the largest row, two rounds of power iteration: the square of a ratio below LIFTED, squared again.
    """
    largest = matrices.abs().amax(dim=(-2, -1), keepdim=True)
    scaled = torch.where(largest > 0, matrices / largest, torch.zeros_like(matrices))
    place = scaled.square().sum(dim=-1, keepdim=True).argmax(dim=-2, keepdim=True)
    right = scaled.gather(-2, place.expand(*place.shape[:-1], scaled.shape[-1])).mT
    for _ in range(2):
        left = scaled @ right
        left = left / left.norm(dim=-2, keepdim=True).clamp_min(torch.finfo(left.dtype).tiny)
        right = scaled.mT @ left
    size = right.norm(dim=-2, keepdim=True)
    right = right / size.clamp_min(torch.finfo(right.dtype).tiny)
    rest = scaled.square().sum(dim=(-2, -1), keepdim=True) - size.square()
    if bool((rest > (LIFTED * size).square() + 1e-12 * size.square()).any()):
        raise TurnedError(
            "a polar factor: gradients of different steps point in different directions, as they do where a kink is "
            "crossed, and their sum has another polar factor than a first step; use fewer --steps, or no kink"
        )
    found: Tensor = left @ right.mT
    return found

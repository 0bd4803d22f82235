"""The losses: the value of each network's mean over its batch, and the error signal dloss/df of every example.

Outputs and targets are (S, C, B): S networks, C classes, B examples. With one output the targets are signs.

    cross-entropy   -log p_y, error p - e_y;  of one output f and sign y, log(1 + exp(-y f)), error -y sigma(-y f)
    mse             |f - y|^2 / 2,            error f - y
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from powercount.empirical.data import CLASSES


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """``value(output, targets)`` of shape (S,), ``error(output, targets)`` and its ``direction`` of shape (S, C, B).

    The direction is the error signal over its ``size`` (S, 1, B), of order one, and loses no sign: where the softmax is
    all but certain the signal itself is rounded to zero.
    """

    value: Callable[[Tensor, Tensor], Tensor]
    error: Callable[[Tensor, Tensor], Tensor]
    direction: Callable[[Tensor, Tensor], Tensor]
    size: Callable[[Tensor, Tensor], Tensor]


SMALLEST: Final = 1e-37  # a float32 number, whose square is a float64: Adam squares what it is handed


def one_hot(labels: Tensor, dtype: torch.dtype) -> Tensor:
    """Labels (S, B) as targets (S, C, B)."""
    return functional.one_hot(labels, CLASSES).transpose(1, 2).to(dtype)


def _direction_of_softmax(output: Tensor, targets: Tensor) -> Tensor:
    """p - e_y over 1 - p_y: the softmax of the other classes, and -1."""
    others = torch.softmax(output.masked_fill(targets > 0, -torch.inf), dim=1)
    return torch.where(targets > 0, -torch.ones_like(output), others.clamp_min(SMALLEST))


def _size_of_softmax(output: Tensor, targets: Tensor) -> Tensor:
    """1 - p_y, with all its digits where p_y is all but one: the sum of the others' probabilities."""
    others = output.masked_fill(targets > 0, -torch.inf).logsumexp(dim=1, keepdim=True)
    return (others - output.logsumexp(dim=1, keepdim=True)).exp().clamp_min(SMALLEST)


def _one(output: Tensor, targets: Tensor) -> Tensor:
    return torch.ones_like(output[:, :1])


CROSS_ENTROPY: Final = Loss(
    value=lambda output, targets: functional.cross_entropy(output, targets, reduction="none").mean(dim=1),
    error=lambda output, targets: torch.softmax(output, dim=1) - targets,
    direction=_direction_of_softmax,
    size=_size_of_softmax,
)
LOGISTIC: Final = Loss(
    value=lambda output, targets: functional.softplus(-output * targets).sum(dim=1).mean(dim=1),
    error=lambda output, targets: -targets * torch.sigmoid(-output * targets),
    direction=lambda _, targets: -targets,
    size=lambda output, targets: torch.sigmoid(-output * targets),
)
MSE: Final = Loss(
    value=lambda output, targets: 0.5 * (output - targets).square().sum(dim=1).mean(dim=1),
    error=lambda output, targets: output - targets,
    direction=lambda output, targets: output - targets,
    size=_one,
)


def loss_named(name: str, outputs: int = CLASSES) -> Loss:
    """The loss of that name for networks of one output, or of one for each class."""
    return MSE if name == "mse" else LOGISTIC if outputs == 1 else CROSS_ENTROPY

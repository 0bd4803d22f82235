"""The optimizers: the step that is differentiated, and the step that is made. A rule each.

A rule's ``own`` is m dW z of every example's own step at base rate 1, from the gradient delta = dloss/dy that reaches
the matrix (S, rows, B) and the vector z that it reads (S, columns, B); ``made`` is the torch optimizer of real steps.

    gradient   dW = -rate m delta z^T (never formed):   own = -rate m^2 delta <z, z>; nesterov 1 + .9 times as much
    sign       dW = -rate sgn(delta) sgn(z)^T:          own = -rate m sgn(delta) |z|_1
    polar      dW = -rate s delta z^T/(|delta| |z|):    own = -rate m s delta/|delta| |z|, s^2 = max(1, rows/columns)

Real steps are made of plain gradient descent alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from powercount.derivations.recipe import check_name

Own = Callable[[float, float, Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRule:
    """``own(rate, multiplier, delta, z)``, and the optimizer that makes the step, where it is made.

    ``sees_size``: whether a larger gradient makes a larger step. Where it does not, only its direction is handed down.
    """

    own: Own
    sees_size: bool = True
    made: Callable[..., torch.optim.Optimizer] | None = None


def _sgd(rate: float, multiplier: float, delta: Tensor, z: Tensor) -> Tensor:
    return -rate * multiplier**2 * delta * z.square().sum(dim=1, keepdim=True)


def _nesterov(rate: float, multiplier: float, delta: Tensor, z: Tensor) -> Tensor:
    return _sgd((1 + MOMENTUM) * rate, multiplier, delta, z)


def _sign(rate: float, multiplier: float, delta: Tensor, z: Tensor) -> Tensor:
    return -rate * multiplier * torch.sign(delta) * z.abs().sum(dim=1, keepdim=True)


def _polar(rate: float, multiplier: float, delta: Tensor, z: Tensor) -> Tensor:
    # Scaled by the largest entry first, so that no square leaves the range of floats; zero stays zero.
    largest = delta.abs().amax(dim=1, keepdim=True)
    unit = torch.where(largest > 0, delta / largest, torch.zeros_like(delta))
    norm = unit.norm(dim=1, keepdim=True).clamp_min(1)
    shape = max(1.0, delta.shape[1] / z.shape[1]) ** 0.5
    length: Tensor = z.norm(dim=1, keepdim=True)
    own: Tensor = -rate * multiplier * shape * unit / norm * length
    return own


MOMENTUM: Final = 0.9
RULES: Final[dict[str, StepRule]] = {
    "sgd": StepRule(own=_sgd, made=torch.optim.SGD),
    "sgd-momentum": StepRule(own=_sgd),
    "nesterov": StepRule(own=_nesterov),
    **{name: StepRule(own=_sign, sees_size=False) for name in ("signsgd", "lion", "adam", "adamw")},
    "muon": StepRule(own=_polar, sees_size=False),
}


def rule_of(name: str) -> StepRule:
    """The rule of an optimizer; ``QuestionError`` where there is none."""
    check_name("optimizer whose step is made", name, tuple(RULES))
    return RULES[name]

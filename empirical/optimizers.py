"""The optimizers: the step that is differentiated, and the step that is made. A rule each.

A rule's ``own`` is m dW z of every example's own step at base rate 1, from the gradient delta = dloss/dy that reaches
the matrix (S, rows, B) and the vector z that it reads (S, columns, B); ``made`` is the torch optimizer of real steps.

    sgd    dW = -rate m delta z^T (never formed):   own = -rate m^2 delta <z, z>
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
    """``own(rate, multiplier, delta, z)``, and the optimizer that makes the step."""

    own: Own
    made: Callable[..., torch.optim.Optimizer]


def _sgd(rate: float, multiplier: float, delta: Tensor, z: Tensor) -> Tensor:
    return -rate * multiplier**2 * delta * z.square().sum(dim=1, keepdim=True)


RULES: Final[dict[str, StepRule]] = {"sgd": StepRule(own=_sgd, made=torch.optim.SGD)}


def rule_of(name: str) -> StepRule:
    """The rule of an optimizer; ``QuestionError`` where there is none."""
    check_name("optimizer whose step is made", name, tuple(RULES))
    return RULES[name]

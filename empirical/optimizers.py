"""The optimizers: the step that is differentiated, and the step that is made. A rule each.

A rule's ``own`` is m dW z of every example's own step at base rate 1, from the gradient delta = dloss/dy that reaches
the matrix (S, rows, B) and the vector z that it reads (S, columns, B); ``made`` makes the optimizer of real steps from
groups of parameters with a rate each: torch's own where it has it and its exact values are known, else ``descent``'s.

    gradient   dW = -rate m delta z^T (never formed):   own = -rate m^2 delta <z, z>; nesterov 1 + .9 times as much
    sign       dW = -rate sgn(delta) sgn(z)^T:          own = -rate m sgn(delta) |z|_1
    damped     dW = -rate g/(|g| + eps), g = m delta z:  own = -rate m sgn(delta) sum_j z_j^2/(|z_j| + eps/(m |delta|))
    polar      dW = -rate s delta z^T/(|delta| |z|):    own = -rate m s delta/|delta| |z|

The shape factor s of muon is (max(1, rows/columns))^(1/2), shampoo's one.

Epsilon is the smallest number there is where a role has none, and weights do not decay.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor

from powercount.derivations.recipe import check_name
from powercount.empirical.descent import Lion, PolarDescent, Shampoo, SignDescent

Made = Callable[[list[dict[str, Any]]], torch.optim.Optimizer]
Own = Callable[[float, float, Tensor, Tensor], Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRule:
    """``own(rate, multiplier, delta, z)``, and the optimizer that makes the step.

    ``sees_size``: whether a larger gradient makes a larger step. Where it does not, only its direction is handed down.
    ``decay``: the first step of weight decay is -decay rate weight_decay W.
    """

    own: Own
    made: Made
    sees_size: bool = True
    decay: float = 1.0


def _sgd(rate: float, multiplier: float, delta: Tensor, z: Tensor) -> Tensor:
    return -rate * multiplier**2 * delta * z.square().sum(dim=1, keepdim=True)


def _nesterov(rate: float, multiplier: float, delta: Tensor, z: Tensor) -> Tensor:
    return _sgd((1 + MOMENTUM) * rate, multiplier, delta, z)


def _sign(rate: float, multiplier: float, delta: Tensor, z: Tensor) -> Tensor:
    return -rate * multiplier * torch.sign(delta) * z.abs().sum(dim=1, keepdim=True)


def damped(rate: float, multiplier: float, delta: Tensor, z: Tensor, epsilon: float) -> Tensor:
    """m dW z of Adam's first step beside an epsilon, shape of delta; the sum over columns, an example at a time."""
    threshold = epsilon / (multiplier * delta.abs())  # infinite where no gradient comes in: no step
    sizes, tiny = z.abs(), torch.finfo(z.dtype).tiny
    sums = torch.empty_like(delta)
    for example in range(z.shape[2]):
        size, at = sizes[:, None, :, example], threshold[:, :, None, example].clamp_min(tiny)
        sums[:, :, example] = (size.square() / (size + at)).sum(dim=2)
    return -rate * multiplier * torch.sign(delta) * sums


def _muon(rate: float, multiplier: float, delta: Tensor, z: Tensor) -> Tensor:
    shape = max(1.0, delta.shape[1] / z.shape[1]) ** 0.5
    return _polar(shape * rate, multiplier, delta, z)


def _polar(rate: float, multiplier: float, delta: Tensor, z: Tensor) -> Tensor:
    # Scaled by the largest entry first, so that no square leaves the range of floats; zero stays zero.
    largest = delta.abs().amax(dim=1, keepdim=True)
    unit = torch.where(largest > 0, delta / largest, torch.zeros_like(delta))
    norm = unit.norm(dim=1, keepdim=True).clamp_min(1)
    length: Tensor = z.norm(dim=1, keepdim=True)
    own: Tensor = -rate * multiplier * unit / norm * length
    return own


MOMENTUM: Final = 0.9
SMALLEST: Final = 2.0**-1022  # of epsilon: torch divides by |g| + epsilon, 0/0 at epsilon 0
RULES: Final[dict[str, StepRule]] = {
    "sgd": StepRule(own=_sgd, made=torch.optim.SGD),
    "sgd-momentum": StepRule(own=_sgd, made=partial(torch.optim.SGD, momentum=MOMENTUM)),
    "nesterov": StepRule(
        own=_nesterov, made=partial(torch.optim.SGD, momentum=MOMENTUM, nesterov=True), decay=1 + MOMENTUM
    ),
    "signsgd": StepRule(own=_sign, made=SignDescent, sees_size=False),
    "lion": StepRule(own=_sign, made=Lion, sees_size=False),
    "adam": StepRule(own=_sign, made=partial(torch.optim.Adam, eps=SMALLEST, weight_decay=0.0), sees_size=False),
    "adamw": StepRule(own=_sign, made=partial(torch.optim.AdamW, eps=SMALLEST, weight_decay=0.0), sees_size=False),
    "muon": StepRule(own=_muon, made=PolarDescent, sees_size=False),
    "shampoo": StepRule(own=_polar, made=Shampoo, sees_size=False),
}


def rule_of(name: str) -> StepRule:
    """The rule of an optimizer; ``QuestionError`` where there is none."""
    check_name("optimizer whose step is made", name, tuple(RULES))
    return RULES[name]

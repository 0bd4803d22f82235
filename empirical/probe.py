r"""The optimizer as a black box: what one step does with gradients put in by hand, whatever it is called.

A factory is asked for the same member again and again, gradients are set, ``step()`` is called, and of every parameter
is read off, with g its own gradient and no decay counted in:

    decay     -dW/W of a step whose gradients are all zero; ``coupled`` where that step is no multiple of W: the decay
              went into the gradient, and through what the optimizer makes of gradients
    degree    d log |dW| / d log |g|: 1 of gradient descent, 0 of a step that does not see the gradient's size, between
              where an epsilon bites
    along     the cosine of -dW and g
    evenness  mean |dW| over root mean square: 1 where all entries move alike, as under a sign

From these the kind of the step: "gradient", "sign", "polar" (degree 0, neither along g nor even), "still", or "other".
Parameters and gradients are float64 here: a small step would be lost in the rounding of its weight.

Worked line: torch's AdamW far above epsilon: decay rate times weight_decay, not coupled, degree 0, evenness 1: a sign.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Tensor

from powercount.empirical.factory import Built, stepped

StepKind = Literal["gradient", "sign", "polar", "still", "other"]
SMALLER: Final = 10.0  # gradients are put in as they are, and this many times smaller
SURE: Final = 0.02  # of a degree, a cosine, an evenness: rounding, and what is left of an epsilon


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What one step does to one parameter; see the module."""

    decay: float
    coupled: bool
    degree: float
    along: float
    evenness: float

    @property
    def kind(self) -> StepKind:
        """What the step makes of a gradient."""
        if math.isnan(self.degree):
            return "still"
        if abs(self.degree - 1) < SURE and self.along > 1 - SURE:
            return "gradient"
        if abs(self.degree) < SURE:
            return "sign" if self.evenness > 1 - SURE else "polar"
        return "other"


def probe(made: Callable[[], Built], gradients: Mapping[str, Tensor]) -> dict[str, Probed]:
    """Every parameter that has a gradient: ``made`` builds the same member each time it is called."""
    nothing = {name: torch.zeros_like(g) for name, g in gradients.items()}
    smaller = {name: g / SMALLER for name, g in gradients.items()}
    weights, still = _moved(made(), nothing)
    found = {}
    full, less = (_moved(made(), each)[1] for each in (gradients, smaller))
    for name, gradient in gradients.items():
        weight, idle = weights[name], still[name]
        coupled = _cosine(idle, weight) > -1 + SURE if bool(idle.any()) else False
        # A decay that is coupled cannot be taken apart from the step: what is read then holds for both together.
        rest = torch.zeros_like(idle) if coupled else idle
        moved, slightly = full[name] - rest, less[name] - rest
        sizes = [each.square().mean().sqrt().item() for each in (moved, slightly)]
        size = weight.square().sum().item()
        found[name] = Probed(
            decay=-(idle * weight).sum().item() / size if size > 0 else 0.0,
            coupled=coupled,
            degree=math.log(sizes[0] / sizes[1]) / math.log(SMALLER) if min(sizes) > 0 else math.nan,
            along=_cosine(-moved, gradient.double()),
            evenness=moved.abs().mean().item() / sizes[0] if sizes[0] > 0 else math.nan,
        )
    return found


def _moved(built: Built, gradients: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(weights, what one step with these gradients adds to them)."""
    parameters = {name: p for name, p in built.model.named_parameters() if name in gradients}
    for parameter in parameters.values():
        parameter.data = parameter.data.double()
    before = {name: p.detach().clone() for name, p in parameters.items()}
    for name, parameter in parameters.items():
        parameter.grad = gradients[name].to(parameter, copy=True)
    for each in built.optimizers:
        stepped(each)
    return before, {name: p.detach() - before[name] for name, p in parameters.items()}


def _cosine(one: Tensor, other: Tensor) -> float:
    sizes = one.norm() * other.norm()
    return ((one * other).sum() / sizes).item() if sizes > 0 else math.nan

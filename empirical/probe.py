r"""The optimizer as a black box: what one step does with gradients put in by hand, whatever it is called.

A factory is asked for the same member again and again, gradients are set, ``step()`` is called, and of every parameter
is read off, with g its own gradient and no decay counted in:

    decay     -dW/W of a step whose gradients are all zero, nan of weights that are; ``coupled`` where that step is no
              fixed multiple of W: the decay went into the gradient, and through what the optimizer makes of gradients
    degree    d log |dW| / d log |g|: 1 of gradient descent, 0 of a step that does not see the gradient's size, between
              where an epsilon bites
    along     the cosine of -dW and g
    evenness  mean |dW| over root mean square: 1 where all entries move alike, as under a sign
    flatness  second over first singular value of dW for a gradient where that is a tenth: 1 of a polar factor; nan of
              vectors, and of an optimizer that refuses such gradients: g/|g| and the polar factor are one there

From these the kind of the step: "gradient", "sign", "polar" (degree 0, not even, flat), "still", or "other".
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

from powercount.empirical.factory import Built, FactoryError, stepped

StepKind = Literal["gradient", "sign", "polar", "still", "other"]
SMALLER: Final = 10.0  # gradients are put in as they are, and this many times smaller
UNLIKE: Final = 0.1  # second over first singular value of the gradient that flatness is read off from
FLAT: Final = 0.5  # Newton's iteration of a few steps leaves singular values between .7 and 1.2
SURE: Final = 0.02  # of a degree, a cosine, an evenness: rounding, and what is left of an epsilon


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """What one step does to one parameter; see the module."""

    decay: float
    coupled: bool
    degree: float
    along: float
    evenness: float
    flatness: float

    @property
    def kind(self) -> StepKind:
        """What the step makes of a gradient."""
        if math.isnan(self.degree):
            return "still"
        if abs(self.degree - 1) < SURE and self.along > 1 - SURE:
            return "gradient"
        if abs(self.degree) < SURE:
            if self.evenness > 1 - SURE:
                return "sign"
            return "other" if self.flatness <= FLAT else "polar"
        return "other"


def probe(made: Callable[[], Built], gradients: Mapping[str, Tensor]) -> dict[str, Probed]:
    """Every parameter that has a gradient: ``made`` builds the same member each time it is called."""
    nothing = {name: torch.zeros_like(g) for name, g in gradients.items()}
    smaller = {name: g / SMALLER for name, g in gradients.items()}
    unlike = {name: _unlike(g) for name, g in gradients.items()}
    (weights, still), (doubled, stiller) = _moved(made(), nothing), _moved(made(), nothing, scale=2.0)
    changed = [name for name, weight in weights.items() if not torch.equal(2 * weight, doubled[name])]
    if changed:
        raise FactoryError(f"two builds at one seed gave different weights of {changed[0]}; draw them from the seed")
    found = {}
    full, less = (_moved(made(), each)[1] for each in (gradients, smaller))
    try:
        _, steep = _moved(made(), unlike)
    except FactoryError:  # an optimizer for gradients of rank one
        steep = {}
    for name, gradient in gradients.items():
        weight, idle = weights[name], still[name]
        # Of twice the weights twice the decay, unless an optimizer has made a step of it.
        coupled = bool((stiller[name] - 2 * idle).norm() > SURE * idle.norm())
        # A decay that is coupled cannot be taken apart from the step: what is read then holds for both together.
        rest = torch.zeros_like(idle) if coupled else idle
        moved, slightly = full[name] - rest, less[name] - rest
        sizes = [each.square().mean().sqrt().item() for each in (moved, slightly)]
        size = weight.square().sum().item()
        found[name] = Probed(
            decay=-(idle * weight).sum().item() / size if size > 0 else math.nan,
            coupled=coupled,
            degree=math.log(sizes[0] / sizes[1]) / math.log(SMALLER) if min(sizes) > 0 else math.nan,
            along=_cosine(-moved, gradient.double()),
            evenness=moved.abs().mean().item() / sizes[0] if sizes[0] > 0 else math.nan,
            flatness=_flatness(steep[name] - rest) if name in steep else math.nan,
        )
    return found


def _unlike(gradient: Tensor) -> Tensor:
    """A matrix of two unlike singular values, of a gradient's shape and size; the gradient itself where it is none."""
    flat = gradient.flatten(1) if gradient.dim() > 1 else gradient
    if flat.dim() != 2 or min(flat.shape) < 2:
        return gradient
    generator = torch.Generator().manual_seed(0)
    rows, columns = (
        torch.linalg.qr(torch.randn(n, 2, generator=generator, dtype=torch.float64))[0] for n in flat.shape
    )
    made: Tensor = (rows * torch.tensor([1.0, UNLIKE], dtype=torch.float64)) @ columns.T * gradient.double().norm()
    return made.reshape(gradient.shape).to(gradient)


def _flatness(moved: Tensor) -> float:
    """Second over first singular value; nan of what is no matrix, or does not move."""
    flat = moved.flatten(1) if moved.dim() > 1 else moved
    if flat.dim() != 2 or min(flat.shape) < 2 or not bool(flat.any()):
        return math.nan
    first, second, *_ = torch.linalg.svdvals(flat).tolist()
    return float(second / first)


def _moved(
    built: Built, gradients: Mapping[str, Tensor], scale: float = 1.0
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """(weights, what one step with these gradients adds to them); the weights are scaled before."""
    parameters = {name: p for name, p in built.model.named_parameters() if name in gradients}
    for parameter in parameters.values():
        parameter.data = scale * parameter.data.double()
    for each in built.optimizers:  # what an optimizer has made ready is float64 too
        states = getattr(each, "state", None)
        for state in states.values() if isinstance(states, dict) else ():
            for key, value in state.items() if isinstance(state, dict) else ():
                if isinstance(value, Tensor) and value.is_floating_point():
                    state[key] = value.double()
    before = {name: p.detach().clone() for name, p in parameters.items()}
    for name, parameter in parameters.items():
        parameter.grad = gradients[name].to(parameter, copy=True)
    for each in built.optimizers:
        stepped(each)
    return before, {name: p.detach() - before[name] for name, p in parameters.items()}


def _cosine(one: Tensor, other: Tensor) -> float:
    sizes = one.norm() * other.norm()
    return ((one * other).sum() / sizes).item() if sizes > 0 else math.nan

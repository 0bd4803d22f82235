"""The activations and their derivatives (zero at a kink, as in torch).

A derivative is asked for at y where z = phi(y) is known too: some are cheaper by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional


def _tanh_slope(_: Tensor, z: Tensor) -> Tensor:
    return torch.addcmul(z.new_ones(()), z, z, value=-1)


def _erf_slope(y: Tensor, _: Tensor) -> Tensor:
    return torch.exp(-y * y) * (2 / math.sqrt(math.pi))


def _gelu_slope(y: Tensor, _: Tensor) -> Tensor:
    below = 0.5 * (1 + torch.erf(y / math.sqrt(2)))
    return below + y * torch.exp(-0.5 * y * y) / math.sqrt(2 * math.pi)


def _silu_slope(y: Tensor, _: Tensor) -> Tensor:
    s = torch.sigmoid(y)
    return s * (1 + y * (1 - s))


ACTIVATION: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "linear": lambda y: y,
    "relu": torch.relu,
    "abs": torch.abs,
    "erf": torch.erf,
    "tanh": torch.tanh,
    "gelu": functional.gelu,
    "silu": functional.silu,
}

SLOPE: Final[dict[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "linear": lambda y, _: torch.ones_like(y),
    "relu": lambda y, _: (y > 0).to(y.dtype),
    "abs": lambda y, _: torch.sign(y),
    "erf": _erf_slope,
    "tanh": _tanh_slope,
    "gelu": _gelu_slope,
    "silu": _silu_slope,
}

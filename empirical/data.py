"""Inputs and labels: scikit-learn's bundled digits, or Gaussian inputs as the controlled alternative.

Digits are standardized pixel by pixel; every input, of 64 coordinates, is then scaled to |x|^2 = 64, so
that its size is one exactly. The ten labels are the digits', or drawn uniformly for Gaussian inputs.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import torch

from powercount.derivations.recipe import check_name
from powercount.empirical.digits import bundled_digits

FEATURES: Final = 64
CLASSES: Final = 10
DATA: Final = ("digits", "gaussian")


@lru_cache(maxsize=1)
def _digits() -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = np.split(bundled_digits(), [FEATURES], axis=1)
    spread = images.std(axis=0)
    # A pixel that is the same everywhere is only centred.
    pixels = (images - images.mean(axis=0)) / np.where(spread == 0, 1.0, spread)
    return torch.tensor(pixels, dtype=torch.float32), torch.tensor(labels[:, 0], dtype=torch.int64)


def draw(data: str, examples: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs of shape (examples, 64) with mean square one each, and labels of shape (examples,)."""
    check_name("data", data, DATA)
    if data == "digits":
        images, labels = _digits()
        chosen = torch.randperm(len(images), generator=generator)[:examples]
        inputs, targets = images[chosen], labels[chosen]
    else:
        inputs = torch.randn(examples, FEATURES, generator=generator)
        targets = torch.randint(CLASSES, (examples,), generator=generator)
    return inputs / inputs.square().mean(dim=1, keepdim=True).sqrt(), targets

r"""An initial weight matrix as training sees it: through its products W a and W^T b alone.

Entries are independent N(0, 1/n). ``Dense`` holds them. ``Lazy`` holds only the products asked for so far and draws
each new one from its exact law given those before: with orthonormal bases Q_a of the vectors W has met and Q_b of
those W^T has met, for a new unit vector e orthogonal to Q_a,
    W e = Q_b (W^T Q_b)^T e + (1 - Q_b Q_b^T) xi,   xi ~ N(0, 1/n) fresh,
and the same for W^T. The first term is the response of the forward pass to the backward passes before it: what
the gradient-independence assumption drops. A net of n units that has seen p vectors costs n p in place of n^2 a
product, so n = 65536 is within reach: particles of the mean-field limit, interacting through their covariances.

``tied=False`` makes W^T's products those of an independent copy: gradient independence by construction. Both kinds
draw in the same order, so that tied and decoupled runs of one seed share their random numbers.

Worked line: before any backward pass Q_b is empty, and W e is a fresh Gaussian vector.
Source: conditioning of Gaussian matrices on their products, as in Bolthausen (arXiv 1201.2891) and Tensor Programs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import torch
from torch import Tensor

PASSES: Final = 2

Draw = Callable[[int], Tensor]


class Matrix(Protocol):
    """Products of an initial matrix of S members; vectors are columns of shape (S, n, any)."""

    def times(self, columns: Tensor) -> Tensor:
        """W a."""

    def transposed_times(self, columns: Tensor) -> Tensor:
        """W^T b, of the same W or, decoupled, of an independent copy."""


class Dense:
    """All n x n entries of each member, shape (S, n, n)."""

    def __init__(self, forward: Tensor, backward: Tensor) -> None:
        self.forward, self.backward = forward, backward

    def times(self, columns: Tensor) -> Tensor:
        """W a."""
        return torch.bmm(self.forward, columns)

    def transposed_times(self, columns: Tensor) -> Tensor:
        """W^T b."""
        return torch.bmm(self.backward.transpose(1, 2), columns)


class Side:
    """The vectors a matrix has met on one side: an orthonormal basis, and its images; shapes (S, n, p)."""

    def __init__(self) -> None:
        self.basis: Tensor | None = None
        self.images: Tensor | None = None

    def components(self, columns: Tensor) -> Tensor:
        """The columns' components along the basis, shape (S, p, any)."""
        assert self.basis is not None
        return torch.bmm(self.basis.transpose(1, 2), columns)

    def split(self, columns: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(new orthonormal directions, coefficients on the old ones, coefficients on the new ones)."""
        rest = columns
        old = columns.new_zeros(columns.shape[0], 0, columns.shape[2])
        if self.basis is not None:
            old = self.components(columns)
            rest = columns - torch.bmm(self.basis, old)
        directions, new = torch.linalg.qr(rest)
        if self.basis is not None:
            # A column inside the old span leaves a direction of rounding, which must be turned out of the span again
            # and again: its first remainder is small, and only the one after that is clean.
            for _ in range(PASSES):
                directions = directions - torch.bmm(self.basis, self.components(directions))
                directions, turned = torch.linalg.qr(directions)
                new = torch.bmm(turned, new)
        return directions, old, new

    def extend(self, directions: Tensor, images: Tensor) -> None:
        """Remember new directions and their images."""
        self.basis = directions if self.basis is None else torch.cat([self.basis, directions], dim=2)
        self.images = images if self.images is None else torch.cat([self.images, images], dim=2)


def _multiply(here: Side, other: Side, columns: Tensor, draw: Draw, *, tied: bool) -> Tensor:
    """The product, drawn given all products before; ``other`` has met the matrix from the other side."""
    directions, old, new = here.split(columns)
    images = draw(columns.shape[2])
    if tied and other.basis is not None and other.images is not None:
        response = torch.bmm(other.images.transpose(1, 2), directions)
        images = images + torch.bmm(other.basis, response - other.components(images))
    seen = torch.bmm(images, new)
    if here.images is not None:
        seen = seen + torch.bmm(here.images, old)
    here.extend(directions, images)
    return seen


class Lazy:
    """A matrix known only through its products; ``draw(columns)`` gives fresh N(0, 1/n) columns (S, n, columns)."""

    def __init__(self, draw: Draw, *, tied: bool) -> None:
        self.right, self.left = Side(), Side()
        self.draw, self.tied = draw, tied

    def times(self, columns: Tensor) -> Tensor:
        """W a, drawn given every product so far."""
        return _multiply(self.right, self.left, columns, self.draw, tied=self.tied)

    def transposed_times(self, columns: Tensor) -> Tensor:
        """W^T b, drawn given every product so far."""
        return _multiply(self.left, self.right, columns, self.draw, tied=self.tied)

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
    """The vectors a matrix has met on one side: an orthonormal basis, and its images; shapes (S, n, p).

    Room for ``capacity`` vectors is made once: growing piece by piece leaves memory in shreds.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity, self.met = capacity, 0
        self._basis, self._images = torch.empty(0), torch.empty(0)

    @property
    def basis(self) -> Tensor:
        """The orthonormal basis so far."""
        return self._basis[:, :, : self.met]

    @property
    def images(self) -> Tensor:
        """The products with it."""
        return self._images[:, :, : self.met]

    def components(self, columns: Tensor) -> Tensor:
        """The columns' components along the basis, shape (S, p, any)."""
        return torch.bmm(self.basis.transpose(1, 2), columns)

    def split(self, columns: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(new orthonormal directions, coefficients on the old ones, coefficients on the new ones)."""
        if not self.met:
            directions, new = torch.linalg.qr(columns)
            return directions, columns.new_zeros(columns.shape[0], 0, columns.shape[2]), new
        old = self.components(columns)
        directions, new = torch.linalg.qr(columns - torch.bmm(self.basis, old))
        # A column inside the old span leaves a direction of rounding, which must be turned out of the span again
        # and again: its first remainder is small, and only the one after that is clean.
        for _ in range(PASSES):
            directions, turned = torch.linalg.qr(directions - torch.bmm(self.basis, self.components(directions)))
            new = torch.bmm(turned, new)
        return directions, old, new

    def extend(self, directions: Tensor, images: Tensor) -> None:
        """Remember new directions and their images."""
        members, n, count = directions.shape
        room = self._basis.shape[2] if self.met else 0
        if self.met + count > room:
            size = max(self.capacity, 2 * room, self.met + count)
            kept = (self.basis, self.images) if self.met else None
            self._basis, self._images = (directions.new_empty(members, n, size) for _ in range(2))
            if kept is not None:
                self._basis[:, :, : self.met], self._images[:, :, : self.met] = kept
        self._basis[:, :, self.met : self.met + count] = directions
        self._images[:, :, self.met : self.met + count] = images
        self.met += count


def _multiply(here: Side, other: Side, columns: Tensor, draw: Draw, *, tied: bool) -> Tensor:
    """The product, drawn given all products before; ``other`` has met the matrix from the other side."""
    directions, old, new = here.split(columns)
    images = draw(columns.shape[2])
    if tied and other.met:
        response = torch.bmm(other.images.transpose(1, 2), directions)
        images = images + torch.bmm(other.basis, response - other.components(images))
    seen = torch.bmm(images, new)
    if here.met:
        seen = seen + torch.bmm(here.images, old)
    here.extend(directions, images)
    return seen


class Lazy:
    """A matrix known only through its products; ``draw(columns)`` gives fresh N(0, 1/n) columns (S, n, columns).

    ``capacity`` is how many vectors each side is going to meet, if that is known.
    """

    def __init__(self, draw: Draw, *, tied: bool, capacity: int = 1) -> None:
        self.right, self.left = Side(capacity), Side(capacity)
        self.draw, self.tied = draw, tied

    def times(self, columns: Tensor) -> Tensor:
        """W a, drawn given every product so far."""
        return _multiply(self.right, self.left, columns, self.draw, tied=self.tied)

    def transposed_times(self, columns: Tensor) -> Tensor:
        """W^T b, drawn given every product so far."""
        return _multiply(self.left, self.right, columns, self.draw, tied=self.tied)

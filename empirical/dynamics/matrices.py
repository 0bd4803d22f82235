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

Vectors that training makes often lie in the span of those before: with one output every delta_L is a multiple of v,
and a linear net's all are. What is left of such a vector is rounding, whose direction depends on the order of a sum,
and so on the number of threads; a basis that kept it drew that direction's image, which later vectors met at full size
(losses of 1 and 4 threads came out up to 4 % apart). A remainder below ``INDEPENDENT`` of its vector is therefore
none: its direction and image are zero. Rounding grows over layers and steps to some 1e-13 of a vector; the smallest
remainder that is real, of an infinitesimal step in a stream that doubles at each of 32 blocks, is 1e-8 of it. The bound
lies between, as far from the one as from the other.

Worked line: before any backward pass Q_b is empty, and W e is a fresh Gaussian vector.
Source: conditioning of Gaussian matrices on their products, as in Bolthausen (arXiv 1201.2891) and Tensor Programs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

import torch
from torch import Tensor

INDEPENDENT: Final = 2.0**-35
# What is left of a vector, 3e-11 of it at least, is clean of the basis to 1e-5 after one pass, and then to rounding.
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

    def split(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Take the columns' new directions into the basis: (coefficients on all of it, which directions are new).

        One column after the other, so that a dependent one leaves no direction that the next would be measured along.
        Shapes (S, p + count, count) and (S, count); a dependent column's direction is zero, in each member apart.
        """
        members, n, count = columns.shape
        self._make_room(members, n, count, columns)
        coefficients = columns.new_zeros(members, self.met + count, count)
        independent = torch.zeros(members, count, dtype=torch.bool)
        for place in range(count):
            column, seen = columns[:, :, place : place + 1], self.met
            left = column
            for _ in range(PASSES if seen else 0):
                along = self.components(left)
                left = left - torch.bmm(self.basis, along)
                coefficients[:, :seen, place] += along[:, :, 0]
            size = left.norm(dim=1, keepdim=True)
            new = ~(size <= INDEPENDENT * column.norm(dim=1, keepdim=True))  # what is no number stays seen
            independent[:, place] = new[:, 0, 0]
            coefficients[:, seen, place] = torch.where(new, size, 0)[:, 0, 0]
            self._basis[:, :, seen : seen + 1] = torch.where(new, left / size, 0)
            self.met += 1
        return coefficients, independent

    def _make_room(self, members: int, n: int, count: int, like: Tensor) -> None:
        room = self._basis.shape[2] if self.met else 0
        if self.met + count > room:
            size = max(self.capacity, 2 * room, self.met + count)
            kept = (self.basis, self.images) if self.met else None
            self._basis, self._images = (like.new_empty(members, n, size) for _ in range(2))
            if kept is not None:
                self._basis[:, :, : self.met], self._images[:, :, : self.met] = kept

    def remember(self, images: Tensor) -> None:
        """Keep the images of the newest directions."""
        self._images[:, :, self.met - images.shape[2] : self.met] = images


def _multiply(here: Side, other: Side, columns: Tensor, draw: Draw, *, tied: bool) -> Tensor:
    """The product, drawn given all products before; ``other`` has met the matrix from the other side."""
    count = columns.shape[2]
    coefficients, independent = here.split(columns)
    images = draw(count)
    if tied and other.met:
        response = torch.bmm(other.images.transpose(1, 2), here.basis[:, :, -count:])
        images = images + torch.bmm(other.basis, response - other.components(images))
    here.remember(torch.where(independent[:, None, :], images, 0))
    return torch.bmm(here.images, coefficients)


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

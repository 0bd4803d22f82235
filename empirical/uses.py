"""What is written down of a use: its size at theta_0, what one parameter changed of it, and the forms it went on in.

A use that is only rearranged or multiplied by a number is followed; its last forms, the leaves, are what is read off.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

Fans = tuple[int | None, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One parameter at one operation; ``own`` and ``act`` are root mean squares over all entries of its output.

    ``operation`` is torch's name, ``place`` its number in the forward pass, ``part`` which part of a split. ``fans``
    are how many entries of what it meets one entry of its output sums over, None where it acts entry by entry (a bias,
    a gain), and how many entries it makes: the in and out of a matrix. Of no entries at all, both sizes are nan.
    """

    parameter: str
    operation: str
    place: int
    part: int
    own: float
    act: float
    fans: Fans


@dataclass(slots=True)
class Followed:
    """The output of a use, as far as it has been followed: what each parameter changed of it.

    ``cut`` says which splits it came through: two whole forms of one output are one use.
    """

    operation: str
    place: int
    changes: dict[str, Tensor]
    act: Tensor
    fans: dict[str, Fans]
    parts: list[Followed] = field(default_factory=list)
    cut: tuple[str, ...] = ()

    def uses(self) -> Iterable[Use]:
        """One a parameter, or those of the parts."""
        found: dict[tuple[Any, ...], tuple[Followed, dict[str, float]]] = {}
        for leaf in self.leaves():
            sizes = {name: rms(change) for name, change in leaf.changes.items()}
            seen = leaf.act[~leaf.act.isinf()]  # a mask of -inf is not the size of anything
            found.setdefault((leaf.cut, rms(seen), *sizes.values()), (leaf, sizes))
        for part, ((_, size, *_), (leaf, sizes)) in enumerate(found.items()):
            for name, own in sizes.items():
                yield Use(
                    parameter=name,
                    operation=self.operation,
                    place=self.place,
                    part=part,
                    own=own,
                    act=size,
                    fans=leaf.fans[name],
                )

    def leaves(self) -> Iterable[Followed]:
        """The last forms of it."""
        if not self.parts:
            yield self
        for part in self.parts:
            yield from part.leaves()


def rms(of: Tensor) -> float:
    """The root mean square of the sizes of its entries, in float64; nan of nothing."""
    sizes = of.detach().abs() if of.is_complex() else of.detach()
    return float(sizes.double().square().mean().sqrt()) if of.numel() else float("nan")

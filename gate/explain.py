"""``explain(against, verdicts)``: the smallest change of powers under which everything that was measured is expected.

An implementation that contradicts its claims usually has one power wrong: of one role, of every hidden role, of one
kind for all roles, or of the branch. The expected slopes are linear in the powers as long as no share of a sum takes
over and the stream keeps its size. So for each of these families one small move gives the slope every observable
gains per unit of it; least squares over the observables that are products gives the size of the move. It is solved
again around what came out, since a stream that grows bends the slopes. The nearest simple fractions are put into the
exact expected values, and a move explains the verdicts where every measured interval holds what is expected then. Where
no such move is found, every quarter up to 3/2 is tried, and then two roles at once.

Moves that no verdict tells apart are listed together: what cannot be seen is not decided.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from powercount.decide import CONFIDENCE
from powercount.derivations.recipe import KINDS, Axis, Kind, Observable, Recipe
from powercount.empirical.design import Sweep
from powercount.finite_size import FiniteSize
from powercount.verdict import Verdict

PROBE: Final = Fraction(1, 4)
DENOMINATORS: Final = (1, 2, 3, 4, 6)
NEAR: Final = 0.2  # of a solved move: simple fractions this close to it are tried
TRIED: Final = tuple(Fraction(sign * count, 4) for count in range(1, 7) for sign in (-1, 1))
ROUNDS: Final = 3  # of solving: slopes are linear in pieces, and the second round is in the right one
GRID: Final = 12  # moves are solved again around the nearest of these parts
FURTHEST: Final = 2
FLAT: Final = 0.05  # a slope gained per unit of a move that is none
PAIRS_TRIED: Final = 12
SHOWN: Final = 4
SUMS: Final = ("total-update", "feature-update", "output-update")


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One power moved by ``shift`` for one role or several together; ``roles`` = ("branch",) is the branch's own."""

    roles: tuple[str, ...]
    kind: Kind
    axis: Axis
    shift: Fraction

    def applied(self, recipe: Recipe) -> Recipe:
        """The recipe with that power moved."""
        for role in self.roles:
            recipe = recipe.shifted(role, self.kind, self.axis, self.shift)
        return recipe

    def __str__(self) -> str:
        letter = "n" if self.axis == "width" else "L"
        what = "branch multiplier" if self.roles == ("branch",) else f"{_listed(self.roles)} {self.kind}"
        whose = "its power" if len(self.roles) == 1 else "their powers"
        verb = "is" if len(self.roles) == 1 else "are"
        sign = "+" if self.shift > 0 else ""
        return f"{what}: {whose} of {letter} {verb} off by {sign}{self.shift}"

    def remedy(self) -> str:
        """What to change."""
        letter = "n" if self.axis == "width" else "L"
        what = "the branch" if self.roles == ("branch",) else f"the {self.kind} of {_listed(self.roles)}"
        return f"multiply {what} by {letter}^({-self.shift})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Moves that together would explain every verdict; ``misfit`` is the rms gap that is left, in resolutions."""

    moves: tuple[Move, ...]
    misfit: float

    def __str__(self) -> str:
        return "; and ".join(str(move) for move in self.moves)

    def remedy(self) -> str:
        """What to change."""
        return ", ".join(move.remedy() for move in self.moves)

    def applied(self, recipe: Recipe) -> Recipe:
        """The recipe with every move made."""
        for move in self.moves:
            recipe = move.applied(recipe)
        return recipe

    def order(self) -> tuple[int, bool, int, float]:
        """The simplest first: few moves, by quarters (what people write), of few roles; then the better fit."""
        quarters = all(4 % move.shift.denominator == 0 for move in self.moves)
        return len(self.moves), not quarters, sum(len(move.roles) for move in self.moves), self.misfit


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def families(recipe: Recipe, axis: Axis) -> Iterator[tuple[tuple[str, ...], Kind]]:
    """What is moved together: one role, every hidden role, every role, the branch; of one kind."""
    hidden = recipe.role_names[1:-1]
    for kind in KINDS:
        movable = [name for name in recipe.role_names if getattr(recipe.role(name), kind) is not None]
        groups: list[tuple[str, ...]] = [(name,) for name in movable]
        groups += [group for group in (hidden, recipe.role_names) if len(group) > 1 and set(group) <= set(movable)]
        yield from ((group, kind) for group in groups)
    if axis == "depth":
        yield ("branch",), "multiplier"


class SlopesSeen:
    """What was measured along one axis, as intervals that an explanation must meet."""

    def __init__(self, against: Recipe, verdicts: Sequence[Verdict]) -> None:
        seen = [v for v in verdicts if v.measurement.state == "measured" and math.isfinite(v.expected)]
        self.against, self.observables = against, [v.prediction.observable for v in seen]
        self.sweep: Sweep | None = seen[0].measurement.sweep if seen else None
        self.slopes = np.array([v.measurement.slope for v in seen])
        self.bounds = [v.measurement.interval(CONFIDENCE) for v in seen]
        self.reach = np.array([v.resolution for v in seen])
        self.product = np.array([not _is_sum(each) for each in self.observables])
        # A zero or an overflow that the claims do not have is no matter of a power that is off.
        self.beyond = any(v.outcome == "CONTRADICTS" and v.measurement.state != "measured" for v in verdicts)

    def expected(self, recipe: Recipe) -> NDArray[np.float64]:
        """The slopes expected of a recipe."""
        assert self.sweep is not None
        values = FiniteSize.of(recipe, self.sweep)
        return np.array([values.slope(each) for each in self.observables])

    def misfit(self, recipe: Recipe) -> float:
        """The rms gap in resolutions if every interval holds what is expected of the recipe, else infinity."""
        assert self.sweep is not None
        try:
            values = FiniteSize.of(recipe, self.sweep)
            gaps = []
            for observable, slope, (low, high) in zip(self.observables, self.slopes, self.bounds, strict=True):
                there, error = values.slope(observable), values.error(observable)
                if not low - error <= there <= high + error:
                    return math.inf
                gaps.append((slope - there) / max((high - low) / 2 + error, 1e-9))
        except (OverflowError, ZeroDivisionError):
            return math.inf
        return math.sqrt(sum(gap * gap for gap in gaps) / len(gaps))


def _is_sum(observable: Observable) -> bool:
    return observable.quantity in SUMS and (observable.role is None or observable.quantity == "total-update")


def simple_fractions(near: float, width: float) -> list[Fraction]:
    """The simple fractions other than zero within ``width`` of a number, the nearest first."""
    found = set()
    for denominator in DENOMINATORS:
        for count in range(math.ceil((near - width) * denominator), math.floor((near + width) * denominator) + 1):
            found.add(Fraction(count, denominator))
    return sorted(found - {Fraction(0)}, key=lambda each: abs(float(each) - near))


def explain(against: Recipe, verdicts: Sequence[Verdict]) -> list[Explanation]:
    """The smallest sets of moves that explain the verdicts of one axis, the simplest first; empty if none was found."""
    evidence = SlopesSeen(against, verdicts)
    if evidence.sweep is None or evidence.beyond:
        return []
    axis = evidence.sweep.axis
    base = evidence.expected(against)
    groups = list(families(against, axis))
    gains = [_gain(evidence, against, roles, kind, axis) for roles, kind in groups]
    found = []
    for (roles, kind), gain in zip(groups, gains, strict=True):
        for shift in _solved(evidence, against, roles, kind, base, gain):
            found += _tried(evidence, against, (Move(roles=roles, kind=kind, axis=axis, shift=shift),))
    if not found:
        for roles, kind in groups:
            for shift in TRIED:
                found += _tried(evidence, against, (Move(roles=roles, kind=kind, axis=axis, shift=shift),))
    if not found:
        found = list(_pairs(evidence, against, base, groups, gains))
    return sorted(_best_of_each(found), key=Explanation.order)


def _gain(
    evidence: SlopesSeen,
    against: Recipe,
    roles: tuple[str, ...],
    kind: Kind,
    axis: Axis,
    around: Fraction = Fraction(0),
    probe: Fraction = PROBE,
) -> NDArray[np.float64]:
    """The slope that every observable gains per unit of a move, from a small one up and one down."""
    up, down = (
        evidence.expected(Move(roles=roles, kind=kind, axis=axis, shift=around + shift).applied(against))
        for shift in (probe, -probe)
    )
    gain: NDArray[np.float64] = (up - down) / (2 * float(probe))
    return gain


def _solved(
    evidence: SlopesSeen,
    against: Recipe,
    roles: tuple[str, ...],
    kind: Kind,
    base: NDArray[np.float64],
    gain: NDArray[np.float64],
) -> list[Fraction]:
    """The moves of one family that least squares suggests: from the claims, and again from where that led."""
    assert evidence.sweep is not None
    axis, found, at = evidence.sweep.axis, list[Fraction](), Fraction(0)
    for _ in range(ROUNDS):
        gap, usable = evidence.slopes - base, evidence.product & np.isfinite(gain) & np.isfinite(base)
        moved = usable & (np.abs(gain) > FLAT)
        if not moved.any():
            break
        weights = gain[moved] / evidence.reach[moved] ** 2
        near = float(at) + float(weights @ gap[moved] / (weights @ gain[moved]))
        found += [each for each in simple_fractions(near, NEAR) if each not in found]
        last, at = at, Fraction(round(GRID * max(-FURTHEST, min(FURTHEST, near))), GRID)
        if at == last:
            break
        try:
            base = evidence.expected(Move(roles=roles, kind=kind, axis=axis, shift=at).applied(against))
            gain = _gain(evidence, against, roles, kind, axis, at, Fraction(1, GRID))
        except (OverflowError, ZeroDivisionError):
            break
    return found


def _tried(evidence: SlopesSeen, against: Recipe, moves: tuple[Move, ...]) -> list[Explanation]:
    tried = Explanation(moves=moves, misfit=math.inf)
    misfit = evidence.misfit(tried.applied(against))
    return [replace(tried, misfit=misfit)] if misfit < math.inf else []


def _pairs(
    evidence: SlopesSeen,
    against: Recipe,
    base: NDArray[np.float64],
    groups: Sequence[tuple[tuple[str, ...], Kind]],
    gains: Sequence[NDArray[np.float64]],
) -> Iterator[Explanation]:
    """Two families at once: the pairs whose least squares leave the least, each with the nearest quarters."""
    gap, usable, ranked = evidence.slopes - base, evidence.product, []
    assert evidence.sweep is not None
    axis = evidence.sweep.axis
    for first, second in combinations(range(len(groups)), 2):
        columns = np.stack([gains[first], gains[second]], axis=1)[usable] / evidence.reach[usable, None]
        if not np.isfinite(columns).all() or np.linalg.matrix_rank(columns, tol=FLAT) < len((first, second)):
            continue
        shifts = np.linalg.lstsq(columns, gap[usable] / evidence.reach[usable], rcond=None)[0]
        rounded = [Fraction(round(4 * float(shift)), 4) for shift in shifts]
        left = columns @ np.array([float(shift) for shift in rounded]) - gap[usable] / evidence.reach[usable]
        if all(rounded):
            roles = len(groups[first][0]) + len(groups[second][0])
            ranked.append((float(np.abs(left).max()), roles, first, second, rounded))
    for _, _, first, second, rounded in sorted(ranked, key=lambda each: each[:2])[:PAIRS_TRIED]:
        moves = tuple(
            Move(roles=groups[place][0], kind=groups[place][1], axis=axis, shift=shift)
            for place, shift in zip((first, second), rounded, strict=True)
        )
        yield from _tried(evidence, against, moves)


def _best_of_each(found: Iterable[Explanation]) -> list[Explanation]:
    """Of one family's moves the first in order."""
    best: dict[tuple[tuple[tuple[str, ...], Kind], ...], Explanation] = {}
    for each in found:
        key = tuple((move.roles, move.kind) for move in each.moves)
        if key not in best or each.order() < best[key].order():
            best[key] = each
    return list(best.values())

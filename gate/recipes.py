"""``verify(recipe)``: derive, measure and judge every observable on both axes; name the power that is off.

``claims`` may differ from the recipe that is built: the claims of a known parametrization against an
implementation, which is how a gate and the suite's own negative twins use it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from powercount.derivations.predict import Prediction, derive
from powercount.derivations.recipe import AXES, Axis, Kind, Observable, Recipe, check_powers, observables
from powercount.empirical.sweep import Progress, Sweep, check_memory, measure
from powercount.finite_size import SMALL_STEPS, FiniteSize
from powercount.verdict import CONFIDENCE, RIVAL, Verdict, judge

WIDTHS: Final = (64, 128, 256, 512)
DEPTHS: Final = (4, 8, 16, 32, 64)
GROWTH_DEPTHS: Final = (2, 4, 8, 16)
RESERVE: Final = 0.98
NARROWEST: Final = 0.01
SUSPECT_SHIFTS: Final = (Fraction(-1, 2), Fraction(-1, 4), Fraction(1, 4), Fraction(1, 2))


def default_sweep(recipe: Recipe, axis: Axis) -> Sweep:
    """The sizes that decide most exponents in about a second.

    Width: three blocks, the fewest whose middle one has a block below and one above. Depth: one more
    doubling than the slowest correction at alpha = 1/2 asks for; where the stream grows faster than any
    power, small depths at a larger width, since the noise grows with depth as well.
    """
    if axis == "width":
        return Sweep(axis="width", sizes=WIDTHS, fixed=3, seeds=32, most_seeds=256)
    if derive(recipe, Observable(quantity="stream")).along("depth") is None:
        return Sweep(axis="depth", sizes=GROWTH_DEPTHS, fixed=256, seeds=16, most_seeds=256)
    return Sweep(axis="depth", sizes=DEPTHS, fixed=128, seeds=16, most_seeds=256)


def targets(predictions: Iterable[Prediction], values: FiniteSize, rival: Fraction = RIVAL) -> dict[Observable, float]:
    """The half-width each observable's interval must reach for ``judge`` to decide."""
    error = values.error()
    return {
        each.observable: max(RESERVE * (values.distance_to_rival(each, rival) / 2 - error), NARROWEST)
        for each in predictions
    }


def gentle(recipe: Recipe, sweep: Sweep) -> Sweep:
    """The sweep with its rate set so that T steps move the output, to first order, by SMALL_STEPS at most.

    Well below the edge of stability by construction; the second-order part is then at most that share.
    """
    values = FiniteSize.of(recipe, sweep)
    layers = recipe.block.layers
    moves = [values.largest_move(each) for each in observables(layers) if each.quantity == "output-update"]
    largest = max((move for move in moves if math.isfinite(move)), default=1.0)
    return replace(sweep, rate=SMALL_STEPS / (sweep.steps * max(largest, 1e-9)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """One power that, moved by ``shift``, would explain what was measured."""

    role: str
    kind: Kind
    axis: Axis
    shift: Fraction
    misfit: float

    def __str__(self) -> str:
        letter = "n" if self.axis == "width" else "L"
        what = "branch multiplier" if self.role == "branch" else f"{self.role} {self.kind}"
        sign = "+" if self.shift > 0 else ""
        return f"{what}: its power of {letter} is off by {sign}{self.shift}"


def suspects(claims: Recipe, verdicts: Sequence[Verdict]) -> list[Suspect]:
    """Single powers ranked by how well moving them explains the verdicts of one axis; best first."""
    usable = [v for v in verdicts if v.measurement.state == "measured" and math.isfinite(v.expected)]
    if not usable:
        return []
    sweep = usable[0].measurement.sweep

    def misfit(values: FiniteSize) -> float:
        total = 0.0
        for verdict in usable:
            there = values.slope(verdict.prediction.observable)
            gap = verdict.measurement.slope - there if math.isfinite(there) else 10.0
            total += (gap / max(verdict.resolution, 1e-3)) ** 2
        return math.sqrt(total / len(usable))

    found = []
    for role, kind, axis in claims.single_powers():
        if axis != sweep.axis:
            continue
        for shift in SUSPECT_SHIFTS:
            values = FiniteSize.of(claims.shifted(role, kind, axis, shift), sweep)
            found.append(Suspect(role=role, kind=kind, axis=axis, shift=shift, misfit=misfit(values)))
    return sorted(found, key=lambda suspect: suspect.misfit)


def verify_axis(
    recipe: Recipe,
    axis: Axis,
    *,
    claims: Recipe | None = None,
    asked: Iterable[Observable] | None = None,
    sweep: Sweep | None = None,
    rival: Fraction = RIVAL,
    progress: Progress | None = None,
) -> list[Verdict]:
    """Derive from ``claims``, measure ``recipe`` along one axis, judge each observable asked for."""
    claims = claims or recipe
    wanted = tuple(asked) if asked is not None else observables(recipe.block.layers)
    chosen = sweep or default_sweep(claims, axis)
    check_memory(recipe, chosen)
    check_powers(claims)
    chosen = gentle(claims, chosen) if chosen.steps else chosen
    values = FiniteSize.of(claims, chosen)
    predictions = [derive(claims, each) for each in wanted]
    measured = measure(
        recipe, wanted, replace(chosen, confidence=CONFIDENCE), targets(predictions, values, rival), progress
    )
    return [judge(each, measured[each.observable], rival=rival, finite_size=values) for each in predictions]


def verify(recipe: Recipe, *, claims: Recipe | None = None, asked: Iterable[Observable] | None = None) -> list[Verdict]:
    """Every observable asked for (all of them by default) on both axes."""
    wanted = None if asked is None else tuple(asked)
    return [verdict for axis in AXES for verdict in verify_axis(recipe, axis, claims=claims, asked=wanted)]

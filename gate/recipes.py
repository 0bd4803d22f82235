"""``verify(recipe)``: derive, measure and judge every observable on both axes; name the power that is off.

``against`` may differ from the recipe that is built: the claims of a known parametrization against an
implementation, which is how a gate and the suite's own negative twins use it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from powercount.decide import CONFIDENCE, RIVAL
from powercount.derivations.adam import STEPS
from powercount.derivations.limits import KINKED
from powercount.derivations.momentum import reach
from powercount.derivations.next_order import NextOrder
from powercount.derivations.predict import Prediction, derive, learns_readout, zero_roles
from powercount.derivations.recipe import AXES, Axis, Observable, QuestionError, Recipe, check_powers, observables_of
from powercount.empirical.descent import TurnedError
from powercount.empirical.design import EXAMPLES, FEWEST_SIZES, Sweep, SweepError
from powercount.empirical.fit import seen
from powercount.empirical.grow import Progress
from powercount.empirical.nets import check_possible, drawn, member_squares
from powercount.empirical.sweep import measure
from powercount.finite_size import SMALL_STEPS, SUMMED, FiniteSize
from powercount.verdict import Verdict, judge

WIDTHS: Final[tuple[int, ...]] = (64, 128, 256, 512)
DEPTHS: Final[tuple[int, ...]] = (4, 8, 16, 32, 64)
GROWTH_DEPTHS: Final[tuple[int, ...]] = (2, 4, 8)
WIDENINGS: Final = (Fraction(3, 2), 2, 3, 4)  # times the width
MOST_OF_ONE: Final = 1 << 25  # weights of one member
MOST_WEIGHTS: Final = 1 << 32  # weights of all members: some forty CPU seconds
# Of half the distance to a rival exponent, an eighth, this much may be the declared error of a default sweep.
ROOMY: Final = 0.065
RESERVE: Final = 0.98
HALVED: Final = 0.02
HALVINGS: Final = 6
TRIED: Final = 2


def default_sweep(recipe: Recipe, axis: Axis, *, steps: int = 0) -> Sweep:
    """The sizes that decide most exponents in about a second.

    Width: three blocks, the fewest whose middle one has a block below and one above. Depth: one more doubling than the
    slowest correction at alpha = 1/2 asks for; where the stream grows faster than any power, small depths at a larger
    width, since noise and finite-width errors grow with depth as well. Real steps cost a training run for each role:
    one size fewer. Networks are then made wider until the declared error leaves seeds enough room to decide: deep
    blocks and the squared loss ask for it, and sums whose leading share hardly shows. What a sweep may cost is
    bounded; where that does not decide, the verdict says what would.
    """
    growing = derive(recipe, Observable(quantity="stream")).along("depth") is None
    sizes, fixed, seeds = (
        (WIDTHS, 3, 32) if axis == "width" else (GROWTH_DEPTHS, 256, 16) if growing else (DEPTHS, 128, 16)
    )
    if steps and len(sizes) > FEWEST_SIZES:
        sizes = sizes[:-1]
    sweep = Sweep(
        axis=axis,
        sizes=sizes,
        fixed=fixed,
        seeds=seeds,
        most_seeds=512,
        steps=steps,
        examples=1 if steps else EXAMPLES,
    )
    with suppress(OverflowError):  # values that leave the range of floats at these sizes do so at larger ones
        sweep = _roomy(recipe, sweep)
    while sweep.most_seeds > 2 * sweep.seeds and sweep.most_seeds * weights(recipe, sweep) > MOST_WEIGHTS:
        sweep = replace(sweep, most_seeds=sweep.most_seeds // 2)
    return sweep


def _roomy(recipe: Recipe, sweep: Sweep) -> Sweep:
    """The sweep, as much wider as leaves seeds enough room beside the declared error."""
    chosen = sweep
    for times in WIDENINGS:
        if (
            FiniteSize.of(recipe, chosen).largest_error() <= ROOMY
            or weights(recipe, sweep.widened(times)) > MOST_OF_ONE
        ):
            break
        chosen = sweep.widened(times)
    chosen = _told_apart(recipe, chosen)
    narrow = chosen.axis == "width" and FiniteSize.of(recipe, chosen).largest_error() > ROOMY
    return replace(chosen, sizes=chosen.sizes[1:]) if narrow and len(chosen.sizes) > FEWEST_SIZES else chosen


def _told_apart(recipe: Recipe, sweep: Sweep) -> Sweep:
    """The sweep, as much wider as fewest sums hide the rival of their leading share behind their declared error."""
    best, hidden = sweep, _hidden(recipe, sweep)
    for wider in (sweep.widened(times) for times in WIDENINGS):
        if hidden == 0 or weights(recipe, wider) > MOST_OF_ONE:
            break
        left = _hidden(recipe, wider)
        if left < hidden:
            best, hidden = wider, left
    return best


def _hidden(recipe: Recipe, sweep: Sweep) -> int:
    """How many sums leave seeds less than half of what tells them from ones whose leading share is off."""
    values, found = FiniteSize.of(recipe, sweep), 0
    for each in observables_of(recipe):
        if each.quantity in SUMMED and (each.role is None or each.quantity == "total-update"):
            distance = values.distance_to_rival(derive(recipe, each, steps_made=sweep.steps), RIVAL)
            found += 0 < distance < min(float(RIVAL), 4 * values.error(each))
    return found


def weights(recipe: Recipe, sweep: Sweep) -> int:
    """The hidden weights of one member at the largest size."""
    width, depth = sweep.points()[-1]
    return recipe.block.layers * depth * width**2


def targets(predictions: Iterable[Prediction], values: FiniteSize, rival: Fraction = RIVAL) -> dict[Observable, float]:
    """The half-width each observable's interval must reach for ``judge`` to decide.

    Where the declared error leaves no room for AGREES, seeds still tell a power that is off by more: as many are spent
    as half the distance to the rival asks for.
    """
    found = {}
    for each in predictions:
        half = RESERVE * values.distance_to_rival(each, rival) / 2
        room = half - RESERVE * values.error(each.observable)
        found[each.observable] = room if room > 0 else half if half > 0 else math.inf
    return found


def gentle(recipe: Recipe, sweep: Sweep) -> Sweep:
    """The sweep with its rate set so that T steps move everything by SMALL_STEPS at most, to first order.

    Everything: the output, and by their own sizes the stream and the preactivations at mid-depth; where one role moves
    alone, what it moves. Well below the edge of stability by construction; ``check_gentle`` tries it. A readout that
    starts at zero moves nothing but itself at first: what it moves then is judged from its zeros, not from the unit
    weights that stand for them in ``FiniteSize``, and ``check_gentle`` bounds what it moves at second order.
    """
    made = STEPS.get(recipe.optimizer.name, NextOrder)
    values = tuple(made(recipe, width, depth) for width, depth in sweep.points())
    first_steps = float(reach(recipe.optimizer.name, sweep.steps) / reach(recipe.optimizer.name, 1))

    def rate(moving: str | None) -> float:
        moves = [move for value in values for move in value.relative_moves(moving)]
        return SMALL_STEPS / (first_steps * max((move for move in moves if 0 < move < math.inf), default=1.0))

    return replace(sweep, rate=rate(None), alone=tuple((role, rate(role)) for role in recipe.role_names))


def slower(sweep: Sweep, by: float) -> Sweep:
    """The same sweep with every rate divided."""
    return replace(sweep, rate=sweep.rate / by, alone=tuple((role, rate / by) for role, rate in sweep.alone))


def check_gentle(recipe: Recipe, asked: Sequence[Observable], sweep: Sweep) -> Sweep:
    """The sweep at a rate whose changes are halved with it: within HALVED at the smallest and the largest size.

    Raises ``SweepError`` where ``HALVINGS`` halvings do not get there.
    """
    sizes = sorted(set(sweep.sizes))
    ends = replace(sweep, sizes=(sizes[0], sizes[len(sizes) // 2], sizes[-1]))
    draws = drawn(recipe, sweep, range(TRIED))

    def changes(at: Sweep) -> dict[Observable, NDArray[np.float64]] | None:
        with suppress(TurnedError):
            return member_squares(recipe, asked, at, draws)
        return None

    whole = changes(ends)
    for _ in range(HALVINGS):
        half, off = changes(slower(ends, 2)), math.inf
        if whole is not None and half is not None:
            off = max((_misfit(whole[each], half[each]) for each in asked if each.is_change), default=0.0)
        if off <= HALVED:
            return replace(sweep, rate=ends.rate, alone=ends.alone)
        ends, whole = slower(ends, 2), half
    raise SweepError(
        f"{recipe.name}: after {HALVINGS} halvings of the rate its changes are still off by "
        f"{'more than can be told' if off == math.inf else f'{off:.0%}'} from being proportional to it; use --steps 0"
    )


def check_steps(recipe: Recipe, sweep: Sweep) -> None:
    """Raise ``QuestionError`` where nothing is derived for that many steps: matrices other than the readout at zero.

    What starts at zero moves at the first step; from the second step on it hands gradients down that were zero before.
    A stream of zeros sits on the kink of relu and abs: there the derivative is zero by convention, and a step is not.
    A step that does not see the gradient's size is a whole one from the second step on, along a gradient that a learned
    readout makes: its values are not those of a drawn readout.
    """
    zeros = zero_roles(recipe)
    if sweep.steps and "input" in zeros and recipe.block.activation in KINKED:
        raise QuestionError(
            f"{recipe.name}: input starts at zero, where {recipe.block.activation} has no derivative and a real step "
            "leaves its kink; use --steps 0, or a smooth activation"
        )
    if sweep.steps > 1 and zeros and (not learns_readout(recipe, sweep.steps) or recipe.optimizer.name in STEPS):
        raise QuestionError(
            f"{recipe.name}: {', '.join(sorted(zeros))} starts at zero, and what it hands on from the second step on "
            "is not derived; use --steps 0 or --steps 1"
        )


def _misfit(whole: NDArray[np.float64], half: NDArray[np.float64]) -> float:
    """How far sizes are from being halved with the rate, or quartered where they begin at second order."""
    if not (np.isfinite(whole).all() and np.isfinite(half).all()):
        return math.inf
    one, other = seen(whole).sum(axis=0), seen(half).sum(axis=0)
    if not ((one > 0) & (other > 0)).all():
        return 0.0  # zero or drowned: said by the verdict
    ratios = np.sqrt(one / other)
    return float(min(np.abs(ratios / 2**order - 1).max() for order in (1, 2)))


def verify_axis(
    recipe: Recipe,
    axis: Axis,
    *,
    against: Recipe | None = None,
    asked: Iterable[Observable] | None = None,
    sweep: Sweep | None = None,
    rival: Fraction = RIVAL,
    progress: Progress | None = None,
) -> list[Verdict]:
    """Derive from ``against``, measure ``recipe`` along one axis, judge each observable asked for."""
    against = against or recipe
    wanted = tuple(asked) if asked is not None else observables_of(recipe, against)
    chosen = sweep or default_sweep(against, axis)
    for each in (recipe, against):
        check_possible(each, chosen)
    check_powers(against)
    if chosen.steps:
        check_steps(against, chosen)
        chosen = check_gentle(against, wanted, gentle(against, chosen))
    values = FiniteSize.of(against, chosen)
    predictions = [derive(against, each, steps_made=chosen.steps) for each in wanted]
    measured = measure(
        recipe, wanted, replace(chosen, confidence=CONFIDENCE), targets(predictions, values, rival), progress
    )
    return [judge(each, measured[each.observable], rival=rival, finite_size=values) for each in predictions]


def verify(
    recipe: Recipe, *, against: Recipe | None = None, asked: Iterable[Observable] | None = None
) -> list[Verdict]:
    """Every observable asked for (all of them by default) on both axes."""
    wanted = None if asked is None else tuple(asked)
    return [verdict for axis in AXES for verdict in verify_axis(recipe, axis, against=against, asked=wanted)]

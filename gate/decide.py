"""``decide(estimate, expectation)``: AGREES, CONTRADICTS or UNDECIDED. The only rule by which anything is judged.

The measured interval, at a confidence that keeps the whole suite's false alarms within one budget, is widened by the
declared error of what is expected and compared with it.
    CONTRADICTS  the expected value lies outside, or the quantity vanishes or blows up where it must not
    UNDECIDED    it lies inside, but the resolution (the half-width of that interval) is not under half the distance to
                 what the nearest rival would show; or there is no evidence: numbers lost in rounding or below the range
                 of floats, or a subject in which nothing moves at all. Not a pass
    AGREES       otherwise
What is said to lie on a side, or between two numbers, is judged by ``within`` and the rules made of it.

Worked line: measured -.49 +- .06 at that confidence, expected -.5 with an error of .02, rival 1/4 away: -.5 lies
inside, the resolution .08 is under .125: AGREES.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from powercount.empirical.fit import Estimate

Outcome = Literal["AGREES", "CONTRADICTS", "UNDECIDED"]

SUITE_BUDGET: Final = Fraction(5, 100)
VERDICTS_IN_SUITE: Final = 5000
FALSE_ALARM: Final = float(SUITE_BUDGET / VERDICTS_IN_SUITE)
CONFIDENCE: Final = 1 - FALSE_ALARM
RIVAL: Final = Fraction(1, 4)
REPORTED: Final = 0.95
# A slope within this of another is not told from it: half the distance to the nearest rival exponent.
SMALL: Final = float(RIVAL) / 2


class Expectation(Protocol):
    """What a measurement is held against.

    ``value`` is the slope (or any number) expected at the very points that were measured, nan where it leaves the range
    of floats; ``allowance`` how far that itself may be off; ``distance`` how far off the nearest rival's value lies at
    these points, and ``rival`` that rival's distance in powers. Of a quantity that is expected to be exactly zero,
    ``vanishes`` is true; ``void`` if in this subject everything is; ``below`` if what is expected is too small a float;
    ``dead`` if by chance it may be exactly zero in every member.
    """

    @property
    def value(self) -> float:
        """The slope, or any number, expected."""
        ...

    @property
    def allowance(self) -> float:
        """How far that may be off."""
        ...

    @property
    def distance(self) -> float:
        """How far off the nearest rival's value lies."""
        ...

    @property
    def rival(self) -> Fraction | float:
        """How far off the nearest rival is, in powers."""
        ...

    @property
    def vanishes(self) -> bool:
        """Whether it is expected to be exactly zero."""
        ...

    @property
    def void(self) -> bool:
        """Whether everything is."""
        ...

    @property
    def dead(self) -> bool:
        """Whether by chance it may be exactly zero in every member."""
        ...

    @property
    def below(self) -> bool:
        """Whether it is too small a float."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A number with a stated allowance, for what has no exact value at finite size: a limit exponent, or a claim's own.

    ``Limit(value=0.0)`` is flat: the same at every size.
    """

    value: float
    allowance: float = 0.0
    rival: Fraction | float = RIVAL
    vanishes: bool = False
    void: bool = False
    below: bool = False
    dead: bool = False

    @property
    def distance(self) -> float:
        """That of the rival: nothing bends it at these points."""
        return float(self.rival)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The outcome, why, and the half-width of the interval that decided; ``coarse`` if that alone leaves it open."""

    outcome: Outcome
    because: str
    resolution: float
    coarse: bool = False


def decide(estimate: Estimate, expected: Expectation, *, frozen: bool = False) -> Decision:
    """Hold an estimate against what is expected; ``frozen`` says that the quantity is exactly zero at every point."""
    low, high = estimate.interval(CONFIDENCE)
    allowance = expected.allowance
    resolution = (high - low) / 2 + allowance

    def said(outcome: Outcome, because: str, *, coarse: bool = False) -> Decision:
        return Decision(outcome=outcome, because=because, resolution=resolution, coarse=coarse)

    if expected.vanishes:
        if not frozen:
            return said("CONTRADICTS", "it should vanish identically and does not")
        if expected.void:
            return said(
                "UNDECIDED", "void evidence: in this network every quantity is zero; give some role an init_std"
            )
        return said("AGREES", "it is exactly zero at every size, as derived; this says nothing about any power")
    if estimate.state == "drowned":
        return said(
            "UNDECIDED",
            "its change is lost in the rounding of what it is a difference of; use other sizes or --steps 0",
        )
    if not math.isfinite(expected.value):
        return said("UNDECIDED", "the expected values leave the range of floats at these sizes; use smaller sizes")
    if estimate.state == "zero":
        if expected.below:
            return said(
                "UNDECIDED", "the values expected here lie below the range of floats (underflow); use smaller sizes"
            )
        if expected.dead:
            return said(
                "UNDECIDED", "it is exactly zero at some size, as of networks so narrow all may be; use wider ones"
            )
        return said("CONTRADICTS", "it is exactly zero at some size: frozen, or void evidence")
    if estimate.state == "diverges" or not math.isfinite(estimate.value):
        return said("CONTRADICTS", "its values overflow: no power law is followed")
    outcome = held(low - allowance, high + allowance, expected.value, lambda: expected.distance)
    if outcome == "CONTRADICTS":
        gap = estimate.value - expected.value
        reach = (estimate.value - low if gap > 0 else high - estimate.value) + allowance
        times = f"{abs(gap) / reach:.1f} times what the interval allows" if reach > 0 else "and known without error"
        return said(outcome, f"the power is off by about {gap:+.2f}, {times}")
    if outcome == "UNDECIDED":
        return said(
            outcome,
            f"resolution {resolution:.3f} is not under {expected.distance / 2:.3f}, half the distance to the "
            f"slope expected of an exponent {expected.rival} away",
            coarse=True,
        )
    return said(outcome, f"seen within a resolution of {resolution:.3f}")


def held(low: float, high: float, value: float, distance: Callable[[], float]) -> Outcome:
    """The rule itself: whether an interval holds a value, and is narrow enough to tell it from one at that distance.

    ``distance`` is asked only where it matters: an exact one takes a derivation.
    """
    if not low <= value <= high:
        return "CONTRADICTS"
    return "AGREES" if (high - low) / 2 < distance() / 2 else "UNDECIDED"


def within(low: float, high: float, first: float, last: float) -> Outcome:
    """Whether a number in that interval lies between two others: only if all of the interval does; not if none does.

    Every side is judged by it, so that a narrower interval inside the same one can decide what was undecided and
    never turn a verdict: more data makes no rule stricter.
    """
    if first < low and high < last:
        return "AGREES"
    return "CONTRADICTS" if high <= first or low >= last else "UNDECIDED"


def stays(low: float, high: float) -> Outcome:
    """Whether a slope in that interval is zero, to half the distance to the nearest rival exponent."""
    return within(low, high, -SMALL, SMALL)


def moves(low: float, high: float) -> Outcome:
    """Whether a slope in that interval is other than zero, by more than that: the opposite of ``stays``."""
    opposite: dict[Outcome, Outcome] = {"AGREES": "CONTRADICTS", "CONTRADICTS": "AGREES", "UNDECIDED": "UNDECIDED"}
    return opposite[stays(low, high)]


def falls(low: float, high: float) -> Outcome:
    """Whether a slope in that interval is negative, by more than that."""
    return within(low, high, -math.inf, -SMALL)


def grows(low: float, high: float) -> Outcome:
    """Whether a slope in that interval is positive, by more than that."""
    return within(low, high, SMALL, math.inf)


SIDES: Final = (stays, moves, falls, grows)

"""``judge(prediction, measurement)``: AGREES, CONTRADICTS or UNDECIDED, and the story.

The measured interval, at a confidence that keeps the whole suite's false alarms within one budget, is
widened by the declared finite-size error and compared with the slope expected at these very sizes.
    CONTRADICTS  the expected slope lies outside, or the quantity vanishes or blows up where it must not
    UNDECIDED    it lies inside, but the resolution (the half-width of that interval) is not under half the
                 distance to the slope expected under the nearest rival exponent; or there is no evidence: numbers lost
                 in rounding or below the range of floats, or a network in which nothing moves at all. Not a pass
    AGREES       otherwise
Where the derivation gives no exponent and says why, the exact growth at these sizes is judged instead.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final, Literal, TypedDict

from powercount.derivations.predict import Prediction, derive
from powercount.derivations.recipe import Recipe, observables
from powercount.empirical.sweep import Measurement, finite
from powercount.finite_size import FiniteSize

Outcome = Literal["AGREES", "CONTRADICTS", "UNDECIDED"]

SUITE_BUDGET: Final = Fraction(5, 100)
VERDICTS_IN_SUITE: Final = 5000
FALSE_ALARM: Final = float(SUITE_BUDGET / VERDICTS_IN_SUITE)
CONFIDENCE: Final = 1 - FALSE_ALARM
RIVAL: Final = Fraction(1, 4)
REPORTED: Final = 0.95
# The logarithm of the smallest rms whose square is still a float with all its digits.
SMALLEST_LOG: Final = math.log(sys.float_info.min) / 2
# Seeds alone decide while the declared error takes less than this part of half the distance to the rival.
ROOM: Final = 0.75
WIDENED: Final = tuple(2**power for power in range(7))  # how many times as wide a remedy goes
MARGIN: Final = 1.25  # of the seeds a remedy asks for: a variance of some dozens of seeds is known to about that
MOST_SEEDS: Final = 1 << 20


class VerdictRow(TypedDict):
    """A verdict as plain data."""

    observable: str
    axis: str
    predicted: str | None
    expected: float | None
    slope: float | None
    low: float | None
    high: float | None
    resolution: float | None
    seeds: int
    outcome: str
    reason: str | None
    story: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was predicted, what was seen, and whether they agree.

    ``expected`` is the slope expected at the sizes measured, ``allowance`` its declared error, and
    ``resolution`` the half-width of the interval that decided.
    """

    prediction: Prediction
    measurement: Measurement
    expected: float
    allowance: float
    resolution: float
    outcome: Outcome
    because: str

    @property
    def predicted(self) -> str | None:
        """The exponent as text, or None where there is none."""
        power = self.prediction.along(self.measurement.sweep.axis)
        return None if power is None else str(power)

    def story(self) -> str:
        """Claim, why it is believed, what was seen, how sure, in one paragraph."""
        sweep, observable = self.measurement.sweep, self.prediction.observable
        letter = "n" if sweep.axis == "width" else "L"
        reason = self.prediction.reason(sweep.axis)
        claim = f"{observable} ~ {letter}^({self.predicted})" if reason is None else f"{observable}: {reason}"
        low, high = self.measurement.interval(REPORTED)
        return (
            f"{self.outcome}: {claim}, under {self.prediction.recipe.name}. "
            f"Believed because {self.prediction.steps[-1].because} [{self.prediction.sources[-1]}]. "
            f"Expected slope at {sweep.axis} {list(self.measurement.sizes)}: {self.expected:+.3f} "
            f"(error at most {self.allowance:.3f}); measured {self.measurement.slope:+.3f}, "
            f"95 % interval [{low:+.3f}, {high:+.3f}], {self.measurement.seeds} seeds of {sweep.data}. "
            f"{self.because[0].upper()}{self.because[1:]}."
        )

    def as_row(self) -> VerdictRow:
        """As plain data, ready for JSON; the interval is the 95 % one."""
        low, high = self.measurement.interval(REPORTED)
        return {
            "observable": str(self.prediction.observable),
            "axis": self.measurement.sweep.axis,
            "predicted": self.predicted,
            "expected": finite(self.expected),
            "slope": finite(self.measurement.slope),
            "low": finite(low),
            "high": finite(high),
            "resolution": finite(self.resolution),
            "seeds": self.measurement.seeds,
            "outcome": self.outcome,
            "reason": self.prediction.reason(self.measurement.sweep.axis),
            "story": self.story(),
        }


def judge(
    prediction: Prediction,
    measurement: Measurement,
    *,
    rival: Fraction = RIVAL,
    finite_size: FiniteSize | None = None,
) -> Verdict:
    """Compare a prediction with a measurement; ``rival`` is the distance to the nearest other exponent.

    ``finite_size`` is the expected values at the measurement's sizes, computed here where not given.
    """
    values = finite_size or FiniteSize.of(prediction.recipe, measurement.sweep)
    expected = math.nan if prediction.vanishes else values.slope(prediction.observable)
    allowance = 0.0 if prediction.vanishes else values.error(prediction.observable)
    low, high = measurement.interval(CONFIDENCE)
    resolution = (high - low) / 2 + allowance

    def verdict(outcome: Outcome, because: str) -> Verdict:
        return Verdict(
            prediction=prediction,
            measurement=measurement,
            expected=expected,
            allowance=allowance,
            resolution=resolution,
            outcome=outcome,
            because=because,
        )

    state = measurement.state
    if prediction.vanishes:
        if state != "zero" or any(measurement.points):
            return verdict("CONTRADICTS", "it should vanish identically and does not")
        if nothing_moves(prediction.recipe):
            return verdict(
                "UNDECIDED", "void evidence: in this network every quantity is zero; give some role an init_std"
            )
        return verdict("AGREES", "it is exactly zero at every size, as derived; this says nothing about any power")
    if state == "drowned":
        return verdict(
            "UNDECIDED",
            "its change is lost in the rounding of what it is a difference of; use other sizes or --steps 0",
        )
    if not math.isfinite(expected):
        return verdict("UNDECIDED", "the expected values leave the range of floats at these sizes; use smaller sizes")
    if state == "diverges":
        return verdict("CONTRADICTS", "its values overflow: no power law is followed")
    if state == "zero":
        if min(values.log_sizes(prediction.observable)) < SMALLEST_LOG:
            return verdict(
                "UNDECIDED", "the values expected here lie below the range of floats (underflow); use smaller sizes"
            )
        return verdict("CONTRADICTS", "it is exactly zero at some size: frozen, or void evidence")
    gap = measurement.slope - expected
    if not low - allowance <= expected <= high + allowance:
        reach = (measurement.slope - low if gap > 0 else high - measurement.slope) + allowance
        return verdict(
            "CONTRADICTS",
            f"the power is off by about {gap:+.2f}, {abs(gap) / reach:.1f} times what the interval allows",
        )
    half = values.distance_to_rival(prediction, rival) / 2
    if resolution >= half:
        return verdict(
            "UNDECIDED",
            f"resolution {resolution:.3f} is not under {half:.3f}, half the distance to the slope expected of an "
            f"exponent {rival} away; {what_would_decide(prediction, measurement, values, rival)}",
        )
    return verdict("AGREES", f"seen within a resolution of {resolution:.3f}")


@lru_cache(maxsize=1 << 8)
def nothing_moves(recipe: Recipe) -> bool:
    """Whether every observable is identically zero, so that seeing zeros is no evidence of anything."""
    return all(derive(recipe, each).vanishes for each in observables(recipe.block.layers))


def what_would_decide(prediction: Prediction, measurement: Measurement, values: FiniteSize, rival: Fraction) -> str:
    """The remedy of a resolution that is too coarse: how many seeds, or how much wider networks and how many seeds.

    The declared error and the distance to the rival are computed for the wider networks. The half-width of the interval
    falls as one over the root of the seeds, and is taken to be no larger for wider networks.
    """
    low, high = measurement.interval(CONFIDENCE)
    reach, sweep = (high - low) / 2, measurement.sweep
    for times in WIDENED:
        there = values if times == 1 else values.widened(times)
        half, allowance = there.distance_to_rival(prediction, rival) / 2, there.error(prediction.observable)
        if allowance < ROOM * half:
            break
    else:
        return (
            f"networks {WIDENED[-1]} times as wide would not: at these sizes another exponent hardly shows; use "
            f"--sizes further apart, or a larger --{'depth' if sweep.axis == 'width' else 'width'}"
        )
    needed = measurement.seeds * (reach / (half - allowance)) ** 2 * MARGIN
    if needed > MOST_SEEDS:
        return f"more than {MOST_SEEDS} seeds would be needed; use --sizes further apart"
    seeds = max(2 ** math.ceil(math.log2(max(needed, 1))), measurement.seeds)
    spent = measurement.cpu_seconds * seeds / measurement.seeds * times**2
    enough = f"about {seeds} seeds in place of {measurement.seeds}"
    cost = f"in some {spent:.2g} CPU seconds for all observables of the sweep"
    if times == 1:
        return f"{enough} would decide, {cost}"
    if sweep.axis == "depth":
        wider = f"--width {sweep.fixed * times} in place of {sweep.fixed}"
    else:
        wider = f"--sizes {','.join(str(size * times) for size in measurement.sizes)}"
    return f"{wider} would decide" + (f" with {enough}, {cost}" if seeds > measurement.seeds else "")

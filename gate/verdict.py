"""``judge(prediction, measurement)``: AGREES, CONTRADICTS or UNDECIDED, and the story.

The measured interval, at a confidence that keeps the whole suite's false alarms within one budget, is
widened by the declared finite-size error and compared with the slope expected at these very sizes.
    CONTRADICTS  the expected slope lies outside, or the quantity vanishes or blows up where it must not
    UNDECIDED    it lies inside, but the resolution (the half-width of that interval) is not under half the
                 distance to the slope expected under the nearest rival exponent: not a pass
    AGREES       otherwise
Where the derivation gives no exponent and says why, the exact growth at these sizes is judged instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, TypedDict

from powercount.derivations.predict import Prediction
from powercount.empirical.sweep import Measurement, finite
from powercount.finite_size import FiniteSize

Outcome = Literal["AGREES", "CONTRADICTS", "UNDECIDED"]

SUITE_BUDGET: Final = Fraction(5, 100)
VERDICTS_IN_SUITE: Final = 5000
FALSE_ALARM: Final = float(SUITE_BUDGET / VERDICTS_IN_SUITE)
CONFIDENCE: Final = 1 - FALSE_ALARM
RIVAL: Final = Fraction(1, 4)
REPORTED: Final = 0.95


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
    allowance = values.error()
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

    if prediction.vanishes:
        if measurement.state == "zero" and not any(measurement.points):
            return verdict("AGREES", "it is exactly zero at every size, as derived; this says nothing about any power")
        return verdict("CONTRADICTS", "it should vanish identically and does not")
    if measurement.state == "diverges":
        return verdict("CONTRADICTS", "its values overflow: no power law is followed")
    if measurement.state == "zero":
        return verdict("CONTRADICTS", "it is exactly zero at some size: frozen, or void evidence")
    if not math.isfinite(expected):
        return verdict("UNDECIDED", "the expected values leave the range of floats at these sizes; use smaller sizes")
    gap = measurement.slope - expected
    if abs(gap) > resolution:
        return verdict(
            "CONTRADICTS", f"the power is off by about {gap:+.2f}, {abs(gap) / resolution:.1f} times the resolution"
        )
    half = values.distance_to_rival(prediction, rival) / 2
    if resolution >= half:
        return verdict(
            "UNDECIDED",
            f"resolution {resolution:.3f} is not under {half:.3f}, half the distance to the slope expected of an "
            f"exponent {rival} away; use more seeds or a wider range of sizes",
        )
    return verdict("AGREES", f"seen within a resolution of {resolution:.3f}")

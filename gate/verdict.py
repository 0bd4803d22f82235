"""``judge(prediction, measurement)``: AGREES, CONTRADICTS or UNDECIDED, and the story.

The rule is ``decide``'s; here it is given what a prediction expects at the very sizes that were measured, and told
what would decide where it cannot. Where the derivation gives no exponent and says why, the exact growth at these sizes
is judged instead.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Final, TypedDict

from powercount.decide import CONFIDENCE, FALSE_ALARM, REPORTED, RIVAL, Outcome, decide
from powercount.derivations.predict import Prediction, derive
from powercount.derivations.recipe import Recipe, observables_of
from powercount.empirical.sweep import Measurement, finite
from powercount.finite_size import FiniteSize

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


@dataclass(frozen=True, kw_only=True)
class Exact:
    """The expectation of a prediction whose exact values at the sizes of a sweep are known; see ``finite_size``."""

    prediction: Prediction
    values: FiniteSize
    rival: Fraction | float
    seeds: int = 1

    @cached_property
    def value(self) -> float:
        """The slope of the exact values."""
        return math.nan if self.prediction.vanishes else self.values.slope(self.prediction.observable)

    @cached_property
    def allowance(self) -> float:
        """The declared error of that slope."""
        return 0.0 if self.prediction.vanishes else self.values.error(self.prediction.observable)

    @cached_property
    def distance(self) -> float:
        """How far the slope moves with an exponent that is off by the rival."""
        return self.values.distance_to_rival(self.prediction, Fraction(self.rival))

    @property
    def vanishes(self) -> bool:
        """Whether it is exactly zero at the step that is made."""
        return self.prediction.vanishes

    @property
    def void(self) -> bool:
        """Whether everything is."""
        return nothing_moves(self.prediction.recipe)

    @property
    def below(self) -> bool:
        """Whether some size expected is smaller than a float with all its digits."""
        return min(self.values.log_sizes(self.prediction.observable)) < SMALLEST_LOG

    @property
    def dead(self) -> bool:
        """Whether every network of a size may be dead: of a relu layer no unit of n is on with probability 2^(-n)."""
        block = self.prediction.recipe.block
        narrowest = min(width for width, _ in self.values.sweep.points())
        one = min(1.0, block.layers * 2.0**-narrowest)
        return block.activation == "relu" and one**self.seeds > FALSE_ALARM


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
    expected = Exact(prediction=prediction, values=values, rival=rival, seeds=measurement.seeds)
    frozen = measurement.state == "zero" and not any(measurement.points)
    decision = decide(measurement.fitted, expected, frozen=frozen)
    because = decision.because
    if decision.coarse:
        because = f"{because}; {what_would_decide(prediction, measurement, values, rival)}"
    return Verdict(
        prediction=prediction,
        measurement=measurement,
        expected=expected.value,
        allowance=expected.allowance,
        resolution=decision.resolution,
        outcome=decision.outcome,
        because=because,
    )


@lru_cache(maxsize=1 << 8)
def nothing_moves(recipe: Recipe) -> bool:
    """Whether every observable is identically zero, so that seeing zeros is no evidence of anything."""
    return all(derive(recipe, each).vanishes for each in observables_of(recipe))


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

"""What a claim is judged by, and its verdict.

A claim gives numbers: exponents or values. Each is measured under one or more conditions, and the interval is
compared with what the claim says, by the one rule and at its confidence (see ``decide``).
    confirmed    everything the claim says holds under every condition tried
    refuted      something it says fails under every condition tried
    conditional  it holds under some of the conditions and fails under others
    undecided    nothing fails, but some interval is too wide to tell the claim from its rival
The verdict is computed from the evidence; nobody types it in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypedDict

from powercount.decide import CONFIDENCE, REPORTED, RIVAL, Limit, Outcome, decide
from powercount.derivations.scale import as_fraction
from powercount.empirical.fit import Estimate
from powercount.empirical.sweep import finite
from powercount.verdict import Verdict

Number = Fraction | int | float
Judgement = Literal["confirmed", "refuted", "conditional", "undecided"]


class EvidenceRow(TypedDict):
    """One piece of evidence as plain data."""

    part: str
    condition: str
    claimed: str
    predicted: str
    expected: float | None
    measured: float | None
    low: float | None
    high: float | None
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One number of a claim beside its measurement.

    ``claimed`` is what the source says, ``predicted`` what the derivations here give, ``expected`` that
    prediction at the finite sizes that were measured; ``low`` and ``high`` bound the 95 % interval. ``twins`` are what
    the same measurement says of the claimed number moved by its rival, down and up; none where a side is claimed.
    """

    part: str
    condition: str
    claimed: str
    predicted: str
    expected: float
    measured: float
    low: float
    high: float
    outcome: Outcome
    twins: tuple[Outcome, ...] = ()

    def as_row(self) -> EvidenceRow:
        """As plain data, ready for JSON."""
        return {
            "part": self.part,
            "condition": self.condition,
            "claimed": self.claimed,
            "predicted": self.predicted,
            "expected": finite(self.expected),
            "measured": finite(self.measured),
            "low": finite(self.low),
            "high": finite(self.high),
            "outcome": self.outcome,
        }


def written(number: Number) -> str:
    """A number as a reader sees it: exact where it is exact."""
    return f"{number:.4g}" if isinstance(number, float) else str(number)


def from_verdict(verdict: Verdict, claimed: Fraction | int, *, part: str, condition: str) -> Evidence:
    """Evidence from a law's verdict: the claim fails where our derivation, seen to hold, gives another power.

    ``verdict`` must have been judged with a rival no further away than the claim's own exponent.
    """
    derived = verdict.prediction.along(verdict.measurement.sweep.axis)

    def says(power: Fraction) -> Outcome:
        if derived is not None and as_fraction(derived) == power:
            return verdict.outcome
        return "CONTRADICTS" if verdict.outcome == "AGREES" else "UNDECIDED"

    low, high = verdict.measurement.interval(REPORTED)
    return Evidence(
        part=part,
        condition=condition,
        claimed=written(claimed),
        predicted=verdict.predicted or "no power",
        expected=verdict.expected,
        measured=verdict.measurement.slope,
        low=low,
        high=high,
        outcome=says(Fraction(claimed)),
        twins=tuple(says(claimed + shift) for shift in (-RIVAL, RIVAL)),
    )


def from_estimate(
    estimate: Estimate,
    claimed: Number,
    predicted: Number,
    *,
    part: str,
    condition: str,
    expected: float | None = None,
    allowance: float = 0.0,
    rival: float = float(RIVAL),
    of_limit: bool = True,
) -> Evidence:
    """Evidence from any estimate: whether its interval, widened by ``allowance``, holds what the claim says.

    ``expected`` is the prediction at finite size; its distance from ``predicted`` is a known bias, which a claim
    ``of_limit`` is given as well, and one about these very sizes is not. ``rival`` is the distance to the nearest
    other value that must be told apart. A number is a point: unlike a side, a narrower interval may contradict it
    after a wider one agreed, to within its resolution.
    """
    here = float(predicted) if expected is None else expected
    at_these_sizes = float(claimed) + (here - float(predicted) if of_limit else 0)

    def says(value: float) -> Outcome:
        return decide(estimate, Limit(value=value, allowance=allowance, rival=rival)).outcome

    shown = estimate.interval(REPORTED)
    return Evidence(
        part=part,
        condition=condition,
        claimed=written(claimed),
        predicted=written(predicted),
        expected=here,
        measured=estimate.value,
        low=shown[0],
        high=shown[1],
        outcome=says(at_these_sizes),
        twins=tuple(says(at_these_sizes + shift) for shift in (-rival, rival)),
    )


def from_side(
    estimate: Estimate,
    rule: Callable[[float, float], Outcome],
    *,
    claimed: str,
    predicted: str,
    expected: float,
    part: str,
    condition: str,
) -> Evidence:
    """Evidence for a claim that gives no number, only a side, judged by ``rule`` at the suite's own confidence."""
    low, high = estimate.interval(REPORTED)
    return Evidence(
        part=part,
        condition=condition,
        claimed=claimed,
        predicted=predicted,
        expected=expected,
        measured=estimate.value,
        low=low,
        high=high,
        outcome=rule(*estimate.interval(CONFIDENCE)),
    )


def judgement(evidence: Sequence[Evidence]) -> Judgement:
    """The verdict on a claim: every part must hold, condition by condition."""
    holds: dict[str, list[Outcome]] = {}
    for each in evidence:
        holds.setdefault(each.condition, []).append(each.outcome)
    fails = [condition for condition, outcomes in holds.items() if "CONTRADICTS" in outcomes]
    unclear = [condition for condition, outcomes in holds.items() if condition not in fails and "UNDECIDED" in outcomes]
    if not holds or unclear:
        return "undecided"
    if not fails:
        return "confirmed"
    return "refuted" if len(fails) == len(holds) else "conditional"

"""Law: the excess of the larger of D and P over its limit falls as 1/M, exactly m/(M - m - 1) of what is left."""

from __future__ import annotations

import pytest

from powercount.ledger.finding import from_estimate
from powercount.ledger.runs import mean, mean_of, slope_of
from powercount.ledger.spectra import CLOSEST, FEWER, GAPS
from powercount.ledger.variance import excesses
from powercount.studies.study import Study

STUDY = Study(quick=True, seed=11)


@pytest.mark.parametrize("of_samples", [True, False], ids=["D", "P"])
def test_excess_falls_as_one_over(of_samples, powercount_laws):
    """The slope against M - m - 1 is -1, and its twin of -3/4 is contradicted; the value at each size is exact."""
    rows = excesses(STUDY, of_samples=of_samples)
    measured = slope_of(mean, rows, GAPS)
    asked = {"part": "slope", "condition": "white", "rival": CLOSEST}
    low, high = measured.interval(0.95)
    powercount_laws.note(
        "D" if of_samples else "P", f"slope of the excess {measured.value:+.3f} [{low:+.3f}, {high:+.3f}], -1"
    )
    assert from_estimate(measured, -1, -1, **asked).outcome == "AGREES"
    assert from_estimate(measured, -0.75, -0.75, **asked).outcome == "CONTRADICTS"
    for place, gap in enumerate(GAPS):
        value = from_estimate(
            mean_of(rows[:, place]), FEWER / gap, FEWER / gap, part="", condition="", rival=FEWER / gap
        )
        assert value.outcome == "AGREES", value

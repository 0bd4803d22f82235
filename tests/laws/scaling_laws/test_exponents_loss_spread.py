"""Law: over initializations sigma/mu of the loss falls as D^(-e), e = 2 b + 1 - a held between 0 and 1/2.

It is independent of the data's size for a target much easier than the spectrum alone; few test points fake it.
"""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from powercount.ledger.finding import judgement
from powercount.ledger.record import recorded
from powercount.ledger.spread import BETWEEN, l24, ratio_slope
from powercount.studies.study import Study

EIGHTHS = {"max_denominator": 8}
HALF = Fraction(1, 2)
CAPACITIES = st.fractions(min_value=Fraction(3, 2), max_value=2, **EIGHTHS)
# a - 2 b away from 1/2 to 1, where the exponent crosses over and sizes of a hundred do not tell.
ROUGH = st.fractions(min_value=Fraction(3, 2), max_value=Fraction(9, 4), **EIGHTHS)
SMOOTH = st.fractions(min_value=3, max_value=5, **EIGHTHS)


@settings(max_examples=3)
@given(capacity=CAPACITIES, rough=ROUGH, smooth=SMOOTH, seed=st.integers(0, 2**32 - 1))
def test_ratio_falls_where_many_modes_are_left(capacity, rough, smooth, seed):
    """e = 1/2 for a rough start and 0 for a smooth one, and each twin, the other's e, is contradicted."""
    study = Study(quick=True, seed=seed)
    for source, derived in ((rough, HALF), (2 * capacity + smooth, Fraction(0))):
        found = ratio_slope(study, source, capacity, -derived)
        assert (found.predicted, found.outcome) == (str(-derived), "AGREES"), (source, capacity)
        assert ratio_slope(study, source, capacity, derived - HALF).outcome == "CONTRADICTS"


def test_half_way_the_exponent_is_a_quarter(powercount_laws):
    """e = 1/4 at a = 2 b + 3/4, where a hundred samples have a slope of -.35; a constant ratio is contradicted."""
    study = Study(quick=True)
    found = ratio_slope(study, *BETWEEN, Fraction(-1, 4))
    powercount_laws.note(
        "e = 1/4", f"slope {found.measured:+.3f} [{found.low:+.3f}, {found.high:+.3f}], {found.expected:+.3f}"
    )
    assert (found.predicted, found.outcome) == ("-1/4", "AGREES")
    assert ratio_slope(study, *BETWEEN, 0, of_limit=False).outcome == "CONTRADICTS"


def test_the_claim_of_a_constant_ratio(powercount_laws):
    """sigma/mu constant: for easy targets alone; with few test points the slope on digits is closer to zero."""
    found = l24(Study(quick=True))
    for each in found:
        powercount_laws.note(
            each.condition, f"slope of sigma/mu {each.measured:+.3f} [{each.low:+.3f}, {each.high:+.3f}]"
        )
    assert judgement(found) == recorded()["L24"]["verdict"] == "conditional"
    every, few = found[-2:]
    assert every.high < few.low < few.high < 0

"""Claims about neural scaling laws, measured quickly: their verdicts are those of the record."""

from __future__ import annotations

import pytest

from powercount.ledger.finding import judgement
from powercount.ledger.record import recorded
from powercount.ledger.register import CLAIMS, claim_named
from powercount.studies.study import Study

QUICK = tuple(claim.id for claim in CLAIMS if claim.family in ("spectra", "variance", "ridge", "width", "resolution"))


def test_there_are_claims_to_measure():
    """A register without these checks would leave nothing below."""
    assert len(QUICK) == 13


@pytest.mark.parametrize("name", QUICK)
def test_a_quick_measurement_gives_the_recorded_verdict(name, powercount_laws, twins):
    """The verdict computed from fewer seeds and sizes is the one in the record."""
    evidence = claim_named(name).check(Study(quick=True))
    twins(evidence)
    found = judgement(evidence)
    powercount_laws.note(f"claim {name}", f"{found}, {len(evidence)} pieces of evidence")
    assert found == recorded()[name]["verdict"], [each.as_row() for each in evidence if each.outcome != "AGREES"]


def test_data_and_feature_exponents_part_for_an_easy_target():
    """L13 holds; L14 holds where a - 1 <= b alone, against the quoted min(a - 1, 2 b)."""
    assert recorded()["L13"]["verdict"] == "confirmed"
    assert recorded()["L14"]["verdict"] == "conditional"

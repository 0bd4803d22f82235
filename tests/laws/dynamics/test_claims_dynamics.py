"""Claims about gradient independence and the limit, measured quickly: their verdicts are those of the record.

Each reading of "gradient independence becomes valid again at infinite depth" is a test of its own.
"""

from __future__ import annotations

import pytest

from powercount.claims.finding import judgement
from powercount.claims.record import recorded
from powercount.claims.register import claim_named
from powercount.study import Study

STUDY = Study(quick=True)
QUICK = ("C14", "C15-ii", "C15-iii", "C15-iv", "C15-v", "C16", "C17-a")


@pytest.mark.parametrize("name", QUICK)
def test_a_quick_measurement_gives_the_recorded_verdict(name, ledger):
    """The verdict computed from fewer seeds and sizes is the one in the record."""
    evidence = claim_named(name).evidence(STUDY)
    for each in evidence:
        ledger.note(
            f"{name}, {each.condition}",
            f"{each.part}: claimed {each.claimed}, predicted {each.predicted}, expected here {each.expected:+.3f}, "
            f"measured {each.measured:+.3f} [{each.low:+.3f}, {each.high:+.3f}], {each.outcome}",
        )
    assert judgement(evidence) == recorded()[name]["verdict"]


def test_every_reading_has_its_own_verdict():
    """One layer's coupling vanishes, its sum over depth does not: (i) to (iii) confirmed, (iv) refuted."""
    verdicts = {name: row["verdict"] for name, row in recorded().items()}
    assert [verdicts[name] for name in ("C14", "C15-ii", "C15-iii")] == ["confirmed"] * 3
    assert verdicts["C15-iv"] == "refuted"
    assert verdicts["C15-v"] == verdicts["C15-vi"] == verdicts["C15'"] == "confirmed"

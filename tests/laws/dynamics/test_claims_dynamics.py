"""Claims about gradient independence and the limit, measured quickly: nothing is decided otherwise than in the record.

Each reading of "gradient independence becomes valid again at infinite depth" is a test of its own.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from powercount.derivations.sources import NFD
from powercount.ledger.claim import ABSTRACT, ALONE
from powercount.ledger.coupling import ADVANCED, OUTPUT, reading, sweep
from powercount.ledger.finding import from_estimate, judgement
from powercount.ledger.independence import gap_slope
from powercount.ledger.record import recorded
from powercount.ledger.register import CLAIMS, claim_named
from powercount.ledger.runs import ratio_of_means
from powercount.studies.study import Study

pytestmark = pytest.mark.xdist_group("dynamics")
FIRST_STEP = ("C14", "C15-ii", "C15-iii", "C15-iv", "C15-v", "C15-vii", "C15-viii", "C15-ix", "C15-x")
# Decided in seconds, all of it; and where some intervals are still too wide.
QUICK = (*FIRST_STEP, "C15-vi", "C16", "C17-a")
PARTLY = ("C15'", "C17-c", "C17-e")
# The verdict each has by its quick measurement, not by the record.
FOUND = dict.fromkeys(("C15-iv", "C15-viii", "C15-ix", "C15-x"), "refuted")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A quick study that measures each cell once."""
    return Study(quick=True, folder=tmp_path_factory.mktemp("dynamics"))


def measured(name, study, powercount_laws):
    """The evidence of a quick measurement, noted piece by piece."""
    evidence = claim_named(name).check(study)
    for each in evidence:
        powercount_laws.note(
            f"{name}, {each.condition}",
            f"{each.part}: claimed {each.claimed}, predicted {each.predicted}, expected here {each.expected:+.3f}, "
            f"measured {each.measured:+.3f} [{each.low:+.3f}, {each.high:+.3f}], {each.outcome}",
        )
    return evidence


@pytest.mark.parametrize("name", QUICK)
def test_a_quick_measurement_gives_the_verdict(name, study, powercount_laws, twins):
    """One layer's coupling vanishes, its sum over depth does not, whatever is trained and wherever the activation is.

    Only through covariances does the output's first step agree. The verdict is the one in the record.
    """
    evidence = measured(name, study, powercount_laws)
    twins(evidence)
    assert judgement(evidence) == FOUND.get(name, "confirmed")
    assert recorded()[name]["verdict"] == judgement(evidence)


@pytest.mark.parametrize("name", PARTLY)
def test_a_quick_measurement_decides_nothing_otherwise(name, study, powercount_laws):
    """Pieces of evidence that are decided have the outcome of the record under the same activation and net."""
    evidence, rows = measured(name, study, powercount_laws), recorded()[name]["evidence"]
    decided = [each for each in evidence if each.outcome != "UNDECIDED"]
    assert decided
    for each in decided:
        # Sizes stand at the end of a condition.
        alike = [
            row for row in rows if row["part"] == each.part and row["condition"].split(", n =")[0] in each.condition
        ]
        assert [row["outcome"] for row in alike] == [each.outcome], each


def test_twin_decoupled_nets_do_not_move_as_their_covariances_say(study):
    """f advanced by covariances agrees with tied nets (C15-vii); that it agrees with the decoupled ones is refused."""
    rows = sweep(study, "linear", tied=False)[:, -1]
    found = from_estimate(ratio_of_means(rows[:, ADVANCED], rows[:, OUTPUT]), 1, 1, part="", condition="")
    assert found.outcome == "CONTRADICTS"


def test_twin_the_gap_above_one_half_does_not_stay(study):
    """At alpha = 1 the gap goes as 1/L: that it stays, as at 1/2, is contradicted."""
    found = gap_slope(study, "linear", OUTPUT, branch=Fraction(-1), most=64)
    assert from_estimate(found, 0, 0, part="", condition="").outcome == "CONTRADICTS"
    assert reading("relative-gap", alpha=1).depth == -1


def test_every_claim_of_this_file_is_measured_here():
    """Meta: what says it is held here is in one of the lists above; what takes minutes says so."""
    here = {claim.id for claim in CLAIMS if claim.test.endswith("test_claims_dynamics.py")}
    assert here == {*QUICK, *PARTLY}
    alone = {claim.id for claim in CLAIMS if claim.test == ALONE}
    assert alone == {"C17-b", "C17-d", "C30", "C18", "C19", "C20", "C21", "C22", "C29"}


def test_what_was_not_read_in_full_says_so():
    """Every claim of the paper we know by its abstracts is marked."""
    assert all(ABSTRACT in claim.marks for claim in CLAIMS if claim.source == NFD)
    assert sum(claim.source == NFD for claim in CLAIMS) > len(FIRST_STEP)

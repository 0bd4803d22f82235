"""Law: on digits each exponent is that of the whole spectrum and of the target's share in it, not one exponent for all.

Joining classes leaves the exponent, noise on the pixels lowers it.
"""

from __future__ import annotations

import pytest

from powercount.claims import digits
from powercount.claims.finding import judgement
from powercount.claims.record import recorded
from powercount.study import Study

STUDY = Study(quick=True, seed=3)


@pytest.fixture(scope="module")
def evidence():
    """alpha_D and alpha_P of 600 digits beside their alpha_K."""
    return digits.l2_digits(STUDY)


def test_the_three_exponents_differ(evidence, ledger):
    """alpha_D = alpha_P = alpha_K does not hold on digits, for white targets or classes, as the record says."""
    for each in evidence:
        seen = f"{each.measured:.3f} [{each.low:.3f}, {each.high:.3f}]"
        ledger.note(each.condition, f"{each.part} {seen}, claimed {each.claimed}, by all eigenvalues {each.predicted}")
    assert judgement(evidence) == recorded()["L2'"]["verdict"] == "refuted"


def test_the_whole_spectrum_gives_the_exponents_of_the_classes(evidence):
    """What a pure power of alpha_K misses by a half, the deterministic equivalent of all eigenvalues meets within 1/8.

    Real features are not Gaussian: it is no law to a standard error, and nothing is claimed beyond the nearest quarter.
    """
    classes = [each for each in evidence if each.condition.startswith("ten classes")]
    assert len(classes) == 3
    for each in classes:
        assert abs(each.measured - each.expected) < digits.CLOSEST / 2
    for each in classes[:2]:
        assert float(each.claimed) - each.high > 0.4


def test_classes_and_noise(ledger):
    """Five classes in place of ten leave alpha_D; noise on the pixels lowers it: the verdict is the recorded one."""
    found = digits.l10(STUDY)
    for each in found:
        ledger.note(
            each.part, f"{each.measured:+.3f} [{each.low:+.3f}, {each.high:+.3f}], expected {each.expected:+.3f}"
        )
    assert judgement(found) == recorded()["L10"]["verdict"] == "confirmed"


def test_twin_noise_is_no_joining_of_classes():
    """The change under noise, held to the claim that nothing changes, is contradicted."""
    sizes = digits.sizes_of(STUDY)
    clean, noisy = digits.sample_losses(STUDY), digits.sample_losses(STUDY, noise=digits.NOISE)
    change = digits.change(noisy[:, 1], clean[:, 1], sizes)
    assert digits.from_estimate(change, 0, 0, part="", condition="", rival=digits.CLOSEST).outcome == "CONTRADICTS"

"""Law: classes of images have the exponents of the whole spectrum and of their share in it, not alpha_K's.

White targets have alpha_D = alpha_K, to an eighth, and alpha_P of their own; joining classes leaves alpha_D, noise on
the pixels lowers it.
"""

from __future__ import annotations

import pytest

from powercount.decide import SMALL, stays
from powercount.ledger import digits
from powercount.ledger.finding import from_side, judgement
from powercount.ledger.record import recorded
from powercount.studies.study import Study

STUDY = Study(quick=True)


def note(powercount_laws, each):
    """One line of the report."""
    seen = f"{each.measured:.3f} [{each.low:.3f}, {each.high:.3f}]"
    powercount_laws.note(
        each.condition, f"{each.part} {seen}, claimed {each.claimed}, by all eigenvalues {each.predicted}"
    )


def test_white_targets_have_the_spectrum_s_exponent_in_the_data_alone(powercount_laws):
    """alpha_D = alpha_K and alpha_P is not, as in the record of all images."""
    evidence = digits.l2_digits(STUDY)
    for each in evidence:
        note(powercount_laws, each)
    outcomes = [each["outcome"] for each in recorded()["L2'"]["evidence"] if each["condition"].startswith("8 x 8")]
    assert [each.outcome for each in evidence] == outcomes == ["AGREES", "CONTRADICTS", "CONTRADICTS"]


@pytest.fixture(scope="module")
def classes():
    """alpha_D and alpha_P of the ten classes, 4 x 4 pixels."""
    return digits.l13_digits(STUDY)


def test_classes_have_the_exponents_of_all_eigenvalues(classes, powercount_laws):
    """Both within an eighth of the deterministic equivalent, alpha_D above alpha_P as it says."""
    for each in classes:
        note(powercount_laws, each)
        assert each.outcome != "CONTRADICTS"
        assert abs(each.measured - each.expected) < SMALL
    in_data, in_features = classes
    assert in_data.low > in_features.high
    assert in_data.expected > in_features.expected
    assert recorded()["L13'"]["verdict"] == "confirmed"


def test_twin_alpha_k_is_not_the_exponent_of_the_classes(classes):
    """What a power law of alpha_K has at these sizes is contradicted by a third and more."""
    pixels, sizes = digits.PIXELS[-1], digits.sizes_of(STUDY)
    pure = digits.pure_exponent(digits.spectral_exponent(STUDY, pixels).value, digits.count_of(STUDY), sizes)
    assert len(classes) == 2
    for each in classes:
        assert stays(each.low - pure, each.high - pure) == "CONTRADICTS"
        assert pure - each.high > 1 / 3


def test_classes_joined_and_noise(powercount_laws):
    """Five classes in place of ten leave alpha_D; noise on the pixels lowers it: the verdict is the recorded one."""
    found = digits.l10(STUDY)
    for each in found:
        seen = f"{each.measured:+.3f} [{each.low:+.3f}, {each.high:+.3f}]"
        powercount_laws.note(each.part, f"{seen}, expected {each.expected:+.3f}")
    assert judgement(found) == recorded()["L10"]["verdict"] == "confirmed"


def test_twin_noise_is_no_joining_of_classes():
    """The change under noise, held to the claim that nothing changes, is contradicted."""
    clean, noisy = (digits.sample_losses(STUDY, digits.PIXELS[0], noise) for noise in (0.0, digits.NOISE))
    moved = digits.change(noisy[:, 1], clean[:, 1], digits.sizes_of(STUDY))
    asked = {"claimed": "0", "predicted": "below 0", "expected": 0.0, "part": "", "condition": ""}
    assert from_side(moved, stays, **asked).outcome == "CONTRADICTS"

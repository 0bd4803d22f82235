"""Law: a target drawn from an arc-cosine kernel on S^2 is learned as D^(-t/2), t = 3 (NNGP) or 1 (NTK)."""

from __future__ import annotations

import pytest

from powercount.ledger.sphere import CLAIMED, data_exponent
from powercount.studies.study import Study

STUDY = Study(quick=True)


@pytest.mark.parametrize("kind", CLAIMED)
def test_loss_falls_with_the_singularity_of_the_kernel(kind, powercount_laws):
    """alpha_D = alpha_K within its interval; the twin, the other kernel's exponent, is contradicted."""
    found = data_exponent(STUDY, kind, CLAIMED[kind])
    powercount_laws.note(
        kind,
        f"predicted {found.predicted}, expected {found.expected:+.3f}, measured {found.measured:+.3f} "
        f"[{found.low:+.3f}, {found.high:+.3f}]",
    )
    assert found.outcome == "AGREES", found
    other = CLAIMED["ntk" if kind == "nngp" else "nngp"]
    assert data_exponent(STUDY, kind, other).outcome == "CONTRADICTS"

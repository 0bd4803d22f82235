"""Law: trained networks vary over initializations by 1/n once the start is taken off, under NTK and under muP.

The control: under NTK a network that is not centred keeps a variance of order one from its start.
"""

from __future__ import annotations

import pytest

from powercount.ledger.width import variance
from powercount.studies.study import Study

STUDY = Study(quick=True, seed=2)
CASES = [("ntk", True, -1), ("mup", True, -1), ("mup", False, -1), ("ntk", False, 0)]


@pytest.mark.parametrize(("parametrization", "centred", "power"), CASES)
def test_variance_falls_with_the_width_once_centred(parametrization, centred, power, powercount_laws):
    """The slope is the derived one, and the twin of the other kind's power is contradicted."""
    found = variance(STUDY, parametrization, centred=centred, claimed=power)
    kind = "f - f_0" if centred else "f"
    powercount_laws.note(
        f"{parametrization}, {kind}",
        f"predicted {power}, measured {found.measured:+.3f} [{found.low:+.3f}, {found.high:+.3f}]",
    )
    assert found.predicted == str(power)
    assert found.outcome == "AGREES", found
    assert variance(STUDY, parametrization, centred=centred, claimed=-1 - power).outcome == "CONTRADICTS"

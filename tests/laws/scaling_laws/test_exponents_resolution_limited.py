"""Law: interpolating D points in d dimensions errs by D^(-1/d); its square by 2/d, piecewise-linear models' by 4/d."""

from __future__ import annotations

import pytest

from powercount.ledger.resolution import interpolation
from powercount.studies.study import Study

STUDY = Study(quick=True, seed=5)
CASES = [("nearest-l1", 1), ("nearest-l1", 3), ("nearest-mse", 2), ("linear-mse", 1), ("linear-mse", 2)]


@pytest.mark.parametrize(("kind", "dimension"), CASES, ids=[f"{kind} d={d}" for kind, d in CASES])
def test_error_falls_with_the_distance_to_the_nearest_point(kind, dimension, powercount_laws):
    """The slope is -p/d at these sizes, within its own interval; the next order's is outside."""
    found = interpolation(STUDY, kind, dimension)
    powercount_laws.note(
        f"{kind}, d = {dimension}",
        f"predicted {found.predicted}, measured {found.measured:+.3f} [{found.low:+.3f}, {found.high:+.3f}]",
    )
    assert found.outcome == "AGREES", found
    next_order = 2 / dimension if kind == "linear-mse" else 1 / dimension
    assert not found.low <= float(found.expected) + next_order <= found.high


def test_twin_the_wrong_dimension_is_contradicted():
    """Points in three dimensions do not follow the powers of two."""
    three, two = interpolation(STUDY, "nearest-mse", 3), interpolation(STUDY, "nearest-mse", 2)
    assert not three.low <= two.expected <= three.high

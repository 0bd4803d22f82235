"""Law: the mean loss of trained networks exceeds its limit by 1/n in the width and 1/D in the data, smooth losses only.

The mean output of narrow networks is off by 1/n as well, which no ensemble takes away.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from powercount.empirical.fit import jackknife
from powercount.ledger.finding import from_estimate
from powercount.ledger.width import bias, excess, narrow, on_samples, square_of_mean
from powercount.studies.study import Study

STUDY = Study(quick=True, seed=2)
# Tests of one measurement stay on one worker, which makes it once.
PARAMETRIZATIONS = [pytest.param(name, marks=pytest.mark.xdist_group(f"narrow {name}")) for name in ("mup", "ntk")]


def note(powercount_laws, found):
    """One line of the report."""
    seen = f"measured {found.measured:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
    powercount_laws.note(f"{found.part}, {found.condition}", f"predicted {found.predicted}, {seen}")


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
def test_narrow_networks_exceed_the_limit_by_one_over_n(parametrization, powercount_laws):
    """Doubling n takes 1/n off the mean loss and off the mean output; an excess and a bias that stay do not agree."""
    for law, power in ((excess, -1), (bias, -2)):
        found = law(STUDY, parametrization, claimed=power)
        note(powercount_laws, found)
        assert found.predicted == str(power)
        assert found.outcome == "AGREES", found
        assert law(STUDY, parametrization, claimed=0).outcome == "CONTRADICTS"


def test_the_square_of_a_mean_is_the_product_of_different_members():
    """Two members a and b give a b, averaged over tests: no member is multiplied with itself."""
    pair = np.random.default_rng(0).standard_normal((2, 3, 5))
    np.testing.assert_allclose(square_of_mean(pair), (pair[0] * pair[1]).mean(axis=-1), rtol=1e-12)


@pytest.mark.parametrize("parametrization", PARAMETRIZATIONS)
def test_twin_an_ensemble_of_narrow_networks_is_not_a_wide_one(parametrization):
    """That averaging leaves no bias is contradicted; it is found where the signs of members are drawn by chance."""
    _, rows = narrow(STUDY, parametrization)
    signs = np.random.default_rng(STUDY.seed).choice([-1.0, 1.0], (len(rows), 1, 1))
    for members, outcome in ((rows, "CONTRADICTS"), (rows * signs, "AGREES")):
        square = jackknife(lambda some: float(square_of_mean(some[..., :-1])[0]), members)
        assert from_estimate(square, 0, 0, part="", condition="", rival=1.0).outcome == outcome


@pytest.mark.xdist_group("samples")
def test_smooth_losses_exceed_the_limit_of_the_data_by_one_over_d(powercount_laws):
    """D^(-1) for the mean square; the twin of one draw's own fluctuation, D^(-1/2), is contradicted."""
    found = on_samples(STUDY, "by halves", claimed=-1)
    note(powercount_laws, found)
    assert found.predicted == "-1"
    assert found.outcome == "AGREES", found
    assert on_samples(STUDY, "by halves", claimed=Fraction(-1, 2)).outcome == "CONTRADICTS"


@pytest.mark.xdist_group("samples")
def test_a_loss_with_a_kink_at_the_limit_exceeds_it_by_the_fluctuation(powercount_laws):
    """D^(-1/2) for the mean distance to the limit's outputs; the power of smooth losses is contradicted."""
    found = on_samples(STUDY, "kink", claimed=Fraction(-1, 2))
    note(powercount_laws, found)
    assert found.predicted == "-1/2"
    assert found.outcome == "AGREES", found
    assert on_samples(STUDY, "kink", claimed=-1).outcome == "CONTRADICTS"

"""Everything the suite fixes for itself: threads, Hypothesis profiles, and how much is drawn.

Members of an ensemble are small: one thread per worker process is fastest, and two workers fill two cores.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# Laws take seconds an example, so no deadline; what fails is printed with its seed and its recipe.
LAW = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.register_profile("powercount", LAW)
settings.register_profile("powercount-ci", LAW, derandomize=True, database=None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--quick`` for the other torch versions; the other options are counts, of which a night draws more."""
    parser.addoption("--quick", action="store_true", help="draw fewer recipes and measure fewer named ones")
    parser.addoption("--night", action="store_true", help="every case of every option: an hour")
    parser.addoption("--experiments", type=int, default=4000, help="ensembles resampled a cell, for coverage (4000)")
    parser.addoption("--recipes", type=int, default=12, help="recipes drawn along each axis (12)")
    parser.addoption("--plants", type=int, default=24, help="wrong powers planted and looked for (24)")
    parser.addoption("--fuzz", type=int, default=300, help="inputs nobody wrote, for tests/outside/test_fuzz.py (300)")
    parser.addoption("--kills", type=int, default=3, help="how often a live study is killed (3)")


def pytest_configure(config: pytest.Config) -> None:
    """Choose the profile; Hypothesis's own CI detection decides between random and repeatable draws."""
    settings.load_profile("powercount-ci" if os.environ.get("CI") else "powercount")


@pytest.fixture(scope="session", autouse=True)
def single_thread() -> None:
    """One thread in every worker process."""
    from powercount.threads import one_thread

    one_thread()


@pytest.fixture(scope="session")
def quick(request: pytest.FixtureRequest) -> bool:
    """Whether ``--quick`` was given."""
    return bool(request.config.getoption("--quick"))

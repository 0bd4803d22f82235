"""Everything the suite fixes for itself: threads, Hypothesis profiles, what is drawn and how much.

Members of an ensemble are small: one thread per worker process is fastest, and two workers fill two cores.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

# Laws take seconds an example, so no deadline; what fails is printed with its seed and its recipe.
LAW = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.register_profile("powercount", LAW)
# In CI what is drawn follows from the commit (see ``seed_of_commit``), and a database would add to it.
settings.register_profile("powercount-ci", LAW, derandomize=False, database=None)
# A mutant is noticed by its first counterexample; nobody reads it, and to make it small takes minutes.
FIRST = (Phase.explicit, Phase.generate)
settings.register_profile("powercount-mutants", LAW, derandomize=False, database=None, phases=FIRST)
NO_COMMIT = 20230601  # the seed where there is no git: an unpacked sdist, or a checkout of someone else's


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--quick`` for the other torch versions; the other options are counts, of which a night draws more."""
    parser.addoption("--quick", action="store_true", help="draw fewer recipes and measure fewer named ones")
    parser.addoption("--night", action="store_true", help="every case of every option: an hour")
    parser.addoption("--experiments", type=int, default=4000, help="ensembles resampled a cell, for coverage (4000)")
    parser.addoption("--recipes", type=int, default=8, help="recipes drawn along each axis (8)")
    parser.addoption("--plants", type=int, default=24, help="wrong powers planted and looked for (24)")
    parser.addoption("--fuzz", type=int, default=300, help="inputs nobody wrote, for tests/outside/test_fuzz.py (300)")
    parser.addoption("--kills", type=int, default=3, help="how often a live study is killed (3)")


def seed_of_commit(folder: Path = Path(__file__).parent) -> int:
    """The seed a commit draws with: the same on every machine and worker, another one for the next commit."""
    command = ["git", "-C", str(folder), "rev-parse", "--verify", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
        return int(done.stdout.strip()[:8], 16)
    except (OSError, subprocess.SubprocessError, ValueError):
        return NO_COMMIT


# First: Hypothesis's plugin reads the seed when it is configured.
@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Draw at random at home and by the commit in CI, where ``--hypothesis-seed`` still has the last word."""
    settings.load_profile("powercount-ci" if os.environ.get("CI") else "powercount")
    if os.environ.get("CI") and config.getoption("--hypothesis-seed") is None:
        config.option.hypothesis_seed = str(seed_of_commit())


def pytest_report_header(config: pytest.Config) -> str:
    """How to draw the same once more."""
    seed = config.getoption("--hypothesis-seed")
    if seed is None:
        return "draws: at random; a failing example is printed with what replays it"
    return f"draws: --hypothesis-seed={seed}" + (" (by the commit)" if seed == str(seed_of_commit()) else "")


@pytest.fixture(scope="session", autouse=True)
def own_process() -> None:
    """One thread and its own memory in every worker process."""
    from powercount.door.process import keep_memory, one_thread

    one_thread()
    keep_memory()


@pytest.fixture(scope="session")
def quick(request: pytest.FixtureRequest) -> bool:
    """Whether ``--quick`` was given."""
    return bool(request.config.getoption("--quick"))

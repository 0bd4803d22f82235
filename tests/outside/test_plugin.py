"""The pytest plugin, which hands the verdicts over: what fails, what passes, and the table at the end of the run.

Each test runs a small suite of a user's in a folder of its own. Its verdicts are judged on synthetic members whose
stream follows n^0 (derived for depth-mup), n^(1/2), or nothing that four seeds could resolve.
"""

from __future__ import annotations

import pytest

from powercount.plugin import Laws

pytest_plugins = ["pytester"]

VERDICTS = """\
import numpy as np
from powercount import Measurement, Sweep, derive, judge, named_recipe, observable_named
from powercount.empirical.fit import fit_slope

SIZES = (64, 128, 256, 512)


def verdict(slope, noise=0.0, seeds=8):
    prediction = derive(named_recipe("depth-mup"), observable_named("stream", 2))
    logs = slope * np.log(SIZES) + noise * np.random.default_rng(1).standard_normal((seeds, len(SIZES)))
    squares = np.exp(2 * logs)
    measurement = Measurement(
        observable=prediction.observable,
        sweep=Sweep(axis="width", sizes=SIZES, fixed=3, seeds=seeds),
        fitted=fit_slope(squares, SIZES),
        sizes=SIZES,
        points=tuple(np.sqrt(squares.mean(axis=0))),
        seeds=seeds,
        cpu_seconds=0.0,
    )
    return judge(prediction, measurement)


VERDICTS = {"AGREES": verdict(0.0), "CONTRADICTS": verdict(0.5), "UNDECIDED": verdict(0.0, noise=1.0, seeds=4)}
assert all(verdict.outcome == name for name, verdict in VERDICTS.items()), VERDICTS
"""
SUITE = """\
import pytest
from verdicts import VERDICTS


@pytest.mark.parametrize("outcome", VERDICTS)
def test_agrees(outcome, powercount_laws):
    powercount_laws.agrees(VERDICTS[outcome], outcome.lower())


@pytest.mark.parametrize("outcome", VERDICTS)
def test_contradicts(outcome, powercount_laws):
    powercount_laws.contradicts(VERDICTS[outcome], outcome.lower())


def test_counts(powercount_laws):
    assert powercount_laws.tally(VERDICTS.values(), "all three") == {outcome: 1 for outcome in VERDICTS}
    powercount_laws.note("a line", "of text")
"""
# What a user relies on: a law passes on AGREES alone, its negative twin on CONTRADICTS alone.
RIGHT = {
    "test_agrees[AGREES]": "passed",
    "test_agrees[CONTRADICTS]": "failed",
    "test_agrees[UNDECIDED]": "failed",
    "test_contradicts[AGREES]": "failed",
    "test_contradicts[CONTRADICTS]": "passed",
    "test_contradicts[UNDECIDED]": "failed",
    "test_counts": "passed",
}
MUTANTS = {
    "asserting nothing": "def _hold(self, verdict, outcome, case):\n    pass\n",
    "letting UNDECIDED pass": (
        "def _hold(self, verdict, outcome, case):\n    assert verdict.outcome in (outcome, 'UNDECIDED')\n"
    ),
    "passing what it did not want": "def _hold(self, verdict, outcome, case):\n    assert verdict.outcome != outcome\n",
}


@pytest.fixture
def suite(pytester):
    """A user's suite of one law in a folder of its own."""
    # The user's options alone: nothing of this checkout's configuration or of its own run reaches the inner one.
    pytester.makeini("[pytest]\naddopts =\n")
    pytester.makepyfile(verdicts=VERDICTS, test_exponents_stream=SUITE)
    return pytester


def outcomes(result):
    """The outcome of each test of an inner run, by its name, from the lines of ``-rA``."""
    found = {}
    for line in result.outlines:
        word, _, rest = line.partition(" ")
        if word in ("PASSED", "FAILED", "ERROR") and "::" in rest:
            found[rest.split("::")[1].split(" - ")[0]] = word.lower()
    return found


def test_a_law_passes_on_its_verdict_alone(suite):
    """AGREES passes ``agrees``, CONTRADICTS passes ``contradicts``; every other verdict, UNDECIDED too, fails both."""
    result = suite.runpytest_inprocess("-rA", "-p", "no:cacheprovider")
    assert outcomes(result) == RIGHT
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_a_failure_tells_the_story(suite):
    """The assertion names the verdict that was wanted and gives the story: claim, what was seen, how sure."""
    said = str(suite.runpytest_inprocess("-p", "no:cacheprovider", "-k", "test_agrees").stdout)
    assert "wanted AGREES; CONTRADICTS: stream ~ n^(0), under depth-mup." in said
    assert "wanted AGREES; UNDECIDED: stream" in said
    assert "wanted AGREES; AGREES" not in said


@pytest.mark.parametrize("processes", [[], ["-n", "2"]], ids=["in one process", "under xdist"])
def test_the_table_of_laws_ends_the_run(suite, processes):
    """Each verdict is a line of the table, law, case and outcome; passed and failed alike, from every worker."""
    result = suite.runpytest_inprocess("-rA", "-p", "no:cacheprovider", *processes)
    assert outcomes(result) == RIGHT
    table = str(result.stdout).split("powercount: the laws")[1]
    lines = [line.split() for line in table.splitlines()]
    assert lines[1][:4] == ["law", "case", "observable", "axis"]
    for name in ("AGREES", "CONTRADICTS", "UNDECIDED"):
        for case in ([name.lower()], ["twin:", name.lower()]):
            told = [line for line in lines if line[: 1 + len(case)] == ["stream", *case]]
            assert len(told) == 1, f"{case} is told {len(told)} times"
            assert told[0][1 + len(case) : 4 + len(case)] == ["stream", "width", "0"]
            assert told[0][-1] == name
    assert "stream, all three: 3 verdicts: {'AGREES': 1, 'CONTRADICTS': 1, 'UNDECIDED': 1}, largest gap" in table
    assert "stream, a line: of text" in table


def test_a_run_without_laws_has_no_table(pytester):
    """Whoever installed powercount and does not use it sees nothing of it."""
    pytester.makepyfile("def test_something():\n    pass\n")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    assert result.ret == pytest.ExitCode.OK
    assert "powercount: the laws" not in str(result.stdout)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_plugin_that_lets_a_wrong_verdict_pass_is_seen(suite, mutant, monkeypatch):
    """Meta: with the plugin's assertion deleted or loosened, the outcomes held above are others."""
    space = {}
    exec(MUTANTS[mutant], space)
    monkeypatch.setattr(Laws, "_hold", space["_hold"])
    result = suite.runpytest_inprocess("-rA", "-p", "no:cacheprovider")
    assert set(outcomes(result)) == set(RIGHT)
    assert outcomes(result) != RIGHT

"""The fit of scaling laws: planted laws lie in their 95 % intervals at least that often, and wrong ones do not.

Each synthetic table is drawn 200 times, with runs that scatter about a known law; a count is of the tables whose
interval holds the truth. Where runs are resampled at each size Student's t is conservative, so that at least 190 of
200 is asked. For whole runs and residuals it is exact, and the count has mean 190 and deviation 3.1: asked is 183,
which an interval that covers 95 % misses once in eighty times.
"""

from __future__ import annotations

import csv
import runpy
from pathlib import Path

import numpy as np
import pytest

from powercount.empirical.scaling_laws.fit import FitError, Interval, fit_axis, fit_joint
from powercount.empirical.scaling_laws.scatter import Asked, Losses
from powercount.tables.regime import duality, regime
from powercount.tables.table_file import read_table

ROOT = Path(__file__).parents[2]
TABLES, RUNS = 200, 5
SIZES = 2.0 ** np.arange(4, 12)
PLACE = 2.0**13
LAWS = {"pure power": (0.0, 3.0, 0.5), "variance-limited": (0.1, 3.0, 1.0)}
# Each run scatters by this part of its loss: little enough that .1 of an exponent can be told.
NOISE = 0.015
RESAMPLES = 300
OFF = 0.1


def planted(name, sizes):
    """The law's loss."""
    offset, amplitude, exponent = LAWS[name]
    return offset + amplitude * sizes**-exponent


def drawn(name, generator, *, runs=RUNS, shared=0.0):
    """One table: runs whose relative noise is their own at each size, or ``shared`` between sizes too."""
    sizes = np.tile(SIZES, runs)
    common = shared * np.repeat(generator.standard_normal(runs), len(SIZES))
    noise = NOISE * generator.standard_normal(len(sizes)) + common
    names = tuple(str(run) for run in np.repeat(np.arange(runs), len(SIZES))) if shared else None
    return Losses(sizes={"D": sizes}, loss=planted(name, sizes) * (1 + noise), runs=names)


def counted(name, **how):
    """How many tables hold the exponent, offset, prediction; exclude exponents off by .1; each regime seen."""
    generator = np.random.default_rng(7)
    offset, _, exponent = LAWS[name]
    held, seen = np.zeros(4, dtype=int), {}
    for seed in range(TABLES):
        fit = fit_axis(drawn(name, generator, **how), "D", (PLACE,), Asked(resamples=RESAMPLES, seed=seed))
        off = not fit.exponent.holds(exponent + OFF) and not fit.exponent.holds(exponent - OFF)
        predicted = fit.predictions[0][1].holds(planted(name, PLACE))
        held += [fit.exponent.holds(exponent), fit.offset.holds(offset), predicted, off]
        found = regime(fit.exponent, fit.offset)
        seen[found] = seen.get(found, 0) + 1
    print(f"{name}: exponent, offset, prediction held, wrong exponents excluded: {held} of {TABLES}; {seen}")
    return held, seen


@pytest.mark.parametrize(("name", "expected"), [("pure power", "resolution-limited"), ("variance-limited",) * 2])
def test_a_planted_law_lies_in_its_intervals_and_a_wrong_one_does_not(name, expected):
    """Exponent, offset and prediction: 190 of 200 or more; exponents off by .1 are outside as often."""
    held, seen = counted(name)
    assert (held >= 190).all(), held
    assert seen.get(expected, 0) >= 190


def test_a_joint_law_lies_in_its_intervals_and_a_wrong_one_does_not():
    """a = .7, b = .4, E = .05: exponents, their difference, offset, prediction; exponents off by .1 are outside."""
    generator = np.random.default_rng(11)
    few = 2.0 ** np.arange(4, 14, 2)
    n, d = (np.repeat(each.ravel(), RUNS) for each in np.meshgrid(few, few))
    held, differ = np.zeros(7, dtype=int), 0
    for seed in range(TABLES):
        loss = (0.05 + 2 * n**-0.7 + d**-0.4) * (1 + NOISE * generator.standard_normal(len(n)))
        fit = fit_joint(
            Losses(sizes={"N": n, "D": d}, loss=loss), (PLACE, PLACE), Asked(resamples=RESAMPLES, seed=seed)
        )
        a, b = fit.exponents["N"], fit.exponents["D"]
        truth = 0.05 + 2 * PLACE**-0.7 + PLACE**-0.4
        held[:5] += [a.holds(0.7), b.holds(0.4), fit.difference.holds(0.7 - 0.4), fit.offset.holds(0.05), False]
        held[4] += fit.prediction.holds(truth)
        held[5:] += [
            not a.holds(0.7 + OFF) and not a.holds(0.7 - OFF),
            not b.holds(0.4 + OFF) and not b.holds(0.4 - OFF),
        ]
        differ += duality(fit.difference) == "differ"
    print(f"joint: a, b, a - b, offset, prediction held, wrong a, b excluded: {held} of {TABLES}; differ {differ}")
    assert (held >= 190).all(), held
    assert differ >= 190


@pytest.mark.parametrize("how", [{"runs": 8, "shared": 0.03}, {"runs": 1}], ids=["whole runs", "residuals"])
def test_the_other_ways_to_resample_cover_as_stated(how):
    """Runs paired over sizes, with noise in common, and a single run at each size: 183 of 200 or more."""
    held, _ = counted("variance-limited", **how)
    assert (held[:3] >= 183).all(), held


@pytest.mark.parametrize("name", LAWS)
def test_a_law_without_noise_is_recovered(name):
    """Exponent, amplitude and offset to 1e-6: rounding, 1e-16, enlarged by the valley in which E and a trade."""
    fit = fit_axis(Losses(sizes={"D": SIZES}, loss=planted(name, SIZES)), "D", (PLACE,), Asked(resamples=RESAMPLES))
    seen = [fit.offset.value, fit.amplitude, fit.exponent.value, fit.predictions[0][1].value]
    assert seen == pytest.approx([*LAWS[name], planted(name, PLACE)], rel=1e-6, abs=1e-6)


def test_equal_exponents_agree():
    """The twin of the joint law: a = b = .5 is duality."""
    n, d = (np.repeat(each.ravel(), RUNS) for each in np.meshgrid(SIZES, SIZES))
    noise = 1 + NOISE * np.random.default_rng(3).standard_normal(len(n))
    fit = fit_joint(Losses(sizes={"N": n, "D": d}, loss=(0.05 + n**-0.5 + d**-0.5) * noise), (PLACE, PLACE))
    assert duality(fit.difference) == "agree"


def test_a_misfit_is_seen_and_widens_the_interval():
    """A kink that no law with an offset has, by ten times the scatter of the mean: said, and the interval is wider."""
    table = drawn("pure power", np.random.default_rng(5))
    kinked = Losses(sizes=table.sizes, loss=table.loss * np.where(table.sizes["D"] == SIZES[3], 1 + 5 * NOISE, 1))
    plain, bent = fit_axis(table, "D"), fit_axis(kinked, "D")
    assert (plain.misfit, bent.misfit) == (False, True)
    assert bent.exponent.high - bent.exponent.low > plain.exponent.high - plain.exponent.low


def test_a_loss_that_rises_is_refused():
    """No power law falls along it: one line with the remedy."""
    with pytest.raises(FitError, match="does not fall along D"):
        fit_axis(Losses(sizes={"D": SIZES}, loss=SIZES), "D")


def test_the_shipped_table_is_what_its_script_measures():
    """Three students of run 2 again, to 1e-4: eight digits are kept, and a linear system of condition 1e6 is solved."""
    measure = runpy.run_path(str(ROOT / "benchmarks" / "measure_digits_table.py"))["measured"]
    with (ROOT / "examples" / "digits-scaling.csv").open(encoding="utf-8", newline="") as file:
        shipped = {
            (int(row["N"]), int(row["D"])): float(row["loss"]) for row in csv.DictReader(file) if row["run"] == "2"
        }
    sizes = ((2048, 32), (2048, 256), (64, 1024))
    assert measure(2, sizes) == pytest.approx([shipped[size] for size in sizes], rel=1e-4)


def test_the_shipped_table_has_fits_that_make_sense():
    """Along D at N = 2048 the exponent is below 1, the plateau lies below every loss, and runs are whole."""
    table = read_table(ROOT / "examples" / "digits-scaling.csv")
    fit = fit_axis(table.taken(table.sizes["N"] == 2048), "D")
    assert (regime(fit.exponent, fit.offset), fit.resampled) == ("resolution-limited", "whole runs")
    assert 0.5 < fit.exponent.low < fit.exponent.high < 1
    assert 0 < fit.offset.low < fit.offset.high < fit.means.min()


def between(low, high):
    """An interval around its middle."""
    return Interval(value=(low + high) / 2, low=low, high=high)


PLATEAU, NONE = between(0.08, 0.11), between(0.0, 0.02)


@pytest.mark.parametrize(
    ("exponent", "offset", "expected"),
    [
        ((0.51, 1.99), PLATEAU, "variance-limited"),
        ((0.49, 1.2), PLATEAU, "undecided"),
        ((0.8, 2.01), PLATEAU, "undecided"),
        ((0.3, 0.99), PLATEAU, "resolution-limited"),
        ((0.1, 0.99), NONE, "resolution-limited"),
        ((0.6, 1.19), NONE, "resolution-limited"),
        ((0.6, 1.21), NONE, "undecided"),
        ((1.01, 2.01), NONE, "resolution-limited"),
        ((1.01, 1.5), PLATEAU, "undecided"),
        ((1.01, 2.03), NONE, "undecided"),
    ],
)
def test_the_borders_of_the_regimes_are_where_the_page_says(exponent, offset, expected):
    """Just inside and just outside of 1/2, 1, 2, a factor of 2 and a plateau of 0."""
    assert regime(between(*exponent), offset) == expected


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-0.24, 0.25, "agree"), (-0.26, 0.25, "undecided"), (0.01, 0.9, "differ"), (-0.9, -0.01, "differ")],
)
def test_the_border_of_duality_is_where_the_page_says(low, high, expected):
    """An interval of a - b that holds 0 tells agreement only up to a length of 1/2."""
    assert duality(between(low, high)) == expected

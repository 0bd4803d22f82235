"""``powercount scaling-law fit``: answers, exit codes, figures, and one line with a remedy for every bad input."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from powercount.__main__ import main
from powercount.door.entry import AGREES, BAD_INPUT, UNDECIDED

SHIPPED = Path(__file__).parents[2] / "examples" / "digits-scaling.csv"
FIT = ("scaling-law", "fit")
KEYS = {"axis", "regime", "exponent", "low", "high", "offset", "offset_low", "offset_high", "prediction", "duality"}


@pytest.fixture
def answer(capsys):
    """Run the command; (exit code, standard output, standard error)."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def table(tmp_path):
    """Write a table and return its path."""

    def write(text, name="table.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def rows(axis, sizes, loss, *, runs=5, noise=0.01, seed=0):
    """A table along one axis, with relative noise."""
    generator = np.random.default_rng(seed)
    lines = [f"{size},{loss(size) * (1 + noise * generator.standard_normal())}" for size in sizes for _ in range(runs)]
    return "\n".join([f"{axis},Loss", *lines])


SIZES = [2**power for power in range(4, 12)]


@pytest.mark.parametrize(
    ("loss", "regime"),
    [(lambda d: 0.1 + 3 / d, "variance-limited"), (lambda d: 3 * d**-0.5, "resolution-limited")],
    ids=["a plateau and exponent 1", "a pure power"],
)
def test_a_decided_regime_exits_0_and_answers_in_json(answer, table, loss, regime):
    """One axis is one object; within the table there is no warning, and the prediction's interval holds the truth."""
    code, out, err = answer(*FIT, table(rows("d", SIZES, loss)), "--at", "D=100", "--json")
    row = json.loads(out)
    assert (code, err, row["axis"], row["regime"]) == (AGREES, "", "D", regime)
    assert set(row) >= KEYS
    assert row["low"] < row["exponent"] < row["high"]
    assert row["prediction"]["at"] == 100
    assert row["prediction"]["low"] <= loss(100) <= row["prediction"]["high"]
    assert row["prediction"]["warning"] is row["duality"] is None


def test_beyond_the_table_it_warns(answer, table):
    """At twice the largest size by default, and wherever else is asked: in JSON, and as a line on standard error."""
    path = table(rows("N", SIZES, lambda n: n**-0.5))
    for asked, place in (((), 2 * SIZES[-1]), (("--at", "n=1e9"), 1e9), (("--at", "N=2"), 2)):
        code, out, err = answer(*FIT, path, *asked, "--json")
        prediction = json.loads(out)["prediction"]
        assert (code, prediction["at"]) == (AGREES, place)
        assert "extrapolated" in prediction["warning"]
        assert err == f"powercount: warning: {prediction['warning']}\n"


def test_too_wide_an_interval_is_undecided_with_exit_3(answer, table):
    """Four noisy single runs leave one degree of freedom: said, with the remedy."""
    path = table("D,loss\n16,1.0\n32,0.9\n64,0.6\n128,0.55\n")
    code, out, _ = answer(*FIT, path, "--json")
    row = json.loads(out)
    assert (code, row["regime"]) == (UNDECIDED, "undecided")
    assert "add runs or a wider range" in row["reason"]
    assert "residuals" in row["resampled"]
    code, out, _ = answer(*FIT, path)
    assert code == UNDECIDED
    assert "undecided along D" in out


def test_the_shipped_table_gives_both_axes_and_their_duality(answer):
    """N and D in a list, each with the joint law's difference; the text says the same; a seed repeats it."""
    code, out, err = answer(*FIT, SHIPPED, "--json")
    found = json.loads(out)
    assert (code, [row["axis"] for row in found]) == (AGREES, ["N", "D"])
    assert err.count("warning") == 2
    joint = found[0]["duality"]
    assert joint == found[1]["duality"]
    assert joint["low"] < joint["difference"] < joint["high"]
    assert joint["prediction"]["warning"]
    assert answer(*FIT, SHIPPED, "--json")[1] == out
    code, out, _ = answer(*FIT, SHIPPED)
    assert code == AGREES
    assert "duality" in out
    assert f"{joint['outcome']};" in out


def test_along_compute_the_best_loss_at_each_size_is_fitted(answer, table):
    """The front: a worse (N, D) at the same C changes nothing; with C alone no --axis is needed."""
    best = [f"{10 * c},{c},{c},{0.1 + c**-0.5}" for c in SIZES]
    worse = [f"{10 * c},{2 * c},{c / 2},{0.3 + c**-0.5}" for c in SIZES]
    path = table("\n".join(["C,N,D,loss", *best, *worse]))
    row = json.loads(answer(*FIT, path, "--axis", "C", "--json")[1])
    # 1e-4: without noise nothing is left but rounding, enlarged where offset and exponent trade.
    assert (row["exponent"], row["offset"]) == pytest.approx((0.5, 0.1), rel=1e-4)
    assert json.loads(answer(*FIT, table(rows("C", SIZES, lambda c: c**-0.5)), "--json")[1])["axis"] == "C"


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_the_figure_is_written(answer, tmp_path, suffix):
    """--plot, by its ending; the axis asked for alone."""
    path = tmp_path / f"figure.{suffix}"
    code, out, _ = answer(*FIT, SHIPPED, "--axis", "D", "--at", "D=4096", "--plot", path)
    assert code == AGREES
    assert "D (N = 2048)" in out
    assert path.stat().st_size > 5000


GOOD = "D,loss\n16,.9\n32,.6\n64,.4\n128,.3\n"
BAD_TABLES = {
    "empty": ("", "file is empty"),
    "header alone": ("D,loss\n", "nothing varies"),
    "no loss": ("D,error\n1,2\n", "no column 'loss' among: d, error"),
    "no sizes": ("width,loss\n1,2\n", "name the sizes' column"),
    "a column twice": ("D,d,loss\n1,1,2\n", "keep one of them"),
    "no number": ("D,loss\n16,.9\n32,high\n", "line 3: loss 'high' is no number"),
    "an empty cell": ("D,loss\n16,\n", "line 2: loss '' is no number"),
    "nan": ("D,loss\n16,nan\n", "is not finite; remove the row"),
    "infinite": ("D,loss\ninf,.5\n", "is not finite; remove the row"),
    "no loss left": ("D,loss\n16,0\n", "is not positive"),
    "negative size": ("D,loss\n-16,.5\n", "is not positive"),
    "a short row": ("D,loss\n16\n", "1 cells for 2 columns"),
    "three sizes": ("D,loss\n16,.9\n32,.6\n64,.4\n", "at least 4"),
    "nothing varies": ("D,loss\n16,.9\n16,.8\n16,.7\n16,.6\n", "nothing varies"),
    "a loss that rises": ("D,loss\n16,.3\n32,.4\n64,.5\n128,.6\n", "does not fall along D"),
    "one loss out of reach": ("D,loss\n10,.4\n100,1e308\n1000,.1\n10000,.05\n", "0.05 (line 5) to 1e+308 (line 3)"),
    "losses out of each other's reach": ("D,loss\n1,1e15\n2,1\n3,.9\n4,.5\n", "correct or remove these rows"),
    "a size out of reach": ("D,loss\n1e-31,1\n2,1\n", "lies outside 1e-30 to 1e+30"),
    "a column that a terminal obeys": ("D,\x1b[2J\n1,2\n", "among: d, \\x1b[2j"),
    "a cell that a terminal obeys": ("D,loss\n1,\x1b[2J\n", "line 2: loss '\\x1b[2J' is no number"),
    "no slice": ("N,D,loss\n1,1,.9\n2,2,.8\n3,3,.7\n4,4,.6\n", "no slice has 4 sizes"),
}
BAD_FLAGS = {
    "axis not there": (["--axis", "N"], "choose one of: D"),
    "axis unknown": (["--axis", "X"], "see powercount scaling-law fit --help"),
    "at no size": (["--at", "D"], "such as D=1e6"),
    "at an unknown axis": (["--at", "N=10"], "choose: D"),
    "at zero": (["--at", "D=0"], "positive and finite"),
    "at nan": (["--at", "D=nan"], "positive and finite"),
    "at out of reach": (["--at", "D=1e31"], "between 1e-30 and 1e+30"),
    "resamples without end": (["--resamples", "1000000000000"], "choose fewer --resamples"),
    "confidence that is no number": (["--confidence", "nan"], "is not finite"),
    "a seed of 30 digits": (["--seed", "9" * 30], "too large"),
    "at twice": (["--at", "D=1", "--at", "D=2"], "ask once"),
    "few resamples": (["--resamples", "10"], "200 or more"),
    "confidence": (["--confidence", "95"], "such as 0.95"),
    "seed": (["--seed", "-1"], "give 0 or more"),
    "figure's ending": (["--plot", "figure.gif"], "must end with one of"),
    "figure's folder": (["--plot", "/no/such/folder/a.png"], "there is no folder"),
}


def is_one_line(found, remedy):
    """Exit 2, nothing on standard output, one line on standard error that holds the remedy."""
    code, out, err = found
    assert (code, out) == (BAD_INPUT, "")
    assert remedy in err
    assert err.startswith("powercount: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_bad_table_is_one_line_with_a_remedy_and_exit_2(answer, table, name):
    """What the file holds is checked at the door."""
    text, remedy = BAD_TABLES[name]
    is_one_line(answer(*FIT, table(text)), remedy)


@pytest.mark.parametrize("name", BAD_FLAGS)
def test_a_bad_flag_is_one_line_with_a_remedy_and_exit_2(answer, table, name):
    """What the command line asks is checked against the table."""
    flags, remedy = BAD_FLAGS[name]
    is_one_line(answer(*FIT, table(GOOD), *flags), remedy)


@pytest.mark.parametrize("power", [-1000, -3, 1, 1000])
def test_the_unit_of_the_loss_changes_no_exponent(answer, table, power):
    """Losses times 2^power: the same exponent and regime, offset and predictions times 2^power."""
    lines = [f"{size},{0.1 + 3 / size}" for size in SIZES]
    scaled = [f"{size},{(0.1 + 3 / size) * 2.0**power!r}" for size in SIZES]
    one, other = (
        json.loads(answer(*FIT, table("\n".join(["D,loss", *each])), "--at", "D=100", "--json")[1])
        for each in (lines, scaled)
    )
    # 1e-9: the same fit of the same numbers, but for the last digit of a loss written as text.
    assert other["exponent"] == pytest.approx(one["exponent"], rel=1e-9)
    assert (other["regime"], other["resampled"]) == (one["regime"], one["resampled"])
    for key in ("offset", "offset_low", "offset_high", "amplitude"):
        assert other[key] == pytest.approx(one[key] * 2.0**power, rel=1e-9)
    assert other["prediction"]["value"] == pytest.approx(one["prediction"]["value"] * 2.0**power, rel=1e-9)


def test_the_unit_changes_no_joint_exponent(answer, table):
    """Along N and D together as well: a - b and its interval as they are, offset and prediction times 2^-1000."""
    found = []
    for power in (0, -1000):
        generator, lines = np.random.default_rng(1), ["N,D,loss"]
        for n, d in ((n, d) for n in SIZES[:5] for d in SIZES[:5] for _ in range(4)):
            loss = (0.1 + n**-0.5 + d**-0.7) * float(generator.normal(1, 0.01))
            lines.append(f"{n},{d},{loss * 2.0**power!r}")
        found.append(json.loads(answer(*FIT, table("\n".join(lines)), "--json")[1])[0]["duality"])
    one, other = found
    # 1e-6: the optimizer stops at its own tolerance, from a start that rounds differently.
    for key in ("difference", "low", "high"):
        assert other[key] == pytest.approx(one[key], rel=1e-6)
    for key in ("prediction", "offset"):
        assert other[key]["value"] == pytest.approx(one[key]["value"] * 2.0**-1000, rel=1e-6)


def test_an_optimizer_that_steps_too_far_warns_of_nothing(answer, table):
    """Scattered losses on a grid: the joint law tries steps whose exponential is no float, and takes shorter ones."""
    losses = [0.07, 0.17, 0.15, 1.96, 0.55, 1.38, 8.24, 8.55, 3.29, 0.33, 0.16, 0.14, 0.43, 0.89, 0.1, 0.07]
    rows = [f"{1 + place % 4},{1 + place // 4},{loss}" for place, loss in enumerate(losses)]
    code, out, err = answer(*FIT, table("\n".join(["N,D,loss", *rows])), "--resamples", "200")
    assert (code, "duality, from loss = E + A N^(-a) + B D^(-b)" in out) == (UNDECIDED, True)
    assert all(line.startswith("powercount: ") for line in err.splitlines())


def test_losses_at_the_ends_of_floats_are_fitted_and_drawn(answer, table, tmp_path):
    """4e-300 and 4e300, whose squares are no floats: the same exponent, and a figure."""
    found = []
    for place, first in enumerate(("e-300", "e300")):
        text = "D,loss\n" + "\n".join(f"{10**k},{loss}{first}" for k, loss in enumerate(("4", "2", "1", "0.8"), 1))
        path = tmp_path / f"{place}.png"
        code, out, err = answer(*FIT, table(text), "--json", "--plot", path)
        assert code == UNDECIDED
        assert err.count("\n") == 1
        assert path.stat().st_size > 5000
        found.append(json.loads(out)["exponent"])
    assert found[0] == pytest.approx(found[1], rel=1e-9)


def test_what_is_no_table_is_one_line_with_a_remedy_and_exit_2(answer, tmp_path):
    """No file, a folder, bytes, an open quote, no verb."""
    is_one_line(answer(*FIT, tmp_path / "none.csv"), "there is no such file")
    is_one_line(answer(*FIT, tmp_path), "give a CSV file you may read")
    binary = tmp_path / "binary.csv"
    binary.write_bytes(bytes(range(256)))
    is_one_line(answer(*FIT, binary), "save the table as comma-separated text")
    binary.write_text('D,loss\n16,"0.5\n')
    is_one_line(answer(*FIT, binary), "save the table as comma-separated text")
    is_one_line(answer(*FIT, "/dev/zero"), "average the runs")
    is_one_line(answer("scaling-law"), "see powercount scaling-law --help")
    if os.geteuid():
        binary.chmod(0)
        is_one_line(answer(*FIT, binary), "give a CSV file you may read")

"""Recipes that once got a wrong answer from the command: each agrees with itself now, or is told why it is undecided.

Every mistake people make is named with what to change. The files stand for kinds: squared loss, a role lost in
rounding, underflow, a readout of zeros, a network of zeros.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from powercount.__main__ import main
from powercount.door.entry import AGREES, CONTRADICTS, UNDECIDED

RECIPES = Path(__file__).parent / "recipes"
DEPTHS, WIDTHS = ["--sizes", "4,8,16,32"], ["--sizes", "64,128,256"]
AGREEING = {
    "underflow": [
        "--axis", "depth", "--seeds", "4", *DEPTHS, "--width", "64", "--observable", "feature-update@hidden4",
    ],
    "squared_loss_width": [
        "--axis", "width", "--data", "gaussian", "--seed", "424242", *WIDTHS, "--observable", "output-update@hidden1",
    ],
    "squared_loss_depth": [
        "--axis", "depth", "--data", "gaussian", "--observable", "output-update", "--seed", "3",
    ],
    "small_role": [
        "--steps", "5", "--axis", "depth", "--seeds", "8", *DEPTHS, "--width", "64",
        "--observable", "feature-update@hidden2",
    ],
    "small_roles": ["--steps", "5", "--axis", "depth", "--seeds", "16", "--sizes", "4,8,16", "--width", "64"],
    "zero_readout": ["--steps", "5", "--axis", "width", "--sizes", "32,64,128", "--seeds", "16"],
}  # fmt: skip
MISTAKES = {
    "every_linear_multiplier": ("mup", "width", "hidden1 and hidden2 multiplier: their powers of n are off by -1"),
    "hidden_init_by_ratio": ("mup", "width", "hidden1 and hidden2 init_std: their powers of n are off by -1/2"),
    "hidden_rates_frozen": ("mup", "width", "hidden1 and hidden2 learning_rate: their powers of n are off by -1"),
    "input_rate_unscaled": ("mup", "width", "input learning_rate: its power of n is off by -1"),
    "readout_rate_missing": ("mup", "width", "readout learning_rate: its power of n is off by -1"),
    "hidden_rates_without_depth": (
        "completep", "depth", "hidden1 and hidden2 learning_rate: their powers of L are off by -1",
    ),
}  # fmt: skip


def verdicts(capsys, *arguments):
    """(exit code, rows) of ``powercount verify``."""
    code = main(["verify", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", AGREEING)
def test_a_recipe_never_contradicts_itself(name, capsys):
    """Exit 0 or 3, and whatever is undecided says why."""
    code, rows = verdicts(capsys, str(RECIPES / f"{name}.toml"), *AGREEING[name])
    assert code in (AGREES, UNDECIDED)
    assert rows
    for row in rows:
        assert row["outcome"] != "CONTRADICTS", row["story"]
        assert row["outcome"] == "AGREES" or any(
            said in row["story"] for said in ("would decide", "further apart", "rounding", "underflow")
        )


@pytest.mark.parametrize("options", [["ntk", "--axis", "width"], ["mup", "--axis", "depth", "--layers", "1"]])
def test_squared_loss_agrees_with_itself(options, capsys):
    """``--loss mse`` on recipes whose output is not small: every observable AGREES."""
    code, rows = verdicts(capsys, *options, "--loss", "mse", "--activation", "linear")
    assert code == AGREES
    assert len(rows) >= 16


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(name, capsys):
    """The suspect is the mistake that was made, with what to change."""
    against, axis, said = MISTAKES[name]
    code = main(["verify", str(RECIPES / f"{name}.toml"), "--against", against, "--axis", axis])
    out = capsys.readouterr().out
    assert code == CONTRADICTS
    assert f"suspect along {axis}: {said} (would explain every verdict)" in out
    assert "to mend it: multiply the" in out


def test_a_network_of_zeros_is_void_evidence(capsys):
    """Where every init is zero nothing moves: UNDECIDED, exit 3, never green."""
    code, rows = verdicts(capsys, str(RECIPES / "dead.toml"), "--axis", "width")
    assert code == UNDECIDED
    assert {row["outcome"] for row in rows} == {"UNDECIDED"}
    assert all("oid evidence" in row["story"] for row in rows)

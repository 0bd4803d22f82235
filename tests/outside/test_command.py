"""The command: answers, exit codes, and one clear line with a remedy for everything that is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from powercount.__main__ import main
from powercount.derivations.laws import LAWS
from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import Optimizer
from powercount.derivations.translate import translated, with_decay, with_epsilon
from powercount.door.entry import AGREES, BAD_INPUT, CONTRADICTS, UNDECIDED
from powercount.door.recipe_file import recipe_text

SMALL = ["--sizes", "32,64,128", "--depth", "2", "--seeds", "16"]
FAST = ["--sizes", "4,8,16,32", "--width", "64", "--seeds", "16"]


@pytest.fixture
def answer(capsys):
    """Run the command; (exit code, standard output, standard error)."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_laws_lists_the_register(answer):
    """laws names every law, its source and its test; --json gives the same."""
    code, out, _ = answer("laws")
    assert code == AGREES
    assert all(law.name in out and law.test in out for law in LAWS)
    code, out, _ = answer("laws", "--json")
    assert [row["name"] for row in json.loads(out)] == [law.name for law in LAWS]


@pytest.mark.parametrize(
    ("recipe", "observable", "width", "depth"),
    [
        ("depth-mup", "own-update:1", "0", "-1/2"),
        ("depth-mup", "total-update:1", "0", "0"),
        ("depth-mup-sqrt", "own-update:1", "0", "0"),
        ("depth-mup-sqrt", "feature-update@hidden1", "0", "1/2"),
        ("depth-mup-sqrt", "output-update@hidden1", "0", "1/2"),
        ("completep", "own-update:1", "0", "0"),
        ("completep", "feature-update@hidden1", "0", "0"),
        ("completep", "output-update@hidden1", "0", "0"),
        ("completep", "branch-sum", "0", "-1/2"),
    ],
)
def test_derive_answers_in_json(answer, recipe, observable, width, depth):
    """The powers as strings, with the steps they rest on."""
    code, out, _ = answer("derive", recipe, "--layers", 2, "--observable", observable, "--json")
    row = json.loads(out)
    assert (code, row["width"], row["depth"], row["reason"]) == (AGREES, width, depth, None)
    assert row["steps"][-1]["quantity"] == observable


def test_derive_all_and_refusals(answer):
    """--observable all gives a list; where there is no exponent it is null with a reason."""
    code, out, _ = answer("derive", "sp", "--observable", "all", "--json")
    rows = json.loads(out)
    assert code == AGREES
    assert len(rows) == 20
    assert all(row["depth"] is None and row["reason"] for row in rows)
    for flags in ((), ("--markdown",)):
        code, out, _ = answer("derive", "depth-mup", "--observable", "own-update:1", *flags)
        assert code == AGREES
        assert "L^(-1/2)" in out


def test_measure_answers_in_json(answer):
    """slope, low, high, confidence, sizes, seeds, cpu_seconds, points."""
    code, out, _ = answer("measure", "depth-mup", "--observable", "own-update:1", "--axis", "depth", *FAST, "--json")
    row = json.loads(out)
    assert code == AGREES
    assert row["low"] < row["slope"] < row["high"]
    assert (row["sizes"], row["seeds"], len(row["points"])) == ([4, 8, 16, 32], 16, 4)
    again = json.loads(
        answer("measure", "depth-mup", "--observable", "own-update:1", "--axis", "depth", *FAST, "--json")[1]
    )
    assert again["points"] == row["points"]


def test_verify_agrees_contradicts_and_names_the_power(answer, tmp_path):
    """Exit 0 for a sound recipe, 1 and the suspect for a broken one, as table and as JSON."""
    asked = ["--observable", "own-update:1", "--observable", "feature-update@hidden1", "--axis", "depth", *FAST]
    code, out, _ = answer("verify", "depth-mup", *asked, "--json")
    assert (code, {row["outcome"] for row in json.loads(out)}) == (AGREES, {"AGREES"})
    mine = tmp_path / "mine.toml"
    mine.write_text(recipe_text(named_recipe("depth-mup-sqrt")))
    code, out, _ = answer("verify", mine, "--against", "depth-mup", *asked)
    assert code == CONTRADICTS
    assert "hidden1 learning_rate: its power of L is off by +1/2" in out
    assert "CONTRADICTS: own-update:1 ~ L^(-1/2)" in out
    assert "repeat with: powercount" in out


@pytest.mark.parametrize("option", ["weight_decay", "epsilon"])
@pytest.mark.parametrize("claimed", [False, True])
def test_an_option_of_one_side_is_the_suspect(answer, tmp_path, option, claimed):
    """No power explains an epsilon or a decay that only one side has: it is named, and powers are left alone."""
    plain = translated(named_recipe("completep"), "adamw")
    theirs = with_decay(plain) if option == "weight_decay" else with_epsilon(plain)
    theirs = theirs.shifted("hidden1", option, "width", Fraction(1))
    files = [tmp_path / "plain.toml", tmp_path / "theirs.toml"]
    for file, recipe in zip(files, (plain, theirs), strict=True):
        file.write_text(recipe_text(recipe))
    mine, against = files if claimed else files[::-1]
    asked = "decay-update:1" if option == "weight_decay" else "own-update:1"
    code, out, _ = answer("verify", mine, "--against", against, "--observable", asked, "--axis", "width", *SMALL)
    assert code == CONTRADICTS
    has, lacks = ("the claims have", "RECIPE has not") if claimed else ("RECIPE has", "the claims have not")
    assert f"suspect along width: {has} {option} for " in out
    assert f", which {lacks}" in out
    assert "learning_rate" not in out


def test_a_files_rates_are_translated_only_when_asked(answer, tmp_path):
    """A file's rates are its own optimizer's: another is refused with the remedy, and --rates keep translates."""
    mine = tmp_path / "mine.toml"
    mine.write_text(recipe_text(named_recipe("depth-mup")))
    asked = ("derive", mine, "--observable", "own-update:1", "--optimizer", "adam")
    code, _, said = answer(*asked)
    assert code == BAD_INPUT
    assert "--rates keep" in said
    code, out, _ = answer(*asked, "--rates", "keep")
    assert code == AGREES
    assert "n^(0), L^(-1/2)" in out
    mine.write_text(recipe_text(translated(named_recipe("depth-mup"), "adam")))
    code, _, said = answer("verify", mine, "--against", "depth-mup", "--observable", "stream", "--axis", "width")
    assert code == BAD_INPUT
    assert "give --optimizer adam" in said
    assert answer("derive", "depth-mup", *asked[2:])[1].splitlines()[0] == out.splitlines()[0].replace(
        "mine", "depth-mup"
    )


def test_rates_are_the_printed_ones_when_asked(answer, tmp_path):
    """--rates published: of a named recipe, under its own optimizer too, and on both sides; a file has none."""
    asked = ("derive", "sp", "--observable", "output-update@hidden1", "--optimizer")
    for optimizer in ("sgd", "adam"):
        first = [answer(*asked, optimizer, *rates)[1].splitlines()[0] for rates in ((), ("--rates", "published"))]
        assert first == [f"output-update@hidden1 under sp: n^({power}), no power of L" for power in ("0", "1/2")]
    asked = ("--observable", "output-update@hidden1", "--optimizer", "adam", "--rates", "published", "--axis", "width")
    code, out, _ = answer("verify", "sp", "--against", "ntk", *asked, "--json")
    (row,) = json.loads(out)
    assert (code, row["predicted"], row["outcome"]) == (AGREES, "1/2", "AGREES")
    mine = tmp_path / "sp.toml"
    mine.write_text(recipe_text(named_recipe("sp")))
    for optimizer in ("sgd", "adam"):
        code, _, said = answer(
            "derive", mine, "--observable", "stream", "--rates", "published", "--optimizer", optimizer
        )
        assert code == BAD_INPUT
        assert "--rates keep" in said


def test_verify_is_undecided_when_it_cannot_resolve(answer):
    """Two seeds cannot resolve 1/4: exit 3, and the story says what to do."""
    code, out, _ = answer(
        "verify", "depth-mup", "--observable", "output", "--axis", "depth", "--sizes", "4,5,6", "--seeds", 2
    )
    assert code == UNDECIDED
    assert "would decide" in out or "use --sizes further apart" in out


PUBLISHED = ("derive", "--observable", "stream", "--rates", "published")
BAD = {
    "unknown recipe": (["derive", "nope", "--observable", "stream"], "choose one of: sp, ntk"),
    "unknown observable": (["derive", "sp", "--observable", "nope"], "choose one of: stream"),
    "unknown layer": (["derive", "sp", "--observable", "own-update:3"], "choose one of: stream"),
    "unknown activation": (["derive", "sp", "--observable", "stream", "--activation", "no"], "choose one of: linear"),
    "unknown optimizer": (["derive", "sp", "--observable", "stream", "--optimizer", "no"], "choose one of: sgd, "),
    "rates of no other": (["derive", "sp", "--observable", "stream", "--rates", "keep"], "give --optimizer"),
    "no such rates": (["derive", "sp", "--observable", "stream", "--rates", "printed"], "choose from"),
    "printed for which": (["derive", "sp", "--observable", "stream", "--rates", "published"], "give --optimizer"),
    "nothing printed": ([*PUBLISHED, "sp", "--optimizer", "muon"], "choose one of: sp under sgd, adam; ntk"),
    "not printed by us": (
        [*PUBLISHED, "depth-mup-sqrt", "--optimizer", "sgd"],
        "completep under sgd, adamw, lion, muon",
    ),
    "printed for one layer": ([*PUBLISHED, "depth-mup", "--optimizer", "muon"], "set --layers"),
    "printed for two": ([*PUBLISHED, "completep", "--optimizer", "muon", "--layers", "1"], "set --layers"),
    "printed for nobody": ([*PUBLISHED, "sp", "--optimizer", "no"], "choose one of: sgd, "),
    "no layers": (["derive", "sp", "--observable", "stream", "--layers", "0"], "1 to 8"),
    "no file": (["derive", "no.toml", "--observable", "stream"], "give a named recipe or a TOML file"),
    "two sizes": (["measure", "sp", "--observable", "stream", "--axis", "depth", "--sizes", "4,8"], "at least 3"),
    "repeated size": (["measure", "sp", "--observable", "stream", "--axis", "depth", "--sizes", "4,4,4"], "at least 3"),
    "width zero": (["measure", "sp", "--observable", "stream", "--axis", "width", "--sizes", "0,8,16"], "at least 1"),
    "depth zero": (["measure", "sp", "--observable", "stream", "--axis", "width", "--depth", "0"], "at least 1"),
    "no number": (["measure", "sp", "--observable", "stream", "--axis", "width", "--sizes", "a,b,c"], "such as 4,8"),
    "too large": (
        ["verify", "sp", "--axis", "width", "--sizes", "64,128,4000000"],
        "choose smaller --sizes",
    ),
    "too deep": (["verify", "sp", "--axis", "depth", "--sizes", "4,8,4000000000"], "choose smaller --sizes"),
    "one seed": (["measure", "sp", "--observable", "stream", "--axis", "width", "--seeds", "1"], "at least 2"),
    "negative steps": (["measure", "sp", "--observable", "stream", "--axis", "width", "--steps", "-1"], "at least 0"),
    "sizes of which axis": (["verify", "sp", "--sizes", "4,8,16"], "needs --axis"),
    "bad rival": (["verify", "sp", "--rival", "close"], "such as 1/4"),
    "other block": (["verify", "sp", "--layers", "1", "--against", "mine.toml"], "cannot read mine.toml"),
    "unknown verb": (["prove", "sp"], "see powercount --help"),
    "no verb": ([], "see powercount --help"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_with_a_remedy_and_exit_2(answer, name):
    """No traceback, nothing on standard output, exit 2."""
    arguments, remedy = BAD[name]
    code, out, err = answer(*arguments)
    assert (code, out) == (BAD_INPUT, "")
    assert remedy in err
    assert err.startswith("powercount: ")
    assert err.count("\n") == 1


def test_steps_that_are_not_derived_are_refused_before_anything_is_forecast(answer, tmp_path):
    """A readout of zeros under Adam, two real steps of default sizes: one line, exit 2."""
    recipe = named_recipe("mup", optimizer=Optimizer(name="adam"))
    readout = replace(recipe.role("readout"), init_std=None)
    zero = replace(recipe, parametrization=recipe.parametrization.with_role("readout", readout))
    mine = tmp_path / "zero.toml"
    mine.write_text(recipe_text(zero))
    code, out, err = answer("verify", mine, "--observable", "stream", "--axis", "width", "--steps", "2")
    assert (code, out, err.count("\n")) == (BAD_INPUT, "", 1)
    assert "use --steps 0" in err


def test_the_console_script_runs_and_a_closed_pipe_is_no_error():
    """python -m powercount exits as main says; ``| head`` is not an error."""
    command = [sys.executable, "-m", "powercount", "derive", "depth-mup", "--observable", "all"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait() == 0
    done = subprocess.run([sys.executable, "-m", "powercount", "prove"], capture_output=True, check=False, text=True)
    assert done.returncode == BAD_INPUT


def test_every_law_has_its_test_file_and_every_law_test_its_law():
    """The register and tests/laws list each other; files of claims belong to the ledger's register."""
    root = Path(__file__).parents[2]
    held = {str(path.relative_to(root)) for path in (root / "tests" / "laws").rglob("test_*.py")}
    assert {law.test for law in LAWS} == {path for path in held if not Path(path).name.startswith("test_claims_")}

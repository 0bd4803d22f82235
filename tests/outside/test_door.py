"""The door: every input is answered or refused in one line, and a crash is never taken for a verdict."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from powercount import __main__ as command
from powercount.__main__ import main
from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import AXES, MOST_DENOMINATOR, MOST_POWER, PowercountError, QuestionError, Recipe
from powercount.door.entry import AGREES, BAD_INPUT, CRASHED, UNDECIDED, UsageError, within_floats
from powercount.door.recipe_file import recipe_text
from powercount.door.report import print_table
from powercount.empirical.design import Sweep
from powercount.empirical.network import build
from powercount.empirical.sweep import measure
from powercount.recipes import verify_axis

GOOD = recipe_text(named_recipe("depth-mup"))
STREAM = ["--observable", "stream"]
SWEEP = ["--axis", "width", "--sizes", "8,16,32", "--seeds", "4", *STREAM]
DEEP = 400  # brackets or dots: more than a reader of TOML or of its values follows


@pytest.fixture
def answer(capsys):
    """Run the command; (exit code, standard output, standard error)."""

    def run(*arguments):
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def is_one_line(found, remedy):
    """Exit 2, nothing on standard output, one printable line on standard error that holds the remedy."""
    code, out, err = found
    assert (code, out) == (BAD_INPUT, ""), err
    assert remedy in err
    assert err.startswith("powercount: ")
    assert err.count("\n") == 1
    assert err[:-1].isprintable()
    assert len(err) < 2100


RECIPES = {
    "a text of 5000 digits": (('depth = "-1/2"', f'depth = "{"9" * 5000}"'), "no rational power"),
    "a number of 5000 digits": (('depth = "-1/2"', f"depth = {'9' * 5000}"), "powers are short fractions"),
    "a number of 4000 digits": (('depth = "-1/2"', f"depth = {'9' * 4000}"), "between -8 and 8"),
    "a fraction of 5000 digits": (('depth = "-1/2"', f'depth = "1/{"9" * 5000}"'), "no rational power"),
    "lists in lists": (('depth = "-1/2"', f"depth = {'[' * 5000}{']' * 5000}"), "tables too deep"),
    "lists in lists that can be read": (('depth = "-1/2"', f"depth = {'[' * 90}{']' * 90}"), "no rational power"),
    "tables in tables": (('depth = "-1/2"', f"depth{'.a' * DEEP * 6} = 1"), "rational power"),
    "a name of lists": (("name = ", f"name = {'[' * 90}{']' * 90} #"), "must be a text"),
    "an activation of tables": (('activation = "relu"', f"activation{'.a' * DEEP} = 1"), "must be a text"),
    "a power of 100000": (('depth = "-1/2"', 'depth = "100000"'), "branch depth = 100000: a power lies between"),
    "a power of 1e18": (('width = "1"', 'width = "999999999999999999"'), "input learning_rate width = 99"),
    "a denominator of 101": (('depth = "-1/2"', 'depth = "1/101"'), "denominator of at most 100"),
    "a name that a terminal obeys": (('name = "depth-mup"', 'name = "\\u001b[31mRED\\u0007"'), "write plain text"),
    "a name of two lines": (('name = "depth-mup"', 'name = "a\\nb"'), "write plain text"),
    "a name without end": (('name = "depth-mup"', f'name = "{"a" * 201}"'), "at most 200 characters"),
    "a name that is a number": (('name = "depth-mup"', "name = 5"), "must be a text"),
    "an optimizer nobody knows": (('name = "sgd"', 'name = "\\u001b[2J"'), "choose one of: sgd"),
    "an entry nobody knows": (("[branch]", '"\\u001b[2J" = 1\n[branch]'), "unknown entry"),
    "a file without end": (('name = "depth-mup"', f'name = "depth-mup" # {"a" * (1 << 20)}'), "a short TOML file"),
}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("verb", ["derive", "verify"])
def test_a_recipe_out_of_bounds_is_refused_in_one_line(name, verb, answer, tmp_path):
    """Numbers without end, tables without end, powers no network could be built with, names a terminal would obey."""
    change, remedy = RECIPES[name]
    assert change[0] in GOOD
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(*change, 1), encoding="utf-8")
    is_one_line(answer(verb, path, *STREAM), remedy)


def test_powers_up_to_the_bound_are_derived(answer, tmp_path):
    """The bounds themselves are within: 8, and a denominator of 100."""
    path = tmp_path / "mine.toml"
    for power in (f"-{MOST_POWER}", f"1/{MOST_DENOMINATOR}"):
        path.write_text(GOOD.replace('depth = "-1/2"', f'depth = "{power}"', 1))
        assert answer("derive", path, *STREAM)[0] == AGREES


def test_powers_whose_product_no_float_holds_are_refused(answer, tmp_path):
    """Every power within its bound, and 60^(8 x 30) expected of them: one line, or a verdict that can be given."""
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace('width = "0"', 'width = "8"').replace('width = "1"', 'width = "8"'))
    flags = ["--axis", "width", "--sizes", "20,40,60", "--depth", "8", "--seeds", "4", "--steps", "1", *STREAM]
    for verb in ("measure", "verify"):
        found = answer(verb, path, *flags)
        if found[0] not in (AGREES, UNDECIDED):
            is_one_line(found, "leave the range of floats")
    with pytest.raises(UsageError, match="choose smaller --sizes"), within_floats():
        _ = 1e300**2


@pytest.mark.parametrize("activation", ["silu", "gelu"])
@pytest.mark.parametrize("role", ["hidden1", "input"])
def test_default_sizes_that_no_float_holds_do_not_stop_smaller_ones(answer, tmp_path, activation, role):
    """n^8 L^8 of deep default sizes is out of range: sizes of the user's are judged, and the default refused."""
    recipe = named_recipe("sp", layers=3, activation=activation)
    for axis in AXES:
        recipe = recipe.shifted(role, "init_std", axis, 8 - recipe.role(role).init_std.along(axis))
    path = tmp_path / "mine.toml"
    path.write_text(recipe_text(recipe))
    code, _, _ = answer("verify", path, *STREAM, "--axis", "depth", "--sizes", "1,2,3", "--width", "2", "--seeds", "4")
    assert code in (AGREES, UNDECIDED)
    found = answer("verify", path, *STREAM, "--axis", "depth")
    if found[0] not in (AGREES, UNDECIDED):
        is_one_line(found, "leave the range of floats")


def test_the_python_interface_refuses_the_same_powers():
    """``measure`` and ``verify`` refuse a power out of bounds before anything is drawn; ``derive`` has no bound."""
    far = named_recipe("mup").shifted("hidden1", "learning_rate", "width", 1000)
    sweep = Sweep(axis="width", sizes=(8, 16, 32), fixed=2)
    with pytest.raises(QuestionError, match="hidden1 learning_rate width = 1000"):
        measure(far, [], sweep)
    for recipe, claims in ((far, None), (named_recipe("mup"), far)):
        with pytest.raises(QuestionError, match="hidden1 learning_rate width = 1000"):
            verify_axis(recipe, "width", against=claims, sweep=sweep)
    with pytest.raises(QuestionError, match="hidden1 learning_rate width = 1000"):
        build(far, width=8, depth=2, seed=0)
    with pytest.raises(QuestionError, match="branch depth = 1000"):
        build(named_recipe("mup").shifted("branch", "multiplier", "depth", 1000), width=8, depth=2, seed=0)
    with pytest.raises(PowercountError, match="seed = -1 is negative"):
        Sweep(axis="width", sizes=(8, 16, 32), fixed=2, seed=-1)
    with pytest.raises(QuestionError, match="control characters"):
        Recipe(name="a\x1b[31m", parametrization=named_recipe("mup").parametrization)


def test_a_name_is_printed_as_text(answer, tmp_path, monkeypatch, capsys):
    """What rich takes for markup, in a name, is printed as it stands: in a pipe and on a terminal."""
    path = tmp_path / "[bold].toml"
    path.write_text(GOOD.replace('name = "depth-mup"', 'name = "x[/] [red]y[/red] \\\\"'))
    code, out, _ = answer("measure", path, *SWEEP)
    assert (code, "x[/] [red]y[/red] \\ along width" in out) == (AGREES, True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert main(["measure", str(path), *SWEEP]) == AGREES
    assert "x[/] [red]y[/red] \\ along width" in " ".join(capsys.readouterr().out.split())
    print_table("[red]a[/] \x1b[2J", ("[b]", "c"), [("AGREES", "[/]\x07")])
    out = capsys.readouterr().out
    assert all(text in out for text in ("[red]a[/]", "[b]", "[/]\\x07"))
    assert "\x1b[2J" not in out


FLAGS = {
    "a seed below 0": (["measure", "mup", *SWEEP, "--seed", "-1"], "give 0 or more"),
    "a seed of 30 digits": (["measure", "mup", *SWEEP, "--seed", "9" * 30], "too large"),
    "a seed below 0 in a study": (["nfd", "--seed", "-1"], "give 0 or more"),
    "a seed below 0 in transfers": (["transfer", "--seed", "-1"], "give 0 or more"),
    "a seed below 0 in the ledger": (["claims", "C7", "--seed", "-1"], "give 0 or more"),
    "5000 digits": (["derive", "mup", *STREAM, "--layers", "9" * 5000], "too many digits"),
    "a size of 30 digits": (["measure", "mup", *STREAM, "--axis", "width", "--sizes", f"8,16,{'9' * 30}"], "smaller"),
    "a size of 5000 digits": (["measure", "mup", *STREAM, "--axis", "width", "--sizes", "9" * 5000], "no list of"),
    "a width of 30 digits": (["measure", "mup", *STREAM, "--axis", "depth", "--width", "9" * 30], "too large"),
    "a rate that is no number": (["nfd", "--rate", "nan"], "not finite"),
    "a rate without end": (["nfd", "--rate", "inf"], "not finite"),
    "no processes": (["claims", "C7", "--jobs", "0"], "at least 1 process"),
    "a rival without end": (["verify", "mup", "--rival", "9" * 5000], "--rival"),
    "a rival of a billion digits": (["verify", "mup", "--rival", "1e999999999"], "no fraction"),
    "a rival out of reach": (["verify", "mup", "--rival", "1000"], "at most 8"),
    "a folder within a file": (["claims", "C7", "--folder", f"{__file__}/sub"], "choose another folder"),
    "a page where nothing can be": (["claims", "C7", "--page", "/proc/x"], "choose another folder"),
    "a record where nothing can be": (["claims", "C7", "--record", "/proc/x/record.json"], "choose another folder"),
    "a record that is a folder": (["claims", "C7", "--record", "/"], "name a file"),
    "a figure where nothing can be": (["nfd", "--plot", "/proc/figure.png"], "choose another folder"),
    "a device for a recipe": (["derive", "/dev/zero", *STREAM], "a short TOML file"),
    "a recipe that is no text": (["derive", sys.executable, *STREAM], "is not UTF-8 text"),
    "a name that a terminal obeys": (["derive", "\x1b[2J", *STREAM], "choose one of"),
    "an argument of two lines": (["derive", "mup", "--observable", "a\nb"], "choose one of"),
    "an argument without end": (["derive", "a" * 100_000, *STREAM], "TOML file"),
}


@pytest.mark.parametrize("name", FLAGS)
def test_an_argument_out_of_bounds_is_refused_in_one_line(name, answer):
    """Before anything is measured: seeds, numbers no one has, places that cannot be written, texts without end."""
    arguments, remedy = FLAGS[name]
    is_one_line(answer(*arguments), remedy)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")
def test_a_full_disk_is_seen_before_anything_is_measured(answer, monkeypatch):
    """A folder may be opened for writing and have no room: it is tried, not asked."""
    with open("/dev/full", "wb") as full:
        monkeypatch.setattr("tempfile.TemporaryFile", lambda dir: full)
        is_one_line(answer("claims", "C7", "--folder", "/tmp"), "No space left on device")


def crash(*_):
    """A bug of ours."""
    raise ZeroDivisionError("a bug\nof two lines")


def test_a_crash_is_no_verdict(answer, monkeypatch):
    """A bug exits 70, in one line that says whose it is; --debug, before or after the verb, prints the traceback."""
    monkeypatch.setitem(command.VERBS, "laws", crash)
    code, out, err = answer("laws")
    assert (code, out) == (CRASHED, "")
    assert err == (
        "powercount: a bug of ours, and no verdict: ZeroDivisionError: a bug\\nof two lines; "
        "the same command with --debug prints where\n"
    )
    for arguments in (["--debug", "laws"], ["laws", "--debug"]):
        code, _, err = answer(*arguments)
        assert code == CRASHED
        assert "Traceback" in err
        assert 'raise ZeroDivisionError("a bug\\nof two lines")' in err
        assert err.splitlines()[-1].startswith("powercount: a bug of ours")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "out of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "out of memory"),
        (OSError(28, "No space left on device", "cells/a.json"), "cells/a.json: No space left on device"),
    ],
    ids=["memory", "torch's memory", "a full disk"],
)
def test_what_the_machine_lacks_is_one_line(error, says, answer, monkeypatch):
    """Too little memory or disk is no bug and no verdict: exit 2, with what to change."""

    def lack(_):
        raise error

    monkeypatch.setitem(command.VERBS, "laws", lack)
    is_one_line(answer("laws"), says)


def run(arguments, **named):
    """The command in a process of its own."""
    asked = [sys.executable, "-m", "powercount", *arguments]
    return subprocess.run(asked, check=False, stderr=subprocess.PIPE, text=True, **named)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")
@pytest.mark.parametrize("arguments", [["laws"], ["derive", "mup", *STREAM, "--json"], ["--help"], ["--version"]])
def test_a_full_disk_is_one_line_and_exit_2(arguments):
    """What could not be written was not said."""
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = run(arguments, stdout=full)
    assert done.returncode == BAD_INPUT
    assert done.stderr.startswith("powercount: cannot read or write standard output: No space left")
    assert done.stderr.count("\n") == 1


def test_a_terminal_without_greek_gets_letters():
    """PYTHONIOENCODING=ascii: Greek by name, the rest escaped; the powers stay readable."""
    arguments = ["derive", "depth-mup", "--observable", "own-update:1"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = run(arguments, stdout=subprocess.PIPE, env=environment)
    assert (done.returncode, done.stderr) == (AGREES, "")
    assert "|m_1 DeltaW_1 z_1| = m_1^2 lambda_1 |delta_1| n |z_1|^2" in done.stdout
    assert done.stdout.isascii()

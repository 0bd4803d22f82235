"""The README is read: its commands answer as printed there, its numbers are the code's."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from powercount import __main__ as command
from powercount.decide import FALSE_ALARM, RIVAL, SUITE_BUDGET, VERDICTS_IN_SUITE
from powercount.derivations import recipe as question
from powercount.derivations.dynamics.first_step import first_step, first_step_limit
from powercount.derivations.named import NAMED, named_recipe
from powercount.derivations.recipe import ACTIVATIONS, MOST_DENOMINATOR, MOST_LAYERS, MOST_POWER
from powercount.door.entry import AGREES, BAD_INPUT, CONTRADICTS, CRASHED, INTERRUPTED, UNDECIDED
from powercount.door.recipe_file import read_recipe
from powercount.ledger.record import recorded

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = "\n".join(re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL))
TEXTS = re.findall(r"```text\n(.*?)```", README, flags=re.DOTALL)
SESSIONS = [each.split("\n", 1) for each in CONSOLE.split("$ ")[1:]]


@pytest.mark.parametrize(("line", "printed"), SESSIONS, ids=[line for line, _ in SESSIONS])
def test_a_command_answers_as_printed(line, printed, capsys, monkeypatch):
    """Every line below a command is printed by it, in that order; "..." stands for any lines between."""
    monkeypatch.chdir(ROOT)
    program, *arguments = shlex.split(line)
    assert program == "powercount"
    assert command.main(arguments) == (CONTRADICTS if "--against" in arguments else AGREES)
    said = iter(capsys.readouterr().out.splitlines())
    for wanted in printed.strip().splitlines():
        assert wanted == "..." or wanted in said, f"{wanted!r} is not printed, or not there"


def missing(printed, said):
    """The first piece between the "..." of a printed answer that is not said, after the pieces before it; else None.

    Lines may be broken elsewhere: only words and their order count.
    """
    rest = " ".join(said.split())
    for piece in (" ".join(each.split()) for each in printed.split("...")):
        if piece not in rest:
            return piece
        rest = rest[rest.index(piece) + len(piece) :]
    return None


@pytest.mark.parametrize("block", TEXTS, ids=[block.split("\n", 1)[0] for block in TEXTS])
def test_a_text_is_what_is_printed_or_derived(block, capsys, monkeypatch):
    """A text below a command is its answer, "..." standing for any words; any other is the question's own page."""
    if not block.startswith("$ "):
        assert missing(block, str(question.__doc__)) is None
        return
    monkeypatch.chdir(ROOT)
    line, printed = block.removeprefix("$ ").split("\n", 1)
    assert command.main(shlex.split(line)[1:]) == (CONTRADICTS if "--against" in line else AGREES)
    assert missing(printed, capsys.readouterr().out) is None


def test_a_text_that_is_no_longer_printed_is_seen():
    """Meta: another number, another word, another order; and README's texts include the story of a red result."""
    said = "measured +0.044, interval [1, 2],\n16 seeds"
    assert missing("measured\n+0.0..., interval [...], 16 seeds", said) is None
    assert missing("measured +0.1..., interval", said) == "measured +0.1"
    assert missing("16 seeds ... measured", said) == "measured"
    assert any("CONTRADICTS:" in block and block.startswith("$ ") for block in TEXTS)


def test_the_two_commands_are_whole():
    """One line each, word for word what CI runs."""
    for name in ("exponents", "tests"):
        assert f"\npython3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox -e {name}\n" in README


def test_numbers_are_the_codes():
    """Exit codes, budget, rival, powers a recipe has, most layers, activations, recipes: as in the code."""
    for code in (AGREES, CONTRADICTS, BAD_INPUT, UNDECIDED, CRASHED, INTERRUPTED):
        assert f"\n| {code} | " in README
    text = " ".join(README.split())
    assert f"one false alarm in {1 / SUITE_BUDGET} runs of {VERDICTS_IN_SUITE} verdicts: 1e-5 each" in text
    assert FALSE_ALARM == 1e-5
    assert f"nearest rival exponent, {RIVAL} unless" in text
    assert f"({len(list(named_recipe('sp').single_powers()))} powers:" in text
    assert f"up to {MOST_LAYERS} internal layers" in text
    assert f"between -{MOST_POWER} and {MOST_POWER}, with denominators of at most {MOST_DENOMINATOR}." in text
    assert len(ACTIVATIONS) == 7
    assert "seven activations" in text
    assert re.findall(r"\n\| `([a-z-]+)` \| \d+ of", README) == list(NAMED)
    assert all(f"`{name}`" in README.split("## The command")[0] for name in NAMED)


def test_the_ratios_of_gradient_independence_are_the_derived_ones():
    """Tied over decoupled rises from L = 4 to infinite depth: 1.36 to 1.58 for linear blocks, and relu's and tanh's."""
    blocks, text = ("linear", "relu", "tanh"), " ".join(README.split())
    shallow = [first_step(name, 4).ratio for name in blocks]
    limits = [tied / decoupled for tied, decoupled in map(first_step_limit, blocks)]
    assert f"by {shallow[0]:.2f} times what a net with independent backward weights does at L = 4" in text
    assert f"rising to e/(e - 1) = {limits[0]:.2f} (relu {shallow[1]:.2f} to {limits[1]:.2f}, " in text
    assert f"tanh {shallow[2]:.2f} to {limits[2]:.2f})" in text
    # Every matrix: 3 e over 2 e.
    assert first_step("linear", 4096).ratio_of_all == pytest.approx(3 / 2, abs=1 / 4096)
    assert "(linear: to 3/2)" in text


def test_the_exponents_of_digits_are_the_recorded_ones():
    """alpha_K, alpha_D and alpha_P of 8 x 8 pixels, measured and by all eigenvalues, as in the record."""
    white, classes = (
        {each["part"]: each for each in recorded()[claim]["evidence"] if each["condition"].startswith("8 x 8 pixels")}
        for claim in ("L2'", "L13'")
    )
    spectral = white["alpha_D"]["condition"].split("alpha_K = ")[1].split()[0]
    text = " ".join(README.split())
    assert f"alpha_K = {spectral}, which on as many images means {float(white['alpha_D']['claimed']):.3f};" in text
    said = "alpha_D = {:.3f}, but alpha_P = {:.3f} on random"
    assert said.format(*[white[part]["measured"] for part in ("alpha_D", "alpha_P")]) in text
    for wanted, key in (("The ten classes have", "measured"), ("share in each, give", "expected")):
        assert f"{wanted} {classes['alpha_D'][key]:.3f} and {classes['alpha_P'][key]:.3f}" in text


def test_the_example_is_a_recipe():
    """examples/mine.toml is depth-mup-sqrt under another name."""
    mine = read_recipe(ROOT / "examples" / "mine.toml")
    assert mine.parametrization == named_recipe("depth-mup-sqrt").parametrization


def test_ci_calls_the_readme():
    """.ci/run takes the test command from the README and can be executed."""
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "README.md" in script.read_text(encoding="utf-8")

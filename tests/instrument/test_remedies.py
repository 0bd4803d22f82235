"""What an UNDECIDED verdict says would decide, decides when it is followed."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import QuestionError, observable_named
from powercount.empirical.design import Sweep
from powercount.recipes import verify_axis

OWN, TOTAL = observable_named("own-update:1", 2), observable_named("total-update:1", 2)


def with_zero(recipe, role):
    """The recipe with one role starting at exactly zero."""
    plain = replace(recipe.role(role), init_std=None)
    return replace(recipe, parametrization=recipe.parametrization.with_role(role, plain))


def followed(sweep, because):
    """The sweep that a remedy asks for."""
    seeds = re.search(r"about (\d+) seeds", because)
    if seeds:
        sweep = replace(sweep, seeds=int(seeds[1]), most_seeds=int(seeds[1]))
    width, sizes = re.search(r"--width (\d+)", because), re.search(r"--sizes ([\d,]+) ", because)
    if width:
        sweep = replace(sweep, fixed=int(width[1]))
    return replace(sweep, sizes=tuple(map(int, sizes[1].split(",")))) if sizes else sweep


@pytest.mark.parametrize(
    "sweep",
    [
        Sweep(axis="width", sizes=(64, 128, 256), fixed=3, seeds=16, most_seeds=16),
        Sweep(axis="width", sizes=(16, 32, 64), fixed=1, seeds=64, most_seeds=64),
        Sweep(axis="depth", sizes=(4, 8, 16), fixed=16, seeds=16, most_seeds=16),
        Sweep(axis="depth", sizes=(4, 8, 16), fixed=64, seeds=16, most_seeds=16, steps=1, examples=1),
    ],
    ids=["too few seeds", "too narrow", "too narrow for depths", "real steps"],
)
def test_a_remedy_decides(sweep):
    """Seeds, and widths with the seeds they need, are enough."""
    recipe = named_recipe("depth-mup")
    (verdict,) = verify_axis(recipe, sweep.axis, asked=[OWN], sweep=sweep)
    assert (verdict.outcome, verdict.measurement.seeds) == ("UNDECIDED", sweep.seeds)
    (verdict,) = verify_axis(recipe, sweep.axis, asked=[OWN], sweep=followed(sweep, verdict.because))
    assert verdict.outcome == "AGREES", verdict.because


def test_sizes_too_close_for_real_steps_are_said():
    """What real steps add to the declared error falls with no width: then none is named."""
    sweep = Sweep(axis="width", sizes=(64, 68, 72), fixed=3, seeds=8, most_seeds=8, steps=1, examples=1)
    (verdict,) = verify_axis(named_recipe("mup"), "width", asked=[OWN], sweep=sweep)
    assert "--sizes further apart" in verdict.because


def test_an_exponent_that_does_not_show_at_a_depth_is_said():
    """A sum whose largest share has no block to come from at depth 2 has no rival to be told from."""
    recipe = with_zero(named_recipe("sp", activation="abs"), "hidden2")
    sweep = Sweep(axis="width", sizes=(24, 48, 96), fixed=2, seeds=8, most_seeds=8)
    (verdict,) = verify_axis(recipe, "width", asked=[TOTAL], sweep=sweep)
    assert verdict.outcome == "UNDECIDED"
    assert "a larger --depth" in verdict.because


def test_a_real_step_off_a_kink_is_refused():
    """A stream of zeros sits on the kink of relu, where the derivative is a convention and a step is not."""
    sweep = Sweep(axis="width", sizes=(16, 32, 64), fixed=3, seeds=8, most_seeds=8, steps=1, examples=1)
    with pytest.raises(QuestionError, match="leaves its kink"):
        verify_axis(with_zero(named_recipe("mup"), "input"), "width", sweep=sweep)

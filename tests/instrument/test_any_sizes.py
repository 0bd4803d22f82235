"""Whatever sizes, seeds, steps and rival are asked for, a recipe is never contradicted by its own claims.

Sizes far below the default ones leave much undecided, since the error declared for them is large; none of it may be
wrong. ``--recipes N`` draws N recipes along each axis in a night, a quarter of them by default.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import AXES, observable_named, observables_of
from powercount.door.recipe_file import recipe_text
from powercount.empirical.design import Sweep, SweepError
from powercount.recipes import verify_axis
from powercount.strategies import drawn_recipes, drawn_sweeps


@pytest.mark.parametrize("axis", AXES)
def test_no_sizes_make_a_recipe_contradict_itself(axis, powercount_laws, pytestconfig):
    """No verdict is CONTRADICTS; each UNDECIDED one says what to do; a rate that is not gentle is refused in a line."""
    verdicts, wanted, refused, began = [], 0, [], time.process_time()
    night = pytestconfig.getoption("--night")
    count = pytestconfig.getoption("--recipes") // (1 if night else 4)

    @settings(max_examples=count)
    @given(data=st.data())
    def holds(data):
        nonlocal wanted
        recipe = data.draw(drawn_recipes(axis, 8 if night else 3))
        sweep, rival = data.draw(drawn_sweeps(recipe, axis))
        note(f"{sweep}, rival = {rival}; recipe.toml:\n{recipe_text(recipe)}")
        try:
            found = verify_axis(recipe, axis, sweep=sweep, rival=rival)
        except SweepError as error:
            refused.append(str(error))
            return
        verdicts.extend(found)
        wanted += len(observables_of(recipe))
        for verdict in found:
            assert verdict.outcome != "CONTRADICTS", verdict.story()
            assert verdict.outcome == "AGREES" or any(
                remedy in verdict.because for remedy in ("would decide", "use ", "would not", "give some role")
            ), verdict.story()

    holds()
    spent = time.process_time() - began
    powercount_laws.tally(verdicts, f"any sizes along {axis}, {len(refused)} refused, {spent:.0f} CPU seconds")
    assert len(verdicts) == wanted > 10
    assert all("--steps" in each for each in refused)
    assert len(refused) <= count / 4


@pytest.mark.parametrize("steps", [0, 1])
def test_networks_so_narrow_that_all_are_dead_contradict_nothing(steps):
    """Two relu networks of one unit are both dead as often as not: no false word, and no crash where one is."""
    sweep = Sweep(
        axis="width", sizes=(1, 2, 3), fixed=1, seeds=2, most_seeds=2, data="gaussian", steps=steps, examples=1
    )
    seen = Counter()
    for seed in range(8):
        for verdict in verify_axis(named_recipe("mup"), "width", sweep=replace(sweep, seed=seed)):
            seen[verdict.measurement.state] += 1
            assert verdict.outcome != "CONTRADICTS", verdict.story()
    assert seen["zero"] > 8


@pytest.mark.parametrize("width", [4, 16])
def test_what_is_zero_in_networks_that_cannot_all_be_dead_is_contradicted(width):
    """A readout of zeros freezes every hidden matrix: 16 networks of 16 units show it, two of four might be dead."""
    against = named_recipe("mup")
    zero = replace(against.parametrization.readout, init_std=None)
    frozen = replace(against, parametrization=against.parametrization.with_role("readout", zero))
    asked = [observable_named("own-update:1", 2)]
    sweep = Sweep(axis="width", sizes=(width, 32, 64), fixed=2, seeds=width, most_seeds=width)
    sweep = replace(sweep, seeds=2, most_seeds=2) if width == 4 else sweep
    (verdict,) = verify_axis(frozen, "width", against=against, sweep=sweep, asked=asked)
    assert verdict.outcome == ("UNDECIDED" if width == 4 else "CONTRADICTS")

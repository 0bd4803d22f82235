"""Whatever sizes, seeds, steps and rival are asked for, a recipe is never contradicted by its own claims.

Sizes far below the default ones leave much undecided, since the error declared for them is large; none of it may be
wrong. ``--recipes N`` draws N recipes along each axis in a night, a quarter of them by default.
"""

from __future__ import annotations

import time

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from powercount.derivations.recipe import AXES, observables_of
from powercount.door.recipe_file import recipe_text
from powercount.empirical.design import SweepError
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

"""Law: for any powers that are stable at initialization, the algebra gives the exponent of every observable.

Hypothesis draws blocks, activations and the powers of one axis; every observable is derived, measured and
judged on that axis. No verdict may be CONTRADICTS and at most 2 % may be UNDECIDED.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from powercount.derivations.recipe import AXES, observables
from powercount.recipe_file import recipe_text
from powercount.recipes import default_sweep, verify_axis
from powercount.strategies import drawn_recipes

RECIPES_PER_AXIS = 16
MOST_UNDECIDED = 0.02


@pytest.mark.parametrize("axis", AXES)
def test_drawn_recipes_follow_their_derived_exponents(axis, ledger, quick):
    """Every observable ~ n^a L^b with the derived (a, b), for random powers, blocks, activations and seeds."""
    verdicts, asked = [], []

    @settings(max_examples=RECIPES_PER_AXIS // 8 if quick else RECIPES_PER_AXIS)
    @given(recipe=drawn_recipes(axis), seed=st.integers(min_value=0, max_value=2**20))
    def holds(recipe, seed):
        note(f"seed = {seed}; recipe.toml:\n{recipe_text(recipe)}")
        found = verify_axis(recipe, axis, sweep=replace(default_sweep(recipe, axis), seed=seed))
        verdicts.extend(found)
        asked.append(len(observables(recipe.block.layers)))
        for verdict in found:
            assert verdict.outcome != "CONTRADICTS", verdict.story()

    holds()
    assert len(verdicts) == sum(asked) >= len(observables(1))
    counts = ledger.tally(verdicts, f"recipes with random powers along {axis}")
    assert counts["UNDECIDED"] <= MOST_UNDECIDED * len(verdicts)

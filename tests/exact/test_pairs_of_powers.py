"""No pair of powers is printed that occurs nowhere together: where a sum's leading terms differ, both are named."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powercount.derivations.named import NAMED, named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import AXES, LOSSES, Optimizer, observable_named, observables
from powercount.strategies import drawn_recipes


def with_branch(name, power):
    """A named recipe with another power of L on its branches."""
    recipe = named_recipe(name)
    return replace(recipe, parametrization=replace(recipe.parametrization, branch=Fraction(power)))


def test_sp_with_branches_of_one_over_depth():
    """n^(-1/2) L^(-1) from hidden matrices and n^(-3/2) from the input: n^(-1/2) along n, L^0 along L, never both."""
    line = derive(with_branch("sp", -1), observable_named("feature-update", 2)).headline()
    assert "along n at fixed L n^(-1/2), owed to hidden1, hidden2" in line
    assert "along L at fixed n L^(0), owed to input; at no size both" in line
    assert derive(with_branch("sp", -1), observable_named("output-update", 2)).headline().endswith(": n^(0), L^(0)")


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", NAMED)
def test_named_recipes_have_one_leading_term(name, loss):
    """The pair printed for a named recipe is a term of its sum."""
    held = 0
    for layers in (1, 2, 3):
        recipe = named_recipe(name, layers=layers, optimizer=Optimizer(loss=loss))
        for observable in observables(layers):
            assert "at no size" not in derive(recipe, observable).headline()
            held += 1
    assert held == 16 + 20 + 24


@settings(max_examples=40)
@given(recipe=st.one_of(*(drawn_recipes(axis, 3) for axis in AXES)))
def test_the_terms_are_those_of_the_sum(recipe):
    """On each axis the largest power of the terms is the power of the sum, for anything that can be drawn."""
    held = 0
    for observable in observables(recipe.block.layers):
        prediction = derive(recipe, observable)
        shares = prediction.shares().values()
        assert prediction.vanishes == (not shares)
        for axis in AXES:
            if shares:
                assert max(each.along(axis) for each in shares) == prediction.scale.along(axis)
        held += 1
    assert held == len(observables(recipe.block.layers))

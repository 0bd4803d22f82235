"""A recipe file says exactly what the recipe is, and a bad one is refused with its place and remedy."""

from __future__ import annotations

from fractions import Fraction  # noqa: F401 - eval(repr(recipe)) needs it

import pytest
from hypothesis import given

from powercount.derivations.named import NAMED, named_recipe
from powercount.derivations.recipe import *  # noqa: F403 - eval(repr(recipe)) needs every name
from powercount.derivations.recipe import AXES, PowercountError
from powercount.door.recipe_file import recipe_from, recipe_text
from powercount.strategies import drawn_recipes


@pytest.mark.parametrize("axis", AXES)
def test_files_and_repr_round_trip(axis):
    """recipe_from(recipe_text(r)) == r and eval(repr(r)) == r for drawn recipes."""

    @given(recipe=drawn_recipes(axis))
    def holds(recipe):
        assert recipe_from(recipe_text(recipe)) == recipe
        assert eval(repr(recipe)) == recipe

    holds()


@pytest.mark.parametrize("name", NAMED)
def test_named_recipes_round_trip_for_every_block(name):
    """The named recipes too, for one to four internal layers."""
    for layers in range(1, 5):
        recipe = named_recipe(name, layers=layers)
        assert recipe_from(recipe_text(recipe)) == recipe


GOOD = recipe_text(named_recipe("depth-mup"))


def test_a_zero_readout_is_written_and_read():
    """init_std = "zero" means starts at exactly zero."""
    text = GOOD.replace('[readout]\ninit_std = {width = "0", depth = "0"}', '[readout]\ninit_std = "zero"')
    recipe = recipe_from(text)
    assert recipe.role("readout").init_std is None
    assert recipe_from(recipe_text(recipe)) == recipe


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("layers = 2", "layers = ["), "not valid TOML"),
        (('depth = "-1/2"', 'depth = "sqrt"'), "no rational power"),
        (('depth = "-1/2"', "depth = -0.5"), "no rational power"),
        (('depth = "-1/2"', 'depth = "1/0"'), "no rational power"),
        (("[readout]", "[readoff]"), "unknown entry 'readoff'"),
        (("[hidden2]", "[hidden3]"), "[hidden3] but layers = 2"),
        (("layers = 2", "layers = 3"), "[hidden3] is missing"),
        (("layers = 2", "layers = 1"), "[hidden2] but layers = 1"),
        (("layers = 2", 'layers = "two"'), "whole number"),
        (('activation = "relu"', 'activation = "swish"'), "choose one of: linear, relu"),
        (('name = "sgd"', 'name = "soap"'), "unknown optimizer"),
        (('name = "sgd"', 'name = "sgd"\nclip = 1'), "clipping by the norm of the whole gradient"),
        (('name = "sgd"', 'name = "sgd"\neps = 1'), "unknown entry 'eps'"),
        (("multiplier", "multipler"), "unknown entry 'multipler'"),
        (("[branch]", "[brunch]"), "unknown entry 'brunch'"),
        (("[block]", "[blocks]"), "[block] is missing"),
    ],
)
def test_bad_files_are_refused_with_place_and_remedy(change, says):
    """Malformed TOML, irrational powers, missing or surplus roles, unknown names."""
    with pytest.raises(PowercountError) as caught:
        recipe_from(GOOD.replace(*change, 1), "mine.toml")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_kind_names_the_line_to_add():
    """A role without a learning rate says which and how to add it."""
    text = "\n".join(line for line in GOOD.splitlines() if not line.startswith("learning_rate"))
    with pytest.raises(PowercountError, match=r"\[input\] has no learning_rate; add learning_rate = "):
        recipe_from(text)

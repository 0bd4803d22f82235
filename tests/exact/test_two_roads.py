"""Two independent roads to an exponent: the algebra of scales, and SymPy's limit of the closed forms."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powercount.derivations.limits import ERROR, HOMOGENEOUS, L, closed_form, limit_exponent, n
from powercount.derivations.mean_field import InfiniteWidth
from powercount.derivations.named import NAMED, named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import (
    AXES,
    LOSSES,
    Block,
    Optimizer,
    Parametrization,
    Power,
    Recipe,
    Role,
    observables,
)

SUMS = ("total-update", "feature-update", "output-update")
POWERS = st.integers(min_value=-6, max_value=6).map(lambda count: Fraction(count, 4))
BOTH = st.builds(Power, width=POWERS, depth=POWERS)
ROLES = st.builds(Role, init_std=BOTH, multiplier=BOTH, learning_rate=BOTH)


@st.composite
def any_recipes(draw):
    """A recipe with free powers on both axes, stable or not; of four one has a role that starts at zero.

    More zeros would leave nothing to compare: what vanishes does so on both roads.
    """
    layers = draw(st.integers(min_value=1, max_value=3))
    roles = [draw(ROLES) for _ in range(layers + 2)]
    if draw(st.integers(min_value=0, max_value=3)) == 3:
        place = draw(st.integers(min_value=0, max_value=layers + 1))
        roles[place] = replace(roles[place], init_std=None)
    return Recipe(
        name="drawn",
        block=Block(layers=layers, activation=draw(st.sampled_from(sorted(HOMOGENEOUS)))),
        optimizer=Optimizer(loss=draw(st.sampled_from(LOSSES))),
        parametrization=Parametrization(
            input=roles[0],
            hidden=tuple(roles[1:-1]),
            readout=roles[-1],
            branch=draw(POWERS) - Fraction(1, 2),
        ),
    )


def differences(recipe, asked=None):
    """Where the two roads disagree: (observable, axis, algebra, limit); of all observables or those asked for."""
    found = []
    for observable in asked or observables(recipe.block.layers):
        prediction = derive(recipe, observable)
        for axis in AXES:
            algebra, limit = prediction.along(axis), limit_exponent(recipe, observable, axis)
            if algebra != limit:
                found.append((str(observable), axis, algebra, limit))
    return found


@pytest.mark.parametrize("activation", sorted(HOMOGENEOUS))
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("name", NAMED)
def test_two_roads_meet_for_named_recipes(name, layers, activation):
    """The power of n and of L, or that there is none, is the same for every observable."""
    assert not differences(named_recipe(name, layers=layers, activation=activation))


@settings(max_examples=12)
@given(recipe=any_recipes(), places=st.tuples(*[st.integers(min_value=0, max_value=23)] * 2))
def test_two_roads_meet_for_any_powers(recipe, places):
    """Free powers on both axes, stable or not, with a zero role: same power, same refusals, for any two observables."""
    every = observables(recipe.block.layers)
    assert not differences(recipe, [every[place % len(every)] for place in places])


def test_twin_the_roads_are_independent():
    """A power moved on one road alone shows: the roads do not read each other."""
    recipe = named_recipe("depth-mup")
    moved = recipe.shifted("hidden1", "learning_rate", "depth", Fraction(1, 4))
    own = next(each for each in observables(2) if str(each) == "own-update:1")
    assert derive(recipe, own).along("depth") != limit_exponent(moved, own, "depth")


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", sorted(HOMOGENEOUS))
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("name", ["mup", "depth-mup-sqrt", "completep"])
def test_closed_forms_are_the_recursions(name, layers, activation, loss):
    """closed_form at (n, L) equals the recursions of mean_field step by step, to rounding.

    But for k = 1 and relu, where the closed form leaves out the correlation of slopes across blocks.
    """
    recipe = named_recipe(name, layers=layers, activation=activation, optimizer=Optimizer(loss=loss))
    for width, depth in ((64, 4), (128, 16)):
        values = InfiniteWidth(recipe, width, depth)
        for observable in observables(layers):
            if (layers, activation) == (1, "relu") and observable.quantity in SUMS:
                continue
            form = closed_form(recipe, observable)
            here = float(form.subs({n: width, L: depth, ERROR: values.error()}))
            assert math.isclose(math.sqrt(here), values.rms(observable), rel_tol=1e-10, abs_tol=0), str(observable)

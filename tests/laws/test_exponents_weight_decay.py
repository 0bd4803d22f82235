"""Law: weight decay shrinks the stream's random part, lambda omega L^(1/2 - alpha), incoherent over depth.

The gradient's part of the same step adds up coherently. What counts the norms of the matrices alone takes decay to add
up likewise, and asks for L^(-1/2) too much.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import AXES, DECAYING, Observable, observables_of
from powercount.derivations.translate import translated, with_decay
from powercount.explain import explain
from powercount.recipes import verify_axis

HALF = Fraction(1, 2)


def decays_of(recipe):
    """What the decay of each role does."""
    return [each for each in observables_of(recipe) if each.quantity == "decay-update"]


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize(
    ("name", "optimizer", "block"),
    [
        ("depth-mup", "adamw", {}),
        ("completep", "muon", {"layers": 3, "activation": "tanh"}),
        ("sp", "nesterov", {"layers": 1, "activation": "gelu"}),
    ],
)
def test_decay_follows_its_law(name, optimizer, block, axis, powercount_laws):
    """Of every role, the stream's and the output's change by decay alone has the derived power."""
    recipe = with_decay(translated(named_recipe(name, **block), optimizer))
    asked = decays_of(recipe)
    assert len(asked) == recipe.block.layers + 2
    for verdict in verify_axis(recipe, axis, asked=asked):
        powercount_laws.agrees(verdict, f"{name}, {optimizer}")


@pytest.mark.parametrize("optimizer", DECAYING)
@pytest.mark.parametrize(("name", "alpha"), [("depth-mup", HALF), ("completep", Fraction(1))])
def test_decay_is_incoherent_over_depth_where_the_gradient_is_coherent(name, alpha, optimizer):
    """L^(1/2 - alpha) of every hidden role for every optimizer, at lambda omega = 1; the gradient's part L^0."""
    recipe = with_decay(translated(named_recipe(name), optimizer))
    for role in ("hidden1", "hidden2"):
        decay = derive(recipe, Observable(quantity="decay-update", role=role))
        assert (decay.along("width"), decay.along("depth")) == (0, HALF - alpha)
        assert derive(recipe, Observable(quantity="feature-update", role=role)).along("depth") == 0


def test_twin_norms_of_matrices_do_not_tell_how_decay_adds_up(powercount_laws):
    """Taken as L^(1 - alpha), by the norm that every block loses, the hidden decay of completep is contradicted."""
    recipe = with_decay(translated(named_recipe("completep"), "adamw"))
    asked = [Observable(quantity="decay-update", role="hidden1")]
    coherent = recipe.shifted("hidden1", "weight_decay", "depth", HALF)
    (verdict,) = verify_axis(recipe, "depth", against=coherent, asked=asked)
    powercount_laws.contradicts(verdict, "completep, decay taken as coherent")


@pytest.mark.parametrize(("axis", "shift"), [("width", -1), ("depth", HALF)])
def test_a_wrong_power_of_decay_is_caught_and_named(axis, shift, powercount_laws):
    """Hidden decay without its n, as torch's own constant leaves it, or off by L^(1/2): nothing else moves."""
    against = with_decay(translated(named_recipe("mup" if axis == "width" else "completep"), "adamw"))
    wrong = against
    for role in ("hidden1", "hidden2"):
        wrong = wrong.shifted(role, "weight_decay", axis, Fraction(shift))
    verdicts = verify_axis(wrong, axis, against=against)
    contradicted = [str(each.prediction.observable) for each in verdicts if each.outcome == "CONTRADICTS"]
    assert contradicted == ["decay-update:1", "decay-update:2"]
    powercount_laws.tally(verdicts, f"{against.name}, decay off by {axis}^({shift})")
    (first, *_) = explain(against, verdicts)
    assert str(first).startswith("hidden1 and hidden2 weight_decay")
    assert first.moves[0].shift == shift

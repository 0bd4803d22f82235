"""Law: a step that does not see the gradient's size moves m lambda n |z| (sign) or m lambda |z| (polar factor).

The collapse and its cure are the same for every optimizer, L^(-1/2) at alpha = 1/2 and L^0 at alpha = 1, and so is the
coherent sum over depth: the loss falls by a dual norm of every block's gradient, all of one sign.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import AXES, OPTIMIZERS, observable_named
from powercount.derivations.translate import translated
from powercount.recipes import verify_axis

HALF = Fraction(1, 2)
ASKED = ("own-update:1", "own-update:2", "own-update:input", "own-update:readout", "feature-update@hidden1")
OF_A_SIZE = ("signsgd", "lion", "adam", "adamw", "muon", "shampoo")


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", ["adam", "muon"])
@pytest.mark.parametrize("recipe", ["depth-mup", "completep", "sp"])
def test_own_updates_follow_the_rule_of_their_optimizer(recipe, name, axis, powercount_laws):
    """|m dW z| and the coherent sum of it over depth have their derived powers, at rates translated from SGD's."""
    asked = [observable_named(each, 2) for each in ASKED]
    verdicts = verify_axis(translated(named_recipe(recipe), name), axis, asked=asked)
    assert len(verdicts) == len(ASKED)
    for verdict in verdicts:
        powercount_laws.agrees(verdict, f"{name}, {recipe}")


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_collapse_and_its_cure_are_the_same_for_every_optimizer(name):
    """own-update:J is L^(-1/2) in depth-mup and L^0 in completep, feature-update L^0 in both."""
    for recipe, power in (("depth-mup", -HALF), ("completep", Fraction(0))):
        made = translated(named_recipe(recipe), name)
        for each, expected in (("own-update:1", power), ("own-update:2", power), ("feature-update", 0)):
            found = derive(made, observable_named(each, 2))
            assert (found.along("width"), found.along("depth")) == (0, expected)


@pytest.mark.parametrize("name", ["adam", "muon"])
def test_twin_rates_of_sgd_are_not_those_of_another_optimizer(name, powercount_laws):
    """muP's rates for SGD under Adam or Muon: a hidden own update is n^1 too large, or n^(-1/2) too small."""
    against = translated(named_recipe("depth-mup"), name)
    implementation = against
    for role in ("hidden1", "hidden2"):
        wrong = named_recipe("depth-mup").role(role).learning_rate.width - against.role(role).learning_rate.width
        implementation = implementation.shifted(role, "learning_rate", "width", wrong)
    asked = [observable_named("own-update:1", 2)]
    (verdict,) = verify_axis(implementation, "width", against=against, asked=asked)
    powercount_laws.contradicts(verdict, f"{name}, rates of SGD")


@pytest.mark.parametrize("name", ["sgd", "signsgd", "muon"])
def test_only_a_gradient_step_sees_the_readout(name, powercount_laws):
    """n^(1/2) on the readout's multiplier makes SGD's hidden updates larger, and nobody else's; the gradient all."""
    against = translated(named_recipe("mup"), name)
    implementation = against.shifted("readout", "multiplier", "width", HALF)
    asked = [observable_named(each, 2) for each in ("own-update:1", "gradient")]
    own, gradient = verify_axis(implementation, "width", against=against, asked=asked)
    powercount_laws.contradicts(gradient, f"{name}, larger readout")
    if name in OF_A_SIZE:
        powercount_laws.agrees(own, f"{name}, larger readout")
    else:
        powercount_laws.contradicts(own, f"{name}, larger readout")

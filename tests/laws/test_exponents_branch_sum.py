"""Law: at initialization the branches add up incoherently, |h_L - h_0| = |h_0| beta L^(1/2)."""

from __future__ import annotations

from fractions import Fraction

from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import observable_named, observables
from powercount.recipes import verify_axis
from powercount.verdict import judge

CLAIMS = named_recipe("depth-mup")


def test_branches_add_up_incoherently(case, axis, measured, powercount_laws):
    """|h_L - h_0| ~ L^(1/2 - alpha) in width-muP: 0 at alpha = 1/2, -1/2 at alpha = 1."""
    asked = [each for each in observables(case.recipe.block.layers) if each.quantity == "branch-sum"]
    assert len(asked) == 1
    for observable in asked:
        prediction = derive(case.recipe, observable)
        powercount_laws.agrees(judge(prediction, measured(case, axis)[observable]), str(case))


def test_twin_branch_sum_sees_the_branch_power(powercount_laws):
    """|h_L - h_0| loses L^(-1/4) when alpha is 3/4 in place of 1/2."""
    observable = observable_named("branch-sum", 2)
    implementation = CLAIMS.shifted("branch", "multiplier", "depth", Fraction(-1, 4))
    (verdict,) = verify_axis(implementation, "depth", against=CLAIMS, asked=[observable])
    powercount_laws.contradicts(verdict, implementation.name)


def test_twin_branch_sum_sees_the_hidden_init(powercount_laws):
    """|h_L - h_0| loses n^(-1/4) when the standard deviation of hidden1 does."""
    observable = observable_named("branch-sum", 2)
    implementation = CLAIMS.shifted("hidden1", "init_std", "width", Fraction(-1, 4))
    (verdict,) = verify_axis(implementation, "width", against=CLAIMS, asked=[observable])
    powercount_laws.contradicts(verdict, implementation.name)

"""The best rate is one over the largest moving share: expressions in symbolic powers, recipes as substitutions."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from sympy import Max, Rational, simplify

from powercount.derivations.dynamics.best_rates import MODES, best_rate, depth_for_half, moving_roles
from powercount.derivations.forward import ALPHA, power_symbol, powers_of
from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import QuestionError

C = [power_symbol(f"hidden{j}", "learning_rate", "depth") for j in (1, 2)]


@pytest.mark.parametrize("mode", MODES)
def test_the_rate_comes_out_as_an_expression(mode):
    """In width-muP the best rate is L^(-max_j(1 - 2 alpha + c_j)); input and readout add 0 to the maximum."""
    recipe = named_recipe("depth-mup")
    values = {symbol: value for symbol, value in powers_of(recipe).items() if symbol not in (ALPHA, *C)}
    found = best_rate(recipe, mode).symbolic[-1].depth.xreplace(values)
    shares = [1 - 2 * ALPHA + c for c in C] + ([0] if mode == "all" else [])
    assert simplify(found + Max(*shares)) == 0


@pytest.mark.parametrize(
    ("name", "layers", "mode", "power"),
    [
        ("depth-mup", 2, "hidden", "0"),
        ("depth-mup-sqrt", 2, "hidden", "-1/2"),
        ("depth-mup-sqrt", 2, "split", "-1/2"),
        ("depth-mup-sqrt", 2, "all", "-1/2"),
        ("completep", 2, "hidden", "0"),
        ("completep", 2, "all", "0"),
        ("depth-mup", 1, "all", "0"),
        ("depth-mup", 1, "hidden", "0"),
    ],
)
def test_recipes_are_substitutions(name, layers, mode, power):
    """depth-mup and CompleteP transfer; sqrt(L) on the first rate asks for a rate that falls as L^(-1/2)."""
    prediction = best_rate(named_recipe(name, layers=layers), mode)
    assert str(prediction.along("depth")) == power
    assert prediction.along("width") == 0


def test_the_largest_share_sets_the_rate():
    """L^(1/4) on the second hidden rate of depth-mup lowers the best rate by L^(1/4), L^(-1/4) changes nothing."""
    recipe = named_recipe("depth-mup")
    for by, power in ((Fraction(1, 4), Rational(-1, 4)), (Fraction(-1, 4), 0)):
        moved = recipe.shifted("hidden2", "learning_rate", "depth", by)
        assert best_rate(moved, "hidden").along("depth") == power


def test_a_rate_without_an_exponent_says_why():
    """muP without a depth rule has no best rate along depth: the stream grows faster than any power."""
    prediction = best_rate(named_recipe("mup"))
    assert prediction.along("depth") is None
    assert "faster than any power" in str(prediction.reason("depth"))


def test_the_reasoning_is_recorded():
    """The derivation ends in S and 1/S, names the roles that move, and says what it takes for granted."""
    prediction = best_rate(named_recipe("depth-mup-sqrt"), "hidden")
    assert [step.key for step in prediction.steps[-2:]] == ["moving-share", "best-rate"]
    assert "hidden1, hidden2" in prediction.steps[-2].because
    assert "best-rate" in prediction.as_text()
    assert any("limit in L" in text for text in prediction.assumptions)


def test_a_readout_at_zero_leaves_its_own_share():
    """With a readout of zero the hidden shares vanish at the first step, and the readout's own share remains."""
    recipe = named_recipe("depth-mup")
    silent = replace(recipe.parametrization, readout=replace(recipe.parametrization.readout, init_std=None))
    prediction = best_rate(replace(recipe, parametrization=silent))
    assert prediction.along("depth") == 0
    assert best_rate(replace(recipe, parametrization=silent), "hidden").vanishes


def test_the_crossover_is_far():
    """Shares 3 of order one and L^(1/2) / 2 are equal at L = 36."""
    assert depth_for_half(Rational(1, 2), Rational(3), Rational(1, 2)) == 36


def test_modes_are_checked_at_the_door():
    """An unknown mode is an error that lists the modes."""
    with pytest.raises(QuestionError, match="all, hidden, split"):
        moving_roles(named_recipe("depth-mup"), "some")

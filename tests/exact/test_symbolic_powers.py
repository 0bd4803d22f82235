"""The exponents come out as expressions in symbolic powers; recipes and the literature's tables are substitutions."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Integer, Max, Rational, Symbol, simplify

from powercount.derivations.forward import ALPHA, power_symbol, powers_of
from powercount.derivations.limits import limit_exponent
from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive, symbolic_chain
from powercount.derivations.recipe import (
    ACTIVATIONS,
    AXES,
    Block,
    Observable,
    Parametrization,
    Power,
    Recipe,
    Role,
    observable_named,
    observables,
)

C = {1: power_symbol("hidden1", "learning_rate", "depth"), 2: power_symbol("hidden2", "learning_rate", "depth")}


def in_mup(key, layers=2):
    """The power of L of one quantity in width-muP, as an expression in alpha and the hidden rates' powers c_j."""
    chain = symbolic_chain(layers, "relu", "cross-entropy", frozenset())
    values = powers_of(named_recipe("depth-mup", layers=layers))
    kept = {ALPHA, *C.values()}
    return chain.scale(key).depth.xreplace({symbol: value for symbol, value in values.items() if symbol not in kept})


@pytest.mark.parametrize("layer", [1, 2])
def test_exponents_come_out_as_expressions(layer):
    """own-update:j is L^(c_j - alpha), @hiddenj is L^(1 - 2 alpha + c_j), branch-sum is L^(1/2 - alpha)."""
    assert simplify(in_mup(f"own-update:{layer}") - (C[layer] - ALPHA)) == 0
    assert simplify(in_mup(f"feature-update@hidden{layer}") - (1 - 2 * ALPHA + C[layer])) == 0
    assert simplify(in_mup(f"output-update@hidden{layer}") - (1 - 2 * ALPHA + C[layer])) == 0
    assert simplify(in_mup("branch-sum") - (Rational(1, 2) - ALPHA)) == 0


def test_sums_come_out_as_maxima():
    """The whole update is max(0, 1 - 2 alpha + c_1, 1 - 2 alpha + c_2); dy_1 has its own c_1 - alpha beside it."""
    pushed = Max(0, 1 - 2 * ALPHA + C[1], 1 - 2 * ALPHA + C[2])
    assert in_mup("feature-update") == pushed
    assert in_mup("output-update") == pushed
    assert in_mup("total-update:1") == Max(C[1] - ALPHA, pushed)


def test_the_first_matrix_counts_twice():
    """own-update:1 ~ m_1^2 lambda_1, whatever the other powers: read off the symbolic chain."""
    power = symbolic_chain(2, "relu", "cross-entropy", frozenset()).scale("own-update:1").width
    assert power.coeff(power_symbol("hidden1", "multiplier", "width")) == 2
    assert power.coeff(power_symbol("hidden1", "learning_rate", "width")) == 1
    assert power.coeff(power_symbol("hidden1", "init_std", "width")) == 0


def test_what_an_update_is_made_from_counts_twice():
    """<z, z> = n |z|^2: the size of the stream's start enters the own updates of W_1 and the readout squared."""
    chain = symbolic_chain(2, "relu", "cross-entropy", frozenset())
    start = power_symbol("input", "init_std", "width")
    sizes = {"own-update:1": 2, "own-update:readout": 2, "own-update:input": 0, "output": 1, "stream": 1, "gradient": 0}
    assert {key: chain.scale(key).width.coeff(start) for key in sizes} == sizes
    assert chain.scale("own-update:2").width.coeff(power_symbol("hidden1", "init_std", "width")) == 2
    assert chain.scale("own-update:input").width.coeff(power_symbol("input", "multiplier", "width")) == 2
    # What n coordinates add by themselves: n to the readout's own update, nothing to the input's, of 64.
    for role, below, power in (("readout", ("error",), 1), ("input", ("error", "gradient"), 0)):
        width = chain.scale(f"own-update:{role}").width - sum(chain.scale(key).width for key in below)
        assert width.xreplace(dict.fromkeys(width.free_symbols, Integer(0))) == power


def test_the_error_signal_of_the_squared_loss_is_as_large_as_the_output():
    """chi ~ max(1, |f|) under the squared loss, and of order one under cross-entropy."""
    for axis in AXES:
        squared = symbolic_chain(2, "relu", "mse", frozenset())
        assert squared.scale("error").along(axis) == Max(0, squared.scale("output").along(axis))
        assert symbolic_chain(2, "relu", "cross-entropy", frozenset()).scale("error").along(axis) == 0


def test_tensor_programs_six_in_gamma():
    """k = 1 with normalised gradients and update L^(-gamma), c_1 = alpha - gamma: dh_L ~ L^(1 - alpha - gamma), 7.2."""
    gamma = Symbol("gamma", real=True)
    power = in_mup("feature-update@hidden1", layers=1).xreplace({C[1]: ALPHA - gamma})
    assert simplify(power - (1 - ALPHA - gamma)) == 0


# Section 4 of the theory: (alpha, c_1, c_2) and the powers of L of branch-sum, own-update:1, own-update:2, df.
TABLE = {
    "depth-mup": ("1/2", "0", "0", "0", "-1/2", "-1/2", "0"),
    "sqrt(L) on the first matrix": ("1/2", "1/2", "0", "0", "0", "-1/2", "1/2"),
    "completep": ("1", "1", "1", "-1/2", "0", "0", "0"),
    "alpha = 1, no rate factor": ("1", "0", "0", "-1/2", "-1", "-1", "0"),
    "alpha = 3/4 on the stable line": ("3/4", "1/2", "1/2", "-1/4", "-1/4", "-1/4", "0"),
}


@pytest.mark.parametrize("name", TABLE)
def test_table_of_depth_exponents(name):
    """The table of recipes in depth, each line put into the symbolic powers."""
    alpha, first, second, branch, own_first, own_second, output = TABLE[name]
    values = {ALPHA: Rational(alpha), C[1]: Rational(first), C[2]: Rational(second)}
    found = [str(in_mup(key).xreplace(values)) for key in ("branch-sum", "own-update:1", "own-update:2")]
    assert found == [branch, own_first, own_second]
    assert str(in_mup("output-update").xreplace(values)) == output


def test_alpha_one_without_a_rate_factor_freezes_the_blocks():
    """alpha = 1 and c = 0: the hidden matrices' share of the output falls as 1/L and the input and readout remain."""
    values = {ALPHA: Rational(1), C[1]: Rational(0), C[2]: Rational(0)}
    assert in_mup("output-update@hidden1").xreplace(values) == in_mup("output-update@hidden2").xreplace(values) == -1


def abc(name, powers, layers=2):
    """A recipe from multipliers n^(-a), standard deviations n^(-b), rates n^(-c), by (input, hidden, readout)."""

    def role(a, b, c):
        a, b, c = (Power(width=-Fraction(each)) for each in (a, b, c))
        return Role(multiplier=a, init_std=b, learning_rate=c)

    first, hidden, last = (role(*three) for three in powers)
    made = Parametrization(input=first, hidden=(hidden,) * layers, readout=last, branch=Fraction(-1, 2))
    return Recipe(name=name, block=Block(layers=layers), parametrization=made)


HALF = "1/2"
EVERETT = {
    "SP": ((0, 0, "-1/2"), (0, HALF, HALF), (0, HALF, 1)),
    "NTK": ((0, 0, "-1/2"), (HALF, 0, "-1/2"), (HALF, 0, 0)),
    "muP": (("-1/2", HALF, 0), (0, HALF, 0), (HALF, HALF, 0)),
    "MFP": ((0, 0, -1), (HALF, 0, -1), (1, 0, -1)),
}


@pytest.mark.parametrize("name", EVERETT)
def test_everett_rates_make_every_role_move_by_order_one(name):
    """Table of SGD rates of Everett et al. (arXiv 2407.05872), full alignment: n^0 for every own update."""
    recipe = abc(name, EVERETT[name])
    for observable in ("own-update:input", "own-update:1", "own-update:2", "own-update:readout"):
        assert derive(recipe, observable_named(observable, 2)).along("width") == 0, observable


QUARTERS = st.integers(min_value=-4, max_value=4).map(lambda count: Fraction(count, 4))


@given(a=st.lists(QUARTERS, min_size=3, max_size=3), b_in=QUARTERS, b_out=QUARTERS, c=QUARTERS)
def test_tensor_programs_four_r(a, b_in, b_out, c):
    """dx^L = n^(-r), r = a + b (readout) + c - 1 + min_l [2 a_l + 1(l = 1)], at the first step with |x^l| = 1.

    Tensor Programs IV (arXiv 2011.14522), its first minimum taken where the readout has not moved yet.
    """
    b = (-a[0], Fraction(1, 2) - a[1], b_out)
    recipe = abc("abc", [(each, spread, c) for each, spread in zip(a, b, strict=True)])
    r = a[2] + b_out + c - 1 + min(2 * a[0] + 1, 2 * a[1])
    assert derive(recipe, Observable(quantity="feature-update")).along("width") == Rational(-r)


@settings(max_examples=25)
@given(theta=QUARTERS, depth=QUARTERS, role=st.sampled_from(["input", "hidden1", "hidden2", "readout"]))
@pytest.mark.parametrize("name", ["sp", "mup", "depth-mup-sqrt", "completep"])
def test_sgd_symmetry(name, theta, depth, role):
    """(m, sigma, lambda) -> (m s, sigma / s, lambda / s^2) leaves every exponent as it is, on both roads."""
    recipe = named_recipe(name, activation="linear")
    moved = recipe
    for kind, times in (("multiplier", 1), ("init_std", -1), ("learning_rate", -2)):
        for axis, by in (("width", theta), ("depth", depth)):
            moved = moved.shifted(role, kind, axis, times * by)
    for observable in observables(2):
        for axis in AXES:
            assert derive(moved, observable).along(axis) == derive(recipe, observable).along(axis)
    share = observable_named("feature-update@hidden1", 2)
    assert limit_exponent(moved, share, "depth") == limit_exponent(recipe, share, "depth")


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", ["sp", "ntk", "mean-field", "mup"])
def test_without_a_depth_rule_there_is_no_exponent(name, activation):
    """alpha = 0: every observable that is not zero refuses a power of L and says why.

    An unbounded activation makes the stream grow faster than any power; a bounded one saturates.
    """
    why = "saturates as the stream grows" if activation in ("erf", "tanh") else "grows faster than any power of L"
    recipe = named_recipe(name, activation=activation)
    for observable in observables(2):
        prediction = derive(recipe, observable)
        if not prediction.vanishes:
            assert prediction.along("depth") is None
            assert why in prediction.reason("depth")


@pytest.mark.parametrize("activation", ["erf", "tanh"])
def test_a_saturating_activation_fed_with_growing_input_is_refused(activation):
    """|y_1| ~ n^(1/4): phi(y) is no longer of order |y|, and whatever reads it has no exponent from the algebra."""
    recipe = named_recipe("depth-mup", activation=activation)
    recipe = recipe.shifted("hidden1", "init_std", "width", Fraction(1, 4))
    recipe = recipe.shifted("hidden2", "init_std", "width", Fraction(-1, 4))
    prediction = derive(recipe, observable_named("own-update:2", 2))
    assert prediction.along("width") is None
    assert f"{activation} saturates" in prediction.reason("width")
    relu = replace(recipe, block=Block(layers=2, activation="relu"))
    assert derive(relu, observable_named("own-update:2", 2)).along("width") is not None


def test_a_zero_readout_leaves_only_its_own_update():
    """sigma_out = 0: no gradient reaches the blocks at the first step; the readout moves, and the output with it."""
    moving = ("stream", "branch-sum", "own-update:readout", "output-update", "output-update@readout")
    recipe = named_recipe("depth-mup")
    silent = replace(recipe.parametrization.readout, init_std=None)
    recipe = replace(recipe, parametrization=recipe.parametrization.with_role("readout", silent))
    for observable in observables(2):
        prediction = derive(recipe, observable)
        moves = str(observable) in moving
        assert prediction.vanishes != moves, str(observable)
        if not moves:
            assert prediction.reason("width").startswith("exactly zero at the first step")


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("layers", [1, 2, 5])
@pytest.mark.parametrize("name", ["sp", "depth-mup-sqrt"])
def test_every_prediction_carries_its_steps(name, layers, activation):
    """Text, Markdown and JSON of every observable: the steps end in it, each rests on those before it."""
    recipe = named_recipe(name, layers=layers, activation=activation)
    for observable in observables(layers):
        prediction = derive(recipe, observable)
        seen = set()
        for step in prediction.steps:
            assert set(step.parents) <= seen
            seen.add(step.key)
        row = prediction.as_row()
        assert row["steps"][-1]["quantity"] == str(observable)
        text, page = prediction.as_text(), prediction.as_markdown()
        assert "\\" not in text
        assert text.count("because ") == page.count("$: ") == len(prediction.steps)
        assert row["sources"]


@pytest.mark.parametrize("activation", ["linear", "relu"])
@pytest.mark.parametrize("by", [Fraction(1, 100), Fraction(1, 8), Fraction(1, 4)])
def test_the_line_of_stability_is_one_half(by, activation):
    """beta = L^(-1/2) and below have an exponent of the stream, L^0; whatever is above has none, and says why."""
    on_the_line, stream = named_recipe("depth-mup", activation=activation), Observable(quantity="stream")
    for role, kind in (("branch", "multiplier"), ("hidden1", "init_std"), ("hidden2", "multiplier")):
        above = derive(on_the_line.shifted(role, kind, "depth", by), stream)
        assert above.along("depth") is None
        assert "the branch gain beta exceeds L^(-1/2)" in above.reason("depth")
        assert derive(on_the_line.shifted(role, kind, "depth", -by), stream).along("depth") == 0
    assert derive(on_the_line, stream).along("depth") == 0


@pytest.mark.parametrize("by", [Fraction(1, 100), Fraction(1, 4)])
def test_a_branch_gain_that_grows_with_the_width_has_no_exponent(by):
    """beta = n^0 and below have one, whatever is above has none along n: each block multiplies the stream by it."""
    on_the_line, stream = named_recipe("depth-mup"), Observable(quantity="stream")
    above = derive(on_the_line.shifted("hidden2", "multiplier", "width", by), stream)
    assert above.along("width") is None
    assert "the branch gain beta grows with n" in above.reason("width")
    assert derive(on_the_line.shifted("hidden2", "multiplier", "width", -by), stream).along("width") == 0


@pytest.mark.parametrize(("activation", "dead"), [("relu", True), ("abs", True), ("linear", False), ("tanh", False)])
def test_a_kink_fed_with_zeros_passes_nothing_back(activation, dead):
    """sigma_1 = 0, k = 2: y_1 = 0, where phi' of a kink is zero in floating point; a smooth phi lets W_1 move."""
    recipe = named_recipe("depth-mup", activation=activation)
    still = replace(recipe.role("hidden1"), init_std=None)
    recipe = replace(recipe, parametrization=recipe.parametrization.with_role("hidden1", still))
    assert derive(recipe, observable_named("own-update:1", 2)).vanishes == dead
    assert derive(recipe, observable_named("own-update:2", 2)).vanishes

"""Adam beside an epsilon: torch's own step, the tables of B, C and S, values at n = 192, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch

from powercount.derivations.adam import STEPS, error_entries, size_of
from powercount.derivations.epsilon import damped as curves_of
from powercount.derivations.moments import softmax_error
from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import DAMPED, OPTIMIZERS, Observable, Optimizer, Power, QuestionError, observables
from powercount.derivations.translate import translated, with_epsilon
from powercount.door.recipe_file import recipe_from, recipe_text
from powercount.empirical.design import Sweep
from powercount.empirical.ensemble import Ensemble, draw_ensemble
from powercount.empirical.losses import CROSS_ENTROPY
from powercount.empirical.nets import drawn, member_squares
from powercount.empirical.observables import at_initialization
from powercount.empirical.optimizers import damped
from powercount.recipes import HALVED, gentle, verify_axis

WIDTH, DEPTH = 192, 6
AROUND = (Fraction(-1), Fraction(0), Fraction(1, 2))  # of n on epsilon: tau near .01, 2 and 30


def shifted(recipe, by, axis="width"):
    """Every epsilon moved by a power."""
    for role in recipe.role_names:
        recipe = recipe.shifted(role, "epsilon", axis, by)
    return recipe


@pytest.mark.parametrize("name", DAMPED)
@pytest.mark.parametrize("epsilon", [1e-3, 1.0, 1e3])
def test_the_own_update_is_torchs_step(name, epsilon):
    """m dW z of one example after torch's own first step, in float64, zeros of z and of delta included."""
    generator = torch.Generator().manual_seed(0)
    delta, z = (torch.randn(1, rows, 1, generator=generator, dtype=torch.float64) for rows in (5, 7))
    delta[:, 2], z[:, 3] = 0, 0
    weight = torch.nn.Parameter(torch.zeros(5, 7, dtype=torch.float64))
    weight.grad = 0.5 * delta[0] @ z[0].T
    made = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    made([weight], lr=0.25, eps=epsilon, weight_decay=0.0).step()
    torch.testing.assert_close(damped(0.25, 0.5, delta, z, epsilon)[0], 0.5 * weight.detach() @ z[0])


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
def test_the_tables_are_the_expectations_they_stand_for(activation):
    """B, C and S against plain averages over a million draws, and both limits."""
    generator = np.random.default_rng(1)
    y, v = generator.standard_normal((2, 1000))
    z = np.abs({"linear": y, "relu": np.maximum(y, 0), "tanh": np.tanh(y)}[activation])
    zeta, curves = z / z.mean(), curves_of(activation, 1.0)
    for tau in (0.03, 1.0, 30.0):
        step = (zeta**2 / (zeta + tau / np.abs(v)[:, None])).mean(axis=1)
        # Four standard errors of an average over 1000 draws that scatter by as much as they are; twice that of squares.
        noise = 4 / math.sqrt(len(v))
        assert curves.along(tau) == pytest.approx((np.abs(v) * step).mean(), rel=noise)
        assert curves.square(tau) == pytest.approx((step**2).mean(), rel=2 * noise)
        assert curves.one(tau) == pytest.approx((zeta**2 / (zeta + tau)).mean(), rel=noise)
    # What the tables are wrong by between their nodes.
    assert curves.along(0) == pytest.approx(math.sqrt(2 / math.pi), rel=1e-6)
    assert curves.square(1e9) * 1e18 == pytest.approx(curves.one(1e9) ** 2 * 1e18, rel=1e-6)
    assert curves.along(math.inf) == 0


@pytest.mark.parametrize("by", AROUND)
@pytest.mark.parametrize(
    ("name", "layers", "activation"),
    [("completep", 2, "relu"), ("completep", 3, "tanh"), ("depth-mup", 2, "gelu"), ("completep", 1, "relu")],
)
def test_values_without_a_free_parameter(name, layers, activation, by):
    """Every update within 4 % of what is derived, and of the noise of 16 seeds, in both regimes and between."""
    recipe = shifted(with_epsilon(translated(named_recipe(name, layers=layers, activation=activation), "adam")), by)
    asked = [each for each in observables(layers) if each.is_change and str(each) != "feature-update@readout"]
    found = {each: [] for each in asked}
    for member in range(0, 16, 4):
        draws = draw_ensemble(
            seed=3,
            members=range(member, member + 4),
            width=WIDTH,
            depth=DEPTH,
            layers=layers,
            data="gaussian",
            examples=4,
        )
        with torch.no_grad():
            for each, squares in at_initialization(Ensemble(recipe, WIDTH, DEPTH, draws), asked).items():
                found[each].append(squares.numpy())
    exact = STEPS["adam"](recipe, WIDTH, DEPTH)
    assert len(asked) == 4 * layers + 7
    for each in asked:
        relative = np.concatenate(found[each]) / exact.mean_square(each)
        noise = relative.std(ddof=1) / math.sqrt(len(relative))
        # Of one-layer blocks half of the unevenness is declared.
        allowed = 0.04 + (exact.uneven() / 4 if layers == 1 else 0)
        assert abs(math.sqrt(relative.mean()) - 1) < allowed + 1.5 * noise, (str(each), relative.mean(), noise)


def test_far_above_its_epsilon_adam_is_the_sign():
    """Epsilon n^(-6) of the entries: every exact value is that of no epsilon, to a thousandth."""
    plain = translated(named_recipe("completep", activation="tanh"), "adam")
    far = shifted(with_epsilon(plain), Fraction(-5, 2))
    values, signs = (STEPS["adam"](each, WIDTH, DEPTH) for each in (far, plain))
    for each in observables(2):
        if each.is_change:
            assert values.mean_square(each) == pytest.approx(signs.mean_square(each), rel=1e-3), str(each)


def test_real_steps_have_the_epsilon_of_every_role():
    """Three gentle steps of torch's Adam with epsilon at the entries: three times the first-order response."""
    recipe = with_epsilon(translated(named_recipe("depth-mup", activation="tanh"), "adamw"))
    sweep = gentle(recipe, Sweep(axis="depth", sizes=(2, 3, 4), fixed=32, steps=3, examples=1))
    asked = [each for each in observables(2) if each.quantity == "own-update"]
    draws, first = drawn(recipe, sweep, range(4)), Sweep(axis="depth", sizes=(2, 3, 4), fixed=32, examples=1)
    real, response = (member_squares(recipe, asked, each, draws) for each in (sweep, first))
    for each in asked:
        rate = 3 * dict(sweep.alone)[each.role]
        assert np.sqrt(real[each] / response[each]) == pytest.approx(rate, rel=HALVED)  # as gentle as asked for


def test_the_error_signal_of_vanishing_logits_is_that_of_no_logits():
    """One row, .9 of the label and .1 of the others; of logits of size one groups of like size and the exact square."""
    assert error_entries(10, 0) == ((pytest.approx((0.9, *[0.1] * 9)),),)  # rounding
    assert len(error_entries(10, 0.1)) == 1
    groups = error_entries(10, 1.0)
    squares = [[size_of(row) ** 2 for row in rows] for rows in groups]
    assert len(groups) == 8
    assert all(max(one) <= min(other) for one, other in pairwise(squares))
    # Eight groups stand for the whole law of a softmax: a part in sixty is between them.
    assert np.mean(squares) == pytest.approx(softmax_error(10, 1.0), rel=0.02)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_epsilon_is_refused_where_there_is_none(name):
    """Of all but adam and adamw, and under the squared loss, whose error signal is as large as the output."""
    recipe = named_recipe("mup", optimizer=Optimizer(name=name))
    if name in DAMPED:
        assert with_epsilon(recipe).damped == recipe.role_names
        with pytest.raises(QuestionError, match="squared loss"):
            with_epsilon(named_recipe("mup", optimizer=Optimizer(name=name, loss="mse")))
    else:
        with pytest.raises(QuestionError, match="use optimizer adam or adamw"):
            with_epsilon(recipe)


def test_epsilon_is_optional_in_a_file():
    """A recipe with an epsilon survives its text, one without has no line of it."""
    plain = translated(named_recipe("mup"), "adam")
    assert "epsilon" not in recipe_text(plain)
    recipe = with_epsilon(plain)
    assert recipe_from(recipe_text(recipe)) == recipe
    assert recipe.role("hidden2").epsilon == Power(width=Fraction(-1))


def only(recipe, *roles):
    """The recipe with the epsilons of those roles alone."""
    made = recipe.parametrization
    for name, role in recipe.parametrization.roles():
        made = made.with_role(name, role if name in roles else replace(role, epsilon=None))
    return replace(recipe, parametrization=made)


@pytest.mark.parametrize("roles", [("input",), ("hidden1",), ("hidden2",), ("readout",)], ids=str)
def test_an_epsilon_damps_its_own_role_alone(roles):
    """Far above the entries of one role its own update falls; those of all others are the sign's, on both sides."""
    plain = translated(named_recipe("completep", activation="erf"), "adam")
    far = only(shifted(with_epsilon(plain), Fraction(1)), *roles)
    asked = [each for each in observables(2) if each.quantity == "own-update"]
    draws = draw_ensemble(seed=1, members=range(4), width=64, depth=4, layers=2, data="gaussian", examples=2)
    with torch.no_grad():
        seen, signs = (at_initialization(Ensemble(each, 64, 4, draws), asked) for each in (far, plain))
    exact, of_signs = (STEPS["adam"](each, 64, 4) for each in (far, plain))
    for each in asked:
        if each.role in roles:
            assert (seen[each] < 0.01 * signs[each]).all()
            assert exact.mean_square(each) < 0.01 * of_signs.mean_square(each)
        else:
            torch.testing.assert_close(seen[each], signs[each])
            assert exact.mean_square(each) == pytest.approx(of_signs.mean_square(each), rel=1e-9)  # rounding


@pytest.mark.parametrize("steps", [0, 1])
@pytest.mark.parametrize("damped_role", [None, "hidden1"])
def test_a_certain_softmax_loses_no_sign_beside_an_epsilon(damped_role, steps):
    """Logits of hundreds: the readout has no epsilon and moves by every sign, at one step and at a real one."""
    recipe = translated(named_recipe("mup", activation="tanh"), "adam").shifted(
        "readout", "multiplier", "width", Fraction(3)
    )
    if damped_role:
        recipe = only(with_epsilon(recipe), damped_role)
    sweep = Sweep(axis="width", sizes=(16, 32, 64), fixed=2, seeds=32, steps=steps, examples=1 if steps else 4)
    asked = [Observable(quantity="own-update", role=role) for role in ("readout", "hidden2")]
    for verdict in verify_axis(recipe, "width", asked=asked, sweep=sweep):
        assert verdict.outcome != "CONTRADICTS", verdict.story()
        assert abs(verdict.measurement.slope - verdict.expected) < 0.1


def test_the_readouts_signs_are_those_without_an_epsilon_elsewhere():
    """Logits of thousands, float32: the readout moves by the same signs whether or not hidden1 has an epsilon."""
    plain = translated(named_recipe("mup", activation="tanh"), "adam").shifted(
        "readout", "multiplier", "width", Fraction(4)
    )
    own = Observable(quantity="own-update", role="readout")
    draws = draw_ensemble(seed=1, members=range(8), width=32, depth=2, layers=2, data="gaussian", examples=8)
    with torch.no_grad():
        beside, signs = (
            at_initialization(Ensemble(each, 32, 2, draws), [own])[own]
            for each in (only(with_epsilon(plain), "hidden1"), plain)
        )
    torch.testing.assert_close(beside, signs)


@pytest.mark.parametrize("activation", ["relu", "erf", "gelu"])
@pytest.mark.parametrize("zero", ["input", "hidden1", "hidden2", "readout"])
def test_zero_starts_beside_an_epsilon(zero, activation):
    """What gets no gradient does not move, whatever its epsilon, and what is fed zeros is no crash."""
    recipe = with_epsilon(translated(named_recipe("mup", activation=activation), "adam"))
    role = replace(recipe.role(zero), init_std=None)
    recipe = replace(recipe, parametrization=recipe.parametrization.with_role(zero, role))
    sweep = Sweep(axis="width", sizes=(8, 16, 32), fixed=2, seeds=8, most_seeds=8)
    verdicts = verify_axis(recipe, "width", sweep=sweep)
    assert len(verdicts) == len(observables(2))
    assert all(verdict.outcome != "CONTRADICTS" for verdict in verdicts)
    assert any(verdict.prediction.vanishes for verdict in verdicts)


def test_the_size_of_a_certain_error_keeps_its_digits():
    """1 - p_y of a label ahead by 5, 50 and 500: e^-5/(1 + e^-5), e^-50, and never zero."""
    output = torch.zeros(1, 2, 3, dtype=torch.float64)
    output[0, 0] = torch.tensor([5.0, 50.0, 500.0], dtype=torch.float64)
    targets = torch.tensor([1.0, 0.0], dtype=torch.float64)[None, :, None].expand(1, 2, 3)
    sizes = CROSS_ENTROPY.size(output, targets)[0, 0].tolist()
    assert sizes[:2] == pytest.approx([math.exp(-5) / (1 + math.exp(-5)), math.exp(-50)], rel=1e-12, abs=0)  # rounding
    assert sizes[2] > 0
    both = CROSS_ENTROPY.direction(output, targets) * CROSS_ENTROPY.size(output, targets)
    torch.testing.assert_close(both[..., 0], CROSS_ENTROPY.error(output, targets)[..., 0])

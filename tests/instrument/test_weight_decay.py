"""Weight decay: what torch's optimizers do, what the tangent says, what infinite width says; and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from powercount.derivations.mean_field import InfiniteWidth
from powercount.derivations.momentum import reach
from powercount.derivations.named import named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.recipe import (
    AXES,
    DECAYING,
    OPTIMIZERS,
    Observable,
    Optimizer,
    QuestionError,
    observable_named,
    observables_of,
)
from powercount.derivations.translate import translated, with_decay
from powercount.door.recipe_file import recipe_from, recipe_text
from powercount.empirical.design import SweepError
from powercount.empirical.dynamics.rate_training import RateRun, TransferError
from powercount.empirical.ensemble import Ensemble, draw_ensemble
from powercount.empirical.observables import at_initialization, decayed
from powercount.empirical.optimizers import MOMENTUM, RULES
from powercount.empirical.training import in_double
from powercount.recipes import default_sweep, verify_axis

TORCH = {
    "sgd": (torch.optim.SGD, {}),
    "sgd-momentum": (torch.optim.SGD, {"momentum": MOMENTUM}),
    "nesterov": (torch.optim.SGD, {"momentum": MOMENTUM, "nesterov": True}),
    "adamw": (torch.optim.AdamW, {}),
    "muon": (getattr(torch.optim, "Muon", None), {}),
}


def decays_of(recipe):
    """What the decay of each role does."""
    return [each for each in observables_of(recipe) if each.quantity == "decay-update"]


@pytest.mark.parametrize("name", TORCH)
def test_torchs_optimizers_decay_by_the_rate_they_are_given(name):
    """Without a gradient the first step is -decay rate weight_decay W, whatever Muon's shape factor."""
    made, options = TORCH[name]
    if made is None:
        pytest.skip("this torch has no Muon")
    weight = torch.nn.Parameter(torch.randn(6, 3, generator=torch.Generator().manual_seed(0)))
    before = weight.detach().clone()
    weight.grad = torch.zeros_like(weight)
    made([weight], lr=0.01, weight_decay=0.5, **options).step()
    torch.testing.assert_close(weight.detach() - before, -RULES[name].decay * 0.005 * before, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_tangent_is_that_of_smaller_weights(layers, activation):
    """h_L and f with one role's weights times 1 - 1e-6 lambda omega, in float64, to five digits."""
    recipe = with_decay(named_recipe("depth-mup", layers=layers, activation=activation)).shifted(
        "hidden1", "weight_decay", "depth", Fraction(1, 2)
    )
    draws = draw_ensemble(seed=1, members=range(2), width=12, depth=3, layers=layers, data="gaussian", examples=3)
    ensemble, small = Ensemble(recipe, 12, 3, in_double(draws)), 1e-6
    with torch.no_grad():
        weights, passed = ensemble.weights(), ensemble.forward(slopes=True)
        found = decayed(ensemble, passed, recipe.decayed)
        for role in recipe.decayed:
            shrinks = 1 - small * ensemble.rate[role] * ensemble.decay[role]
            after = ensemble.forward({**weights, role: [shrinks * each for each in weights[role]]})
            change = (after.output - passed.output) if role == "readout" else (after.end - passed.end)
            torch.testing.assert_close(change / small, found["decay-update", role], rtol=1e-5, atol=1e-5)
    assert len(found) == layers + 2
    assert ensemble.rate["hidden1"] * ensemble.decay["hidden1"] == pytest.approx(3**0.5)


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh", "gelu"])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("name", ["depth-mup", "sp"])
def test_values_without_a_free_parameter(name, layers, activation):
    """n = 192, L = 6: every role's decay within 2 % of infinite width and three errors of 16 seeds."""
    recipe = with_decay(named_recipe(name, layers=layers, activation=activation))
    draws = draw_ensemble(seed=3, members=range(16), width=192, depth=6, layers=layers, data="gaussian", examples=4)
    asked, exact = decays_of(recipe), InfiniteWidth(recipe, 192, 6)
    with torch.no_grad():
        found = at_initialization(Ensemble(recipe, 192, 6, draws), asked)
    for each in asked:
        relative = found[each] / exact.mean_square(each)
        noise = float(relative.std()) / math.sqrt(len(relative))
        assert abs(float(relative.mean()) - 1) < 0.04 + 3 * noise, (str(each), float(relative.mean()))


@pytest.mark.parametrize("name", DECAYING)
def test_a_decaying_role_moves_by_its_optimizers_first_step(name):
    """-decay rate omega f of the readout: 1.9 times under Nesterov's, on both sides of the house."""
    recipe = with_decay(named_recipe("mup", optimizer=Optimizer(name=name)))
    draws = draw_ensemble(seed=2, members=range(2), width=8, depth=2, layers=2, data="gaussian", examples=2)
    ensemble = Ensemble(recipe, 8, 2, draws)
    with torch.no_grad():
        passed = ensemble.forward(slopes=True)
        change = decayed(ensemble, passed, ["readout"])["decay-update", "readout"]
    torch.testing.assert_close(change, -float(reach(name, 1)) * passed.output)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_decay_is_refused_where_it_is_none_of_its_own(name):
    """signsgd and adam add it to the gradient before its sign is taken."""
    plain = named_recipe("mup", optimizer=Optimizer(name=name))
    if name in DECAYING:
        assert with_decay(plain).decayed == plain.role_names
    else:
        with pytest.raises(QuestionError, match="use optimizer adamw"):
            with_decay(plain)


def test_real_steps_and_roles_that_do_not_decay_are_refused():
    """--steps with decay, decay-update of a role without, and a move of its power: one line each."""
    recipe = with_decay(named_recipe("mup"))
    sweep = default_sweep(recipe, "width", steps=1)
    for implementation, against in ((recipe, recipe), (named_recipe("mup"), recipe), (recipe, named_recipe("mup"))):
        with pytest.raises(SweepError, match="decay, which is measured of one infinitesimal step"):
            verify_axis(implementation, "width", against=against, sweep=sweep)
    with pytest.raises(TransferError, match="whole trainings have none"):
        RateRun(recipe=recipe, width=8, depth=2)
    with pytest.raises(QuestionError, match="no such role decays"):
        observable_named("decay-update:1", 2)
    with pytest.raises(QuestionError, match="does not decay"):
        named_recipe("mup").shifted("hidden1", "weight_decay", "width", Fraction(1))
    assert observable_named("decay-update:readout", 2, recipe.decayed).role == "readout"
    assert derive(named_recipe("mup"), Observable(quantity="decay-update", role="hidden1")).vanishes


@pytest.mark.parametrize("forgotten", [True, False])
def test_decay_that_is_there_on_one_side_alone_is_contradicted(forgotten):
    """An implementation without the decay that is claimed, or with one that nobody claims: every role says so."""
    plain, decaying = named_recipe("mup"), with_decay(named_recipe("mup"))
    implementation, against = (plain, decaying) if forgotten else (decaying, plain)
    sweep = replace(default_sweep(plain, "width"), sizes=(32, 64, 128))
    verdicts = verify_axis(implementation, "width", against=against, sweep=sweep)
    contradicted = [str(each.prediction.observable) for each in verdicts if each.outcome == "CONTRADICTS"]
    assert contradicted == [str(each) for each in decays_of(decaying)]


@pytest.mark.parametrize("optimizer", ["adamw", "muon", "nesterov"])
def test_a_translated_recipe_decays_on_the_same_time_scale(optimizer):
    """Rate times decay keeps its powers, and so does what decay does."""
    recipe = with_decay(named_recipe("completep")).shifted("input", "weight_decay", "width", Fraction(1, 4))
    other = translated(recipe, optimizer)
    for each in decays_of(recipe):
        for axis in AXES:
            assert derive(other, each).along(axis) == derive(recipe, each).along(axis)
    assert other.role("hidden1").weight_decay != recipe.role("hidden1").weight_decay or optimizer == "nesterov"


def test_decay_is_optional_in_a_file():
    """A recipe with the decay of one role survives its text; one without has no line of it."""
    recipe = named_recipe("mup")
    assert "weight_decay" not in recipe_text(recipe)
    decaying = replace(with_decay(recipe).role("hidden2"), learning_rate=recipe.role("hidden2").learning_rate)
    one = replace(recipe, parametrization=recipe.parametrization.with_role("hidden2", decaying))
    assert recipe_from(recipe_text(one)) == one
    assert one.decayed == ("hidden2",)

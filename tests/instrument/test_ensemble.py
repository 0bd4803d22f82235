"""The ensemble is the plain net: same outputs, same derivative along a step, same training."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call, jvp

from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import AXES, Observable, Optimizer, middle, observables
from powercount.empirical.data import FEATURES
from powercount.empirical.ensemble import Draws, Ensemble, draw_ensemble, seed_of
from powercount.empirical.network import build
from powercount.empirical.observables import at_initialization, mean_square
from powercount.empirical.optimizers import SMALLEST
from powercount.empirical.training import after_training, in_double, train
from powercount.strategies import drawn_recipes

# Two float64 programs for the same sum differ by rounding: some 1e-16 per operation, far below this.
ROUNDING = {"rtol": 1e-9, "atol": 1e-12}


def drawn(recipe, width, depth, examples=3):
    """One member in float64."""
    return in_double(
        draw_ensemble(
            seed=5, members=[7], width=width, depth=depth, layers=recipe.block.layers, data="digits", examples=examples
        )
    )


def plain(recipe, width, depth):
    """The plain net of the same member, in float64."""
    return build(recipe, width, depth, seed_of(5, 7)).double()


@pytest.mark.parametrize("axis", AXES)
def test_ensemble_runs_the_plain_net(axis):
    """f of the ensemble equals f of ``build``'s module for drawn recipes, to rounding."""

    @settings(max_examples=25)
    @given(recipe=drawn_recipes(axis), depth=st.integers(min_value=1, max_value=5))
    def holds(recipe, depth):
        ensemble = Ensemble(recipe, 12, depth, drawn(recipe, 12, depth))
        # The plain net draws float32 weights times a std in float32, hence single precision here.
        ours = ensemble.forward().output[0].T
        theirs = plain(recipe, 12, depth)(ensemble.x[0].T)
        scale = ours.abs().max().clamp_min(1e-30)
        torch.testing.assert_close(ours / scale, theirs / scale, rtol=1e-5, atol=1e-5)

    holds()


def exact_net(recipe, ensemble):
    """The plain net holding the ensemble's float64 weights."""
    net = plain(recipe, ensemble.width, ensemble.depth)
    weights = ensemble.weights()
    with torch.no_grad():
        for role, parameters in net.role_of().items():
            for parameter, weight in zip(parameters, weights[role], strict=True):
                parameter.copy_(weight[0])
    return net


def step_along(optimizer, gradient):
    """-dW/rate of a first step, from the gradient of one example, which is of rank one."""
    if optimizer == "signsgd":
        return gradient.sign()
    if optimizer == "muon":
        return gradient / gradient.norm() * max(1.0, gradient.shape[0] / gradient.shape[1]) ** 0.5
    return gradient * (1.9 if optimizer == "nesterov" else 1.0)


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("activation", ["linear", "relu", "abs", "erf", "tanh", "gelu", "silu"])
@pytest.mark.parametrize("loss", ["cross-entropy", "mse"])
@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "signsgd", "muon"])
def test_response_is_the_derivative_along_one_step(layers, activation, loss, optimizer):
    """df along one step, for all roles and each alone, equals torch's jvp through the plain net."""
    made = Optimizer(name=optimizer, loss=loss)
    recipe = named_recipe("depth-mup-sqrt", layers=layers, activation=activation, optimizer=made)
    width, depth = 10, 4
    ensemble = Ensemble(recipe, width, depth, drawn(recipe, width, depth, examples=1))
    net, x = exact_net(recipe, ensemble), ensemble.x[0].T
    parameters = dict(net.named_parameters())
    if loss == "cross-entropy":
        value = torch.nn.functional.cross_entropy(net(x), ensemble.labels[0])
    else:
        value = 0.5 * (net(x) - torch.nn.functional.one_hot(ensemble.labels[0], 10)).square().sum()
    gradients = dict(zip(parameters, torch.autograd.grad(value, list(parameters.values())), strict=True))
    role_of = {id(p): role for role, group in net.role_of().items() for p in group}
    ours = at_initialization(ensemble, observables(layers))
    for alone in (None, *recipe.role_names):
        step = {}
        for name, parameter in parameters.items():
            role = role_of[id(parameter)]
            rate = ensemble.rate[role] if alone in (None, role) else 0.0
            step[name] = -rate * step_along(optimizer, gradients[name])
        _, moved = jvp(lambda weights: functional_call(net, weights, (x,)), (parameters,), (step,))
        expected = moved.detach().square().mean()[None]
        torch.testing.assert_close(ours[Observable(quantity="output-update", role=alone)], expected, **ROUNDING)


def test_own_and_total_update_split_without_remainder():
    """y_1 after a small real step minus y_1 before is own + inherited, and both match the response."""
    recipe, width, depth, rate = named_recipe("depth-mup"), 16, 6, 1e-6
    ensemble = Ensemble(recipe, width, depth, drawn(recipe, width, depth, examples=1))
    ours, block = at_initialization(ensemble, observables(2)), middle(depth) - 1
    before, start = ensemble.weights(), ensemble.forward()
    after = train(ensemble, recipe.role_names, steps=1, rate=rate)
    end = ensemble.forward(after)
    own = ensemble.multiplier["hidden1"] * torch.bmm(
        after["hidden1"][block] - before["hidden1"][block], end.incoming[block][0]
    )
    total = end.preactivations[0] - start.preactivations[0]
    inherited = ensemble.factor["hidden1"] * torch.bmm(
        ensemble.unit_hidden[block, 0], end.incoming[block][0] - start.incoming[block][0]
    )
    torch.testing.assert_close(own + inherited, total, rtol=1e-6, atol=1e-12)
    # A step of 1e-6 has a second-order part of that relative size.
    for name, value in (("own-update", own), ("total-update", total)):
        expected = ours[Observable(quantity=name, role="hidden1")]
        torch.testing.assert_close(mean_square(value / rate), expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_own_updates_of_real_steps_meet_the_new_incoming(layers):
    """y_T - y_0 = m (W_T - W_0) z_T + m W_0 (z_T - z_0), at rates so large that z_T is no longer z_0."""
    recipe, width, depth = named_recipe("depth-mup", layers=layers, activation="tanh"), 16, 4
    ensemble = Ensemble(recipe, width, depth, drawn(recipe, width, depth, examples=1))
    before, start = ensemble.weights(), ensemble.forward()
    asked = [each for each in observables(layers) if each.quantity == "own-update"]
    assert len(asked) == layers + 2
    values, block = after_training(ensemble, asked, steps=3, rate=1.0), middle(depth) - 1
    for each in asked:
        # An own update is read where its role moves alone.
        end = ensemble.forward(train(ensemble, [each.role], steps=3, rate=1.0))
        if each.role == "input":
            own = end.start - start.start
        elif each.role == "readout":
            moved = end.end - start.end
            own = end.output - start.output - ensemble.multiplier["readout"] * torch.bmm(before["readout"][0], moved)
        else:
            j = ensemble.hidden_roles.index(str(each.role))
            moved = end.incoming[block][j] - start.incoming[block][j]
            inherited = ensemble.multiplier[str(each.role)] * torch.bmm(before[str(each.role)][block], moved)
            own = end.preactivations[j] - start.preactivations[j] - inherited
            assert mean_square(moved).item() > 1e-3 * mean_square(start.incoming[block][j]).item()
        torch.testing.assert_close(values[each], mean_square(own), **ROUNDING)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_training_is_torch_optim_on_the_plain_net(optimizer):
    """Weights after 3 steps of the ensemble on a batch equal torch's on the plain net and its loss, role by role.

    Adam weighs gradients by their size, step by step: directions of each example would be another training.
    """
    recipe, width, depth = named_recipe("completep", optimizer=Optimizer(name=optimizer)), 12, 3
    ensemble = Ensemble(recipe, width, depth, drawn(recipe, width, depth, examples=8))
    net, x, labels = exact_net(recipe, ensemble), ensemble.x[0].T, ensemble.labels[0]
    groups = [{"params": group, "lr": 0.05 * ensemble.rate[role]} for role, group in net.role_of().items()]
    made = torch.optim.SGD(groups) if optimizer == "sgd" else torch.optim.Adam(groups, eps=SMALLEST)
    for _ in range(3):
        made.zero_grad()
        torch.nn.functional.cross_entropy(net(x), labels).backward()
        made.step()
    after = train(ensemble, recipe.role_names, steps=3, rate=0.05)
    for role, parameters in net.role_of().items():
        for parameter, weight in zip(parameters, after[role], strict=True):
            torch.testing.assert_close(weight[0], parameter.detach(), **ROUNDING)


def test_members_do_not_depend_on_each_other_or_on_how_many_there_are():
    """Member 3 of an ensemble of 5 has the values it has alone."""
    recipe = named_recipe("depth-mup")

    def squares(members):
        draws = draw_ensemble(seed=2, members=members, width=8, depth=4, layers=2, data="gaussian", examples=2)
        return at_initialization(Ensemble(recipe, 8, 4, in_double(draws)), observables(2))

    together, alone = squares(range(5)), squares([3])
    for observable in observables(2):
        torch.testing.assert_close(together[observable][3:4], alone[observable], **ROUNDING)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_what_is_asked_alone_is_what_is_asked_with_all(layers):
    """Whatever subset is asked for, at any depth, has the values it has among all observables."""
    recipe = named_recipe("depth-mup-sqrt", layers=layers, activation="tanh")
    known = {}
    for depth in (1, 2, 5):
        ensemble = Ensemble(recipe, 8, depth, drawn(recipe, 8, depth))
        known[depth] = ensemble, at_initialization(ensemble, observables(layers))
    asked_alone = set()

    def same(depth, asked):
        ensemble, every = known[depth]
        found = at_initialization(ensemble, asked)
        assert set(found) == set(asked)
        for each in asked:
            torch.testing.assert_close(found[each], every[each], **ROUNDING)

    for depth in known:
        for each in observables(layers):
            same(depth, [each])
            asked_alone.add(each)

    @settings(max_examples=100)
    @given(depth=st.sampled_from(sorted(known)), asked=st.sets(st.sampled_from(observables(layers)), min_size=1))
    def holds(depth, asked):
        same(depth, sorted(asked, key=str))

    holds()
    assert asked_alone == set(observables(layers))


def test_inputs_have_size_one_and_zero_readout_gives_no_hidden_step():
    """|x|^2 = 64 for both kinds of data; with a readout of zero every hidden update is exactly zero."""
    recipe = named_recipe("depth-mup")
    parametrization = replace(recipe.parametrization, readout=replace(recipe.parametrization.readout, init_std=None))
    recipe = replace(recipe, parametrization=parametrization)
    for data in ("digits", "gaussian"):
        draws = draw_ensemble(seed=0, members=[0], width=8, depth=3, layers=2, data=data, examples=4)
        assert isinstance(draws, Draws)
        torch.testing.assert_close(draws.x.square().sum(dim=1), torch.full((1, 4), float(FEATURES)))
        values = at_initialization(Ensemble(recipe, 8, 3, draws), observables(2))
        assert values[Observable(quantity="own-update", role="hidden1")].item() == 0
        assert values[Observable(quantity="own-update", role="readout")].item() > 0

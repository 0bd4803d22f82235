"""The rate sweep trains the plain net, and reads planted optima, edges and speeds off its curves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from powercount.derivations.named import named_recipe
from powercount.derivations.published import published
from powercount.derivations.recipe import Optimizer, QuestionError
from powercount.empirical.activations import ACTIVATION
from powercount.empirical.data import CLASSES
from powercount.empirical.dynamics.rate_training import (
    SMALLEST,
    SPLIT_RATE,
    RateRun,
    TransferError,
    examples_of,
    train_rates,
)
from powercount.empirical.dynamics.rates import (
    FLOOR,
    READINGS,
    RateCurves,
    bounded,
    crossing,
    depth_slope,
    first_grid,
    readings,
    steady,
    train_grid,
    trained_curves,
    vertex,
)
from powercount.empirical.ensemble import seed_of
from powercount.empirical.network import build
from powercount.studies.transfer import TransferPlan, expected_slope

# Two float64 programs for the same sum differ by rounding, and 5 steps near the edge multiply it: far below this.
ROUNDING = {"rtol": 1e-9, "atol": 1e-11}
GRID = tuple(float(each) for each in np.arange(-5, 5.1, 0.5))


def plain_losses(run, member, rate):
    """The losses of the plain net under torch's SGD or Adam, in float64, with a rate for each role."""
    recipe = run.recipe
    net = build(recipe, run.width, run.depth, seed_of(run.seed, member)).double()
    if run.outside:
        net.forward = lambda x: outside_forward(net, x)
    ends = {"all": rate, "hidden": 0.0, "split": SPLIT_RATE}[run.moving]
    groups = [
        {
            "params": parameters,
            "lr": (rate if role.startswith("hidden") else ends)
            * recipe.role(role).learning_rate.at(run.width, run.depth),
        }
        for role, parameters in net.role_of().items()
    ]
    optimizer, losses = torch.optim.Adam(groups, eps=SMALLEST) if run.adaptive else torch.optim.SGD(groups), []
    x, labels = examples_of(run, member)
    for step in range(run.steps + 1):
        output = net(x.double())
        if recipe.optimizer.loss == "cross-entropy":
            loss = torch.nn.functional.cross_entropy(output, labels)
        else:
            target = torch.nn.functional.one_hot(labels, CLASSES).double()
            loss = 0.5 * (output - target).square().sum(dim=1).mean()
        losses.append(loss.detach())
        if step < run.steps:
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
    return torch.stack(losses)


def outside_forward(net, x):
    """f of a net whose one-layer blocks are phi(W h)."""
    phi = ACTIVATION[net.recipe.block.activation]
    h = net.multiplier["input"] * x @ net.input.T / 8
    for weight in net.hidden:
        h = h + net.branch * phi(net.multiplier["hidden1"] * h @ weight.T)
    return net.multiplier["readout"] * h @ net.readout.T


@pytest.mark.parametrize(
    ("name", "layers", "activation", "loss", "moving", "outside", "optimizer"),
    [
        ("depth-mup-sqrt", 2, "tanh", "cross-entropy", "all", False, "sgd"),
        ("depth-mup-sqrt", 2, "relu", "mse", "hidden", False, "sgd"),
        ("completep", 2, "tanh", "cross-entropy", "split", False, "sgd"),
        ("mup", 3, "gelu", "mse", "all", False, "sgd"),
        ("depth-mup", 1, "tanh", "cross-entropy", "hidden", False, "sgd"),
        ("depth-mup", 1, "tanh", "mse", "all", True, "sgd"),
        ("depth-mup", 1, "tanh", "cross-entropy", "hidden", False, "adam"),
        ("depth-mup", 2, "relu", "mse", "all", False, "adam"),
        ("depth-mup", 1, "tanh", "cross-entropy", "all", True, "adam"),
        ("completep", 2, "tanh", "cross-entropy", "hidden", False, "adamw"),
    ],
)
def test_every_rate_trains_the_plain_net(name, layers, activation, loss, moving, outside, optimizer):
    """Losses at every step equal those of network.build under torch's optimizer in float64, at each of two rates."""
    recipe = named_recipe(name, layers=layers, activation=activation, optimizer=Optimizer(loss=loss))
    recipe = recipe if optimizer == "sgd" else published(recipe, optimizer)
    run = RateRun(recipe=recipe, width=12, depth=3, moving=moving, outside=outside, steps=5, examples=6, seed=3)
    rates = (0.25, 1.0)
    ours = train_rates(run, [0, 1], rates, torch.float64).train
    for place, rate in enumerate(rates):
        for member in (0, 1):
            torch.testing.assert_close(ours[:, member, place], plain_losses(run, member, rate), **ROUNDING)


def test_rates_share_their_start_and_not_their_path():
    """All rates of a member have one initial loss to the bit, and a larger rate another last loss."""
    run = RateRun(recipe=named_recipe("depth-mup"), width=16, depth=2, steps=3)
    losses = train_rates(run, [0], (0.1, 0.2)).train[:, 0]
    assert losses[0, 0] == losses[0, 1]
    assert losses[-1, 1] < losses[-1, 0]


def test_held_out_digits_are_held_out():
    """No member trains on a digit that judges it, and members train on different digits."""
    run = RateRun(recipe=named_recipe("depth-mup"), width=4, depth=1)
    first, second = examples_of(run, 0), examples_of(run, 1)
    assert first[0].shape == (32, 64)
    assert not torch.equal(first[0], second[0])
    again = examples_of(replace(run, width=8, depth=2), 0)
    assert torch.equal(first[0], again[0])


def planted(optimum, edge, speed):
    """Curves of one member with a parabola around its optimum, an edge and a speed at given exponents."""
    exponents = np.asarray(GRID)
    last = -4.0 + 0.25 * (exponents - optimum) ** 2
    small = -0.125 * 2.0 ** (exponents - speed)
    last = np.where(exponents < optimum - 3, small, last)
    highest = exponents - edge
    return RateCurves(
        exponents=GRID,
        last=last[None],
        highest=np.clip(highest, -1, 1)[None],
        accuracy=np.linspace(0, 1, len(GRID))[None],
    )


@pytest.mark.parametrize("optimum", [1.0, 1.2, 1.37])
def test_planted_readings_are_recovered(optimum):
    """An optimum between grid points, an edge and a speed come back exactly: parabola, line and power law."""
    found = readings(planted(optimum, edge=3.3, speed=-3.4))
    assert found["optimum"][0] == pytest.approx(optimum, abs=1e-12)  # rounding of three sums
    assert found["edge"][0] == pytest.approx(3.3, abs=1e-12)
    assert found["speed"][0] == pytest.approx(-3.4, abs=1e-12)


def test_rates_below_the_optimum_are_left_out_where_no_speed_is_read_off():
    """Of a split sweep every reading but the speed is the same from the whole grid, two rates shorter here."""
    run = RateRun(recipe=named_recipe("depth-mup"), width=16, depth=4, moving="split")
    short, whole = trained_curves(run, range(3)), train_grid(run, range(3), first_grid("all"))
    whole = whole.joined(train_grid(run, range(3), [e for e in short.exponents if e > whole.exponents[-1]]))
    assert set(short.exponents) == set(whole.exponents) - {-1.0, -0.5}
    found, expected = readings(short), readings(whole)
    for name in (each for each in READINGS if each != "speed"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)


def test_a_catapult_counts_only_late():
    """A run above its start on the way is no optimum, however low it ends; by its last loss it is."""
    curves = planted(1.0, edge=3.3, speed=-3.4)
    curves.last[0, GRID.index(4.0)] = -9.0
    found = readings(curves)
    assert found["optimum"][0] == pytest.approx(1.0, abs=1e-12)
    assert found["late-optimum"][0] == pytest.approx(4.0, abs=0.25)  # half a step of the grid
    assert found["best"][0] > found["late-best"][0] == -9.0
    assert steady(curves)[0, GRID.index(4.0)] == 0


def test_failed_runs_are_bounded():
    """A loss that is no number is above its start, one of zero is at the floor of float32."""
    losses = np.array([[2.0, 2.0, 2.0], [1.0, np.nan, 0.0]])
    assert bounded(losses)[-1] == pytest.approx([-np.log(2), 1.0, FLOOR])


def test_readings_at_the_border_are_none():
    """A curve still falling at its end has no vertex inside, one that never rises no crossing."""
    assert vertex((0.0, 1.0, 2.0), np.array([0.0, -1.0, -2.0])) == (2.0, -2.0)
    assert np.isnan(crossing((0.0, 1.0), np.array([-1.0, -0.5]), 0.0))


def test_a_planted_slope_of_the_optimum_is_recovered():
    """Exponents -log2(L)/2 + noise that all depths share have a slope of -1/2 with no error at all."""
    depths = (2, 4, 8, 16)
    noise = np.linspace(-0.3, 0.4, 5)[:, None]
    slope = depth_slope(noise - np.log2(depths) / 2, depths, base_two=True)
    assert slope.value == pytest.approx(-0.5)
    assert slope.standard_error == pytest.approx(0, abs=1e-12)


def test_the_grid_widens_until_it_holds_everything():
    """A first grid that misses speed and edge is widened both ways; a task without any edge is an error."""
    run = RateRun(recipe=named_recipe("depth-mup", activation="tanh"), width=16, depth=2, steps=10)
    curves = trained_curves(run, range(2))
    assert curves.exponents[0] < -1
    assert all(np.isfinite(values).all() for values in readings(curves).values())
    still = named_recipe("depth-mup", activation="tanh")
    for role in still.role_names:
        still = still.shifted(role, "learning_rate", "width", -8)
    with pytest.raises(TransferError, match="raise --steps"):
        trained_curves(replace(run, recipe=still), range(2))


def test_expected_slopes_see_the_crossover():
    """1/S with all roles moving lies between 0 and its limit -1/2, and is nearer to it from deeper on."""
    recipe = named_recipe("depth-mup-sqrt")
    near, far = (expected_slope(recipe, "all", 64, depths) for depths in ((2, 4, 8), (256, 512, 1024)))
    assert -0.5 < far < near < 0


@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (lambda: TransferPlan(depths=(2, 4)), "at least 3 different depths"),
        (lambda: TransferPlan(depths=(8, 4, 2)), "rising order"),
        (lambda: TransferPlan(seeds=1), "at least 2"),
        (lambda: RateRun(recipe=named_recipe("mup"), width=0, depth=1), "raise it"),
        (lambda: RateRun(recipe=named_recipe("mup"), width=4, depth=1, examples=5000), "choose 1 to 1285"),
        (lambda: RateRun(recipe=named_recipe("mup"), width=1 << 17, depth=64).check_memory(4), "smaller --width"),
        (lambda: RateRun(recipe=published(named_recipe("mup"), "adam"), width=4, depth=1, moving="split"), "'hidden'"),
    ],
)
def test_errors_name_the_remedy(make, remedy):
    """Too few depths or seeds, a width of zero, more digits than there are, more memory than there is."""
    with pytest.raises(TransferError, match=remedy):
        make()


def test_the_question_is_checked():
    """phi(W h) is a block of one layer, and modes have names."""
    with pytest.raises(QuestionError, match="set it to 1"):
        RateRun(recipe=named_recipe("mup"), width=4, depth=1, outside=True)
    with pytest.raises(QuestionError, match="unknown mode"):
        RateRun(recipe=named_recipe("mup"), width=4, depth=1, moving="some")

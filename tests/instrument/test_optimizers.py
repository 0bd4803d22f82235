"""The optimizers: their steps are torch's own, and their exact values those of wide nets, without a free parameter."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from powercount.decide import RIVAL
from powercount.derivations.adam import STEPS
from powercount.derivations.momentum import reach
from powercount.derivations.named import NAMED, named_recipe
from powercount.derivations.normalised import FLATNESS, INPUTS
from powercount.derivations.optimizers import RULES as SIZE_RULES
from powercount.derivations.predict import derive, zero_roles
from powercount.derivations.recipe import OPTIMIZERS, Observable, Optimizer, QuestionError, observables
from powercount.derivations.translate import translated, with_epsilon
from powercount.empirical.data import FEATURES, draw
from powercount.empirical.dynamics.rate_training import RateRun, TransferError
from powercount.empirical.ensemble import Ensemble, draw_ensemble
from powercount.empirical.nets import drawn, member_squares
from powercount.empirical.network import build
from powercount.empirical.observables import at_initialization
from powercount.empirical.optimizers import MOMENTUM
from powercount.empirical.optimizers import RULES as STEP_RULES
from powercount.finite_size import FiniteSize
from powercount.recipes import default_sweep, verify_axis
from powercount.strategies import drawn_recipes

SMALLEST = 1e-30  # epsilon far below every gradient; torch divides zero by zero at epsilon = 0
TORCH = {
    "sgd": (torch.optim.SGD, {}),
    "sgd-momentum": (torch.optim.SGD, {"momentum": MOMENTUM}),
    "nesterov": (torch.optim.SGD, {"momentum": MOMENTUM, "nesterov": True}),
    "adam": (torch.optim.Adam, {"eps": SMALLEST}),
    "adamw": (torch.optim.AdamW, {"eps": SMALLEST, "weight_decay": 0.0}),
}
HALF = Fraction(1, 2)


def expected_step(name, gradient):
    """-dW/rate of a first step, from its definition."""
    if name in ("signsgd", "lion", "adam", "adamw"):
        return gradient.sign()
    if name == "muon":
        left, size, right = torch.linalg.svd(gradient, full_matrices=False)
        kept = (size > 1e-10 * size[0]).to(size.dtype)
        return left * kept @ right * max(1.0, gradient.shape[0] / gradient.shape[1]) ** 0.5
    if name == "shampoo":
        return root(gradient @ gradient.T) @ gradient @ root(gradient.T @ gradient)
    return gradient * (1 + MOMENTUM if name == "nesterov" else 1)


def root(statistics):
    """Its power -1/4 where it is not zero."""
    values, vectors = torch.linalg.eigh(statistics)
    kept = values > 1e-10 * values.max()
    return vectors[:, kept] * values[kept] ** -0.25 @ vectors[:, kept].T


def plain_net(layers):
    """A small net in float64, an example, and the gradients of its loss."""
    net = build(named_recipe("depth-mup", layers=layers, activation="tanh"), 16, 3, seed=4).double()
    x, label = draw("digits", 1, torch.Generator().manual_seed(4))
    torch.nn.functional.cross_entropy(net(x.double()), label).backward()
    return net


@pytest.mark.parametrize("name", TORCH)
def test_first_steps_are_torchs_own(name):
    """Momentum's first step is plain descent's, Nesterov's 1.9 times as far, Adam's and AdamW's the sign."""
    net = plain_net(2)
    before = [p.detach().clone() for p in net.parameters()]
    kind, options = TORCH[name]
    kind(net.parameters(), lr=0.5, **options).step()
    moved = 0
    for start, parameter in zip(before, net.parameters(), strict=True):
        step = (start - parameter.detach()) / 0.5
        torch.testing.assert_close(step, expected_step(name, parameter.grad), rtol=1e-9, atol=1e-12)
        moved += int(step.abs().max() > 0)
    assert moved == len(before)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this torch has no Muon; its polar factor is ours")
def test_torchs_muon_is_the_polar_factor_up_to_its_own_constant(powercount_laws):
    """Newton and Schulz in bfloat16 leave .7 to .85 of a gradient of rank one, along it: no power of n."""
    factors = []
    for width in (64, 256):
        generator = torch.Generator().manual_seed(1)
        matrix = torch.nn.Parameter(torch.zeros(width, width))
        matrix.grad = torch.outer(*torch.randn(2, width, generator=generator))
        polar = expected_step("muon", matrix.grad.double())
        torch.optim.Muon([matrix], lr=1.0, weight_decay=0.0).step()
        factors.append(float(-(matrix.detach() * polar).sum()))
    powercount_laws.note("torch's Muon", f"{factors[0]:.2f} of the polar factor at n = 64, {factors[1]:.2f} at 256")
    assert all(0.65 < each < 0.9 for each in factors)


VALUES = [("signsgd", 1, "relu"), ("adam", 2, "tanh"), ("lion", 3, "relu"), ("muon", 1, "tanh"), ("muon", 2, "relu")]
VALUES += [("shampoo", 1, "relu")]


def pytest_generate_tests(metafunc):
    """A case of each kind; a night holds one- and two-layer blocks at n = 512, from L = 4 to 64."""
    if "values" in metafunc.fixturenames:
        night = metafunc.config.getoption("--night")
        every = [(o, k, a) for o in ("signsgd", "muon", "shampoo") for k in (1, 2) for a in ("relu", "tanh")]
        metafunc.parametrize("values", every if night else VALUES, ids=lambda each: "-".join(map(str, each)))
        metafunc.parametrize("size", [(512, 4), (512, 16), (512, 64)] if night else [(192, 6)], ids=str)


def test_values_without_a_free_parameter(values, size, powercount_laws):
    """Every observable at n, L within 3 % of what is derived for n to infinity, and of the noise of the seeds."""
    name, layers, activation = values
    width, depth = size
    recipe = named_recipe("completep", layers=layers, activation=activation, optimizer=Optimizer(name=name))
    asked = observables(layers)
    found = {each: [] for each in asked}
    for member in range(0, 16, 4):
        draws = draw_ensemble(
            seed=3,
            members=range(member, member + 4),
            width=width,
            depth=depth,
            layers=layers,
            data="gaussian",
            examples=8,
        )
        with torch.no_grad():
            for each, squares in at_initialization(Ensemble(recipe, width, depth, draws), asked).items():
                found[each].append(squares.numpy())
    exact, worst = STEPS[name](recipe, width, depth), 0.0
    flatness = math.sqrt(2 / math.pi) / FLATNESS if name not in ("muon", "shampoo") else 1.0
    for each in asked:
        squares, expected = np.concatenate(found[each]), exact.mean_square(each)
        if each.role == "input":
            expected *= flatness**2  # inputs are Gaussian here
        if expected == 0:
            assert not squares.any()
            continue
        off = abs(math.sqrt(squares.mean() / expected) - 1)
        noise = squares.std() / math.sqrt(len(squares)) / squares.mean() / 2
        # The input's share of a sum is off by its flatness, 3 %.
        assert off < 0.03 + 4 * noise + 2 / width * 8, (str(each), off, noise)
        worst = max(worst, off - 2 * noise)
    powercount_laws.note(f"{name}, k = {layers}, {activation}, n, L = {width}, {depth}", f"at most {worst:.1%} off")


def without_options(recipe):
    """The recipe with neither decay nor epsilon."""
    made = recipe.parametrization
    for name, role in recipe.parametrization.roles():
        made = made.with_role(name, replace(role, weight_decay=None, epsilon=None))
    return replace(recipe, parametrization=made)


@settings(max_examples=20)
@given(
    recipe=drawn_recipes("width", 3),
    name=st.sampled_from(("signsgd", "muon", "shampoo", "adam")),
    by=st.integers(-1, 1),
)
def test_exact_values_have_the_derived_power_of_width(recipe, name, by):
    """The second road: between n = 2^40 and 2^44 every exact value follows the derived power, epsilon's as well."""
    recipe = replace(without_options(recipe), optimizer=Optimizer(name=name))
    if name == "adam":
        assume(not zero_roles(recipe))
        recipe = with_epsilon(recipe)
        for role in recipe.role_names:
            recipe = recipe.shifted(role, "epsilon", "width", Fraction(by, 2))
    few, many = (STEPS[name](recipe, width, 3) for width in (2**40, 2**44))
    seen = 0
    for each in observables(recipe.block.layers):
        power, first, last = derive(recipe, each).along("width"), few.mean_square(each), many.mean_square(each)
        if power is None:
            assert first == last == 0 or derive(recipe, each).reasons
            continue
        assert abs(math.log(last / first) / 2 / math.log(16) - float(power)) < 0.02, str(each)
        seen += 1
    assert seen


@pytest.mark.parametrize("name", ["signsgd", "muon"])
@pytest.mark.parametrize("recipe", NAMED)
def test_exact_values_have_the_derived_power_of_depth(recipe, name):
    """The second road in depth: between L = 64 and 128 every value that is no sum nears the derived power."""
    made = translated(named_recipe(recipe, layers=2, activation="tanh"), name)
    few, many = (STEPS[name](made, 1024, depth) for depth in (64, 128))
    held = 0
    for each in observables(2):
        power = derive(made, each).along("depth")
        if power is None or str(each) in ("feature-update", "output-update") or each.quantity == "total-update":
            continue
        slope = math.log(many.mean_square(each) / few.mean_square(each)) / 2 / math.log(2)
        assert abs(slope - float(power)) < 0.06, (str(each), slope, power)
        held += 1
    # Where the stream grows faster than any power the input's own update alone has one.
    assert held >= (1 if made.parametrization.branch > -HALF else 5)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("recipe", NAMED)
def test_translated_rates_keep_every_own_update(recipe, name):
    """|m dW z| keeps its powers of n and L for every role, whatever the optimizer."""
    base = named_recipe(recipe, layers=3)
    made = translated(base, name)
    assert (made.name, made.optimizer.name) == (base.name, name)
    for role in base.role_names:
        own = Observable(quantity="own-update", role=role)
        assert derive(made, own).scale == derive(base, own).scale


@pytest.mark.parametrize(
    ("name", "widths"),
    [
        ("nesterov", ("1", "1", "1")),
        ("adam", ("0", "-1/2", "0")),
        ("muon", ("0", "1/2", "1/2")),
        ("shampoo", ("1/2", "1/2", "1/2")),
    ],
)
def test_mup_rates_are_the_published_ones(name, widths):
    """muP with multipliers 1, n^(-1/2), 1/n: rates n of SGD; 1, n^(-1/2), 1 of Adam; 1, n^(1/2), n^(1/2) of Muon.

    Shampoo, which has no shape factor, needs Muon's (n/d)^(1/2) as a rate of the input.
    """
    made = translated(named_recipe("depth-mup"), name)
    rates = [made.role(role).learning_rate.width for role in ("input", "hidden1", "readout")]
    assert tuple(map(str, rates)) == widths
    assert all(made.role(f"hidden{j}").learning_rate.depth == (0 if name == "nesterov" else -HALF) for j in (1, 2))


def test_rates_of_zero_updates_are_not_translated():
    """A readout that starts at zero leaves own updates of zero, which have no power to keep."""
    base = named_recipe("mup")
    zero = replace(base.parametrization.readout, init_std=None)
    recipe = replace(base, parametrization=base.parametrization.with_role("readout", zero))
    with pytest.raises(QuestionError, match="write them in a TOML recipe"):
        translated(recipe, "adam")


@pytest.mark.parametrize("name", ["signsgd", "muon"])
@pytest.mark.parametrize("loss", ["cross-entropy", "mse"])
def test_a_matrix_that_gets_no_gradient_does_not_move(name, loss):
    """sgn(0) = 0: with a readout of zeros no hidden matrix moves, though no power of the gradient enters its size."""
    base = named_recipe("mup", layers=2, optimizer=Optimizer(name=name, loss=loss))
    zero = replace(base.parametrization.readout, init_std=None)
    recipe = replace(base, parametrization=base.parametrization.with_role("readout", zero))
    draws = draw_ensemble(seed=1, members=range(4), width=24, depth=3, layers=2, data="digits", examples=4)
    with torch.no_grad():
        squares = at_initialization(Ensemble(recipe, 24, 3, draws), observables(2))
    exact = STEPS[name](recipe, 24, 3)
    for each in observables(2):
        still = each.is_change and each.role != "readout" and str(each) != "output-update"
        assert derive(recipe, each).vanishes == (still or str(each) in ("gradient", "output", "feature-update@readout"))
        assert (exact.mean_square(each) == 0) == derive(recipe, each).vanishes
        assert bool((squares[each] == 0).all()) == derive(recipe, each).vanishes
    share = exact.mean_square(Observable(quantity="own-update", role="readout"))
    seen = float(squares[Observable(quantity="own-update", role="readout")].mean())
    assert seen == pytest.approx(share, rel=0.15)


def test_a_sign_survives_a_softmax_that_is_certain():
    """p - e_y rounds to zero for logits of hundreds; its sign, and its direction, do not."""
    recipe = named_recipe("mup", layers=1, optimizer=Optimizer(name="adam"))
    recipe = recipe.shifted("readout", "multiplier", "width", Fraction(3))
    draws = draw_ensemble(seed=1, members=range(2), width=32, depth=2, layers=1, data="digits", examples=4)
    ensemble = Ensemble(recipe, 32, 2, draws)
    with torch.no_grad():
        output = ensemble.forward().output
        assert bool((ensemble.error(output) == 0).any())
        direction = ensemble.direction(output)
    assert bool((direction.sign().sum(dim=1) == 8).all())  # nine classes up, the label down


def test_signs_of_certain_outputs_are_judged():
    """Logits that grow with n make the softmax certain, and float32 rounds p - e_y to zero: the signs still move."""
    recipe = named_recipe("mup", layers=1, optimizer=Optimizer(name="adam"))
    recipe = recipe.shifted("readout", "multiplier", "width", Fraction(3, 2))
    asked = [Observable(quantity="own-update", role="readout")]
    (verdict,) = verify_axis(recipe, "width", asked=asked)
    assert verdict.outcome == "AGREES", verdict.story()


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_uneven_gradients_of_growing_blocks(activation):
    """k = 1, alpha = 0: gradients twice as large in some coordinates as in others, after eight blocks."""
    recipe = named_recipe("sp", layers=1, activation=activation, optimizer=Optimizer(name="signsgd"))
    draws = draw_ensemble(seed=5, members=range(16), width=192, depth=8, layers=1, data="gaussian", examples=8)
    asked = [each for each in observables(1) if str(each) in ("total-update:1", "feature-update@hidden1")]
    with torch.no_grad():
        squares = at_initialization(Ensemble(recipe, 192, 8, draws), asked)
    exact = STEPS["signsgd"](recipe, 192, 8)
    for each in asked:
        assert abs(math.sqrt(float(squares[each].mean()) / exact.mean_square(each)) - 1) < 0.04, str(each)


def test_the_rules_of_both_sides_are_of_the_same_optimizers():
    """Every name has a rule each side; those that do not see the gradient's size have exact values of their own."""
    assert set(SIZE_RULES) == set(STEP_RULES) == set(OPTIMIZERS)
    assert {name for name, rule in STEP_RULES.items() if not rule.sees_size} == set(STEPS)
    assert (INPUTS, float(reach("nesterov", 1))) == (FEATURES, 1 + MOMENTUM)


def test_whole_trainings_are_those_of_sgd_and_adam():
    """A rate sweep trains by plain descent or Adam: a recipe of another optimizer is refused, not trained by them."""
    with pytest.raises(TransferError, match="those of sgd, adam, adamw"):
        RateRun(recipe=named_recipe("mup", optimizer=Optimizer(name="muon")), width=8, depth=2)


def test_a_sum_that_hides_its_rival_is_measured_on_wider_nets():
    """total-update of depth-mup-sqrt under Adam: at n = 128 its leading share hardly shows; the default is wider."""
    recipe = translated(named_recipe("depth-mup-sqrt"), "adam")
    chosen = default_sweep(recipe, "depth")
    narrow = replace(chosen, fixed=128)
    asked = [each for each in observables(2) if each.quantity == "total-update"]
    for sweep, told in ((narrow, False), (chosen, True)):
        values = FiniteSize.of(recipe, sweep)
        room = [values.distance_to_rival(derive(recipe, each), RIVAL) - 4 * values.error(each) for each in asked]
        assert len(room) == 2
        assert all((each > 0) == told for each in room)


@pytest.mark.parametrize("alike", [("signsgd", "lion", "adam", "adamw"), ("sgd", "sgd-momentum")], ids="-".join)
def test_optimizers_of_one_rule_are_one_to_the_last_bit(alike):
    """Their first steps, and what is expected of them, are the same numbers: what holds for one holds for all."""
    sweep, asked = default_sweep(named_recipe("mup"), "width"), observables(2)
    sweep, found = replace(sweep, sizes=(8, 16, 32)), []
    for name in alike:
        recipe = named_recipe("depth-mup", activation="tanh", optimizer=Optimizer(name=name))
        squares = member_squares(recipe, asked, sweep, drawn(recipe, sweep, range(2)))
        values = FiniteSize.of(recipe, sweep)
        found.append([(squares[each].tolist(), values.log_sizes(each)) for each in asked if each.is_change])
        assert (
            translated(named_recipe("sp"), name).parametrization
            == translated(named_recipe("sp"), alike[0]).parametrization
        )
    assert len(found[0]) == 16
    assert all(str(each) == str(found[0]) for each in found)  # as text: none is none

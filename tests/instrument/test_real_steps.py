"""Real steps: the optimizers that make them, how far a constant gradient takes them, and that they follow one step."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch

from powercount.derivations.momentum import reach
from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import OPTIMIZERS, Observable, Optimizer, observables
from powercount.derivations.translate import translated
from powercount.empirical.descent import LIFTED, PolarDescent, Shampoo, polar_of_rank_one
from powercount.empirical.design import Sweep, SweepError
from powercount.empirical.nets import drawn, member_squares
from powercount.empirical.optimizers import RULES
from powercount.recipes import gentle

SEVERAL = (1, 2, 3, 10)
PRINTED = {  # of momentum .9: Polyak's and Nesterov's, in first steps of plain descent
    "sgd-momentum": ("1", "2.9", "5.61", "41.3811"),
    "nesterov": ("1.9", "4.61", "8.05", "47.2430"),
    "shampoo": ("1", "1.7071", "2.2845", "5.0210"),
}


def rank_one(*shape, seed=0):
    """A gradient u v^T of that shape, in float64."""
    generator = torch.Generator().manual_seed(seed)
    *members, rows, columns = shape
    u = torch.randn(*members, rows, 1, generator=generator, dtype=torch.float64)
    return u @ torch.randn(*members, 1, columns, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_with_a_constant_gradient_go_as_far_as_derived(name):
    """T = 1, 2, 3, 10 of the optimizer that is used, over one step of plain descent, sign or polar factor."""
    gradient, gone = rank_one(3, 6, 4), []
    weight = torch.nn.Parameter(torch.zeros_like(gradient))
    optimizer = RULES[name].made([{"params": [weight], "lr": 1.0}])
    for _ in range(max(SEVERAL)):
        weight.grad = gradient.clone()
        optimizer.step()
        gone.append(-weight.detach().clone())
    first = gone[0] / float(reach(name, 1))
    for steps in SEVERAL:
        torch.testing.assert_close(gone[steps - 1], float(reach(name, steps)) * first, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_factors_of_momentum_are_exact(name):
    """2.9, 5.61, 41.38 and 1.9, 4.61, 8.05, 47.24; 1 + 2^(-1/2) + ... of summed statistics; T of all others."""
    for steps, printed in zip(SEVERAL, PRINTED.get(name, SEVERAL), strict=True):
        digits = len(str(printed).partition(".")[2])
        if name == "nesterov" and steps == 3:
            assert reach(name, steps) == Fraction("8.049")  # printed as 8.05
        else:
            assert abs(reach(name, steps) - Fraction(printed)) <= Fraction(1, 2 * 10**digits if digits else 10**12)


def test_lion_and_the_sign_remember_as_they_say():
    """A gradient that turns over: the sign turns with it, Lion's average goes on until .1 g outweighs .9 m."""
    moved = {}
    for name in ("signsgd", "lion"):
        weight = torch.nn.Parameter(torch.zeros(1, 1, 1, dtype=torch.float64))
        optimizer = RULES[name].made([{"params": [weight], "lr": 1.0}])
        for gradient in (*[1.0] * 30, -1.0):
            weight.grad = torch.full((1, 1, 1), gradient, dtype=torch.float64)
            optimizer.step()
        moved[name] = weight.detach().item()
    assert moved == {"signsgd": -29.0, "lion": -31.0}  # .9 (1 - .99^30) = .234 > .1


def test_a_polar_factor_of_rank_one_is_that_of_the_whole_matrix():
    """u v^T over both norms at any scale, zero for zero; the steps have torch's shape factor."""
    matrices = rank_one(5, 7, 3, seed=1)
    scales = torch.tensor([1.0, 1e-150, 1e150, 0.0, 3.0], dtype=torch.float64)[:, None, None]
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    whole = left[..., :1] @ right[..., :1, :]
    torch.testing.assert_close(polar_of_rank_one(matrices * scales), whole * (scales > 0), rtol=1e-12, atol=1e-14)
    weight = torch.nn.Parameter(torch.zeros_like(matrices))
    weight.grad = matrices
    PolarDescent([{"params": [weight], "lr": 0.5}]).step()
    torch.testing.assert_close(weight.detach(), -0.5 * (7 / 3) ** 0.5 * whole, rtol=1e-12, atol=1e-14)


def test_shampoo_is_its_definition_while_gradients_do_not_turn():
    """L^(-1/4) G R^(-1/4) of sums of G G^T and G^T G, of one direction and changing size; zero for zero."""
    one, weight = rank_one(1, 5, 3, seed=2), torch.nn.Parameter(torch.zeros(2, 5, 3, dtype=torch.float64))
    optimizer, (left, _, right) = Shampoo([{"params": [weight], "lr": 1.0}]), torch.linalg.svd(one, full_matrices=False)
    polar, gone, squares = left[0, :, :1] @ right[0, :1], 0.0, 0.0
    for size in (2.0, 3.0, 0.5):
        weight.grad = torch.cat([size * one, 0 * one])
        optimizer.step()
        squares += size**2
        # (s^2 u u^T)^(-1/4) is s^(-1/2) along u: the sums' root on both sides of this step's size.
        gone += size * squares**-0.25 * squares**-0.25
    torch.testing.assert_close(weight.detach()[0], -gone * polar, rtol=1e-12, atol=1e-14)
    assert not weight.detach()[1].any()
    weight.grad = weight.grad.flip(1, 2)
    with pytest.raises(SweepError, match="fewer --steps"):
        optimizer.step()


def test_a_second_direction_that_would_be_lifted_is_refused():
    """Another singular value of 3 times what Newton and Schulz lift is refused, of a third of it is left out."""
    one, other = torch.eye(4, dtype=torch.float64)[:2]
    for part, refused in ((LIFTED / 3, False), (3 * LIFTED, True)):
        matrix = (torch.outer(one, one) + part * torch.outer(other, other))[None]
        if refused:
            with pytest.raises(SweepError, match="fewer --steps"):
                polar_of_rank_one(matrix)
        else:
            torch.testing.assert_close(polar_of_rank_one(matrix), torch.outer(one, one)[None])


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_gentle_steps_are_so_many_first_steps(name, layers):
    """Every size after T = 3 real steps is reach(T) rate times the first-order response, within the gentle 2 %."""
    recipe = translated(named_recipe("depth-mup", layers=layers, activation="tanh"), name)
    sweep = gentle(recipe, Sweep(axis="depth", sizes=(2, 3, 4), fixed=32, steps=3, examples=1))
    asked = [each for each in observables(layers) if each.is_change]
    first = Sweep(axis="depth", sizes=sweep.sizes, fixed=32, steps=0, examples=1)
    draws = drawn(recipe, sweep, range(6))
    real, response = (member_squares(recipe, asked, each, draws) for each in (sweep, first))
    alone, seen = dict(sweep.alone), 0
    for each in asked:
        rate = sweep.rate if each.role is None or each.quantity == "total-update" else alone[each.role]
        expected = (rate * float(reach(name, 3) / reach(name, 1))) ** 2 * response[each].sum(axis=0)
        if str(each) != "feature-update@readout":
            assert abs((real[each].sum(axis=0) / expected) ** 0.5 - 1).max() < 0.02, (name, str(each))
            seen += 1
    assert seen == 4 * layers + 7


def test_a_certain_softmax_moves_normalised_steps():
    """Logits of hundreds round p - e_y to zero: the direction of the error is handed down, and every sign is made."""
    recipe = named_recipe("mup", layers=1, activation="tanh", optimizer=Optimizer(name="signsgd")).shifted(
        "readout", "multiplier", "width", Fraction(3, 1)
    )
    sweep = gentle(recipe, Sweep(axis="width", sizes=(8, 16, 32), fixed=2, steps=1, examples=1))
    own = Observable(quantity="own-update", role="hidden1")
    (squares,) = member_squares(recipe, [own], sweep, drawn(recipe, sweep, range(8))).values()
    assert (squares > 0).all()

"""A matrix known by its products is a matrix: consistent with itself and of the right law; training is autograd's."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from powercount.derivations.dynamics.first_step import first_step
from powercount.derivations.dynamics.linear import LinearTask, solve
from powercount.empirical.data import FEATURES
from powercount.empirical.dynamics.convergence import grams
from powercount.empirical.dynamics.dependence import moved_output
from powercount.empirical.dynamics.matrices import Lazy
from powercount.empirical.dynamics.training import DynamicsError, Net, Run, train

# Two float64 programs for the same sums.
ROUNDING = {"rtol": 1e-8, "atol": 1e-10}


def lazy(members, width, seed, *, tied=True):
    """A lazy matrix and its generator's columns."""
    generator = torch.Generator().manual_seed(seed)

    def draw(columns):
        return torch.randn(members, width, columns, generator=generator, dtype=torch.float64) / width**0.5

    return Lazy(draw, tied=tied), lambda columns: draw(columns) * width**0.5


def test_products_from_both_sides_are_those_of_one_matrix():
    """<b, W a> = <W^T b, a> for every pair met, W is linear, and asking again gives the same."""
    matrix, columns = lazy(2, 40, 1)
    a, b, more = columns(3), columns(2), columns(2)
    wa, wb = matrix.times(a), matrix.transposed_times(b)
    wmore = matrix.times(torch.cat([more, a[:, :, :1] + 2 * a[:, :, 1:2]], dim=2))
    torch.testing.assert_close(b.mT @ wa, wb.mT @ a, **ROUNDING)
    torch.testing.assert_close(b.mT @ wmore[:, :, :2], wb.mT @ more, **ROUNDING)
    torch.testing.assert_close(wmore[:, :, 2:], wa[:, :, :1] + 2 * wa[:, :, 1:2], **ROUNDING)
    torch.testing.assert_close(matrix.times(a), wa, **ROUNDING)


def test_vectors_in_the_old_span_do_not_spoil_the_basis():
    """Ten rounds of the same collinear columns leave a basis of one vector: rounding never becomes a direction."""
    matrix, columns = lazy(1, 64, 2)
    a = columns(1).repeat(1, 1, 3)
    for _ in range(10):
        matrix.times(a)
        matrix.transposed_times(a * 1e-3)
    for side in (matrix.right, matrix.left):
        gram = side.basis.mT @ side.basis
        one = torch.zeros(gram.shape[1:], dtype=torch.float64)
        one[0, 0] = 1
        torch.testing.assert_close(gram, one[None], **ROUNDING)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
def test_the_answer_is_that_of_any_number_of_threads(activation, tied):
    """Sums in another order change rounding alone, although every delta_L of one output is a multiple of v."""
    run = Run(
        width=2048, depth=8, activation=activation, steps=4, samples=4, rate=0.5, tied=tied, kind="lazy", centred=True
    )
    found, before = [], torch.get_num_threads()
    try:
        for threads in (1, 4):
            torch.set_num_threads(threads)
            found.append(train(run, [0]))
    finally:
        torch.set_num_threads(before)
    one, four = ([*each.losses, *(streams[-1] for streams in each.streams)] for each in found)
    torch.testing.assert_close(one, four, **ROUNDING)


@pytest.mark.parametrize("small", [1e-6, 1e-9])
def test_a_direction_that_is_nearly_old_is_kept_and_clean(small):
    """A remainder of 1e-9 is a direction still, orthogonal to the others to rounding; one of 1e-12 is none."""
    matrix, columns = lazy(1, 64, 4)
    a, b = columns(3), columns(1)
    matrix.times(a)
    product = matrix.times(a[:, :, :1] + small * b)
    gram = matrix.right.basis.mT @ matrix.right.basis
    torch.testing.assert_close(gram, torch.eye(4, dtype=torch.float64)[None], rtol=0, atol=1e-12)
    # Linear: what is left of the product is small W b, known to some rounding over small.
    left = (product - matrix.times(a[:, :, :1])) / small
    torch.testing.assert_close(left, matrix.times(b), rtol=0, atol=1e-14 / small)
    matrix.times(a[:, :, 1:2] + 1e-12 * columns(1))
    assert not matrix.right.basis[:, :, -1].any()


def test_an_infinitesimal_step_is_seen_in_a_stream_that_doubles():
    """Linear blocks without a branch factor, 32 of them: tied over decoupled is 16, as derived."""
    run = Run(
        width=1024,
        depth=32,
        activation="linear",
        steps=1,
        samples=1,
        rate=1e-3 / first_step("linear", 32, branch=Fraction(0)).tied,
        branch=Fraction(0),
        kind="lazy",
        data="gaussian",
        centred=True,
    )
    tied, decoupled = (moved_output(train(replace(run, tied=each), range(16))).mean() for each in (True, False))
    exact = first_step("linear", 32, branch=Fraction(0)).ratio
    assert exact == pytest.approx(16, rel=1e-6)
    # Streams of 32 doublings fluctuate by (3/1024 * 32)^(1/2), 30 % a member; pairs share them.
    assert float(tied / decoupled) == pytest.approx(exact, rel=0.2)


def test_the_law_is_a_gaussian_matrix():
    """E |W a|^2 = |a|^2 and E <b, W a>^2 = |a|^2 |b|^2/n, also for an a made of W^T b; decoupled, <b, W W^T b> = 0."""
    members, width = 20000, 6
    found = {}
    for tied in (True, False):
        matrix, columns = lazy(members, width, 3, tied=tied)
        b = columns(1)
        a = matrix.transposed_times(b)
        found[tied] = (b * matrix.times(a)).sum(dim=(1, 2)) / b.square().sum(dim=(1, 2))
    # b^T W W^T b/|b|^2 = |W^T b|^2/|b|^2 has mean 1 (n entries of variance 1/n) and variance 2/n.
    error = (2 / width / members) ** 0.5
    assert abs(found[True].mean() - 1) < 5 * error
    assert abs(found[True].var() - 2 / width) < 5 * (2 / width) * (2 / members) ** 0.5 * 3
    assert abs(found[False].mean()) < 5 * (1 / width / members) ** 0.5


@pytest.mark.parametrize("activation", ["linear", "relu", "tanh"])
@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
@pytest.mark.parametrize("outputs", [1, 10])
@pytest.mark.parametrize("outside", [False, True])
def test_dense_training_is_autograd(activation, loss, outputs, outside):
    """Three steps of all roles: outputs and losses equal those of explicit weights and torch.autograd."""
    run = Run(
        width=24,
        depth=3,
        activation=activation,
        steps=3,
        samples=3,
        outputs=outputs,
        loss=loss,
        rate=0.3,
        horizon=2.0,
        trained=("input", "hidden", "readout"),
        outside=outside,
    )
    ours, net = train(run, [5]), Net(run, [5])
    n, x, y = run.width, net.x[0], net.past.targets[0]
    # Of W_in only W_in x is known: any W_in with that product trains alike, since its steps lie in the span of x.
    w_in = (net.start[0] * FEATURES**0.5 @ torch.linalg.pinv(x)).requires_grad_(True)
    hidden = [matrix.forward[0].clone().requires_grad_(True) for matrix in net.matrices]
    v = net.v[0].clone().requires_grad_(True)
    phi = {"linear": lambda h: h, "relu": torch.relu, "tanh": torch.tanh}[activation]
    for step in range(run.steps + 1):
        h = w_in @ x / FEATURES**0.5
        for w in hidden:
            h = h + run.beta * (phi(w @ h) if outside else w @ phi(h))
        output = v @ h / n
        torch.testing.assert_close(ours.outputs[step][0], output.detach(), **ROUNDING)
        if loss == "mse":
            value = 0.5 * (output - y).square().sum(dim=0).mean()
        elif outputs == 1:
            value = torch.nn.functional.softplus(-output * y).mean()
        else:
            value = torch.nn.functional.cross_entropy(output.T, y.argmax(dim=0))
        torch.testing.assert_close(ours.losses[step][0], value.detach(), **ROUNDING)
        grads = torch.autograd.grad(value, [w_in, *hidden, v])
        # muP's rates: eta n for W_in and V, and eta n for sqrt(n) W, which is eta for W itself.
        rates = [run.rate * n, *([run.rate] * run.depth), run.rate * n]
        with torch.no_grad():
            for parameter, grad, rate in zip([w_in, *hidden, v], grads, rates, strict=True):
                parameter.sub_(rate * grad)


@pytest.mark.parametrize("tied", [True, False])
def test_particles_follow_the_exact_linear_trajectory(tied, powercount_laws):
    """Three steps of linear blocks: particles beside the exact recursion, every covariance and output within 2 %."""
    run = Run(
        width=8192,
        depth=32,
        activation="linear",
        steps=3,
        samples=2,
        rate=0.25,
        tied=tied,
        kind="particles",
        centred=True,
    )
    gaps = [0.0, 0.0, 0.0]
    members = range(8)
    for member in members:
        net, found = Net(run, [member]), train(run, [member])
        exact = solve(
            LinearTask(
                depth=run.depth,
                squared_beta=run.beta**2,
                rate=run.rate,
                steps=run.steps,
                overlaps=net.overlap[0].tolist(),
                targets=net.past.targets[0, 0].tolist(),
                tied=tied,
            )
        )
        ours = (grams(found, run.depth)[0][0], grams(found, 0)[1][0], torch.cat(found.outputs, dim=2)[0, 0])
        for place, (here, table) in enumerate(
            zip(ours, (exact.streams[-1], exact.gradients[0], exact.outputs), strict=True)
        ):
            there = torch.tensor(table, dtype=torch.float64)
            gaps[place] = gaps[place] + (here - there) / there.abs().max() / len(members)
    worst = max(float(gap.abs().max()) for gap in gaps)
    powercount_laws.note(
        f"linear, {'tied' if tied else 'decoupled'}, 3 steps", f"largest gap to the exact values {worst:.2%}"
    )
    assert worst < 0.02


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"horizon": 0.0}, "horizon T"),
        ({"rate": -1.0}, "must be positive"),
        ({"steps": 0}, "at least 1"),
        ({"depth": 0}, "at least 1"),
        ({"outputs": 3}, "choose one of: 1, 10"),
        ({"kind": "lazy", "steps": 40, "samples": 4}, "use more particles"),
    ],
)
def test_a_run_that_describes_no_network_is_refused(change, remedy):
    """Each with the value and the way out."""
    good = Run(width=32, depth=4)
    with pytest.raises(DynamicsError, match=remedy):
        replace(good, **change)
    with pytest.raises(DynamicsError, match="choose a smaller width"):
        replace(good, width=1 << 20).check_memory()

"""A matrix known by its products is a matrix: consistent with itself and of the right law; training is autograd's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from powercount.derivations.dynamics.linear import LinearTask, solve
from powercount.empirical.data import FEATURES
from powercount.empirical.dynamics.convergence import grams
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
    """Ten rounds of the same collinear columns leave an orthonormal basis: rounding never becomes a direction twice."""
    matrix, columns = lazy(1, 64, 2)
    a = columns(1).repeat(1, 1, 3)
    for _ in range(10):
        matrix.times(a)
        matrix.transposed_times(a * 1e-3)
    for side in (matrix.right, matrix.left):
        gram = side.basis.mT @ side.basis
        torch.testing.assert_close(gram, torch.eye(gram.shape[1], dtype=torch.float64)[None], **ROUNDING)


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
def test_dense_training_is_autograd(activation, loss, outputs):
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
            h = h + run.beta * w @ phi(h)
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
def test_particles_follow_the_exact_linear_trajectory(tied, ledger):
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
    ledger.note(f"linear, {'tied' if tied else 'decoupled'}, 3 steps", f"largest gap to the exact values {worst:.2%}")
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

r"""How a forward pass depends on the backward passes before it, read off a trajectory.

With zeta_l = W_l(0)^T delta_l^0 of the first backward pass and phi_l^k = phi(h_{l-1}^k), what W_l(0) phi_l^1 has along
delta_l^0 needs no further product: <delta_l, W_l phi_l> = <zeta_l, phi_l>. Each reading returns one number a member,
shape (S,), averaged over the layers; one sample, hidden matrices only.

chance        mean square of the cosine between zeta_l and phi_l^0 before any step: 1/n for independent directions
single_layer  the share of W_l(0)(phi_l^1 - phi_l^0) along delta_l^0, signed, over the size of W_l(0) phi_l^1
adjacent      the same through the update of block l - 1 alone, times beta: one layer's share of the stream
moved         |h^1 - h^0|^2 at the top and at mid-depth, and -(f^1 - f^0): what the step did to features and output
advanced      sum_l beta^2 |what W_l is fed with|^2 |what W_l^T is|^2: by how much the covariances of forward and
              backward fields, however the latter were made, say that the output moves
All but the first are per unit of eta e, the rate times the error.

Worked line: for independent zeta and phi the cosine has mean square 1/n exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor

from powercount.derivations.recipe import middle
from powercount.empirical.activations import ACTIVATION
from powercount.empirical.dynamics.training import Trajectory


def inner(one: Tensor, other: Tensor) -> Tensor:
    """<one, other>/n for one sample, shape (S,)."""
    return (one * other).sum(dim=(1, 2)) / one.shape[1]


def chance(trajectory: Trajectory) -> Tensor:
    """The mean square cosine between W_l(0)^T delta_l and phi(h_{l-1}) in the first backward pass."""
    cosines = []
    for zeta, signal in zip(trajectory.returned[0], trajectory.signals[0], strict=True):
        cosines.append(inner(zeta, signal).square() / (inner(zeta, zeta) * inner(signal, signal)))
    return torch.stack(cosines).mean(dim=0)


def unit(trajectory: Trajectory) -> Tensor:
    """eta e, shape (S,): one sample, one output."""
    return trajectory.run.rate * trajectory.errors[0].flatten(1)[:, 0]


def single_layer(trajectory: Trajectory) -> Tensor:
    """The signed share of W_l(0)(phi^1 - phi^0) along delta_l, over |phi^1|."""
    shares = []
    for block, zeta in enumerate(trajectory.returned[0]):
        before, after = trajectory.signals[0][block], trajectory.signals[1][block]
        delta = trajectory.gradients[0][block + 1]
        shares.append(inner(zeta, after - before) / (inner(delta, delta) * inner(after, after)).sqrt())
    return torch.stack(shares).mean(dim=0) / unit(trajectory).abs()


def adjacent(trajectory: Trajectory) -> Tensor:
    """beta times the signed response of block l to the update of block l - 1 alone, over |h|; mean over l >= 2."""
    run, shares = trajectory.run, []
    phi = ACTIVATION[run.activation]
    for block in range(1, run.depth):
        signal, delta = trajectory.signals[0][block - 1], trajectory.gradients[0][block]
        stream, zeta = trajectory.streams[0][block], trajectory.returned[0][block]
        own = -run.rate * run.beta**2 * delta * inner(signal, signal)[:, None, None]
        above = trajectory.gradients[0][block + 1]
        response = inner(zeta, phi(stream + own) - trajectory.signals[0][block])
        shares.append(run.beta * response / (inner(above, above) * inner(stream, stream)).sqrt())
    return torch.stack(shares).mean(dim=0) / unit(trajectory).abs()


def moved_output(trajectory: Trajectory) -> Tensor:
    """-(f^1 - f^0)/(eta e), shape (S,): one sample, one output."""
    change = (trajectory.outputs[1] - trajectory.outputs[0]).flatten(1)[:, 0]
    return -change / unit(trajectory)


def moved_features(trajectory: Trajectory) -> Tensor:
    """|h_L^1 - h_L^0|^2/n over (eta e)^2, shape (S,)."""
    return _moved(trajectory, trajectory.run.depth)


def moved_middle(trajectory: Trajectory) -> Tensor:
    """The same at mid-depth."""
    return _moved(trajectory, middle(trajectory.run.depth))


def _moved(trajectory: Trajectory, layer: int) -> Tensor:
    change = trajectory.streams[1][layer] - trajectory.streams[0][layer]
    return inner(change, change) / unit(trajectory).square()


def advanced_output(trajectory: Trajectory) -> Tensor:
    """sum_l beta^2 (|signal_l|^2/n) (|pushed_l|^2/n)/e^2 before the step, shape (S,)."""
    pairs = zip(trajectory.signals[0], trajectory.pushed[0], strict=True)
    total = torch.stack([inner(signal, signal) * inner(pushed, pushed) for signal, pushed in pairs]).sum(dim=0)
    return trajectory.run.beta**2 * total / trajectory.errors[0].flatten(1)[:, 0].square()

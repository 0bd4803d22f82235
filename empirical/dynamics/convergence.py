r"""How far finite nets are from their limit: covariances of two inputs at initialization, many members at once.

Before any backward pass a lazy matrix's products are fresh Gaussian columns with the covariance of what they were made
from: [W phi_a, W phi_b] has n independent rows N(0, <phi, phi>/n). A net of width n and depth L then costs 2 n L
normal numbers a member, so that the bias of order 1/n stands out of the noise.

Shapes: S members. Worked line: n = 1, linear, L = 1, T = 1: h_1 = h_0 (1 + w), so E h_1^2 = 2 E h_0^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from powercount.empirical.activations import ACTIVATION
from powercount.empirical.dynamics.training import Trajectory
from powercount.empirical.ensemble import seed_of

CHUNK = 1 << 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Nets fed with two inputs of mean square one and overlap ``both``."""

    activation: str
    width: int
    depth: int
    both: float
    members: int
    horizon: float = 1.0
    seed: int = 0


def initial_covariances(pairs: Pairs) -> Tensor:
    """<h_L^a, h_L^b>/n of each member: aa, bb, ab, shape (S, 3), in float64."""
    phi, n = ACTIVATION[pairs.activation], pairs.width
    beta = (pairs.horizon / pairs.depth) ** 0.5
    mix = torch.linalg.cholesky(torch.tensor([[1.0, pairs.both], [pairs.both, 1.0]], dtype=torch.float64))
    size, found = max(1, CHUNK // n), []
    for first in range(0, pairs.members, size):
        count = min(size, pairs.members - first)
        generator = torch.Generator().manual_seed(seed_of(pairs.seed, first))

        def normal(count: int = count, generator: torch.Generator = generator) -> Tensor:
            return torch.randn(count, n, 2, generator=generator).double()  # as ``training.Source`` draws

        h = normal() @ mix.T
        for _ in range(pairs.depth):
            signal = phi(h)
            aa, bb = signal.square().sum(dim=1).unbind(dim=1)
            ab = signal.prod(dim=2).sum(dim=1)
            # Rows N(0, <phi, phi>/n): the Cholesky factor of a 2 x 2 covariance, written out.
            left = aa.sqrt()
            cross = ab / left.clamp_min(1e-300)
            right = (bb - cross.square()).clamp_min(0).sqrt()
            xi = normal()
            fresh = torch.stack(
                [xi[:, :, 0] * left[:, None], xi[:, :, 0] * cross[:, None] + xi[:, :, 1] * right[:, None]], dim=2
            )
            h = h + beta / n**0.5 * fresh
        gram = h.transpose(1, 2) @ h / n
        found.append(torch.stack([gram[:, 0, 0], gram[:, 1, 1], gram[:, 0, 1]], dim=1))
    return torch.cat(found)


def grams(trajectory: Trajectory, layer: int) -> tuple[Tensor, Tensor]:
    """(streams, gradients): covariances over steps and samples at one layer, shape (S, KB, KB)."""
    h = torch.cat([streams[layer] for streams in trajectory.streams], dim=2)
    delta = torch.cat([gradients[layer] for gradients in trajectory.gradients], dim=2)
    n = trajectory.run.width
    return h.transpose(1, 2) @ h / n, delta.transpose(1, 2) @ delta / n


def smallest_eigenvalues(trajectory: Trajectory, layer: int) -> tuple[Tensor, Tensor]:
    """Smallest eigenvalues of the covariances of features phi(h) and of gradients at one layer, shape (S,) each.

    Over all steps and samples; both scaled to unit diagonal, so that they measure angles: zero is degenerate.
    """
    signals = torch.cat([signals[layer - 1] for signals in trajectory.signals], dim=2)
    deltas = torch.cat([gradients[layer] for gradients in trajectory.gradients], dim=2)
    found = []
    for vectors in (signals, deltas):
        unit = vectors / vectors.square().sum(dim=1, keepdim=True).sqrt().clamp_min(1e-300)
        found.append(torch.linalg.eigvalsh(unit.transpose(1, 2) @ unit)[:, 0])
    return found[0], found[1]

r"""The two-layer linear network p^T Q x and its reduced gradient flow, over any span of time.

Loss v Lambda v / 2 with v = w - Q^T p; p moves at rate 1, Q at rate gamma (0: lazy), from p = 0 and Q orthogonal.
The reduced flow has one vector: with q = w - v, s (1 + gamma s) = |q|^2 and the clock d tau = (1 + gamma s) dt,
    dv/d tau = -Lambda v - gamma (1 + gamma s)^(-2) q (q Lambda v).
``reduced_flow`` steps it in log tau: Lambda exactly, the rest by ETD2RK (Cox and Matthews, J. Comput. Phys. 176, 2002),
so that resolved modes, with lambda tau large, cost nothing. Modes are geometric, lambda_j = e^(-h j) and
lambda_j w_j^2 = e^(-h beta j): each stands for all modes of a power law that lie between it and the next, which turn as
one. Nothing in the flow knows the capacity alpha: only N does, through lambda_N = N^(-alpha).

Errors, to be declared by who asks: halving the step quarters the integrator's; spacing h leaves a log-periodic ripple
of relative size ``ripple``, 1e-8 at h = 1/2; modes end at lambda = e^(-h modes).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.special import gamma as gamma_function
from scipy.special import zeta

Array = NDArray[np.float64]

SPACING: Final = 0.5
MODES: Final = 200
# The first step, from rest: modes have lambda <= 1, so that nothing has moved by more than 1e-4.
START: Final = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowCurves:
    """Losses of several cases along one clock: arrays of shape (steps, cases) of log t and log loss."""

    log_time: Array
    log_loss: Array

    def at(self, log_time: float | Array) -> Array:
        """log loss of each case at one log t, or at one for each case, by interpolation linear between steps."""
        wanted = np.broadcast_to(np.asarray(log_time, dtype=np.float64), self.log_time.shape[1:])
        columns = zip(wanted, self.log_time.T, self.log_loss.T, strict=True)
        return np.asarray([np.interp(each, times, losses) for each, times, losses in columns])

    def slope(self, first: float, last: float) -> Array:
        """-d log loss / d log t of each case, the mean over t from ``first`` to ``last``."""
        low, high = float(np.log(first)), float(np.log(last))
        return -(self.at(high) - self.at(low)) / (high - low)


def ripple(beta: float, spacing: float = SPACING) -> float:
    """The relative ripple of sum_j e^(-h beta j) e^(-2 tau e^(-h j)): twice its first Fourier coefficient."""
    found = gamma_function(beta + 2j * np.pi / spacing) / gamma_function(beta)
    return 2 * float(abs(found))


def growth(squared: Array, gamma: Array) -> Array:
    """1 + gamma s, where s (1 + gamma s) = |q|^2."""
    found: Array = (1 + np.sqrt(1 + 4 * gamma * squared)) / 2
    return found


def reduced_flow(
    betas: Sequence[float],
    gammas: Sequence[float],
    *,
    kept: Sequence[int] | None = None,
    last_clock: float,
    per_unit: int = 40,
    modes: int = MODES,
    spacing: float = SPACING,
    capacity: float | None = None,
) -> FlowCurves:
    """The loss of each case (beta, gamma, modes that can move) up to tau = ``last_clock``.

    ``per_unit`` steps make one e-fold of tau. Modes beyond ``kept`` stay where they are and count in the loss, and so
    do those beyond the last one. With a ``capacity`` alpha the modes are no lattice but k = 1, 2, ... one by one:
    lambda_k = k^(-alpha), lambda_k w_k^2 = k^(-alpha beta - 1).
    """
    beta, gamma = np.asarray(betas)[:, None], np.asarray(gammas)[:, None]
    index = np.arange(modes)
    if capacity is None:
        rates = np.exp(-spacing * index)
        weights = np.exp(-spacing * (beta - 1) * index / 2)
        beyond = np.exp(-spacing * beta[:, 0] * modes) / -np.expm1(-spacing * beta[:, 0])
    else:
        rates = (index + 1.0) ** -capacity
        weights = (index + 1.0) ** ((capacity * (1 - beta) - 1) / 2)
        beyond = zeta(capacity * beta[:, 0] + 1, modes + 1)
    moving = index < (np.full(len(beta), modes) if kept is None else np.asarray(kept))[:, None]
    target, still = weights * moving, np.where(moving, 0.0, weights)
    frozen = (rates * still**2).sum(axis=1) + beyond

    def turn(v: Array) -> Array:
        q = target - v
        fast = growth((q * q).sum(axis=1, keepdims=True), gamma)
        found: Array = -gamma / fast**2 * q * (q * rates * v).sum(axis=1, keepdims=True)
        return found

    steps = int(np.ceil(np.log(last_clock / START) * per_unit))
    clock = np.concatenate([[0.0], START * np.exp(np.arange(steps + 1) / per_unit)])
    v, time = target.copy(), np.zeros(len(beta))
    slow = 1 / growth(np.zeros((len(beta), 1)), gamma)[:, 0]
    times, losses = [], []
    for before, after in pairwise(clock):
        step = after - before
        x = rates * step
        decay, first = np.exp(-x), -np.expm1(-x) / x
        # Below 1e-4 the difference would cancel, and the series is good to x^2/24.
        second = np.where(x < 1e-4, 0.5 - x / 6, (x - 1 + decay) / x / np.maximum(x, 1e-300))
        force = turn(v)
        middle = decay * v + step * first * force
        v = middle + step * second * (turn(middle) - force)
        q = target - v
        now = 1 / growth((q * q).sum(axis=1, keepdims=True), gamma)[:, 0]
        # 1/(1 + gamma s) is close to a power of tau: its integral over a step is exact for powers.
        power = 1 + np.log(now / slow) / np.log(after / before) if before > 0 else np.ones(len(beta))
        time = time + ((after * now - before * slow) / power if before > 0 else step * (now + slow) / 2)
        slow = now
        times.append(np.log(time))
        losses.append(np.log(((rates * v * v).sum(axis=1) + frozen) / 2))
    return FlowCurves(log_time=np.asarray(times), log_loss=np.asarray(losses))


def envelope(
    beta: float, gamma: float, alpha: float, computes: Sequence[float], *, sizes: range, per_unit: int = 20
) -> Array:
    """log of the least loss over N at each compute C = N t, N = e^(h j/alpha) for j in ``sizes`` kept modes."""
    kept = np.asarray(sizes)
    widths = SPACING * kept / alpha
    # t = C/N is longest for the smallest N; tau is at most some powers of it later, and the curves end beyond it.
    longest = float(np.max(computes)) / float(np.exp(widths[0]))
    curves = reduced_flow(
        [beta] * len(kept),
        [gamma] * len(kept),
        kept=list(sizes),
        last_clock=longest ** (2 / (1 + min(beta, 1.0))) * (1 + gamma) * 100,
        per_unit=per_unit,
        modes=sizes.stop,
    )
    return np.asarray([curves.at(np.log(compute) - widths).min() for compute in computes])


def lazy_loss(a: float, b: float, time: float) -> float:
    """sum_k k^(-a) e^(-2 t k^(-b)) / 2 over all k >= 1: no feature learning, no cut.

    Modes with 2 t lambda < 1/10 are summed by the exponential series, each term a Hurwitz zeta; ten terms leave 1e-17.
    """
    head = int(np.ceil((20 * time) ** (1 / b)))
    k = np.arange(1, head + 1, dtype=np.float64)
    whole = float((k**-a * np.exp(-2 * time * k**-b)).sum())
    term = 1.0
    for order in range(10):
        whole += term * float(zeta(a + b * order, head + 1))
        term *= -2 * time / (order + 1)
    return whole / 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPath:
    """v at each time, shape (times, modes), and the largest entry of Q Q^T - gamma p p^T - I met there."""

    errors: Array
    broken: float

    def log_losses(self, rates: Array, frozen: float = 0.0) -> Array:
        """log of v Lambda v / 2, with the loss of what cannot move."""
        found: Array = np.log(((rates * self.errors**2).sum(axis=1) + frozen) / 2)
        return found


def orthogonal(modes: int, seed: int) -> Array:
    """A random orthogonal matrix, uniform: QR of a Gaussian matrix with the signs of R's diagonal taken out."""
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((modes, modes)))
    found: Array = q * np.sign(np.diag(r))
    return found


Motion = Callable[[Array, Array], tuple[Array, Array]]


def by_autograd(rates: Array, target: Array, gamma: float) -> Motion:
    """How p and Q move, from torch's gradient of the loss of the network itself: rate 1 on p, gamma on Q."""
    spectrum, wanted = torch.from_numpy(rates), torch.from_numpy(target)

    def motion(p: Array, matrix: Array) -> tuple[Array, Array]:
        reader = torch.tensor(p, requires_grad=True)
        features = torch.tensor(matrix, requires_grad=True)
        loss = (spectrum * (wanted - reader @ features) ** 2).sum() / 2
        down, across = torch.autograd.grad(loss, (reader, features))
        return -down.numpy(), -gamma * across.numpy()

    return motion


def by_formula(rates: Array, target: Array, gamma: float) -> Motion:
    """How p and Q move, written out: p' = Q Lambda v, Q' = gamma p (Lambda v)^T."""

    def motion(p: Array, matrix: Array) -> tuple[Array, Array]:
        force = rates * (target - p @ matrix)
        return matrix @ force, gamma * np.outer(p, force)

    return motion


def network_flow(
    rates: Array,
    target: Array,
    gamma: float,
    times: Sequence[float],
    *,
    seed: int,
    tolerance: float,
    motion: Callable[[Array, Array, float], Motion] = by_formula,
) -> FlowPath:
    """Gradient flow of p and Q themselves, from p = 0 and a random orthogonal Q, by an adaptive integrator."""
    modes = len(rates)
    move = motion(rates, target, gamma)

    def field(_: float, state: Array) -> Array:
        dp, dq = move(state[:modes], state[modes:].reshape(modes, modes))
        return np.concatenate([dp, dq.ravel()])

    start = np.concatenate([np.zeros(modes), orthogonal(modes, seed).ravel()])
    path = _solved(field, start, times, tolerance)
    readers, matrices = path[:, :modes], path[:, modes:].reshape(-1, modes, modes)
    kept = matrices @ matrices.transpose(0, 2, 1) - gamma * readers[:, :, None] * readers[:, None, :] - np.eye(modes)
    return FlowPath(
        errors=target - np.einsum("ti,tij->tj", readers, matrices),
        broken=float(np.abs(kept).max()),
    )


def reduced_trajectory(
    rates: Array, target: Array, gamma: float, times: Sequence[float], *, tolerance: float, turning: float = 1.0
) -> FlowPath:
    """The reduced flow v' = -[(1 + gamma s) I + gamma s qhat qhat^T] Lambda v of the same modes, in t.

    ``turning`` multiplies the rank-one term: anything but 1 is another flow, for negative controls.
    """

    def field(_: float, v: Array) -> Array:
        q = target - v
        fast = growth(np.asarray(q @ q), np.asarray(gamma))
        force = rates * v
        found: Array = -fast * force - turning * gamma / fast * q * (q @ force)
        return found

    return FlowPath(errors=_solved(field, target, times, tolerance), broken=0.0)


def _solved(field: Callable[[float, Array], Array], start: Array, times: Sequence[float], tolerance: float) -> Array:
    """The solution at the times asked for, shape (times, variables)."""
    found = solve_ivp(
        field, (0.0, max(times)), start, method="DOP853", t_eval=list(times), rtol=tolerance, atol=tolerance
    )
    path: Array = found.y.T
    return path

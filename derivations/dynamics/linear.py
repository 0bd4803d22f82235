r"""The exact infinite-width trajectory of linear one-layer blocks, at any finite depth and for several steps.

For phi(h) = h the mean-field system is linear in its Gaussian fields, so that every stream and gradient is a vector
of coefficients on a basis of independent coordinates: h_0 (one a sample), v, and for every step and sample a the
fields u_l^a, z_l^a of each layer, the fresh parts of W_l h^a and W_l^T delta^a, with
    Cov(u_l^a, u_l^b) = <h_{l-1}^a, h_{l-1}^b>/n = C_h,       Cov(z_l^a, z_l^b) = <delta_l^a, delta_l^b>/n = C_delta.
Products with the initial matrix are fresh parts plus responses, coefficients read off the vectors themselves:
    W_l h^a      = u_l^a + sum_b (d h_{l-1}^a / d z_l^b) delta_l^b,        b of earlier steps,
    W_l^T delta^a = z_l^a + sum_b (d delta_l^a / d u_l^b) h_{l-1}^b,       b of earlier steps and this one.
Steps so far add -eta beta sum_b delta_l^b C_h forward and -eta beta sum_b h_{l-1}^b C_delta backward. Decoupled
(gradient independence) the two responses are dropped and nothing else. Only hidden matrices move; the loss is
mean((f - y)^2)/2 over samples and f = <v, h_L>/n.

Everything is plus, minus and times: with fractions the trajectory is exact, with SymPy symbols it is a formula,
with floats a number. Worked line: one sample, f_0 = 0, one step from y = 1 at rate eta gives
f_1 = eta T (1 + T/L)^(L-1) tied and eta ((1 + T/L)^L - 1) decoupled; the ratio tends to T e^T / (e^T - 1), not to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import mul
from typing import Any, Final

import sympy
from sympy import Expr, Rational, Symbol

T: Final = Symbol("T", positive=True)
L: Final = Symbol("L", positive=True)

DEPTH_MUP: Final = -Rational(1, 2)  # the branch of depth-muP

Number = Any  # int, Fraction, float or a SymPy expression: whatever adds and multiplies
Vector = list[Number]
Table = list[list[Number]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearTask:
    """The run: ``squared_beta`` = T L^(2 branch), ``overlaps`` <x_a, x_b>/d and ``targets`` of the samples."""

    depth: int
    squared_beta: Number
    rate: Number
    steps: int
    overlaps: Table
    targets: Sequence[Number]
    tied: bool = True


@dataclass(slots=True)
class LinearTrajectory:
    """Infinite-width values; a stands for (step, sample) in order.

    ``outputs[a]``; ``streams[l][a][b]`` = <h_l^a, h_l^b>/n, l = 0..L; ``gradients[l][a][b]`` likewise for delta;
    ``responses[l - 1][a][b]`` = d h_{l-1}^a / d z_l^b divided by beta.
    """

    outputs: Vector
    streams: list[Table]
    gradients: list[Table]
    responses: list[Table]


class _Solver:
    """Coefficient vectors on [h_0 by sample, v, u by (layer, a), z by (layer, a)], in units that keep beta rational.

    u and z are met only as beta u and beta z, so coefficients on them are kept divided by beta.
    """

    def __init__(self, task: LinearTask) -> None:
        self.task, self.samples = task, len(task.targets)
        self.fields = (task.steps + 1) * self.samples
        self.first_u = self.samples + 1
        self.first_z = self.first_u + task.depth * self.fields
        self.size = self.first_z + task.depth * self.fields
        # What a vector's coefficients become under the covariance of the basis: Cov(x, y) = x . dual(y).
        layers = range(task.depth)
        self.of_u: list[Table] = [[] for _ in layers]
        self.of_z: list[Table] = [[] for _ in layers]
        self.streams: list[list[tuple[Vector, Vector]]] = [[] for _ in range(task.depth + 1)]
        self.gradients: list[list[tuple[Vector, Vector]]] = [[] for _ in range(task.depth + 1)]

    def u(self, layer: int, a: int) -> int:
        return self.first_u + (layer - 1) * self.fields + a

    def z(self, layer: int, a: int) -> int:
        return self.first_z + (layer - 1) * self.fields + a

    def unit(self, place: int) -> Vector:
        vector: Vector = [0] * self.size
        vector[place] = 1
        return vector

    def with_dual(self, vector: Vector) -> tuple[Vector, Vector]:
        """The vector and its product with the covariance of the basis."""
        task, dual = self.task, list(vector)
        for a in range(self.samples):
            dual[a] = sum(task.overlaps[a][b] * vector[b] for b in range(self.samples))
        for first, tables in ((self.first_u, self.of_u), (self.first_z, self.of_z)):
            for layer, table in enumerate(tables):
                start = first + layer * self.fields
                here = vector[start : start + len(table)]
                alive = any(coefficient != 0 for coefficient in here)
                for a, row in enumerate(table):
                    dual[start + a] = task.squared_beta * sum(map(mul, row, here)) if alive else 0
        return vector, dual


def _dot(one: Vector, dual: Vector) -> Number:
    return sum(map(mul, one, dual))


def _grown(table: Table, row: Vector) -> None:
    """Add a symmetric row and column."""
    for old, value in zip(table, row, strict=False):
        old.append(value)
    table.append(list(row))


def _plus(vector: Vector, factor: Number, other: Vector) -> None:
    if factor != 0:
        vector[:] = [here + factor * there if there != 0 else here for here, there in zip(vector, other, strict=True)]


def solve(task: LinearTask) -> LinearTrajectory:
    """The exact trajectory: K + 1 forward and K backward passes."""
    solver, e = _Solver(task), task.squared_beta
    count, depth = solver.samples, task.depth
    outputs: Vector = []
    responses: list[Table] = [[] for _ in range(depth)]
    v = solver.unit(count)
    for step in range(task.steps + 1):
        now = range(step * count, (step + 1) * count)
        past = range(step * count)
        for a in now:
            h = solver.unit(a - step * count)
            vector, dual = solver.with_dual(h)
            solver.streams[0].append((vector, dual))
            for layer in range(1, depth + 1):
                covariances = [_dot(other, dual) for other, _ in solver.streams[layer - 1]]
                _grown(solver.of_u[layer - 1], covariances)
                h = list(vector)
                # (d h / d z)/beta, times beta^2 with the branch factor before W_l.
                response = [vector[solver.z(layer, b)] if task.tied else 0 for b in past]
                responses[layer - 1].append(response)
                for b in past:
                    gradient = solver.gradients[layer][b][0]
                    _plus(h, e * (response[b] - task.rate * covariances[b]), gradient)
                h[solver.u(layer, a)] = 1
                vector, dual = solver.with_dual(h)
                solver.streams[layer].append((vector, dual))
            outputs.append(_dot(v, dual))
        if step == task.steps:
            break
        for a in now:
            error = (outputs[a] - task.targets[a - step * count]) * Fraction(1, count)
            vector, dual = solver.with_dual([error * x for x in v])
            solver.gradients[depth].append((vector, dual))
            for layer in range(depth, 0, -1):
                covariances = [_dot(other, dual) for other, _ in solver.gradients[layer]]
                _grown(solver.of_z[layer - 1], covariances)
                delta = list(vector)
                for b in (*past, *now):
                    back = vector[solver.u(layer, b)] if task.tied else 0
                    _plus(delta, e * back, solver.streams[layer - 1][b][0])
                for b in past:
                    _plus(delta, -e * task.rate * covariances[b], solver.streams[layer - 1][b][0])
                delta[solver.z(layer, a)] = 1
                vector, dual = solver.with_dual(delta)
                solver.gradients[layer - 1].append((vector, dual))
    return LinearTrajectory(outputs, _tables(solver.streams), _tables(solver.gradients), responses)


def _tables(pairs: list[list[tuple[Vector, Vector]]]) -> list[Table]:
    """Covariances layer by layer; a dual knows the fields up to its own, so the later vector's is used."""
    return [
        [[_dot(layer[min(a, b)][0], layer[max(a, b)][1]) for b in range(len(layer))] for a in range(len(layer))]
        for layer in pairs
    ]


def one_step(*, tied: bool, branch: Number = DEPTH_MUP) -> Expr:
    """f_1/(eta (y - f_0) q_0) for one sample after one step: the closed form in T and L.

    With e = T L^(2 branch): tied e L (1 + e)^(L-1), decoupled (1 + e)^L - 1.
    """
    e = T * L ** (2 * branch)
    return e * L * (1 + e) ** (L - 1) if tied else (1 + e) ** L - 1


def one_step_limit(*, tied: bool) -> Expr:
    """The same at infinite depth with the branch at L^(-1/2): T e^T tied, e^T - 1 decoupled."""
    return sympy.limit(one_step(tied=tied), L, sympy.oo)

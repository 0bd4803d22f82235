"""One optimizer step, differentiated exactly, and one reduction per observable.

Each example makes its own step, on its own loss, from the initial weights: the case whose infinite-width
values are known exactly. The step's tangent is pushed forward one role at a time,
    own_j = -rate_j m_j^2 delta_j <z_j, z_j>   (dW_j = -rate_j m_j delta_j z_j^T, never formed),
    dy_j = m_j W_j dz_j + own_j,   dh_l = dh_{l-1} + L^branch dy_k,   df = m_out W_out dh_L + own_out:
the derivative along the step at base rate 1, with no step size and no cancellation.

Every reduction returns the mean square over coordinates and examples of each member, shape (S,), in
float64. Names and meanings are ``recipe.Observable``'s.
"""

from __future__ import annotations

import torch
from torch import Tensor

from powercount.derivations.recipe import Observable, observables
from powercount.empirical.ensemble import Ensemble, Pass
from powercount.empirical.optimizers import rule_of


def mean_square(values: Tensor) -> Tensor:
    """The mean square of each member, shape (S,)."""
    return values.double().square().flatten(1).mean(dim=1)


def middle(depth: int) -> int:
    """The mid-depth block, counted from 1: ceil(L/2)."""
    return (depth + 1) // 2


def backward(ensemble: Ensemble, passed: Pass, error: Tensor) -> tuple[Tensor, Tensor, list[list[Tensor]]]:
    """(df_y/dh at mid-depth for the label's class y, dloss/dh_0, dloss/dy_j of every block and layer)."""
    batch = error.shape[2]
    readout = ensemble.factor["readout"] * ensemble.unit_readout.transpose(1, 2)
    label = ensemble.labels[:, None, :].expand(-1, readout.shape[1], -1)
    signal = torch.cat([torch.bmm(readout, error), readout.gather(2, label)], dim=2)
    gradient, signals = signal, []
    for block in reversed(range(ensemble.depth)):
        if block == middle(ensemble.depth) - 1:
            gradient, signal = signal[:, :, batch:], signal[:, :, :batch]
        signal, here = ensemble.backward(passed, signal, block)
        signals.append([each[:, :, :batch] for each in here])
    return gradient, signal, signals[::-1]


def at_initialization(ensemble: Ensemble) -> dict[Observable, Tensor]:
    """Every observable after one infinitesimal step: its mean square for each member."""
    rule = rule_of(ensemble.recipe.optimizer.name)
    passed = ensemble.forward()
    error = ensemble.error(passed.output)
    gradient, signal, signals = backward(ensemble, passed, error)
    roles, batch = ("input", *ensemble.hidden_roles), error.shape[2]

    def own_update(role: str, delta: Tensor, z: Tensor) -> Tensor:
        return rule.own(ensemble.rate[role], ensemble.multiplier[role], delta, z)

    values: dict[tuple[str, str | None], Tensor] = {
        ("stream", None): passed.end,
        ("branch-sum", None): passed.branch_sum,
        ("gradient", None): gradient,
        ("output", None): passed.output,
        ("own-update", "input"): own_update("input", signal, ensemble.x / ensemble.x.shape[1] ** 0.5),
        ("own-update", "readout"): own_update("readout", error, passed.end),
    }
    # The tangent of the stream, one column per role and example.
    moved = passed.start.new_zeros(*passed.start.shape[:2], len(roles) * batch)
    moved[:, :, :batch] = values["own-update", "input"]
    for block in range(ensemble.depth):
        tangent = moved
        for j, role in enumerate(ensemble.hidden_roles):
            slope = ensemble.below(passed, block, j)
            tangent = tangent if slope is None else tangent * slope.repeat(1, 1, len(roles))
            tangent = ensemble.factor[role] * torch.bmm(ensemble.unit_hidden[block, j], tangent)
            own = own_update(role, signals[block][j], passed.incoming[block][j])
            tangent[:, :, (j + 1) * batch : (j + 2) * batch] += own
            if block == middle(ensemble.depth) - 1:
                values["own-update", role] = own
                values["total-update", role] = torch.unflatten(tangent, 2, (len(roles), batch)).sum(dim=2)
        moved = moved + ensemble.branch * tangent
    seen = ensemble.factor["readout"] * torch.bmm(ensemble.unit_readout, moved)
    for index, role in enumerate(roles):
        values["feature-update", role] = moved[:, :, index * batch : (index + 1) * batch]
        values["output-update", role] = seen[:, :, index * batch : (index + 1) * batch]
    values["feature-update", "readout"] = torch.zeros_like(passed.end)
    values["output-update", "readout"] = values["own-update", "readout"]
    values["feature-update", None] = torch.unflatten(moved, 2, (len(roles), batch)).sum(dim=2)
    values["output-update", None] = sum(
        (values["output-update", role] for role in roles), start=values["own-update", "readout"]
    )
    return {each: mean_square(values[each.quantity, each.role]) for each in observables(ensemble.layers)}

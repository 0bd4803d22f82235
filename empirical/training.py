"""T real steps of a torch optimizer on every member at once.

Members share no parameter, so the gradient of the summed loss is each member's own gradient and one
optimizer trains them all; every role is a parameter group whose rate is the base rate times its power of n
and L. All examples make the step together (mean loss). An update is then split without remainder:
    y_T - y_0 = m (W_T - W_0) z_T + m W_0 (z_T - z_0),
the first term being the own update. Runs in float64, so that the differences keep their digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from powercount.derivations.recipe import Observable
from powercount.empirical.ensemble import Draws, Ensemble, Pass
from powercount.empirical.observables import at_initialization, mean_square, middle

AT_START = ("stream", "branch-sum", "gradient", "output")


def in_double(draws: Draws) -> Draws:
    """The same draws in float64."""
    return Draws(draws.input.double(), draws.readout.double(), draws.hidden.double(), draws.x.double(), draws.labels)


def train(ensemble: Ensemble, roles: Iterable[str], *, steps: int, rate: float) -> dict[str, list[Tensor]]:
    """The weights after ``steps`` optimizer steps in which only ``roles`` move."""
    weights = {role: [w.clone() for w in each] for role, each in ensemble.weights().items()}
    groups = []
    for role in roles:
        for w in weights[role]:
            w.requires_grad_(True)
        groups.append({"params": weights[role], "lr": rate * ensemble.rate[role]})
    optimizer = torch.optim.SGD(groups)
    for _ in range(steps):
        optimizer.zero_grad()
        with torch.enable_grad():
            torch.autograd.backward(ensemble.loss(ensemble.forward(weights).output).sum())
        optimizer.step()
    return {role: [w.detach() for w in each] for role, each in weights.items()}


def own_updates(
    ensemble: Ensemble, before: dict[str, list[Tensor]], after: dict[str, list[Tensor]], passed: Pass
) -> dict[str, Tensor]:
    """m (W_T - W_0) z_T by role, at the mid-depth block."""
    block = middle(ensemble.depth) - 1
    incoming = {"input": ensemble.x / ensemble.x.shape[1] ** 0.5, "readout": passed.end}
    for j, role in enumerate(ensemble.hidden_roles):
        incoming[role] = passed.incoming[block][j]
    place = {"input": 0, "readout": 0}
    return {
        role: ensemble.multiplier[role]
        * torch.bmm(after[role][place.get(role, block)] - before[role][place.get(role, block)], z)
        for role, z in incoming.items()
    }


def after_training(
    ensemble: Ensemble, asked: Sequence[Observable], *, steps: int, rate: float
) -> dict[Observable, Tensor]:
    """The mean square of the observables asked for after T steps, shape (S,) each."""
    with torch.no_grad():
        start, initial = ensemble.forward(), at_initialization(ensemble)
    before, block = ensemble.weights(), middle(ensemble.depth) - 1
    every = tuple(before)
    values: dict[Observable, Tensor] = {each: initial[each] for each in asked if each.quantity in AT_START}
    alone = {each.role for each in asked if each.quantity in ("feature-update", "output-update")}
    together = any(each not in values for each in asked)
    runs: dict[str | None, tuple[str, ...]] = {None: every} if together else {}
    runs |= {role: (role,) for role in alone if role is not None}
    for moving, roles in runs.items():
        after = train(ensemble, roles, steps=steps, rate=rate)
        with torch.no_grad():
            end = ensemble.forward(after)
            own = own_updates(ensemble, before, after, end)
        for each in asked:
            if each in values:
                continue
            if each.role == moving and each.quantity == "feature-update":
                values[each] = mean_square(end.end - start.end)
            elif each.role == moving and each.quantity == "output-update":
                values[each] = mean_square(end.output - start.output)
            elif moving is None and each.quantity == "own-update":
                values[each] = mean_square(own[str(each.role)])
            elif moving is None and each.quantity == "total-update":
                j = ensemble.hidden_roles.index(str(each.role))
                values[each] = mean_square(end.preactivations[block][j] - start.preactivations[block][j])
    return values

"""T real steps of a torch optimizer on every member at once, each member on one example of its own.

One example a step is the case whose infinite-width values are known exactly; a batch would ask for its Gram matrix.
Members share no parameter, so the gradient of the summed loss is each member's own gradient and one optimizer trains
them all; every role is a parameter group whose rate is the base rate times its power of n and L. Both states are
computed by one expression from their weights, so that what does not move is zero to the last bit. An update is then
split without remainder:
    y_T - y_0 = m (W_T - W_0) z_T + m W_0 (z_T - z_0),
the first term being the own update, read where the role moves alone, at a rate of its own. Runs in float64, so that the
differences keep their digits; a change of less than ``CLEAR`` times the rounding of what it is a difference of is
given as minus the square of that bound: no size can be read off it (see ``fit.fit_slope``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from powercount.derivations.recipe import Observable, middle
from powercount.empirical.ensemble import Draws, Ensemble, Pass
from powercount.empirical.observables import at_initialization, mean_square
from powercount.empirical.optimizers import rule_of

AT_START = ("stream", "branch-sum", "gradient", "output")
CLEAR = 100.0  # rounding then adds at most 1e-4 of a mean square


def in_double(draws: Draws) -> Draws:
    """The same draws in float64."""
    return Draws(draws.input.double(), draws.readout.double(), draws.hidden.double(), draws.x.double(), draws.labels)


def train(ensemble: Ensemble, roles: Iterable[str], *, steps: int, rate: float) -> dict[str, list[Tensor]]:
    """The weights after ``steps`` optimizer steps on the mean loss in which only ``roles`` move."""
    return _watched(ensemble, ensemble.weights(), roles, steps=steps, rate=rate, of_loss=True)[0]


def _watched(
    ensemble: Ensemble,
    before: dict[str, list[Tensor]],
    roles: Iterable[str],
    *,
    steps: int,
    rate: float,
    of_loss: bool = False,
) -> tuple[dict[str, list[Tensor]], dict[str, Tensor]]:
    """The weights after the steps, and by role which members had a gradient other than zero at some step, (S,).

    What does not move is shared with ``before``. The gradient is that of the loss where ``of_loss`` says so or the
    optimizer sees its size; else its direction, which is of one example and never rounded to zero.
    """
    weights, members = dict(before), len(ensemble.x)
    pushed = {role: torch.zeros(members, dtype=torch.bool, device=ensemble.x.device) for role in weights}
    groups, roles = [], tuple(roles)
    for role in roles:
        weights[role] = [w.clone().requires_grad_(True) for w in before[role]]
        group: dict[str, Any] = {"params": weights[role], "lr": rate * ensemble.rate[role]}
        if role in ensemble.epsilon:
            group["eps"] = ensemble.epsilon[role]
        groups.append(group)
    rule = rule_of(ensemble.recipe.optimizer.name)
    optimizer = rule.made(groups)
    for _ in range(steps):
        optimizer.zero_grad()
        with torch.enable_grad():
            output = ensemble.forward(weights).output
            if of_loss or rule.sees_size:
                torch.autograd.backward(ensemble.loss(output).sum())
            else:
                known = output.detach()
                size = ensemble.sizes(known) if ensemble.epsilon else 1.0
                torch.autograd.backward(output, ensemble.direction(known) * size)
        for role in roles:
            for w in weights[role]:
                if w.grad is not None:
                    pushed[role] |= (w.grad != 0).flatten(1).any(dim=1)
        optimizer.step()
    return {role: [w.detach() for w in each] for role, each in weights.items()}, pushed


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
    ensemble: Ensemble,
    asked: Sequence[Observable],
    *,
    steps: int,
    rate: float,
    alone: Mapping[str, float] | None = None,
) -> dict[Observable, Tensor]:
    """The mean square of the observables asked for after T steps, shape (S,) each; negative if rounding hides it.

    ``rate`` is the base rate; ``alone`` has another for runs in which only that role moves.
    """
    before = ensemble.weights()
    with torch.no_grad():
        start = ensemble.forward(before)
        values = at_initialization(ensemble, (each for each in asked if each.quantity in AT_START))
    every = tuple(before)
    # A matrix that starts at zero hands nothing down where another moves alone: own updates are then those of all.
    joint = ("total-update",) if all(ensemble.std.values()) else ("total-update", "own-update")
    single = {each.role for each in asked if each.quantity.endswith("-update") and each.quantity not in joint}
    together = any(each not in values and (each.role is None or each.quantity in joint) for each in asked)
    runs: dict[str | None, tuple[str, ...]] = {None: every} if together else {}
    runs |= {role: (role,) for role in single if role is not None}
    # What each change is a difference of; sums of that many terms round that many times.
    whole = {"input": start.start, "readout": start.output}
    whole |= {role: start.preactivations[j] for j, role in enumerate(ensemble.hidden_roles)}
    rounding = torch.finfo(start.end.dtype).eps * (2 * ensemble.layers * ensemble.depth + steps) ** 0.5

    def clear(change: Tensor, of: Tensor, pushed: Tensor) -> Tensor:
        square = mean_square(change)
        floor = torch.clamp((CLEAR * rounding) ** 2 * mean_square(of), min=torch.finfo(square.dtype).tiny)
        hidden = ((square > 0) & (square < floor)) | ((square == 0) & pushed)
        return torch.where(hidden, -floor, square)

    for moving, roles in runs.items():
        after, pushed = _watched(ensemble, before, roles, steps=steps, rate=(alone or {}).get(str(moving), rate))
        with torch.no_grad():
            end = ensemble.forward(after)
            own = own_updates(ensemble, before, after, end)
        below = torch.stack([pushed[role] for role in every if role != "readout"]).any(dim=0)
        for each in asked:
            if each in values:
                continue
            if each.role == moving and each.quantity == "feature-update":
                values[each] = clear(end.end - start.end, start.end, below)
            elif each.role == moving and each.quantity == "output-update":
                values[each] = clear(end.output - start.output, start.output, below | pushed["readout"])
            elif each.quantity == "own-update" and (moving is None if "own-update" in joint else each.role == moving):
                role = str(each.role)
                values[each] = clear(own[role], whole[role], pushed[role])
            elif moving is None and each.quantity == "total-update":
                role = str(each.role)
                j = ensemble.hidden_roles.index(role)
                change = end.preactivations[j] - start.preactivations[j]
                values[each] = clear(change, whole[role], pushed[role])
    return values

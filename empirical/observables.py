"""One optimizer step, differentiated exactly, and one reduction per observable.

Each example makes its own step, on its own loss, from the initial weights: the case whose infinite-width
values are known exactly. The step's tangent is pushed forward one role at a time,
    own_j = -rate_j m_j^2 delta_j <z_j, z_j>   (dW_j = -rate_j m_j delta_j z_j^T, never formed),
    dy_j = m_j W_j dz_j + own_j,   dh_l = dh_{l-1} + L^branch dy_k,   df = m_out W_out dh_L + own_out:
the derivative along the step at base rate 1, with no step size and no cancellation. Weight decay is pushed forward
likewise, own_j = -rate_j decay_j y_j in the place of a gradient's.

Only what is asked for is computed (``Needed``): a size at initialization needs no gradient, an own update no tangent,
an update of the whole net one tangent and not one of each role.

Every reduction returns the mean square over coordinates and examples of each member, shape (S,), in
float64. Names and meanings are ``recipe.Observable``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from powercount.derivations.recipe import Observable, middle
from powercount.empirical.ensemble import Ensemble, Pass, times
from powercount.empirical.optimizers import damped, rule_of

Named = tuple[str, str | None]  # a quantity and its role


def mean_square(values: Tensor) -> Tensor:
    """The mean square of each member, shape (S,)."""
    return values.double().square().flatten(1).mean(dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """What a set of observables needs to be computed.

    ``label``: the label's own signal, down to mid-depth. ``lowest``: the last block, counted from 0, that dloss/dh is
    taken through; the depth where there is no need of it. ``moving``: the sets of roles whose tangents are pushed
    forward, a column each, through blocks 0 to ``highest`` - 1; ``decaying``: the roles whose decay is.
    """

    label: bool
    lowest: int
    moving: tuple[tuple[str, ...], ...]
    highest: int
    decaying: tuple[str, ...] = ()

    @classmethod
    def by(cls, asked: Sequence[Observable], ensemble: Ensemble) -> Needed:
        """What these observables need of an ensemble."""
        depth, roles = ensemble.depth, ("input", *ensemble.hidden_roles)
        at_end = {each.role for each in asked if each.quantity in ("feature-update", "output-update")}
        own = {each.role for each in asked if each.quantity == "own-update"}
        total = any(each.quantity == "total-update" for each in asked)
        whole, alone = total or None in at_end, at_end.intersection(roles)
        each_alone = tuple((role,) for role in roles if whole or role in alone)
        moving = each_alone if alone else (roles,) if whole else ()
        return cls(
            label=any(each.quantity == "gradient" for each in asked),
            lowest=0 if moving or "input" in own else middle(depth) - 1 if own.intersection(roles) else depth,
            moving=moving,
            highest=depth if alone or None in at_end else middle(depth),
            decaying=tuple(str(each.role) for each in asked if each.quantity == "decay-update"),
        )


def backward(
    ensemble: Ensemble, passed: Pass, error: Tensor, needed: Needed
) -> tuple[Tensor, Tensor, dict[int, list[Tensor]]]:
    """(df_y/dh at mid-depth for the label's class y, dloss/dh below the lowest block, dloss/dy_1..dy_k by block).

    The first is another signal where no label is needed; so is the second where nothing below the readout is.
    """
    readout = ensemble.factor["readout"] * ensemble.unit_readout.transpose(1, 2)
    columns = [torch.bmm(readout, error)] if needed.lowest < ensemble.depth else []
    if needed.label:
        columns.append(readout.gather(2, ensemble.labels[:, None, :].expand(-1, readout.shape[1], -1)))
    signal, signals, half = torch.stack(columns, dim=2), {}, middle(ensemble.depth)
    for block in range(ensemble.depth - 1, half - 1, -1):
        signal, signals[block] = ensemble.backward(passed, signal, block)
    gradient, signal = signal[:, :, -1], signal[:, :, :1]
    for block in range(half - 1, needed.lowest - 1, -1):
        signal, signals[block] = ensemble.backward(passed, signal, block)
    return gradient, signal[:, :, 0], {block: [each[:, :, 0] for each in here] for block, here in signals.items()}


def pushed_forward(
    ensemble: Ensemble,
    moving: tuple[tuple[str, ...], ...],
    highest: int,
    passed: Pass,
    own: Callable[[str, int], Tensor],
) -> dict[Named, Tensor]:
    """What every set of roles that moves does to preactivations at mid-depth, to h_L and to f.

    ``own(role, block)`` is the own update of a role, shape (S, n, B). The tangent of the stream is (S, n, sets, B), and
    goes through blocks 0 to ``highest`` - 1.
    """
    column = {role: place for place, roles in enumerate(moving) for role in roles}
    examples = passed.start.shape[2]
    moved = passed.start.new_zeros(*passed.start.shape[:2], len(moving), examples)
    values: dict[Named, Tensor] = {}
    if "input" in column:
        moved[:, :, column["input"]] = own("input", 0)
    for block in range(highest):
        tangent = moved
        for j, role in enumerate(ensemble.hidden_roles):
            slope = passed.slopes[block][j]
            tangent = ensemble.applied(block, j, tangent if slope is None else tangent * slope[:, :, None])
            if role in column:
                tangent[:, :, column[role]] += own(role, block)
            if block == middle(ensemble.depth) - 1:
                values["total-update", role] = tangent.sum(dim=2)
        moved.add_(tangent, alpha=ensemble.branch)
    seen = times(ensemble.factor["readout"], ensemble.unit_readout, moved.flatten(2))
    seen = seen.view(*seen.shape[:2], *moved.shape[2:])
    for place, roles in enumerate(moving):
        alone = roles[0] if len(roles) == 1 else None
        values["feature-update", alone], values["output-update", alone] = moved[:, :, place], seen[:, :, place]
    values["feature-update", None], values["output-update", None] = moved.sum(dim=2), seen.sum(dim=2)
    return values


def decayed(ensemble: Ensemble, passed: Pass, roles: Sequence[str]) -> dict[Named, Tensor]:
    """What the decay of each role alone does to h_L, of the readout to f, (S, n or C, B)."""
    rule = rule_of(ensemble.recipe.optimizer.name)
    shrinks = {role: rule.decay * ensemble.rate[role] * ensemble.decay.get(role, 0.0) for role in roles}

    def own(role: str, block: int) -> Tensor:
        if role == "input":
            return -shrinks[role] * passed.start
        j = ensemble.hidden_roles.index(role)
        return -shrinks[role] * ensemble.applied(block, j, passed.incoming[block][j])

    below = tuple((role,) for role in roles if role != "readout")
    values: dict[Named, Tensor] = {}
    if below:
        seen = pushed_forward(ensemble, below, ensemble.depth, passed, own)
        values = {("decay-update", role): seen["feature-update", role] for (role,) in below}
    if "readout" in shrinks:
        values["decay-update", "readout"] = -shrinks["readout"] * passed.output
    return values


def at_initialization(ensemble: Ensemble, asked: Iterable[Observable]) -> dict[Observable, Tensor]:
    """The observables asked for after one infinitesimal step: the mean square of each for every member, (S,)."""
    asked, half = tuple(asked), middle(ensemble.depth) - 1
    rule, needed = rule_of(ensemble.recipe.optimizer.name), Needed.by(asked, ensemble)
    derived = needed.label or needed.lowest < ensemble.depth
    passed = ensemble.forward(slopes=derived or bool(needed.decaying))
    error = ensemble.error(passed.output) if rule.sees_size else ensemble.direction(passed.output)
    of_output = error  # what the readout's own step is made from
    if ensemble.epsilon:
        error = error * ensemble.sizes(passed.output)
        of_output = error if "readout" in ensemble.epsilon else of_output

    def made(role: str, delta: Tensor, z: Tensor) -> Tensor:
        if role in ensemble.epsilon:
            return damped(ensemble.rate[role], ensemble.multiplier[role], delta, z, ensemble.epsilon[role])
        return rule.own(ensemble.rate[role], ensemble.multiplier[role], delta, z)

    of_readout = made("readout", of_output, passed.end)
    values: dict[Named, Tensor] = {
        ("stream", None): passed.end,
        ("branch-sum", None): passed.branch_sum,
        ("output", None): passed.output,
        ("own-update", "readout"): of_readout,
        ("output-update", "readout"): of_readout,
        ("feature-update", "readout"): passed.end.new_zeros(len(passed.end), 1),
    }
    if derived:
        gradient, start, signals = backward(ensemble, passed, error, needed)
        if needed.label:
            values["gradient", None] = gradient

        def own(role: str, block: int) -> Tensor:
            if role == "input":
                return made(role, start, ensemble.x / ensemble.x.shape[1] ** 0.5)
            j = ensemble.hidden_roles.index(role)
            return made(role, signals[block][j], passed.incoming[block][j])

        if needed.moving:
            values = pushed_forward(ensemble, needed.moving, needed.highest, passed, own) | values
            values["output-update", None] = values["output-update", None] + of_readout
        for each in asked:
            if each.quantity == "own-update" and each.role != "readout":
                values["own-update", each.role] = own(str(each.role), half)
    values |= decayed(ensemble, passed, needed.decaying)
    return {each: mean_square(values[each.quantity, each.role]) for each in asked}

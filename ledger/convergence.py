r"""Claims about the limit: how fast finite nets reach it, whether it is the one announced, and what that explains.

Errors are biases, averages over members beside exact values: of order 1/n with a coefficient of one tenth to one half,
which shows best at n = 2..32 with some 10^6 members, and of order 1/L, which shows at large n. Averages are taken over
batches of members, and batches are left out in turn (a jackknife of what would be 10^5 rows).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from powercount.derivations.dynamics.covariances import Pair, at_depth, in_the_limit
from powercount.derivations.dynamics.first_step import first_step, first_step_limit
from powercount.derivations.sources import HERE, NFD
from powercount.empirical.dynamics.convergence import Pairs, initial_covariances, smallest_eigenvalues
from powercount.empirical.dynamics.dependence import moved_output
from powercount.empirical.dynamics.training import Run, Trajectory, train
from powercount.ledger.claim import ABSTRACT, ALONE, DYNAMICS_TEST, V3_ONLY, Claim
from powercount.ledger.coupling import members, run_of
from powercount.ledger.finding import Evidence, from_estimate
from powercount.ledger.runs import (
    Rows,
    fitted,
    mean,
    members_of,
    members_of_each,
    ratio_of_means,
    slope_expected,
    slope_of,
)
from powercount.studies.study import Study

NARROW: Final = (2, 4, 8, 16)
# At T = 4 the term of order n^(-2) still shows at n = 2: 20 % of the bias there. At T = 1 it is lost in the noise.
WIDER: Final = (4, 8, 16, 32)
BATCHES: Final = 50
OVERLAP: Final = 0.5
SHALLOW: Final = 4
REFERENCE: Final = 256
LOSS_DEPTHS: Final = (2, 4, 8)


def columns(pair: Pair) -> Rows:
    """A pair's covariances as one row."""
    return np.asarray([pair.first, pair.second, pair.both])


def batches_at_start(study: Study, activation: str, width: int, depth: int, count: int, horizon: float) -> Rows:
    """Covariances of two inputs averaged over each of ``BATCHES`` batches of ``count`` members, shape (BATCHES, 3)."""
    pairs = Pairs(
        activation=activation,
        width=width,
        depth=depth,
        both=OVERLAP,
        members=count,
        horizon=horizon,
        seed=BATCHES * study.seed,
    )
    name = f"covariances of {BATCHES} batches from {pairs!r}"
    return np.asarray(study.cell(name, covariances_by_batch, batches=BATCHES, pairs=asdict(pairs)))


def covariances_by_batch(*, batches: int, pairs: Mapping[str, Any]) -> list[list[float]]:
    """The mean covariances of each batch; batches differ in their seed."""
    asked = [Pairs(**{**pairs, "seed": pairs["seed"] + batch}) for batch in range(batches)]
    return [initial_covariances(each).mean(dim=0).tolist() for each in asked]


def members_at_start(study: Study) -> int:
    """Members of one batch of narrow nets."""
    return 24000 if study.quick else 40000


def deep(study: Study) -> tuple[int, ...]:
    """The depths over which 1/L shows."""
    return (2, 4, 8) if study.quick else (2, 4, 8, 16)


def c17_start(study: Study) -> list[Evidence]:
    """At initialization forward covariances reach their limit as 1/n at fixed L and as 1/L at large n."""
    found, start = [], Pair(1, 1, OVERLAP)
    cases = (("relu", 1.0, NARROW), ("erf", 4.0, WIDER))
    for activation, horizon, widths in cases[1:] if study.quick else cases:
        condition = f"{activation}, T = {horizon:g}, two inputs"
        exact = columns(at_depth(activation, start, SHALLOW, horizon))
        count = members_at_start(study)
        narrow = np.stack([batches_at_start(study, activation, n, SHALLOW, count, horizon) for n in widths], axis=1)
        found.append(
            from_estimate(
                slope_of(lambda rows, exact=exact: (mean(rows) - exact).mean(axis=1), narrow, widths),  # type: ignore[misc]
                -1,
                -1,
                part="power of n of the bias",
                condition=condition,
                rival=0.5,
            )
        )
        limit = columns(in_the_limit(activation, start, horizon))
        depths = deep(study)
        wide, count = 512, 160 if study.quick else 400
        at = np.stack([batches_at_start(study, activation, wide, depth, count, horizon) for depth in depths], axis=1)
        biases = [(columns(at_depth(activation, start, depth, horizon)) - limit).mean() for depth in depths]
        found.append(
            from_estimate(
                slope_of(lambda rows, limit=limit: (mean(rows) - limit).mean(axis=1), at, depths),  # type: ignore[misc]
                -1,
                -1,
                part="power of L of the bias",
                condition=condition,
                expected=slope_expected(biases, depths),
                # 1/n beside 1/L at the ends of the sweep: under 1/2 a coefficient, n = 512 against L = 16.
                allowance=0.5 * max(depths) / wide,
                rival=0.5,
            )
        )
    return found


def narrow_steps(study: Study, activation: str, width: int, *, tied: bool) -> Rows:
    """The output's movement averaged over batches of small dense nets, shape (BATCHES,)."""
    count = 1000 if study.quick else 16000
    run = replace(run_of(study, activation, SHALLOW, tied=tied, width=width, kind="dense"), pooled=True)
    name = f"output moved in {BATCHES} batches of {count} of {run!r}"
    return np.asarray(study.cell(name, movement_by_batch, batches=BATCHES, count=count, run=run.plain()))


def movement_by_batch(*, batches: int, count: int, run: Mapping[str, Any]) -> list[float]:
    """The mean movement of the output in each batch of ``count`` members."""
    made = Run.of(run)
    return [
        float(moved_output(train(made, range(batch * count, (batch + 1) * count))).mean()) for batch in range(batches)
    ]


def c17_width(study: Study) -> list[Evidence]:
    """In training the output's movement reaches its infinite-width value as 1/n at fixed depth, tied and decoupled."""
    found = []
    for activation in ("tanh",) if study.quick else ("tanh", "relu"):
        here = first_step(activation, SHALLOW)
        exact = {True: here.tied, False: here.decoupled}
        for tied, value in exact.items():
            narrow = np.stack([narrow_steps(study, activation, n, tied=tied) for n in NARROW], axis=1)
            found.append(
                from_estimate(
                    slope_of(lambda rows, value=value: mean(rows) - value, narrow, NARROW),  # type: ignore[misc]
                    -1,
                    -1,
                    part="power of n of the bias of the output's movement",
                    condition=f"{activation}, {'tied' if tied else 'decoupled'}",
                    rival=0.5,
                )
            )
    return found


def c17_depth(study: Study) -> list[Evidence]:
    """In training 1/L at large n: each net to its own limit, and the tied net to the limit announced, R = S = 0."""
    found, near = [], deep(study)
    for activation in ("relu",) if study.quick else ("relu", "linear"):
        limit = dict(zip((True, False), first_step_limit(activation), strict=True))
        wide = {
            tied: np.stack([moved(study, run_of(study, activation, depth, tied=tied)) for depth in near], axis=1)
            for tied in (True, False)
        }
        # The distance to the other limit changes sign at small depth, where the two corrections cancel.
        deeper = tuple(4 * depth for depth in near)
        far = np.stack([moved(study, run_of(study, activation, depth)) for depth in deeper], axis=1)
        for tied, to, depths, rows_of, condition in (
            (True, True, near, wide[True], "tied net to its own limit"),
            (False, False, near, wide[False], "decoupled net to its own limit"),
            (True, False, deeper, far, "tied net to Neural Feature Dynamics as described, R = S = 0"),
        ):
            here = [first_step(activation, depth) for depth in depths]
            gaps = [(each.tied if tied else each.decoupled) - limit[to] for each in here]
            found.append(
                from_estimate(
                    slope_of(lambda rows, at=limit[to]: mean(rows) - at, rows_of, depths),  # type: ignore[misc]
                    -1,
                    -1 if tied == to else 0,
                    part="power of L of the distance of the output's movement",
                    condition=f"{activation}, {condition}",
                    expected=slope_expected(gaps, depths),
                    rival=0.5,
                )
            )
    return found


def moved(study: Study, run: Run) -> Rows:
    """The output's movement of every member, shape (members,)."""
    rows: Rows = members_of(study, run, (4 if study.quick else 8) * members(study), (moved_output,))[:, 0]
    return rows


def _eigenvalues(trajectory: Trajectory) -> Tensor:
    """The smallest eigenvalues of feature and gradient covariances at mid-depth, shape (S, 2)."""
    return torch.stack(smallest_eigenvalues(trajectory, (trajectory.run.depth + 1) // 2), dim=1)


def c17_eigenvalue(study: Study) -> list[Evidence]:
    """Features and gradients of different samples and steps stay linearly independent as the width grows.

    Chance overlaps of p vectors of n coordinates lower the smallest eigenvalue by up to the Marchenko-Pastur edge,
    (1 - sqrt(p/n))^2, which rises towards 1: the slope expected lies between zero and the slope of the edge.
    """
    widths, found = (256, 512, 1024) if study.quick else (512, 1024, 2048, 4096), []
    for activation in ("relu", "tanh"):
        runs = [fitted(study, activation, 16, width=width) for width in widths]
        at = np.stack(members_of_each(study, runs, members(study), (_eigenvalues,)), axis=1)
        for place, what in enumerate(("features", "gradients")):
            vectors = runs[0].samples * (runs[0].steps + 1 - place)
            edge = slope_expected([(1 - (vectors / width) ** 0.5) ** 2 for width in widths], widths)
            found.append(
                from_estimate(
                    slope_of(mean, at[:, :, place], widths),
                    0,
                    0,
                    part=f"power of n of the smallest eigenvalue, {what}",
                    condition=f"{activation} (mean {at[:, -1, place].mean():.1e} at n = {widths[-1]})",
                    expected=edge / 2,
                    allowance=edge / 2,
                    rival=0.5,
                )
            )
    return found


def _last(trajectory: Trajectory) -> Tensor:
    """Loss, features and gradients after the last step, mean squares over samples, shape (S, 3)."""
    features = trajectory.streams[-1][-1].square().flatten(1).mean(dim=1)
    gradients = trajectory.gradients[-1][0].square().flatten(1).mean(dim=1)
    return torch.stack([trajectory.losses[-1], features, gradients], dim=1)


def c17_solver(study: Study) -> list[Evidence]:
    """Particles of the full system have the loss, features and gradients of real networks after three steps."""
    found, depth = [], 16 if study.quick else 64
    for activation in ("relu",) if study.quick else ("relu", "tanh"):
        count, width = (16, 256) if study.quick else (24, 1024)
        nets = members_of(study, replace(fitted(study, activation, depth, width=width), kind="dense"), count, (_last,))
        particles = members_of(
            study,
            replace(fitted(study, activation, depth, width=2048 if study.quick else 8192), kind="particles"),
            count,
            (_last,),
        )
        for place, what in enumerate(("loss", "mean square feature", "mean square gradient")):
            found.append(
                from_estimate(
                    ratio_of_means(nets[:, place], particles[:, place]),
                    1,
                    1,
                    part=f"{what} of networks over that of particles",
                    condition=f"{activation}, n = {width}, L = {depth}",
                )
            )
    return found


def final_loss(trajectory: Trajectory) -> Tensor:
    """The loss after the last step over the first, shape (S,)."""
    return trajectory.losses[-1] / trajectory.losses[0]


def approach(study: Study, activation: str, depths: Sequence[int]) -> Rows:
    """Final losses by depth, the reference depth last, shape (members, depths + 1)."""
    count, width = (32, 512) if study.quick else (64, 2048)
    runs = [fitted(study, activation, depth, width=width) for depth in (*depths, REFERENCE)]
    return np.concatenate(members_of_each(study, runs, count, (final_loss,)), axis=1)


def c30(study: Study) -> list[Evidence]:
    """Depth helps less and less: the loss approaches its infinite-depth value as 1/L and stops there."""
    found = []
    for activation in ("relu",) if study.quick else ("relu", "tanh"):
        losses = approach(study, activation, LOSS_DEPTHS)
        at_reference = [1 / depth - 1 / REFERENCE for depth in LOSS_DEPTHS]
        found.append(
            from_estimate(
                slope_of(lambda rows: mean(rows)[:-1] - mean(rows)[-1], losses, LOSS_DEPTHS),
                -1,
                -1,
                part=f"power of L of the loss above its value at L = {REFERENCE}",
                condition=f"{activation}, k = 1, digits, 3 steps",
                expected=slope_expected(at_reference, LOSS_DEPTHS),
                rival=0.5,
            )
        )
    return found


FIGURE: Final = "a figure we know from its description alone"

CLAIMS: Final[tuple[Claim, ...]] = (
    Claim(
        id="C17-a",
        source=NFD,
        summary="at initialization finite nets reach the limit at O(1/n + 1/L)",
        statement="bias of the covariances of two inputs ~ n^(-1) at fixed L and ~ L^(-1) at large n",
        conditions="relu at T = 1 with n = 2..16, erf at T = 4 with n = 4..32, at L = 4; L = 2..16 at n = 512",
        check=c17_start,
        test=DYNAMICS_TEST,
        marks=(V3_ONLY, ABSTRACT),
    ),
    Claim(
        id="C17-b",
        source=HERE,
        summary="in training finite nets reach infinite width at O(1/n)",
        statement="bias of the output's movement ~ n^(-1) at fixed L",
        conditions="tanh, relu; tied and decoupled; one step, n = 2..16, L = 4, T = 1",
        check=c17_width,
        test=ALONE,
    ),
    Claim(
        id="C17-c",
        source=NFD,
        summary="in training wide nets reach Neural Feature Dynamics at O(1/L)",
        statement="distance of the output's movement from its limit ~ L^(-1)",
        conditions="relu, linear; one step; tied and decoupled nets, and the limits with and without R, S",
        check=c17_depth,
        test=DYNAMICS_TEST,
        marks=(V3_ONLY, ABSTRACT),
    ),
    Claim(
        id="C17-d",
        source=NFD,
        summary="the covariances of features and gradients stay non-degenerate as the width grows",
        statement="smallest eigenvalue over steps and samples ~ n^0",
        conditions="relu, tanh; four digits, 3 steps at eta = 1/2, n = 512..4096, L = 16; cosines, at mid-depth",
        check=c17_eigenvalue,
        test=ALONE,
        marks=(FIGURE, ABSTRACT),
    ),
    Claim(
        id="C17-e",
        source=HERE,
        summary="the particle solver of the full system, with R and S, is the limit of real networks",
        statement="loss, E h_L^2, E delta_0^2 of networks over those of particles: 1",
        conditions="relu, tanh; four digits, 3 steps at eta = 1/2; all n^2 entries, n = 1024, L = 64; 8192 particles",
        check=c17_solver,
        test=DYNAMICS_TEST,
    ),
    Claim(
        id="C30",
        source=NFD,
        summary="depth has diminishing returns because the infinite-depth limit is being reached",
        statement="loss after a fixed number of steps approaches its limit as L^(-1)",
        conditions="relu, tanh; four digits, 3 steps at eta = 1/2, L = 2..8 beside L = 256, n = 2048; k = 1",
        check=c30,
        test=ALONE,
        marks=(ABSTRACT,),
    ),
)

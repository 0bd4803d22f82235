r"""Finite networks beside Neural Feature Dynamics: one training run, solved in the limit and trained for real.

The limit is solved by particles on a grid of layers (``empirical.dynamics``), with the responses R, S (full) and
without them (decoupled: Neural Feature Dynamics as described in arXiv 2512.21075); for linear blocks with one output
also exactly (``derivations.dynamics.linear``). Networks of growing width at the grid's depth, and of growing depth at
the largest width, are trained from the same data. What is compared, at every step k and layer time t = l/L: the loss;
the mean squares E h(t)^2 and E delta(t)^2; the covariance E h^k(t) h^0(t) of features with what they were.

Worked line: at k = 0 the two limits coincide; at k = 1 they part by a factor T e^T/(e^T - 1) for linear blocks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypedDict

from torch import Tensor

from powercount.derivations.dynamics.linear import LinearTask, solve
from powercount.door.figure import canvas
from powercount.empirical.dynamics.training import DynamicsError, Run, Trajectory, data_of, train
from powercount.studies.study import Study

FEWEST_LAYERS: Final = 2
FULL: Final = "full"
DECOUPLED: Final = "R = S = 0"
EXACT: Final = "exact"


class SeriesRow(TypedDict):
    """One run as plain data: by step, and by layer time at the last step."""

    name: str
    width: int
    depth: int
    loss: list[float]
    features: list[float]
    gradients: list[float]
    times: list[float]
    feature_profile: list[float]
    gradient_profile: list[float]
    covariance_profile: list[float]


class GapRow(TypedDict):
    """How far one network is from each limit: gaps of loss, features and gradients, largest over steps.

    Features are compared with the limit's own at that step; loss and gradients, which vanish in the end, with the
    limit's at the start.
    """

    name: str
    full: float
    decoupled: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitPlan:
    """``run`` is the limit's own run: ``width`` particles on a grid of ``depth`` layers."""

    run: Run
    widths: tuple[int, ...] = (64, 256, 1024)
    depths: tuple[int, ...] = (4, 16, 64)
    members: int = 4

    def __post_init__(self) -> None:
        if self.run.depth < FEWEST_LAYERS:
            raise DynamicsError(f"grid = {self.run.depth}: a grid of one point has no layer time; use 32 or more")
        if self.members < 1:
            raise DynamicsError(f"members = {self.members}: use at least 1")
        for run in self.runs().values():
            run.check_memory()

    def runs(self) -> dict[str, Run]:
        """Every run by name: the two limits first, then networks by width and by depth."""
        full = replace(self.run, kind="particles", tied=True)
        found = {FULL: full, DECOUPLED: replace(full, tied=False)}
        net = replace(self.run, kind="dense", tied=True)
        for width in self.widths:
            found[f"n = {width}, L = {self.run.depth}"] = replace(net, width=width)
        for depth in self.depths:
            widest = max(self.widths, default=self.run.width)
            found[f"n = {widest}, L = {depth}"] = replace(net, width=widest, depth=depth)
        return found


def _mean_square(columns: Tensor) -> float:
    return float(columns.square().mean())


def series(name: str, trajectory: Trajectory) -> SeriesRow:
    """Averages over members and samples of one trajectory."""
    run = trajectory.run
    return {
        "name": name,
        "width": run.width,
        "depth": run.depth,
        "loss": [float(loss.mean()) for loss in trajectory.losses],
        "features": [_mean_square(streams[-1]) for streams in trajectory.streams],
        "gradients": [_mean_square(gradients[0]) for gradients in trajectory.gradients],
        "times": [layer / run.depth for layer in range(run.depth + 1)],
        "feature_profile": [_mean_square(h) for h in trajectory.streams[-1]],
        "gradient_profile": [_mean_square(delta) for delta in trajectory.gradients[-1]],
        "covariance_profile": [
            float((last * first).mean())
            for last, first in zip(trajectory.streams[-1], trajectory.streams[0], strict=True)
        ],
    }


def exact_series(run: Run, members: int) -> SeriesRow:
    """The same for linear blocks at infinite width, from the exact recursion, averaged over the members' data."""
    rows = []
    for member in range(members):
        x, targets = data_of(run, [member])
        overlaps = (x[0].T @ x[0] / x.shape[1]).tolist()
        rows.append(_exact(run, overlaps, targets[0, 0].tolist()))
    return averaged(rows)


def averaged(rows: list[SeriesRow]) -> SeriesRow:
    """The mean of several runs of one plan."""
    means: dict[str, Any] = {}
    for key, value in rows[0].items():
        if isinstance(value, list):
            columns = zip(*(dict(row)[key] for row in rows), strict=True)
            means[key] = [sum(column) / len(rows) for column in columns]
    return {**rows[0], **means}  # type: ignore[typeddict-item]  # the same keys, averaged


def _exact(run: Run, overlaps: list[list[float]], targets: list[float]) -> SeriesRow:
    task = LinearTask(
        depth=run.depth,
        squared_beta=run.beta**2,
        rate=run.rate,
        steps=run.steps,
        overlaps=overlaps,
        targets=targets,
        tied=run.tied,
    )
    found, count = solve(task), run.samples

    def average(table: list[list[float]], step: int, other: int) -> float:
        return sum(table[step * count + b][other * count + b] for b in range(count)) / count

    def loss(step: int) -> float:
        gaps = [found.outputs[step * count + b] - targets[b] for b in range(count)]
        return float(sum(gap * gap for gap in gaps)) / (2 * count)

    steps = range(run.steps + 1)
    return {
        "name": EXACT,
        "width": 0,
        "depth": run.depth,
        "loss": [loss(step) for step in steps],
        "features": [average(found.streams[-1], step, step) for step in steps],
        "gradients": [average(found.gradients[0], step, step) for step in steps[:-1]],
        "times": [layer / run.depth for layer in range(run.depth + 1)],
        "feature_profile": [average(table, run.steps, run.steps) for table in found.streams],
        "gradient_profile": [average(table, run.steps - 1, run.steps - 1) for table in found.gradients],
        "covariance_profile": [average(table, run.steps, 0) for table in found.streams],
    }


def solves_exactly(run: Run) -> bool:
    """Whether ``exact_series`` covers the run."""
    return run.activation == "linear" and run.outputs == 1 and run.loss == "mse" and run.trained == ("hidden",)


def run_limit(plan: LimitPlan, study: Study) -> list[SeriesRow]:
    """Every run of the plan, cell by cell."""
    asked = {
        f"{name}: {plan.members} members of {run!r}": {"name": name, "run": run.plain(), "members": plan.members}
        for name, run in plan.runs().items()
    }
    found: list[SeriesRow] = study.cells(trained_series, asked)
    if solves_exactly(plan.run):
        found.append(exact_series(replace(plan.run, tied=True), plan.members))
    return found


def trained_series(*, name: str, run: Mapping[str, Any], members: int) -> SeriesRow:
    """One run of the plan, trained member by member and averaged."""
    return averaged([series(name, train(Run.of(run), [member])) for member in range(members)])


def gaps(rows: list[SeriesRow]) -> list[GapRow]:
    """Every network's largest relative gap to each limit, over loss, features and gradients at every step."""
    by_name = {row["name"]: row for row in rows}

    def gap(row: SeriesRow, limit: SeriesRow) -> float:
        found = [abs(one / other - 1) for one, other in zip(row["features"], limit["features"], strict=True)]
        for here, there in ((row["loss"], limit["loss"]), (row["gradients"], limit["gradients"])):
            found += [abs(one - other) / there[0] for one, other in zip(here, there, strict=True)]
        return max(found)

    return [
        {
            "name": row["name"],
            "full": gap(row, by_name[FULL]),
            "decoupled": gap(row, by_name[DECOUPLED]),
        }
        for row in rows
    ]


def draw_limit(rows: list[SeriesRow], path: str) -> None:
    """Four panels: loss by step; features, gradients and covariance with the start by layer time at the last step."""
    from matplotlib import colormaps

    panels = (
        ("loss", None, "training step k", "loss"),
        ("feature_profile", "times", "layer time t", r"$E\,h(t)^2$ at the last step"),
        ("gradient_profile", "times", "layer time t", r"$E\,\delta(t)^2$ at the last step"),
        ("covariance_profile", "times", "layer time t", r"$E\,h^k(t)\,h^0(t)$ at the last step"),
    )
    figure, axes = canvas(2, 2, 10, 7.5)
    nets = [row for row in rows if row["name"] not in (FULL, DECOUPLED, EXACT)]
    colours = colormaps["viridis"]
    shades = {row["name"]: colours(0.9 - 0.75 * place / max(1, len(nets) - 1)) for place, row in enumerate(nets)}
    for axis, (key, along, xlabel, ylabel) in zip(axes.flat, panels, strict=True):
        for row in rows:
            values = row[key]  # type: ignore[literal-required]
            x = row["times"] if along else list(range(len(values)))
            style: dict[str, Any] = {"color": shades.get(row["name"]), "lw": 1.2}
            if row["name"] == FULL:
                style = {"color": "black", "lw": 2.4}
            elif row["name"] == DECOUPLED:
                style = {"color": "tab:red", "lw": 2.4, "ls": "--"}
            elif row["name"] == EXACT:
                style = {"color": "tab:blue", "lw": 0, "marker": "x", "ms": 4, "markevery": max(1, len(x) // 16)}
            axis.plot(x, values, label=row["name"], **style)
        axis.set_xlabel(xlabel)
        axis.set_ylabel(ylabel)
        axis.spines[["top", "right"]].set_visible(False)
    axes.flat[0].legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=130)

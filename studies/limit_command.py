"""``powercount nfd``: the infinite-width, infinite-depth system beside finite networks, as a table and a plot."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from powercount.derivations.recipe import ACTIVATIONS, LOSSES
from powercount.door.figure import FIGURES, check_figure
from powercount.studies.arguments import numbers
from powercount.studies.study import Study, kept_in, say_on_terminal, writing


def add_verb(verbs: Any) -> None:
    """Describe ``nfd`` on the command line."""
    text = "Neural Feature Dynamics, with and without response terms, beside finite networks"
    made = verbs.add_parser("nfd", help=text, description=text)
    made.add_argument("--activation", default="relu", help=f"one of: {', '.join(ACTIVATIONS)}")
    made.add_argument("--loss", default="mse", help=f"one of: {', '.join(LOSSES)}")
    made.add_argument("--outputs", type=int, default=1, help="1 (is the digit five or more) or 10 (1)")
    made.add_argument("--horizon", type=float, default=1.0, help="T, the branch's squared weight (1)")
    made.add_argument("--rate", type=float, default=0.5, help="learning rate eta (0.5)")
    made.add_argument("--steps", type=int, default=5, help="training steps (5)")
    made.add_argument("--samples", type=int, default=4, help="digits in the batch (4)")
    made.add_argument("--particles", type=int, default=8192, help="particles of the limit (8192)")
    made.add_argument("--grid", type=int, default=64, help="layers of the limit's grid (64)")
    made.add_argument("--widths", default="64,256,1024", help="widths of the networks, at the grid's depth")
    made.add_argument("--depths", default="4,16", help="depths of the networks, at the largest width")
    made.add_argument("--members", type=int, default=4, help="seeds to average (4)")
    made.add_argument("--seed", type=int, default=0, help="the seed everything is drawn from (0)")
    made.add_argument("--plot", type=Path, metavar="FILE", help=f"write the figure, as one of: {', '.join(FIGURES)}")
    made.add_argument("--folder", type=Path, help="keep what is done here while it runs (a folder of your cache)")
    made.add_argument("--json", action="store_true", help="print JSON")


def show_limit(given: argparse.Namespace) -> int:
    """Solve, train, compare; everything is checked before anything is trained."""
    from powercount.door.forecast import announce, trainings
    from powercount.door.process import keep_memory
    from powercount.empirical.dynamics.training import Run
    from powercount.studies.limit import LimitPlan, draw_limit, gaps, run_limit

    check_figure(given.plot)
    run = Run(
        width=given.particles,
        depth=given.grid,
        activation=given.activation,
        steps=given.steps,
        samples=given.samples,
        outputs=given.outputs,
        loss=given.loss,
        rate=given.rate,
        horizon=given.horizon,
        kind="particles",
        seed=given.seed,
        centred=True,
    )
    plan = LimitPlan(
        run=run,
        widths=numbers(given.widths, "--widths"),
        depths=numbers(given.depths, "--depths"),
        members=given.members,
    )
    met = run.steps * run.samples
    shapes = [(each.width, each.depth, met, plan.members, each.kind == "dense") for each in plan.runs().values()]
    announce(
        trainings(shapes, max(each.memory() for each in plan.runs().values())),
        "choose fewer --particles, --steps or --members, or smaller --widths",
    )
    study = Study(seed=given.seed, folder=given.folder or kept_in("nfd"), say=say_on_terminal)
    study.check()
    keep_memory()
    rows = run_limit(plan, study)
    compared = gaps(rows)
    if given.plot is not None:
        with writing("--plot", given.plot):
            draw_limit(rows, str(given.plot))
    study.finished()
    if given.json:
        print(json.dumps({"runs": rows, "gaps": compared}, indent=2))
        return 0
    from powercount.door.report import print_table

    cells = [
        (
            row["name"],
            *(f"{row[key][-1]:.4f}" for key in ("loss", "features", "gradients")),
            f"{gap['full']:.1%}",
            f"{gap['decoupled']:.1%}",
        )
        for row, gap in zip(rows, compared, strict=True)
    ]
    header = ("run", "loss", "E h_L^2", "E delta_0^2", "gap to full", "gap to R = S = 0")
    title = f"{run.activation}, {run.loss}, T = {run.horizon:g}, {run.steps} steps of eta = {run.rate:g}"
    print_table(
        f"{title}, {run.samples} digits, {plan.members} seeds; gaps are the largest over the steps", header, cells
    )
    return 0

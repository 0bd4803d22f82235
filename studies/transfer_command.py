"""The verb ``transfer``: the best learning rate against depth, derived and measured.

``add_verb`` registers it and its options; ``show_transfer`` runs it. Everything is checked before anything is
trained. Every cell is kept while it runs, and the same command after an interrupt goes on where it was.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from powercount.derivations.recipe import ACTIVATIONS, LOSSES, QuestionError, check_name
from powercount.door.figure import FIGURES, check_figure
from powercount.studies.arguments import numbers

if TYPE_CHECKING:
    from powercount.studies.transfer import TransferPlan, TransferSetting

VERB: Final = "transfer"
DEFAULT_MODES: Final = "all,hidden"


def add_verb(verbs: Any, parser: Callable[..., argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Register the verb with a command line's subparsers; ``parser`` is the class its other verbs are made by."""
    text = "measure how the best learning rate moves with depth, beside what is derived"
    made: argparse.ArgumentParser = verbs.add_parser(VERB, help=text, description=text)
    assert isinstance(made, argparse.ArgumentParser), parser
    made.add_argument("--recipes", help="comma-separated recipes (depth-mup,depth-mup-sqrt,completep)")
    made.add_argument("--width", type=int, help="width of every network (64)")
    made.add_argument("--depths", help="at least three depths (2,4,8,16,32,64)")
    made.add_argument("--seeds", type=int, help="networks at each depth and rate (32)")
    made.add_argument("--steps", type=int, help="steps of full-batch gradient descent (20)")
    made.add_argument("--examples", type=int, help="digits in the batch (32)")
    made.add_argument("--activation", default="tanh", help=f"one of: {', '.join(ACTIVATIONS)}")
    made.add_argument("--loss", default="cross-entropy", help=f"comma-separated, of: {', '.join(LOSSES)}")
    made.add_argument("--modes", default=DEFAULT_MODES, help="comma-separated, of: all, hidden, split (all,hidden)")
    made.add_argument("--seed", type=int, default=0, help="the seed everything is drawn from (0)")
    made.add_argument("--quick", action="store_true", help="small networks and few seeds: some ten seconds")
    made.add_argument("--plot", type=Path, metavar="FILE", help=f"write the figure, as one of: {', '.join(FIGURES)}")
    made.add_argument("--folder", metavar="DIR", help="keep what is done here while it runs (a folder of your cache)")
    made.add_argument("--json", action="store_true", help="print JSON")
    return made


def listed(text: str) -> tuple[str, ...]:
    """Comma-separated names, each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def plan_asked(given: argparse.Namespace) -> TransferPlan:
    """The sizes of the study: the full or the quick plan with the command line's changes."""
    from dataclasses import replace

    from powercount.studies.transfer import FULL, QUICK

    changes: dict[str, Any] = {
        name: value for name in ("width", "seeds", "steps", "examples") if (value := getattr(given, name)) is not None
    }
    if given.depths is not None:
        changes["depths"] = numbers(given.depths, "--depths")
    return replace(QUICK if given.quick else FULL, **changes)


def settings_asked(given: argparse.Namespace) -> tuple[TransferSetting, ...]:
    """Every recipe with two-layer blocks, and depth-mup with one-layer blocks as the control."""
    from powercount.empirical.dynamics.rate_training import MODES
    from powercount.studies.transfer import THREE, TransferSetting

    names = THREE if given.recipes is None else listed(given.recipes)
    modes, losses = listed(given.modes), listed(given.loss)
    for what, values in (("--recipes", names), ("--modes", modes), ("--loss", losses)):
        if not values:
            raise QuestionError(f"{what} names nothing; leave it out for the default")
    for mode in modes:
        check_name("mode", mode, MODES)
    blocks = [(name, 2) for name in names] + [(name, 1) for name in names if name == "depth-mup"]
    made = tuple(
        TransferSetting(name=name, layers=layers, moving=mode, loss=loss, activation=given.activation)
        for loss in losses
        for mode in MODES
        if mode in modes
        for name, layers in blocks
    )
    for setting in made:
        _check_setting(setting)
    return made


def _check_setting(setting: TransferSetting) -> None:
    """Refuse a recipe that does not exist, or has no power of L that its best rate could follow."""
    from powercount.derivations.dynamics.best_rates import best_rate

    reason = best_rate(setting.recipe, setting.moving).reason("depth")
    if reason is not None:
        raise QuestionError(
            f"{setting.name} has no exponent along depth: {reason}; choose a recipe whose branch is multiplied by "
            "L^(-1/2) or less"
        )


def show_transfer(given: argparse.Namespace) -> int:
    """Run the study, print its table or JSON, and draw its figure."""
    from powercount.door.forecast import announce, rate_sweeps
    from powercount.door.process import keep_memory
    from powercount.door.report import print_table
    from powercount.empirical.dynamics.rates import first_grid
    from powercount.studies.study import Study, kept_in, say_on_terminal, writing
    from powercount.studies.transfer import run_transfer
    from powercount.studies.transfer_page import HEADER, draw_transfer, transfer_cells, transfer_title

    plan, settings = plan_asked(given), settings_asked(given)
    check_figure(given.plot)
    for setting in settings:
        plan.run(setting, plan.depths[-1], given.seed).check_memory(len(first_grid()))
    announce(
        rate_sweeps(
            [setting.layers for setting in settings],
            plan.depths,
            width=plan.width,
            work=plan.seeds * plan.steps * plan.examples,
            rates=len(first_grid()),
        ),
        "choose a smaller --width or smaller --depths, or fewer --seeds or --steps",
    )
    study = Study(
        quick=given.quick,
        seed=given.seed,
        folder=Path(given.folder) if given.folder else kept_in(VERB),
        say=say_on_terminal,
    )
    study.check()
    keep_memory()
    result = run_transfer(study, settings, plan)
    if given.plot is not None:
        with writing("--plot", given.plot):
            draw_transfer(result, given.plot)
    study.finished()
    if given.json:
        print(json.dumps(result.as_row(), indent=2))
    else:
        print_table(transfer_title(result), HEADER, [transfer_cells(row) for row in result.rows])
    return 0

"""The verbs of a recipe: laws, derive, measure, verify. Whole trainings, claims and tables have theirs in their rooms.

Each verb is described to the command line here and answered by one function, which returns the exit code.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from powercount.derivations.recipe import (
    ACTIVATIONS,
    AXES,
    LOSSES,
    OPTIMIZERS,
    Axis,
    Block,
    Observable,
    Optimizer,
    Recipe,
    observable_named,
    observables_of,
)
from powercount.door.entry import (
    AGREES,
    CONTRADICTS,
    UNDECIDED,
    Parser,
    UsageError,
    command_line,
    rival_asked,
    sizes,
    within_floats,
)

if TYPE_CHECKING:
    from powercount.empirical.design import Sweep

DATA = ("digits", "gaussian")
DEVICES = ("cpu", "cuda")
RATES = ("keep", "published")
SMALLER = "choose smaller --sizes, or fewer --seeds or --steps"


def add_verbs(verbs: Any) -> None:
    """Describe the four verbs on the command line."""
    laws = verbs.add_parser("laws", help="list the laws and the tests that hold them")
    laws.add_argument("--json", action="store_true", help="print a JSON list")

    def verb(name: str, text: str) -> Parser:
        made: Parser = verbs.add_parser(name, help=text, description=text)
        made.add_argument("recipe", metavar="RECIPE", help="a named recipe or a TOML file")
        made.add_argument("--layers", type=int, help="internal layers per block (named recipes: 2)")
        made.add_argument("--activation", help=f"one of: {', '.join(ACTIVATIONS)}")
        made.add_argument("--optimizer", help=f"one of: {', '.join(OPTIMIZERS)}")
        made.add_argument(
            "--rates",
            choices=RATES,
            help="under --optimizer; keep: every own update keeps its powers (named recipes: the default); published: "
            "as papers print them for the named recipe and that optimizer",
        )
        made.add_argument("--loss", help=f"one of: {', '.join(LOSSES)}")
        made.add_argument("--json", action="store_true", help="print JSON")
        return made

    derive = verb("derive", "derive exponents, with the steps they rest on")
    derive.add_argument("--markdown", action="store_true", help="print Markdown with LaTeX")
    measure = verb("measure", "measure slopes on finite networks")
    verify = verb("verify", "derive, measure and judge")
    for made in (derive, measure):
        made.add_argument("--observable", action="append", required=True, help="repeatable, or: all")
    verify.add_argument("--observable", action="append", help="repeatable; all of them by default")
    measure.add_argument("--axis", choices=AXES, required=True)
    verify.add_argument("--axis", choices=AXES, help="both by default")
    verify.add_argument("--against", metavar="RECIPE", help="judge by the claims of this recipe instead")
    verify.add_argument("--rival", default="1/4", help="distance to the nearest rival exponent (1/4)")
    for made in (measure, verify):
        made.add_argument("--sizes", type=sizes, help="widths or depths, such as 4,8,16,32")
        made.add_argument("--width", type=int, help="the fixed width when depth varies")
        made.add_argument("--depth", type=int, help="the fixed depth when width varies")
        made.add_argument("--seeds", type=int, help="exactly this many; by default they grow until it is decided")
        made.add_argument("--seed", type=int, default=0, help="the seed everything is drawn from (0)")
        made.add_argument("--steps", type=int, default=0, help="real optimizer steps; 0: one infinitesimal step (0)")
        made.add_argument("--data", choices=DATA, default="digits")
        made.add_argument("--device", choices=DEVICES, default="cpu", help="where the arithmetic is done (cpu)")


def recipe_asked(text: str, given: argparse.Namespace) -> Recipe:
    """The named recipe or TOML file, with the overrides of the command line."""
    from powercount.derivations.named import NAMED, named_recipe

    if text in NAMED:
        made = named_recipe(text, layers=2 if given.layers is None else given.layers)
    elif text.endswith(".toml") or os.path.exists(text):
        from powercount.door.recipe_file import read_recipe

        made = read_recipe(text)
        if given.layers is not None:
            made = replace(made, block=Block(layers=given.layers, activation=made.block.activation))
    else:
        made = named_recipe(text)
    block, optimizer = made.block, made.optimizer
    made = replace(
        made,
        block=Block(layers=block.layers, activation=given.activation or block.activation),
        optimizer=Optimizer(name=optimizer.name, loss=given.loss or optimizer.loss),
    )
    if given.rates == "published":
        return _with_printed_rates(made, given, named=text in NAMED)
    if given.optimizer in (None, optimizer.name):
        if given.rates is not None:
            raise UsageError(f"--rates {given.rates} is for another optimizer than {optimizer.name}; give --optimizer")
        return made
    return _with_optimizer(made, given, named=text in NAMED)


def _with_optimizer(made: Recipe, given: argparse.Namespace, *, named: bool) -> Recipe:
    """The recipe under another optimizer than its own: the rates of a named one are translated, a file's if asked."""
    from powercount.derivations.translate import translated

    Optimizer(name=given.optimizer)  # refuses an unknown name
    if not named and given.rates is None:
        raise UsageError(
            f"--optimizer {given.optimizer}: the rates of {made.name} are those of {made.optimizer.name}; give --rates "
            "keep to keep the power of every own update, or write its own rates in the file"
        )
    return translated(made, given.optimizer)


def _with_printed_rates(made: Recipe, given: argparse.Namespace, *, named: bool) -> Recipe:
    """The named recipe with the rates that are printed for it under the optimizer given, its own one not excepted."""
    from powercount.derivations.published import published

    if given.optimizer is None:
        raise UsageError("--rates published: rates are printed for an optimizer; give --optimizer")
    if not named:
        raise UsageError(
            f"--rates published: {made.name} is a file's, and rates are printed for named recipes alone; give --rates "
            "keep to keep the power of every own update under another optimizer, or write its own rates in the file"
        )
    return published(made, given.optimizer)


def observables_asked(names: Sequence[str] | None, *recipes: Recipe) -> tuple[Observable, ...]:
    """The observables named, or all of them."""
    if names is None or "all" in names:
        return observables_of(*recipes)
    decayed = [role for recipe in recipes for role in recipe.decayed]
    return tuple(dict.fromkeys(observable_named(name, recipes[0].block.layers, decayed) for name in names))


def sweep_asked(recipe: Recipe, axis: Axis, given: argparse.Namespace) -> Sweep:
    """The default sweep of an axis with the command line's changes."""
    from powercount.recipes import default_sweep

    chosen = default_sweep(recipe, axis, steps=given.steps)
    fixed = given.depth if axis == "width" else given.width
    changes: dict[str, Any] = {"seed": given.seed, "data": given.data, "device": given.device}
    if given.sizes is not None:
        changes["sizes"] = tuple(given.sizes)
    if fixed is not None:
        changes["fixed"] = fixed
    if given.seeds is not None:
        changes |= {"seeds": given.seeds, "most_seeds": given.seeds}
    return replace(chosen, **changes)


def print_json(rows: Sequence[object], names: Sequence[str] | None) -> None:
    """One object where exactly one observable was asked for by name, else a list."""
    single = names is not None and len(rows) == 1 and "all" not in names
    print(json.dumps(rows[0] if single else list(rows), indent=2))


def show_laws(given: argparse.Namespace) -> int:
    """The register of laws."""
    from dataclasses import asdict

    from powercount.derivations.laws import LAWS

    if given.json:
        print(json.dumps([asdict(law) for law in LAWS], indent=2))
        return AGREES
    for law in LAWS:
        print(f"{law.name}: {law.claim}")
        print(f"    observables  {', '.join(law.observables)}")
        print(f"    power of n   {law.width}\n    power of L   {law.depth}")
        print(f"    source       {law.source}\n    test         {law.test}")
    return AGREES


def show_derivation(given: argparse.Namespace) -> int:
    """Predictions with their steps."""
    from powercount.derivations.predict import derive

    recipe = recipe_asked(given.recipe, given)
    predictions = [derive(recipe, each) for each in observables_asked(given.observable, recipe)]
    if given.json:
        print_json([prediction.as_row() for prediction in predictions], given.observable)
    else:
        texts = [each.as_markdown() if given.markdown else each.as_text() for each in predictions]
        print("\n\n".join(texts))
    return AGREES


def show_measurement(given: argparse.Namespace) -> int:
    """Slopes, with no judgement."""
    from powercount.door.forecast import announce, sweeps
    from powercount.door.process import one_thread
    from powercount.door.report import print_table, progress_on_terminal
    from powercount.door.table import interval, number
    from powercount.empirical.nets import check_possible
    from powercount.empirical.sweep import measure
    from powercount.recipes import check_gentle, gentle

    recipe = recipe_asked(given.recipe, given)
    wanted = observables_asked(given.observable, recipe)
    sweep = sweep_asked(recipe, given.axis, given)
    check_possible(recipe, sweep)
    announce(sweeps(recipe, [sweep]), SMALLER)
    one_thread()
    with within_floats():
        sweep = check_gentle(recipe, wanted, gentle(recipe, sweep)) if sweep.steps else sweep
    with progress_on_terminal(f"{recipe.name} along {given.axis}") as progress:
        rows = [each.as_row() for each in measure(recipe, wanted, sweep, progress=progress).values()]
    if given.json:
        print_json(rows, given.observable)
        return AGREES
    cells = [
        (
            row["observable"],
            number(row["slope"]) if row["state"] == "measured" else row["state"],
            interval(row["low"], row["high"]),
            " ".join("none" if point is None else f"{point:.4g}" for point in row["points"]),
        )
        for row in rows
    ]
    title = (
        f"{recipe.name} along {given.axis} {rows[0]['sizes']}: {rows[0]['seeds']} seeds of {sweep.data}, "
        f"seed {sweep.seed}, {rows[0]['cpu_seconds']:.1f} CPU seconds"
    )
    print_table(title, ("observable", "slope", "95 % interval", "points"), cells)
    return AGREES


def options_of_one(recipe: Recipe, against: Recipe) -> str | None:
    """What only one of two recipes has and no power of the other could explain; None where they have the same."""
    for option, mine, claimed in (
        ("weight_decay", recipe.decayed, against.decayed),
        ("epsilon", recipe.damped, against.damped),
    ):
        for has, lacks, roles in (
            ("RECIPE has", "the claims have not", set(mine) - set(claimed)),
            ("the claims have", "RECIPE has not", set(claimed) - set(mine)),
        ):
            if roles:
                named = ", ".join(role for role in recipe.role_names if role in roles)
                return f"{has} {option} for {named}, which {lacks}; give both the same, then powers are looked for"
    return None


def show_verdicts(given: argparse.Namespace) -> int:
    """Derive, measure, judge; name the suspect where something contradicts."""
    from powercount.door.forecast import announce, sweeps
    from powercount.door.process import one_thread
    from powercount.door.report import print_suspects, print_verdicts, progress_on_terminal
    from powercount.empirical.nets import check_possible
    from powercount.explain import explain
    from powercount.finite_size import FiniteSize
    from powercount.recipes import check_steps, verify_axis

    recipe = recipe_asked(given.recipe, given)
    against = recipe if given.against is None else recipe_asked(given.against, given)
    if against.block.layers != recipe.block.layers:
        raise UsageError(
            f"--against has {against.block.layers} internal layers and RECIPE {recipe.block.layers}; set --layers"
        )
    if against.optimizer.name != recipe.optimizer.name:
        raise UsageError(
            f"--against steps by {against.optimizer.name} and RECIPE by {recipe.optimizer.name}; give --optimizer "
            f"{recipe.optimizer.name}, or name it in the file"
        )
    wanted = observables_asked(given.observable, recipe, against)
    if given.sizes is not None and given.axis is None:
        raise UsageError("--sizes needs --axis width or --axis depth")
    rival = rival_asked(given.rival)
    axes: tuple[Axis, ...] = AXES if given.axis is None else (given.axis,)
    planned = {axis: sweep_asked(against, axis, given) for axis in axes}
    for sweep in planned.values():
        check_possible(recipe, sweep)
        check_steps(recipe, sweep)
        with within_floats():
            FiniteSize.of(against, sweep).largest_error()
    announce(sweeps(recipe, planned.values()), SMALLER)
    one_thread()
    found = {}
    for axis, sweep in planned.items():
        with progress_on_terminal(f"{recipe.name} along {axis}") as progress, within_floats():
            found[axis] = verify_axis(
                recipe, axis, against=against, asked=wanted, sweep=sweep, rival=rival, progress=progress
            )
    verdicts = [verdict for each in found.values() for verdict in each]
    outcomes = {verdict.outcome for verdict in verdicts}
    if given.json:
        print(json.dumps([verdict.as_row() for verdict in verdicts], indent=2))
    else:
        seen = "" if against == recipe else f" against the claims of {against.name}"
        print_verdicts(
            f"{recipe.name}{seen} ({recipe.block.layers} internal layers, {recipe.block.activation})", verdicts
        )
        one_sided = options_of_one(recipe, against)
        for axis, each in found.items():
            if any(verdict.outcome == "CONTRADICTS" for verdict in each):
                if one_sided:
                    print(f"\nsuspect along {axis}: {one_sided}")
                else:
                    print_suspects(axis, explain(against, each))
        if outcomes != {"AGREES"}:
            print(f"\nrepeat with: {command_line(given.arguments)}")
    if "CONTRADICTS" in outcomes:
        return CONTRADICTS
    return UNDECIDED if "UNDECIDED" in outcomes else AGREES


ANSWERS = {"laws": show_laws, "derive": show_derivation, "measure": show_measurement, "verify": show_verdicts}

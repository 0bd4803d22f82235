"""The kill table: every single power of every named recipe, moved by 1/4 and by 1/2, is CONTRADICTED.

Each mutant is built and measured; the claims are the named recipe's. Small sweeps with shared draws come
first; a mutant they do not decide is measured again as ``verify`` would.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from powercount.derivations.named import NAMED, named_recipe
from powercount.derivations.recipe import AXES, KINDS, OPTIONAL, Optimizer
from powercount.derivations.translate import translated, with_decay, with_epsilon
from powercount.finite_size import FiniteSize
from powercount.recipes import default_sweep, verify_axis

README = Path(__file__).parents[2] / "README.md"
SHIFTS = (Fraction(-1, 2), Fraction(-1, 4), Fraction(1, 4), Fraction(1, 2))


def kills(bench, implementation):
    """Whether some observable contradicts the implementation, on the bench or as ``verify`` would measure it."""
    if bench.contradicts(implementation):
        return True
    return any(v.outcome == "CONTRADICTS" for v in verify_axis(implementation, bench.axis, against=bench.against))


def far_below_epsilon(recipe):
    """Every entry of the gradient n^(-1) of its epsilon."""
    recipe = with_epsilon(recipe)
    for role in recipe.role_names:
        recipe = recipe.shifted(role, "epsilon", "width", Fraction(1))
    return recipe


def pytest_generate_tests(metafunc):
    """Plain descent under cross-entropy always; a night holds the squared loss, other steps and real ones as well."""
    night = metafunc.config.getoption("--night")
    if "optimizer" in metafunc.fixturenames:
        plain = Optimizer()
        others = (Optimizer(loss="mse"), Optimizer(name="adam"), Optimizer(name="muon")) if night else ()
        metafunc.parametrize("optimizer", (plain, *others), ids=lambda each: f"{each.name}-{each.loss}")
    if "optional" in metafunc.fixturenames:
        cases = [(name, KINDS) for name in NAMED] if night else [("depth-mup", OPTIONAL)]
        metafunc.parametrize("optional", [cases])
    if "real_kills" in metafunc.fixturenames:
        metafunc.parametrize("real_kills", [200 if night else 3])


def table(against, bench_of, kinds=KINDS):
    """(how many mutants of those kinds were tried by size of the move, the survivors)."""
    tried, survivors = Counter(), []
    for axis in AXES:
        bench = bench_of(against, axis, seed=11)
        assert not bench.contradicts(against)
        for role, kind, of in against.single_powers():
            for shift in SHIFTS:
                if of == axis and kind in kinds:
                    mutant = against.shifted(role, kind, axis, shift)
                    tried[abs(shift)] += 1
                    if not kills(bench, mutant):
                        survivors.append((abs(shift), mutant.name))
    return tried, survivors


@pytest.mark.parametrize("name", NAMED)
def test_every_moved_power_is_contradicted(name, optimizer, bench_of, powercount_laws):
    """Each of the 25 powers of a recipe, moved by 1/2 or 1/4 either way, contradicts some observable's claim.

    The README's line of the kill table is the one that was measured just now.
    """
    against = translated(named_recipe(name, optimizer=Optimizer(loss=optimizer.loss)), optimizer.name)
    tried, survivors = table(against, bench_of)
    lost = Counter(size for size, _ in survivors)
    powercount_laws.note(
        f"{name}, {optimizer.name}, {optimizer.loss}",
        ", ".join(f"+-{size}: {tried[size] - lost[size]} of {tried[size]} contradicted" for size in sorted(tried)),
    )
    cells = [f"{tried[size] - lost[size]} of {tried[size]} contradicted" for size in (Fraction(1, 2), Fraction(1, 4))]
    assert tried == {Fraction(1, 2): 50, Fraction(1, 4): 50}
    assert not survivors
    assert f"| `{name}` | {cells[0]} | {cells[1]} |" in README.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("steps_by", "option"), [("adamw", with_decay), ("sgd", with_decay), ("adam", far_below_epsilon)]
)
def test_every_moved_power_of_decay_and_epsilon_is_contradicted(steps_by, option, optional, bench_of, powercount_laws):
    """Four roles on both axes; in a night every power of every recipe with it.

    Epsilon far above the entries: at their size a smaller one leads to the signs, where it is seen no more.
    """
    for name, kinds in optional:
        against = option(translated(named_recipe(name), steps_by))
        tried, survivors = table(against, bench_of, kinds)
        lost = Counter(size for size, _ in survivors)
        powercount_laws.note(
            f"{name}, {steps_by}, {option.__name__}",
            ", ".join(f"+-{size}: {tried[size] - lost[size]} of {tried[size]} contradicted" for size in sorted(tried)),
        )
        assert set(tried.values()) == {16 if kinds == OPTIONAL else 66}
        assert not survivors


def test_a_smaller_epsilon_is_seen_as_far_as_it_acts(bench_of):
    """At the size of the entries n^(1/2) more is contradicted; n^(-1/2) less moves nothing by 1/8, and is not."""
    against = with_epsilon(translated(named_recipe("depth-mup"), "adam"))
    bench = bench_of(against, "width", seed=11)
    for shift, seen in ((Fraction(1, 2), True), (Fraction(-1, 2), False)):
        mutant = against.shifted("hidden1", "epsilon", "width", shift)
        values = FiniteSize.of(mutant, bench.sweep)
        moved = [abs(values.slope(each) - bench.values.slope(each)) for each in bench.predictions if each.reads_error]
        assert (max(move for move in moved if math.isfinite(move)) > 1 / 8) == bench.contradicts(mutant) == seen


def test_an_unmoved_recipe_survives_on_other_draws(bench_of):
    """The killer is no murderer: the claims' own implementation contradicts nothing on fresh draws."""
    bench = bench_of(named_recipe("completep"), "depth", seed=11)
    bench.draws = bench.drawn(seed=12, data="gaussian")
    assert not bench.contradicts(bench.against)


def test_wrong_powers_are_contradicted_after_real_steps(real_kills, powercount_laws):
    """Powers drawn at random, moved by 1/2 or 1/4, contradict the claims of the recipe after one or five real steps."""
    draw, killed, survivors = random.Random(8), Counter(), []
    for _ in range(real_kills):
        against = named_recipe(
            draw.choice(list(NAMED)), layers=draw.choice((1, 2)), activation=draw.choice(("relu", "tanh"))
        )
        axis, steps, shift = draw.choice(AXES), draw.choice((1, 5)), draw.choice(SHIFTS)
        role, kind, _ = draw.choice([each for each in against.single_powers() if each[2] == axis])
        mutant = against.shifted(role, kind, axis, shift)
        sweep = default_sweep(against, axis, steps=steps)
        seen = verify_axis(mutant, axis, against=against, sweep=replace(sweep, most_seeds=64))
        if any(verdict.outcome == "CONTRADICTS" for verdict in seen):
            killed[abs(shift)] += 1
        else:
            survivors.append((abs(shift), f"{mutant.name}, {against.block}, {axis}, T = {steps}"))
    powercount_laws.note(f"{real_kills} kills after real steps", f"{dict(killed)} contradicted; survivors {survivors}")
    assert not [each for each in survivors if each[0] == Fraction(1, 2)]
    assert len(survivors) <= real_kills / 100

"""Law: T real optimizer steps on a batch follow the exponents of one infinitesimal step.

Rates are set so that T steps move the output by at most 1/64 to first order at the largest size of a sweep:
well below the edge of stability by construction. Sums of roles whose shares have different powers are left
to the single step: a batch weighs the shares otherwise than the one example whose values are known.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import observable_named
from powercount.empirical.sweep import Sweep
from powercount.recipes import verify_axis

OWN = ("own-update:1", "own-update:2")
SUMS = ("total-update:1", "feature-update", "output-update")
FIRST = ("feature-update@hidden1", "output-update@hidden1")
DEPTH = Sweep(axis="depth", sizes=(4, 8, 16, 32), fixed=64, seeds=24, most_seeds=96, steps=3)
WIDTH = Sweep(axis="width", sizes=(64, 128, 256, 512), fixed=3, seeds=16, most_seeds=64, steps=2)


@pytest.mark.parametrize(
    ("name", "sweep", "names"),
    [
        ("depth-mup", DEPTH, OWN + SUMS + FIRST),
        ("depth-mup-sqrt", DEPTH, OWN + FIRST),
        ("completep", DEPTH, OWN + SUMS + FIRST),
        ("mup", WIDTH, OWN + SUMS),
    ],
    ids=["depth-mup along depth", "depth-mup-sqrt along depth", "completep along depth", "mup along width"],
)
def test_real_steps_follow_the_exponents_of_one_step(name, sweep, names, ledger):
    """After T steps of torch.optim.SGD on 16 digits each observable keeps its power of n or L."""
    asked = [observable_named(each, 2) for each in names]
    for verdict in verify_axis(named_recipe(name), sweep.axis, asked=asked, sweep=sweep):
        ledger.agrees(verdict, f"{name}, {sweep.steps} real steps")


def test_twin_real_steps_see_a_wrong_rate(ledger):
    """L^(-1/2) on the first hidden rate of completep shows in its own update after real steps."""
    claims = named_recipe("completep")
    implementation = claims.shifted("hidden1", "learning_rate", "depth", Fraction(-1, 2))
    asked = [observable_named("own-update:1", 2)]
    (verdict,) = verify_axis(implementation, "depth", claims=claims, asked=asked, sweep=DEPTH)
    ledger.contradicts(verdict, implementation.name)

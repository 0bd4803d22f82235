"""Law: the best learning rate goes as one over the output's change per unit rate, n^(-max_r a_r) L^(-max_r b_r).

The speed, the rate at which the loss has fallen by an eighth, follows it to first order: with hidden matrices alone
L^0 under depth-mup and completep, L^(-1/2) with sqrt(L) on the rate of the first internal matrix. The edge of
stability falls with it although every matrix moves: the correction costs the transfer it was to restore.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from powercount.decide import CONFIDENCE, SMALL, falls, moves
from powercount.derivations.dynamics.best_rates import best_rate
from powercount.derivations.named import named_recipe
from powercount.empirical.dynamics.rate_training import RateRun
from powercount.empirical.dynamics.rates import depth_slope, readings, train_grid
from powercount.ledger.claim import ALONE
from powercount.ledger.finding import from_estimate
from powercount.ledger.register import CLAIMS
from powercount.studies.study import Study
from powercount.studies.transfer import (
    TransferPlan,
    TransferSetting,
    expected_slope,
    run_transfer,
    speed_allowance,
    transfer_row,
)

WIDTH, DEPTHS, MEMBERS = 64, (2, 4, 8, 16, 32), range(16)
# Double octaves around the speed at every one of these depths, and half octaves around the edge.
SLOW = (-5.0, -3.0, -1.0)
FAST = (1.0, 1.5, 2.0, 2.5, 3.0, 3.5)
CLAIMED = named_recipe("depth-mup", activation="tanh")


def slope_of(recipe, moving, reading, exponents, members=MEMBERS):
    """The slope of one reading of a recipe against log L."""
    columns = [
        readings(train_grid(RateRun(recipe=recipe, width=WIDTH, depth=depth, moving=moving), members, exponents))[
            reading
        ]
        for depth in DEPTHS
    ]
    return depth_slope(np.stack(columns, axis=1), DEPTHS, base_two=True)


def judged(claims, implementation):
    """The speed of an implementation with hidden matrices alone, judged by the claims of a recipe."""
    return held_to(claims, slope_of(implementation, "hidden", "speed", SLOW))


def held_to(claims, slope):
    """The slope of a speed with hidden matrices alone, judged by the claims of a recipe."""
    power = best_rate(claims, "hidden").along("depth")
    return from_estimate(
        slope,
        float(power),
        float(power),
        expected=expected_slope(claims, "hidden", WIDTH, DEPTHS),
        allowance=speed_allowance(claims, WIDTH, DEPTHS),
        part="slope of the speed",
        condition="hidden matrices alone",
    )


def spoken(evidence):
    """One line of the ledger."""
    return (
        f"derived {evidence.predicted}, expected {evidence.expected:+.3f}, measured {evidence.measured:+.3f} "
        f"[{evidence.low:+.3f}, {evidence.high:+.3f}]: {evidence.outcome}"
    )


@pytest.mark.parametrize("name", ["depth-mup", "depth-mup-sqrt", "completep"])
def test_the_speed_follows_one_over_the_moving_share(name, powercount_laws):
    """Hidden alone: L^0 under depth-mup and completep, L^(-1/2) with sqrt(L) on the first rate."""
    recipe = named_recipe(name, activation="tanh")
    evidence = judged(recipe, recipe)
    powercount_laws.note(f"{name}, speed", spoken(evidence))
    assert evidence.outcome == "AGREES", evidence


def test_twin_the_speed_sees_a_wrong_rate(powercount_laws):
    """L^(1/4) on the first hidden rate of depth-mup moves the speed by enough to be contradicted."""
    implementation = CLAIMED.shifted("hidden1", "learning_rate", "depth", Fraction(1, 4))
    evidence = judged(CLAIMED, implementation)
    powercount_laws.note(f"twin: {implementation.name}, speed", spoken(evidence))
    assert evidence.outcome == "CONTRADICTS", evidence


def test_the_speed_of_adam_follows_the_printed_power_of_depth(powercount_laws):
    """One-layer blocks under Adam: L^0 at the printed hidden rate L^(-1/2), L^(-1/2) without it, as SGD has it."""
    printed = TransferSetting(layers=1, optimizer="adam").recipe
    plain = printed.shifted("hidden1", "learning_rate", "depth", Fraction(1, 2))
    for recipe, other, power in ((printed, plain, 0), (plain, printed, Fraction(-1, 2))):
        slope = slope_of(recipe, "hidden", "speed", (-7.0, *SLOW), range(8))
        evidence, twin = held_to(recipe, slope), held_to(other, slope)
        powercount_laws.note(f"adam, hidden rate L^({-power - Fraction(1, 2)}), speed", spoken(evidence))
        assert (evidence.predicted, evidence.outcome) == (f"{float(power):.4g}", "AGREES"), evidence
        assert twin.outcome == "CONTRADICTS", twin


def test_the_edge_falls_under_the_correction(powercount_laws):
    """Every matrix moving, sqrt(L) on the first rate lowers the edge of stability, which depth-mup was to hold."""
    slope = slope_of(named_recipe("depth-mup-sqrt", activation="tanh"), "all", "edge", FAST)
    low, high = slope.interval(CONFIDENCE)
    powercount_laws.note(
        "depth-mup-sqrt, edge", f"slope {slope.value:+.3f}, [{low:+.3f}, {high:+.3f}] at one error in 100 000"
    )
    assert falls(low, high) == "AGREES"


def test_the_study_keeps_its_cells(tmp_path):
    """A study run twice in one folder trains once, and gives the same rows to the bit."""
    heard = []
    plan = TransferPlan(width=16, depths=(2, 3, 4), seeds=2, steps=8)
    study = Study(quick=True, folder=tmp_path, say=heard.append)
    first = run_transfer(study, [TransferSetting(name="completep")], plan)
    again = transfer_row(study, TransferSetting(name="completep"), plan)
    assert first.rows[0] == again
    assert [text.endswith("(kept)") for text in heard] == [False] * 3 + [True] * 3


def test_sides_can_say_no():
    """A slope told from zero moves, one within an eighth does not, and one that could be either is undecided."""
    assert [moves(-0.5, -0.3), moves(-SMALL / 2, SMALL / 2), moves(-0.5, 0.5)] == ["AGREES", "CONTRADICTS", "UNDECIDED"]
    assert [falls(-0.5, -0.3), falls(0.1, 0.2), falls(-0.5, 0.5)] == ["AGREES", "CONTRADICTS", "UNDECIDED"]


def test_the_claims_are_registered():
    """C18 to C22 and C29 are checked by one module, in minutes: no test decides them."""
    mine = {claim.id: claim for claim in CLAIMS if claim.family == "transfer"}
    assert set(mine) == {"C18", "C19", "C20", "C21", "C22", "C29"}
    assert {claim.test for claim in mine.values()} == {ALONE}


def test_members_are_added_in_blocks(tmp_path):
    """Two blocks of members are the members of both, and the first of them those of one block."""
    plan, setting = TransferPlan(width=16, depths=(2, 3, 4), seeds=3, steps=8), TransferSetting(name="completep")
    study = Study(quick=True, folder=tmp_path)
    one, two = (transfer_row(study, setting, plan, blocks=blocks) for blocks in (1, 2))
    whole = transfer_row(study, setting, replace(plan, seeds=6))
    assert two.plan.seeds == whole.plan.seeds == 6
    for reading, members in two.values.items():
        assert members[:3] == one.values[reading]
        # Members trained together or apart: rounding.
        np.testing.assert_allclose(members, whole.values[reading], rtol=1e-4, atol=1e-4)

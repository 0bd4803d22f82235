"""Checks of the ledger on planted measurements: what they ask is what the claim says, and its rivals are refused.

Nothing is trained: what a check reads is put in its place, with the power or the slope that the test names.
"""

from __future__ import annotations

import numpy as np
import pytest

from powercount.decide import CONFIDENCE, RIVAL, falls, grows, moves, stays
from powercount.derivations.dynamics.covariances import Pair, at_depth, in_the_limit
from powercount.derivations.dynamics.first_step import first_step
from powercount.empirical.fit import Estimate
from powercount.ledger import convergence, independence, transfer
from powercount.ledger.finding import from_estimate
from powercount.studies.study import Study
from powercount.studies.transfer import TransferPlan, TransferRow

PLAN = TransferPlan(depths=(2, 4, 8, 16), seeds=8)
QUICK = Study(quick=True)


def with_slope(monkeypatch, power, noise=0.01):
    """Every setting's best rate goes as L^power, and its members scatter."""
    scatter = noise * np.random.default_rng(1).standard_normal((PLAN.seeds, 4))

    def row(study, setting, blocks=1):
        values = dict.fromkeys(("optimum", "speed"), power * np.log2(PLAN.depths) + scatter)
        return TransferRow(setting=setting, plan=PLAN, values=values, curves=(), cpu_seconds=0.0)

    monkeypatch.setattr(transfer, "transfer_row", row)


@pytest.mark.parametrize(
    ("power", "noise", "outcome"),
    [
        (-0.5, 0.01, "AGREES"),
        (0.5, 0.01, "AGREES"),
        (0.0, 0.01, "CONTRADICTS"),
        (0.06, 0.01, "CONTRADICTS"),
        (0.0, 1.0, "UNDECIDED"),
    ],
)
def test_c19_asks_whether_the_best_rate_moves(power, noise, outcome, monkeypatch):
    """Up or down is a shift; none, and one below half the distance to a rival exponent, contradicts."""
    with_slope(monkeypatch, power, noise)
    found = transfer.c19(QUICK)
    assert len(found) == 5
    assert {each.outcome for each in found} == {outcome}


@pytest.mark.parametrize(("power", "outcome"), [(0.0, "AGREES"), (-0.5, "CONTRADICTS"), (0.375, "CONTRADICTS")])
def test_c22_asks_both_readings_to_stay(power, outcome, monkeypatch):
    """AdamW at alpha = 1: L^0 of the rate of equal progress and of the best rate, under either loss."""
    with_slope(monkeypatch, power)
    found = transfer.c22(QUICK)
    assert [each.part for each in found] == 2 * ["slope of the speed", "slope of the optimum"]
    assert {each.outcome for each in found} == {outcome}


@pytest.mark.parametrize(("check", "settings"), [(transfer.c19, 5), (transfer.c29, 4)], ids=["C19", "C29"])
def test_members_are_added_until_it_is_decided(check, settings, monkeypatch):
    """One block and two are too noisy, four are not: no more are asked for, and a quick study asks for one."""
    plan, asked = TransferPlan(depths=(8, 16, 32, 64), seeds=8), []

    def row(study, setting, blocks=1):
        asked.append(blocks)
        noise = 0.01 if blocks == 4 else 1.0
        scatter = noise * np.random.default_rng(1).standard_normal((plan.seeds, 4))
        values = dict.fromkeys(("optimum", "best"), scatter)
        return TransferRow(setting=setting, plan=plan, values=values, curves=(), cpu_seconds=0.0)

    monkeypatch.setattr(transfer, "transfer_row", row)
    assert "UNDECIDED" not in {each.outcome for each in check(Study())}
    assert asked == settings * [1, 2, 4]
    asked.clear()
    assert {each.outcome for each in check(QUICK)} == {"UNDECIDED"}
    assert asked == settings * [1]


@pytest.mark.parametrize(
    ("left", "gap", "outcome"), [(0.01, 0.005, "AGREES"), (0.01, 0.04, "CONTRADICTS"), (0.06, 0.005, "UNDECIDED")]
)
def test_c15_vi_allows_what_is_left_of_the_loss(left, gap, outcome, monkeypatch):
    """A gap seen beyond noise at the last step, of one at its largest of .1: nothing beside the loss that is left."""

    def losses(study, run, members, reads):
        means = np.array([1.0, 0.5, left]) + (0.0 if run.tied else 1.0) * np.array([0.0, 0.1, gap])
        return means + 1e-5 * np.random.default_rng(run.tied).standard_normal((members, 3))

    monkeypatch.setattr(independence, "members_of", losses)
    found = independence.c15_late(QUICK)
    assert len(found) == 2
    assert {each.outcome for each in found} == {outcome}


@pytest.mark.parametrize(("power", "outcome"), [(0.0, "AGREES"), (-0.5, "CONTRADICTS"), (0.25, "CONTRADICTS")])
def test_c18_asks_that_the_best_rate_stays(power, outcome, monkeypatch):
    """One-layer blocks: L^0 at these very depths, whatever 1/S does at them; of Adam beside its printed L^(-1/2)."""
    with_slope(monkeypatch, power)
    found = transfer.c18(QUICK)
    assert len(found) == 6
    assert sum(each.condition.endswith("adam") for each in found) == 2
    assert {each.outcome for each in found} == {outcome}


def scattered(value, generator):
    """Batches around a value, close enough to tell a power to a hundredth."""
    return np.asarray(value) * (1 + 1e-6 * generator.standard_normal((convergence.BATCHES, *np.shape(value))))


@pytest.mark.parametrize(("power", "outcome"), [(-1, "AGREES"), (-0.5, "CONTRADICTS"), (-2, "CONTRADICTS")])
def test_c17_claims_one_over_the_width(power, outcome, monkeypatch):
    """A bias of n^power around the exact covariances, and around the exact movement of the output: n^(-1) alone."""
    generator = np.random.default_rng(2)

    def at_start(study, activation, width, depth, count, horizon):
        start = Pair(1, 1, convergence.OVERLAP)
        exact = convergence.columns(at_depth(activation, start, depth, horizon))
        return scattered(exact + 0.3 * float(width) ** power * (width <= max(convergence.WIDER)), generator)

    def in_training(study, activation, width, *, tied):
        here = first_step(activation, convergence.SHALLOW)
        return scattered((here.tied if tied else here.decoupled) + 0.3 * float(width) ** power, generator)

    monkeypatch.setattr(convergence, "batches_at_start", at_start)
    monkeypatch.setattr(convergence, "narrow_steps", in_training)
    in_width, in_depth = convergence.c17_start(QUICK)
    assert (in_width.part, in_width.outcome) == ("power of n of the bias", outcome)
    assert in_depth.outcome == "AGREES"
    trained = convergence.c17_width(QUICK)
    assert [each.outcome for each in trained] == [outcome] * 2


@pytest.mark.parametrize(("power", "outcome"), [(-1, "AGREES"), (-0.5, "CONTRADICTS"), (-2, "CONTRADICTS")])
def test_c17_claims_one_over_the_depth(power, outcome, monkeypatch):
    """A bias of L^power around the limit of infinite depth: L^(-1) alone."""
    generator = np.random.default_rng(3)

    def at_start(study, activation, width, depth, count, horizon):
        start = Pair(1, 1, convergence.OVERLAP)
        exact = convergence.columns(at_depth(activation, start, depth, horizon))
        limit = convergence.columns(in_the_limit(activation, start, horizon))
        bent = limit + (exact - limit) * float(depth) ** (1 + power)
        return scattered(bent if width > max(convergence.WIDER) else exact + 0.3 / width, generator)

    monkeypatch.setattr(convergence, "batches_at_start", at_start)
    _, in_depth = convergence.c17_start(QUICK)
    assert (in_depth.part, in_depth.outcome) == ("power of L of the bias", outcome)


@pytest.mark.parametrize(
    ("value", "error", "outcome"),
    [
        (0.0, 0.9, "AGREES"),
        (0.0, 1.1, "UNDECIDED"),
        (0.51, 0.5, "CONTRADICTS"),
        (-0.51, 0.5, "CONTRADICTS"),
        (0.49, 0.5, "AGREES"),
    ],
)
def test_evidence_must_tell_half_the_distance_to_the_rival(value, error, outcome):
    """In units of half the rival: further off than the half-width contradicts, too wide a one decides nothing."""
    unit = float(RIVAL) / 2
    reach = Estimate(value=0.0, standard_error=1.0, freedom=30).interval(CONFIDENCE)[1]
    estimate = Estimate(value=value * unit, standard_error=error * unit / reach, freedom=30)
    assert from_estimate(estimate, 0, 0, part="a power", condition="relu").outcome == outcome


@pytest.mark.parametrize(
    ("rule", "low", "high", "outcome"),
    [
        (stays, -0.9, 0.9, "AGREES"),
        (stays, -0.9, 1.1, "UNDECIDED"),
        (stays, 1.1, 1.5, "CONTRADICTS"),
        (stays, -1.5, -1.1, "CONTRADICTS"),
        (moves, 1.1, 1.5, "AGREES"),
        (moves, -1.5, -1.1, "AGREES"),
        (moves, 0.1, 0.9, "CONTRADICTS"),
        (moves, 0.1, 1.1, "UNDECIDED"),
        (falls, -3.0, -1.1, "AGREES"),
        (falls, -0.9, 0.1, "CONTRADICTS"),
        (falls, -1.1, 0.1, "UNDECIDED"),
        (falls, 1.1, 1.5, "CONTRADICTS"),
        (grows, 1.1, 3.0, "AGREES"),
        (grows, 0.1, 0.9, "CONTRADICTS"),
        (grows, -0.1, 1.1, "UNDECIDED"),
    ],
)
def test_the_sides_of_a_claim_have_their_borders(rule, low, high, outcome):
    """Intervals in units of half the distance to the nearest rival exponent, an eighth."""
    assert rule(low / 8, high / 8) == outcome

"""Law: every claim about exponents of one step, blocks and width has the verdict found for it, measured quickly."""

from __future__ import annotations

from fractions import Fraction

import pytest

from powercount.derivations.dynamics.block_powers import blocks_at
from powercount.derivations.named import named_recipe
from powercount.derivations.published import published
from powercount.derivations.translate import translated
from powercount.empirical.dynamics.equivalence import output_difference
from powercount.empirical.dynamics.spectral import spectral_along_width
from powercount.empirical.fit import fit_slope
from powercount.ledger.exponents import NORMALISED, powers
from powercount.ledger.finding import from_verdict, judgement
from powercount.ledger.register import CLAIMS, claim_named
from powercount.ledger.symmetry import PRINTED_R, PUBLISHED, exponent_r, is_stable, moved, printed_rates
from powercount.studies.study import Study

CONFIRMED = ("C1", "C2", "C3", "C3'", "C4", "C5", "C6", "C7", "C8", "C9", "C10", "C11", "C12", "C13")
CONFIRMED_IN_WIDTH = ("C23", "C24", "C25", "C28")
# Without a depth rule relu's stream outgrows any power; tanh adds bounded branches, whose sum is L^(1/2 - alpha).
# Printed rates keep the output's change under muP and MFP; under SP and NTK it is n^(1/2).
CONDITIONAL = ("C1'", "C24'")
QUICK = Study(quick=True)  # what claims share is measured once
VERDICT = dict.fromkeys((*CONFIRMED, *CONFIRMED_IN_WIDTH), "confirmed") | dict.fromkeys(CONDITIONAL, "conditional")


@pytest.mark.parametrize("name", VERDICT)
def test_claim_has_the_verdict_found_for_it(name, powercount_laws, twins):
    """Derive, measure and judge the claim on its quick sizes."""
    evidence = claim_named(name).check(QUICK)
    twins(evidence)
    found = judgement(evidence)
    powercount_laws.note(f"claim {name}", f"{found}, {len(evidence)} pieces of evidence")
    assert found == VERDICT[name], [each.as_row() for each in evidence if each.outcome != "AGREES"]


def test_every_claim_of_these_files_is_held_here():
    """No claim checked by exponents, blocks or symmetry is left out."""
    ours = {claim.id for claim in CLAIMS if claim.family in ("exponents", "blocks", "symmetry")}
    assert ours == set(VERDICT)


def test_twin_a_claim_that_is_off_by_a_quarter_is_refuted():
    """own-update:1 ~ L^(-1/4) under depth-mup: refuted by the same measurement that confirms L^(-1/2)."""
    assert judgement(powers(QUICK, named_recipe("depth-mup"), {"own-update:1": Fraction(-1, 4)})) == "refuted"


def test_blocks_at_one_half_are_depth_mup():
    """blocks_at spells out the named recipes' powers."""
    half, one = Fraction(1, 2), Fraction(1)
    for name, alpha, rates in (
        ("depth-mup", half, (Fraction(0),) * 2),
        ("depth-mup-sqrt", half, (half, Fraction(0))),
        ("completep", one, (one, one)),
    ):
        assert blocks_at(alpha, rates).parametrization == named_recipe(name).parametrization


@pytest.mark.parametrize(
    ("optimizer", "layers", "alpha", "rate", "name"),
    [
        ("adam", 1, Fraction(1, 2), Fraction(-1, 2), "depth-mup"),
        ("muon", 1, Fraction(1, 2), Fraction(-1, 2), "depth-mup"),
        ("adamw", 2, Fraction(1), Fraction(0), "completep"),
        ("muon", 2, Fraction(1), Fraction(0), "completep"),
    ],
)
def test_blocks_at_the_rates_of_an_optimizer_are_printed_ones(optimizer, layers, alpha, rate, name):
    """c = -gamma at alpha = gamma = 1/2 and at alpha = 1, gamma = 0: what papers print for these optimizers."""
    printed = published(named_recipe(name, layers=layers), optimizer)
    made = blocks_at(alpha, (rate,) * layers, optimizer=optimizer)
    assert (made.parametrization, made.optimizer) == (printed.parametrization, printed.optimizer)


@pytest.mark.parametrize("optimizer", NORMALISED)
def test_twin_the_rate_of_sgd_is_not_that_of_a_step_that_does_not_see_the_size(optimizer):
    """c = alpha - gamma in place of -gamma, alpha = 3/4 and gamma = 1/4: the stream moves by L^(3/4), not by L^0."""
    alpha, gamma, name = Fraction(3, 4), Fraction(1, 4), "feature-update@hidden1"
    recipe = blocks_at(alpha, (alpha - gamma,), optimizer=optimizer)
    assert judgement(powers(QUICK, recipe, {name: 0}, names=(name,))) == "refuted"
    assert judgement(powers(QUICK, recipe, {name: alpha}, names=(name,))) == "confirmed"


@pytest.mark.parametrize(
    ("name", "optimizers"),
    [("C2", {"signsgd", "muon"}), ("C6", {"signsgd", "muon"}), ("C8", {"adamw", "muon"})],
)
def test_claims_are_tried_with_every_kind_of_step(name, optimizers):
    """SGD, of which conditions say nothing, and steps that do not see the gradient's size, on the same conditions."""
    tried = {each.condition for each in claim_named(name).check(QUICK)}
    assert tried == {"relu, digits"} | {f"relu, digits, {each}" for each in optimizers}


def test_printed_values_of_r():
    """Tensor Programs IV, table 1: SP at rate 1/n and NTK have r = 1/2, muP r = 0, and all are stable."""
    for r, row in PRINTED_R.values():
        assert exponent_r(row) == r
        assert is_stable(row)


@pytest.mark.parametrize(("optimizer", "rate", "wrong"), [("sgd", -2, -1), ("adam", -1, -2)])
def test_twin_trajectories_part_under_a_wrong_rate(optimizer, rate, wrong):
    """c - theta is Adam's symmetry and none of SGD, c - 2 theta the other way round: rounding, or order one."""
    recipe, theta = translated(named_recipe("mup", activation="tanh"), optimizer), Fraction(1, 4)
    # 1e-16 an operation, some 1e3 of them in a row; a wrong rate moves the output itself.
    assert output_difference(recipe, moved(recipe, theta, rate), seed=3, data="gaussian") < 1e-12
    assert output_difference(recipe, moved(recipe, theta, wrong), seed=3, data="gaussian") > 0.1
    assert output_difference(recipe, recipe, seed=3, data="gaussian") == 0


def test_the_output_moves_by_the_square_root_of_width_under_two_of_the_printed_tables():
    """C24' fails under SP and NTK alone, where the same measurement confirms n^(1/2); features are not what fails."""
    half = Fraction(1, 2)
    failed = {each.condition for each in claim_named("C24'").check(QUICK) if each.outcome == "CONTRADICTS"}
    assert failed == {f"{title}, relu, digits{other}" for title in ("SP", "NTK") for other in ("", ", adam")}
    for title, condition, seen in printed_rates(QUICK):
        power = half if title in ("SP", "NTK") else 0
        for name, claimed in (("output-update", power), ("feature-update", 0)):
            assert from_verdict(seen[name], claimed, part=name, condition=condition).outcome == "AGREES"


@pytest.mark.parametrize(("optimizer", "rate"), [("sgd", 2), ("adam", 1)])
def test_the_printed_tables_are_two_in_two_coordinates_each(optimizer, rate):
    """NTK and MFP are SP and muP moved by a theta of each role: by C25 the same networks, tried twice."""
    for one, other in (("SP", "NTK"), ("muP", "MFP")):
        for (a, b, c), (a2, b2, c2) in zip(PUBLISHED[optimizer, one], PUBLISHED[optimizer, other], strict=True):
            theta = a2 - a
            assert (b2, c2) == (b - theta, c - rate * theta)


def test_twin_standard_parametrization_misses_the_spectral_condition():
    """|m dW|_2 of a hidden matrix under SP falls by about n^(-1/2) where the condition says n^0."""
    widths = (32, 64, 128)
    settings = {"depth": 3, "members": 48, "seed": 0, "data": "digits", "examples": 4}
    squares = spectral_along_width(named_recipe("sp"), widths, **settings)["hidden1 step"]
    low, high = fit_slope(squares, widths).interval(0.99)
    # Further from 0 than from -1/2, beyond noise.
    assert high < -0.25
    assert low > -0.75

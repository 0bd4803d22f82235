"""The rules of the ledger that judge a side: more data decides what was undecided, and never turns a verdict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powercount.decide import SIDES, SMALL, falls, grows, moves, stays, within
from powercount.empirical.fit import Estimate
from powercount.ledger import digits, exponents, spread, transfer
from powercount.ledger.finding import from_side

# Where the rules have their edges, and anything around them.
POINTS = st.one_of(st.sampled_from([-SMALL, 0.0, SMALL]), st.floats(-1, 1))
NESTED = st.lists(POINTS, min_size=4, max_size=4).map(sorted)


@given(points=NESTED)
def test_a_narrower_interval_never_turns_a_verdict(points):
    """Of two nested intervals the inner one has the outer one's verdict, unless that was UNDECIDED."""
    low, inner_low, inner_high, high = points
    for rule in SIDES:
        outer = rule(low, high)
        assert outer in ("UNDECIDED", rule(inner_low, inner_high)), rule.__name__


@given(points=NESTED)
def test_the_same_between_any_two_numbers(points):
    """``within`` itself, whatever its edges."""
    low, first, last, high = points
    for inner in ((first, last), (low, last), (first, high)):
        assert within(low, high, -SMALL, SMALL) in ("UNDECIDED", within(*inner, -SMALL, SMALL))
        assert within(*inner, low, high) in ("AGREES", "UNDECIDED", "CONTRADICTS")
    assert within(first, last, low - 1, high + 1) == "AGREES"


@given(points=NESTED)
def test_sides_that_exclude_each_other_never_both_agree(points):
    """Zero, positive or negative: at most one of three agrees, and moving is the opposite of staying."""
    low, _, _, high = points
    agreed = [rule for rule in (stays, falls, grows) if rule(low, high) == "AGREES"]
    assert len(agreed) <= 1
    assert {stays(low, high), moves(low, high)} in ({"AGREES", "CONTRADICTS"}, {"UNDECIDED"})


@pytest.mark.parametrize(
    ("rule", "agrees", "contradicts", "undecided"),
    [
        (stays, (-0.1, 0.1), (0.13, 0.2), (0.06, 0.13)),
        (moves, (0.13, 0.2), (0.081, 0.105), (0.06, 0.13)),
        (falls, (-0.5, -0.13), (-0.1, 0.2), (-0.5, 0.5)),
        (grows, (0.13, 0.5), (-0.5, 0.1), (-0.5, 0.5)),
    ],
)
def test_every_side_can_say_all_three(rule, agrees, contradicts, undecided):
    """Yes, no, and not enough data; the intervals that used to turn are undecided."""
    assert [rule(*each) for each in (agrees, contradicts, undecided)] == ["AGREES", "CONTRADICTS", "UNDECIDED"]


def test_every_side_of_the_ledger_is_one_of_these(monkeypatch):
    """Meta: no module of the ledger has a rule of its own."""
    for place in (digits, exponents, spread, transfer):
        rules = {name for name, each in vars(place).items() if name in {rule.__name__ for rule in SIDES}}
        assert rules
        assert all(getattr(place, name) in SIDES for name in rules)


def test_a_side_is_judged_by_the_suites_own_confidence():
    """The interval that decides is wider than the 95 % one that is shown."""
    slope = Estimate(value=0.16, standard_error=0.01, freedom=30)
    asked = {"claimed": "not 0", "predicted": "0", "expected": 0.0, "part": "", "condition": ""}
    found = from_side(slope, moves, **asked)
    assert found.low > SMALL
    assert found.outcome == "UNDECIDED"

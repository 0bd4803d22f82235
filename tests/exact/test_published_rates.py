"""Printed rates: in a recipe's own coordinates they are those of the paper, and what follows from them is exact."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from powercount.derivations.named import NAMED, named_recipe
from powercount.derivations.predict import derive
from powercount.derivations.published import PRINTED, published
from powercount.derivations.recipe import (
    AXES,
    OPTIMIZERS,
    Optimizer,
    Power,
    QuestionError,
    Role,
    observable_named,
    observables,
)
from powercount.derivations.translate import translated

HALF = Fraction(1, 2)
# Powers of n on the rates of input, hidden and readout, and of L on the hidden ones, worked out by hand.
EXPECTED = {
    ("sp", "sgd"): ("1/2", "-1/2", "-1", "0"),
    ("sp", "adam"): ("0", "-1", "-1", "0"),
    ("ntk", "sgd"): ("1/2", "1/2", "0", "0"),
    ("ntk", "adam"): ("0", "-1/2", "-1/2", "0"),
    ("mean-field", "sgd"): ("1", "1", "1", "0"),
    ("mean-field", "adam"): ("0", "-1/2", "0", "0"),
    ("mup", "sgd"): ("1", "0", "-1", "0"),
    ("mup", "adam"): ("0", "-1", "-1", "0"),
    ("depth-mup", "sgd"): ("1", "1", "1", "0"),
    ("depth-mup", "adam"): ("0", "-1/2", "0", "-1/2"),
    ("depth-mup", "adamw"): ("0", "-1/2", "0", "-1/2"),
    ("depth-mup", "lion"): ("0", "-1/2", "0", "-1/2"),
    ("depth-mup", "muon"): ("0", "1/2", "1/2", "-1/2"),
    ("completep", "sgd"): ("1", "1", "1", "1"),
    ("completep", "adamw"): ("0", "-1/2", "0", "0"),
    ("completep", "lion"): ("0", "-1/2", "0", "0"),
    ("completep", "muon"): ("0", "1/2", "1/2", "0"),
}
CASES = [
    (*pair, layers) for pair, row in PRINTED.items() for layers in (1, 2, 3) if row.layers[0] <= layers <= row.layers[1]
]
LAZY = ("sp", "ntk")


def of(name, optimizer, layers):
    """The named recipe with printed rates."""
    return published(named_recipe(name, layers=layers), optimizer)


def as_printed(name, optimizer, layers):
    """The same in the coordinates of the paper: its own multipliers and initial weights."""
    row, made = PRINTED[name, optimizer], named_recipe(name, layers=layers, optimizer=Optimizer(name=optimizer))
    first, hidden, last = row.powers
    if optimizer == "muon":  # printed for the bare polar factor; torch's step of the input is n^(1/2) times that
        first = (first[0], first[1], first[2] + HALF)
    for role, (a, b, c) in zip(made.role_names, (first, *(hidden,) * layers, last), strict=True):
        rate = Power(width=-c, depth=row.depth if role.startswith("hidden") else Fraction(0))
        here = Role(multiplier=Power(width=-a), init_std=Power(width=-b), learning_rate=rate)
        made = replace(made, parametrization=made.parametrization.with_role(role, here))
    return made


@pytest.mark.parametrize(("name", "optimizer", "layers"), CASES)
def test_rates_are_those_worked_out_by_hand(name, optimizer, layers):
    """Powers of n and L of every rate; multipliers, initial weights and the branch stay the named recipe's."""
    base, made = named_recipe(name, layers=layers), of(name, optimizer, layers)
    first, hidden, last, depth = map(Fraction, EXPECTED[name, optimizer])
    assert (made.name, made.optimizer.name, made.parametrization.branch) == (
        name,
        optimizer,
        base.parametrization.branch,
    )
    for role, width in zip(made.role_names, (first, *(hidden,) * layers, last), strict=True):
        rate = Power(width=width, depth=depth if role.startswith("hidden") else Fraction(0))
        assert made.role(role) == replace(base.role(role), learning_rate=rate)


@pytest.mark.parametrize(("name", "optimizer", "layers"), CASES)
def test_moving_the_coordinates_changes_nothing(name, optimizer, layers):
    """Every observable has the powers it has in the coordinates of the paper."""
    made, printed = of(name, optimizer, layers), as_printed(name, optimizer, layers)
    for each in observables(layers):
        here, there = derive(made, each), derive(printed, each)
        assert all(here.along(axis) == there.along(axis) for axis in AXES), str(each)


@pytest.mark.parametrize(("name", "optimizer", "layers"), CASES)
def test_what_the_printed_rates_give(name, optimizer, layers):
    """Own updates and features n^0, as printed; the output n^0, but n^(1/2) under SP and NTK, from all but the readout.

    In depth: features and output L^0 and own updates L^0, L^(-1/2) in depth-mup; no power without a rule for depth.
    """
    made, ruled = of(name, optimizer, layers), name in ("depth-mup", "completep")
    for each in observables(layers):
        found = derive(made, each)
        if not each.is_change or found.vanishes:
            continue
        grows = name in LAZY and each.quantity == "output-update" and each.role != "readout"
        assert found.along("width") == (HALF if grows else 0), str(each)
        if ruled:
            collapses = name == "depth-mup" and each.quantity == "own-update" and each.role.startswith("hidden")
            assert found.along("depth") == (-HALF if collapses else 0), str(each)
        elif (str(each), optimizer) != ("own-update:input", "adam"):  # which no gradient's size enters
            assert found.along("depth") is None, str(each)


@pytest.mark.parametrize(("name", "optimizer", "layers"), CASES)
def test_the_two_translations_part_in_lazy_recipes_alone(name, optimizer, layers):
    """Printed rates are the translated ones, apart from SP and NTK: lazy at SGD's rates, and lazy when translated."""
    made, kept = of(name, optimizer, layers), translated(named_recipe(name, layers=layers), optimizer)
    assert (made == kept) is (name not in LAZY)
    if name in LAZY:
        own = observable_named("own-update:1", layers)
        assert (derive(made, own).along("width"), derive(kept, own).along("width")) == (0, -HALF)


def test_every_pair_that_is_printed_is_worked_out_and_no_other_is_offered():
    """The table has the pairs above; any other is refused, and the refusal names those there are."""
    assert set(PRINTED) == set(EXPECTED)
    for name in NAMED:
        for optimizer in OPTIMIZERS:
            if (name, optimizer) not in PRINTED:
                with pytest.raises(QuestionError, match=r"sp under sgd, adam; ntk under sgd, adam; .*lion, muon"):
                    of(name, optimizer, 2)


@pytest.mark.parametrize(("name", "layers", "remedy"), [("depth-mup", 2, "of one"), ("completep", 1, "of two")])
def test_rates_are_offered_for_the_blocks_they_are_printed_for(name, layers, remedy):
    """Of depth-mup's those of Muon are printed for one internal layer, CompleteP's for two and more."""
    with pytest.raises(QuestionError, match=f"{remedy} internal layer.*set --layers"):
        of(name, "muon", layers)


def test_a_recipe_of_the_same_name_has_no_printed_rates():
    """What is not the named recipe has no printed rates, whatever it is called."""
    base = named_recipe("sp")
    zero = replace(base.role("readout"), init_std=None)
    for changed in (
        replace(base, parametrization=base.parametrization.with_role("readout", zero)),
        replace(base.shifted("branch", "multiplier", "depth", -HALF), name="sp"),
    ):
        with pytest.raises(QuestionError, match="not the named recipe"):
            published(changed, "adam")

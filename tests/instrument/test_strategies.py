"""What the strategies draw: all that the command accepts, in 500 draws of which nothing is measured."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from powercount.derivations.recipe import ACTIVATIONS, AXES, KINDS, LOSSES, MOST_LAYERS, OPTIMIZERS, OPTIONAL
from powercount.empirical.data import DATA
from powercount.strategies import STEPS, drawn_questions

DRAWS = 500
# Hypothesis repeats parts of an example in the next six: the rarest value, one of eight, was seen 9 to 86 times.
FEWEST = 5


@pytest.fixture(scope="module", params=AXES)
def questions(request):
    """The axis and what is drawn along it."""
    found = []

    @seed(7)  # the same draws in every run: what is asked is what can be drawn, not what is today
    @settings(max_examples=DRAWS, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(question=drawn_questions(request.param))
    def draw(question):
        found.append(question)

    draw()
    return request.param, found


def counted(values):
    """The values that are drawn often enough not to be an accident."""
    return {value for value, count in Counter(values).items() if count >= FEWEST}


def test_every_option_is_drawn(questions):
    """Layers 1 to 8, activations, losses, data, optimizers and steps 0, 1, 5, seeds, and a role that starts at zero."""
    axis, found = questions
    assert {question.axis for question in found} == {axis}
    blocks = [question.recipe.block for question in found]
    assert counted(block.layers for block in blocks) == set(range(1, MOST_LAYERS + 1))
    assert counted(block.activation for block in blocks) == set(ACTIVATIONS)
    assert counted(question.recipe.optimizer.loss for question in found) == set(LOSSES)
    assert {question.recipe.optimizer.name for question in found} == set(OPTIMIZERS)
    assert len({question.recipe.optimizer.name for question in found if question.steps > 1}) >= len(OPTIMIZERS) / 2
    assert counted(question.data for question in found) == set(DATA)
    assert counted(question.steps for question in found) == set(STEPS)
    assert len({question.seed for question in found}) > DRAWS / 10
    assert FEWEST < sum(bool(question.recipe.decayed) for question in found) < DRAWS / 2
    assert all(question.steps == 0 for question in found if question.recipe.decayed)
    assert sum(bool(question.recipe.damped) for question in found) >= FEWEST
    zeros = [name for question in found for name, role in question.recipe.parametrization.roles() if not role.init_std]
    assert len(set(zeros)) > 1
    assert FEWEST < len(zeros) < DRAWS / 2


@pytest.mark.parametrize("other", [False, True], ids=["measured", "other"])
def test_powers_are_free_on_both_axes(questions, other):
    """Four powers or more of every kind and role, along the axis that is measured and across it; of the branch too."""
    measured, found = questions
    axis = next(each for each in AXES if (each != measured) == other)
    seen = {}
    for kind in KINDS:
        for name in ("input", "hidden1", "readout"):
            powers = [getattr(question.recipe.role(name), kind) for question in found]
            along = [power.along(axis) for power in powers if power]
            seen.setdefault(kind, []).extend(along)
            assert kind in OPTIONAL or len(counted(along)) >= 4, (name, kind, axis)
    assert all(len(set(seen[kind])) >= 4 for kind in OPTIONAL)
    branches = counted(question.recipe.parametrization.branch for question in found)
    assert (len(branches) >= 4) == (measured == "depth")


def test_more_than_one_real_step_only_where_nothing_but_the_readout_starts_at_zero(questions):
    """What another zero hands on from the second step on is not derived, and not asked."""
    _, found = questions
    later = [question for question in found if question.steps > 1]
    assert len(later) >= FEWEST
    zeros = {name for each in later for name, role in each.recipe.parametrization.roles() if role.init_std is None}
    assert zeros <= {"readout"}


def test_what_no_symmetry_undoes_is_drawn_across(questions):
    """Across the axis measured: one power of all rates, and one of the readout, beside each role's own symmetry."""
    measured, found = questions
    axis = next(each for each in AXES if each != measured)
    rates, outputs = [], []
    for question in found:
        hidden, readout = question.recipe.role("hidden1"), question.recipe.role("readout")
        rates.append(getattr(hidden.learning_rate, axis) + 2 * getattr(hidden.multiplier, axis))
        if readout.init_std:
            outputs.append(getattr(readout.init_std, axis) + getattr(readout.multiplier, axis))
    assert len(counted(rates)) >= 4
    assert len(counted(outputs)) >= 4

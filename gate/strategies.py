"""Hypothesis strategies for what the command accepts: what is valid, never how likely.

A drawn recipe has free powers on both axes. Along the axis that is measured it is built from scales, so that
nothing has to be thrown away: the size of the stream, of every preactivation, and of the branch gain beta are
drawn first (beta at most n^0 L^(-1/2), the line of stability; no growing input to a saturating activation),
each gain is then split between multiplier and initial standard deviation at random, and rates are free. On the other
axis the powers are free as far as no role's share of a sum outgrows another's, since a share that is n times another
hides it at every depth that can be reached: each role's own symmetry (m, sigma, lambda) -> (m + t, sigma - t,
lambda - s t), s = 2 where a step is as large as its gradient and 1 where it does not see its size, one power for all
rates, one for the readout. One role may start at exactly zero. The optimizer is any that has a rule.

A drawn question adds the data, and real steps where they are derived; drawn sizes are any that networks of a moment can
have, with any number of seeds and any rival. Everything shrinks to the plain: linear, one layer, cross-entropy, powers
of zero, one infinitesimal step on digits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from hypothesis import strategies as st

from powercount.derivations.adam import STEPS as STEPS_OF_A_SIZE
from powercount.derivations.limits import KINKED
from powercount.derivations.named import named_recipe
from powercount.derivations.predict import zero_roles
from powercount.derivations.recipe import (
    ACTIVATIONS,
    DAMPED,
    DECAYING,
    LOSSES,
    MOST_LAYERS,
    OPTIMIZERS,
    Axis,
    Block,
    Optimizer,
    Parametrization,
    Power,
    Recipe,
    Role,
    role_names,
)
from powercount.empirical.data import DATA
from powercount.empirical.design import EXAMPLES, FEWEST_SIZES, Sweep

SATURATING: Final = ("erf", "tanh")
STEPS: Final = (0, 1, 5)
ANY_STEPS: Final = (0, 1, 2, 3, 10)
SMALL_WIDTHS: Final = (8, 12, 16, 24, 32, 48, 64, 96, 128)
SMALL_DEPTHS: Final = (1, 2, 3, 4, 6, 8, 12, 16)
OFTEN: Final = (*("sgd",) * 5, *DAMPED)  # plain descent is what most of the house is about
RIVALS: Final = (Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(1, 8), Fraction(1, 100))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A recipe, the axis it is measured along, and how."""

    recipe: Recipe
    axis: Axis
    data: str
    steps: int
    seed: int


def quarters(low: int, high: int) -> st.SearchStrategy[Fraction]:
    """Multiples of 1/4 between low/4 and high/4, shrinking to zero."""
    return st.integers(min_value=low, max_value=high).map(lambda count: Fraction(count, 4))


def powers(low: int, high: int) -> st.SearchStrategy[Power]:
    """Both powers of a factor, multiples of 1/4."""
    return st.builds(Power, width=quarters(low, high), depth=quarters(low, high))


@st.composite
def drawn_recipes(draw: st.DrawFn, axis: Axis, most_layers: int = MOST_LAYERS) -> Recipe:
    """A recipe with free powers of n and L, stable at initialization along ``axis``."""
    layers = draw(st.integers(min_value=1, max_value=most_layers))
    activation = draw(st.sampled_from(ACTIVATIONS))
    optimizer = Optimizer(
        name=draw(st.sampled_from((*OPTIMIZERS, *OFTEN))),
        loss=draw(st.sampled_from(LOSSES)),
    )
    seen = 1 if optimizer.name in STEPS_OF_A_SIZE else 2
    decays = optimizer.name in DECAYING and draw(st.sampled_from((False, False, True)))
    adam = optimizer.name in DAMPED and optimizer.loss == "cross-entropy"
    damps, some = adam and draw(st.booleans()), st.sampled_from((True, True, False))  # not of every role
    base = named_recipe("depth-mup", layers=layers, activation=activation)
    sizes = quarters(-2, 0 if activation in SATURATING else 2)
    free = quarters(-3, 3)
    matrix = Fraction(1, 2) if axis == "width" else Fraction(0)

    start, preactivations = draw(sizes), [draw(sizes) for _ in range(layers - 1)]
    beta = draw(quarters(-3, 0)) - (0 if axis == "width" else Fraction(1, 2))
    gains = [after - before for before, after in zip([start, *preactivations], preactivations, strict=False)]
    branch = base.parametrization.branch
    if axis == "width":
        gains.append(beta - sum(gains, start=Fraction(0)))
    else:
        gains.append(draw(quarters(-2, 2)))
        branch = beta - sum(gains, start=Fraction(0))
    other: Axis = "depth" if axis == "width" else "width"
    all_rates, of_readout = draw(quarters(-2, 2)), draw(quarters(-2, 2))

    def role(old: Role, gain: Fraction, extra: Fraction = Fraction(0)) -> Role:
        multiplier, symmetry = draw(free), draw(quarters(-2, 2))
        assert old.init_std is not None
        here = Role(
            init_std=replace(old.init_std, **{axis: gain - multiplier}),
            multiplier=replace(old.multiplier, **{axis: multiplier}),
            learning_rate=replace(old.learning_rate, **{axis: draw(free)}),
            weight_decay=draw(powers(-2, 2)) if decays and draw(some) else None,
            epsilon=draw(powers(-6, 0)) if damps and draw(some) else None,
        )
        assert here.init_std is not None
        return Role(
            init_std=here.init_std.shifted(other, -symmetry),
            multiplier=here.multiplier.shifted(other, symmetry + extra),
            learning_rate=here.learning_rate.shifted(other, all_rates - seen * symmetry),
            weight_decay=here.weight_decay,
            epsilon=here.epsilon,
        )

    old = base.parametrization
    made = Parametrization(
        input=role(old.input, start),
        hidden=tuple(role(each, gain - matrix) for each, gain in zip(old.hidden, gains, strict=True)),
        readout=role(old.readout, draw(free), of_readout),
        branch=branch,
    )
    zero = draw(st.one_of(st.none(), st.none(), st.none(), st.sampled_from(role_names(layers))))
    if zero is not None:
        plain = dict(made.roles())[zero]
        made = made.with_role(zero, replace(plain, init_std=None))
    return Recipe(
        name=f"drawn along {axis}",
        block=Block(layers=layers, activation=activation),
        optimizer=optimizer,
        parametrization=made,
    )


@st.composite
def drawn_questions(draw: st.DrawFn, axis: Axis, most_layers: int = MOST_LAYERS) -> Question:
    """A drawn recipe with data, seed and steps; several real steps where at most the readout starts at zero."""
    recipe = draw(drawn_recipes(axis, most_layers))
    return Question(
        recipe=recipe,
        axis=axis,
        data=draw(st.sampled_from(DATA)),
        steps=draw(_steps(recipe, STEPS)),
        seed=draw(st.integers(min_value=0, max_value=2**20)),
    )


def _steps(recipe: Recipe, among: tuple[int, ...]) -> st.SearchStrategy[int]:
    """The numbers of steps that something is derived for."""
    zeros = zero_roles(recipe)
    if recipe.decayed:
        return st.just(0)
    later = set() if recipe.optimizer.name in STEPS_OF_A_SIZE else {"readout"}  # what may start at zero
    most = max(among) if zeros <= later else 1
    if "input" in zeros and recipe.block.activation in KINKED:
        most = 0  # a stream of zeros sits on the kink
    return st.sampled_from([each for each in among if each <= most])


@st.composite
def drawn_sweeps(draw: st.DrawFn, recipe: Recipe, axis: Axis) -> tuple[Sweep, Fraction]:
    """(Small sizes in any order, some of them twice, at any fixed size and with any seeds; a rival)."""
    along, across = (SMALL_WIDTHS, SMALL_DEPTHS) if axis == "width" else (SMALL_DEPTHS, SMALL_WIDTHS)
    sizes = draw(st.lists(st.sampled_from(along), min_size=FEWEST_SIZES, max_size=5, unique=True))
    twice = draw(st.lists(st.sampled_from(sizes), max_size=1))
    steps, seeds = draw(_steps(recipe, ANY_STEPS)), draw(st.sampled_from((2, 16, 48)))
    sweep = Sweep(
        axis=axis,
        sizes=(*sizes, *twice),
        fixed=draw(st.sampled_from(across)),
        seeds=seeds,
        most_seeds=seeds * draw(st.sampled_from((1, 2, 4))),
        seed=draw(st.integers(min_value=0, max_value=2**20)),
        steps=steps,
        examples=1 if steps else EXAMPLES,
        data=draw(st.sampled_from(DATA)),
    )
    return sweep, draw(st.sampled_from(RIVALS))

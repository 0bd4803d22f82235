"""Hypothesis strategies for recipes: what is valid, never how likely.

A drawn recipe has free powers on one axis and depth-mup's on the other, because a role whose share of a
sum is n times another's would hide it at every depth that can be reached. It is built from scales, so that
nothing has to be thrown away: the size of the stream, of every preactivation, and of the branch gain beta are
drawn first (beta at most n^0 L^(-1/2), the line of stability; no growing input to a saturating activation),
each gain is then split between multiplier and initial standard deviation at random, and rates are free.
Everything shrinks to the plain: linear, one layer, powers of zero.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Final

from hypothesis import strategies as st

from powercount.derivations.named import named_recipe
from powercount.derivations.recipe import ACTIVATIONS, Axis, Parametrization, Power, Recipe, Role

SATURATING: Final = ("erf", "tanh")
MOST_DRAWN_LAYERS: Final = 3


def quarters(low: int, high: int) -> st.SearchStrategy[Fraction]:
    """Multiples of 1/4 between low/4 and high/4, shrinking to zero."""
    return st.integers(min_value=low, max_value=high).map(lambda count: Fraction(count, 4))


def _placed(old: Power, axis: Axis, value: Fraction) -> Power:
    return replace(old, **{axis: value})


@st.composite
def drawn_recipes(draw: st.DrawFn, axis: Axis) -> Recipe:
    """A recipe with free powers of n (axis "width") or L (axis "depth"), stable at initialization."""
    layers = draw(st.integers(min_value=1, max_value=MOST_DRAWN_LAYERS))
    activation = draw(st.sampled_from(ACTIVATIONS))
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

    def role(old: Role, gain: Fraction) -> Role:
        multiplier = draw(free)
        assert old.init_std is not None
        return Role(
            init_std=_placed(old.init_std, axis, gain - multiplier),
            multiplier=_placed(old.multiplier, axis, multiplier),
            learning_rate=_placed(old.learning_rate, axis, draw(free)),
        )

    old = base.parametrization
    return replace(
        base,
        name=f"drawn along {axis}",
        parametrization=Parametrization(
            input=role(old.input, start),
            hidden=tuple(role(each, gain - matrix) for each, gain in zip(old.hidden, gains, strict=True)),
            readout=role(old.readout, draw(free)),
            branch=branch,
        ),
    )

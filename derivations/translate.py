"""A recipe under another optimizer: every own update keeps its power of n and of L.

A rate rule is printed for one optimizer. Two honest translations differ outside muP: keep the size of every own update,
so that a lazy parametrization stays lazy, or take the table printed for the other optimizer. This is the first: of each
role the rate is moved by what the two own updates differ in. Weight decay keeps rate times decay, its time scale.

Worked line: muP's hidden rate n of SGD, own update Theta(1) of m^2 lambda |delta| n |z|^2, becomes lambda = 1/(m n |z|)
of sign descent: n^(-1) without multipliers.
"""

from __future__ import annotations

from dataclasses import replace

from powercount.derivations.predict import derive, placed_chain, zero_roles
from powercount.derivations.recipe import AXES, Observable, Power, QuestionError, Recipe
from powercount.derivations.scale import ONE, Scale, as_fraction, product


def translated(recipe: Recipe, optimizer: str) -> Recipe:
    """The recipe, under its own name, with that optimizer and the rates that keep every own update's power.

    Raises ``QuestionError`` where a matrix starts at zero: an own update of zero has no power to keep.
    """
    other = replace(recipe, optimizer=replace(recipe.optimizer, name=optimizer))
    zeros = zero_roles(recipe)
    if zeros:
        raise QuestionError(
            f"{recipe.name}: {', '.join(sorted(zeros))} starts at zero, and own updates of zero have no power that "
            f"rates of {optimizer} could keep; write them in a TOML recipe"
        )
    made = other
    for role in recipe.role_names:
        own = Observable(quantity="own-update", role=role)
        before, after = (derive(each, own).scale for each in (recipe, other))
        for axis in AXES:
            by = as_fraction(before.along(axis) - after.along(axis))
            made = made.shifted(role, "learning_rate", axis, by)
            if role in recipe.decayed:
                made = made.shifted(role, "weight_decay", axis, -by)
    return replace(made, name=recipe.name)


def with_decay(recipe: Recipe) -> Recipe:
    """The recipe with a weight decay of one over the rate for every role: all weights decay on the time scale of steps.

    Of muP's Adam without multipliers, hidden rates n^(-1), that is a decay of n.
    """
    made = recipe.parametrization
    for name, role in recipe.parametrization.roles():
        rate = role.learning_rate
        made = made.with_role(name, replace(role, weight_decay=Power(width=-rate.width, depth=-rate.depth)))
    return replace(recipe, parametrization=made)


def with_epsilon(recipe: Recipe) -> Recipe:
    """The recipe with an epsilon for every role at the powers of its gradient's entries: the one that keeps the regime.

    Raises ``QuestionError`` where a role gets no gradient. Of muP with 1/n on the readout, hidden n^(-3/2).
    """
    chain, made, layers = placed_chain(recipe), recipe.parametrization, recipe.block.layers
    plain = ("error", "gradient")
    met = {"input": (plain, ONE), "readout": (plain[:1], chain.scale("stream"))}
    for j in range(1, layers + 1):
        gains = (chain.scale(f"gain:{i}") for i in range(1, j))
        met[f"hidden{j}"] = ((f"backward:{j}",), product(chain.scale("stream"), *gains))
    for name, role in recipe.parametrization.roles():
        keys, size = met[name]
        power = Scale(role.multiplier.width, role.multiplier.depth)
        entry = product(power, size, *(chain.scale(key) for key in keys))
        if entry.zero:
            raise QuestionError(f"{recipe.name}: {name} gets no gradient that an epsilon could be compared with")
        epsilon = Power(width=as_fraction(entry.width), depth=as_fraction(entry.depth))
        made = made.with_role(name, replace(role, epsilon=epsilon))
    return replace(recipe, parametrization=made)

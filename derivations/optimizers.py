r"""The optimizers: what one step does to a matrix, and how it meets the vector it was made from. A rule each.

A rule is given the gradient that reaches a matrix, |delta|, and what the matrix reads, |z|, of n coordinates or of
fixed dimension, and says how large the own update |m dW z| is, in powers of n and L, and by which lemma.

    sgd    dW = -lambda m delta z^T, so m dW z = -lambda m^2 delta <z, z>:  m^2 lambda |delta| <z, z>   (lemma aligned)

To add an optimizer: a rule here, one in ``empirical.optimizers``, and its name in ``recipe.OPTIMIZERS``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from powercount.derivations.forward import SymbolicRole
from powercount.derivations.recipe import check_name
from powercount.derivations.scale import Scale, product


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """One matrix at its step: its powers, the gradient |delta| that reaches it, and the vector z it reads.

    ``size`` is |z| and ``coordinates`` how many it has, as far as powers go. ``letters`` and ``signal`` are symbols for
    m, lambda and for |delta|; ``square`` and ``sum`` those of <z, z> and |z|_1, with their own space in front; ``keys``
    names the steps of the chain that the gradient comes from.
    """

    role: SymbolicRole
    delta: Scale
    size: Scale
    coordinates: Scale
    letters: tuple[str, str]
    signal: str
    square: str
    sum: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeRule:
    """What a step of one optimizer is: the size of the own update, its formula, why, and which steps it rests on.

    ``step`` says what the step is, ``meets`` what it makes of a z of n coordinates, ``fixed`` of the input's.
    """

    size: Callable[[Meeting], Scale]
    formula: Callable[[Meeting], str]
    step: str
    meets: str
    fixed: str
    parents: Callable[[Meeting], tuple[str, ...]]


def _sgd_size(met: Meeting) -> Scale:
    return product(met.role.multiplier**2, met.role.learning_rate, met.delta, met.coordinates, met.size**2)


def _sgd_formula(met: Meeting) -> str:
    m, rate = met.letters
    return rf"{m}^2\,{rate}\,{met.signal}{met.square}"


SGD: Final = SizeRule(
    size=_sgd_size,
    formula=_sgd_formula,
    step="the SGD step is -lambda m delta z^T",
    meets="<z, z> = n |z|^2 (lemma aligned)",
    fixed="<x, x>/d of order one",
    parents=lambda met: met.keys,
)
RULES: Final[dict[str, SizeRule]] = {"sgd": SGD}


def rule_of(name: str) -> SizeRule:
    """The rule of an optimizer; ``QuestionError`` where none is derived."""
    check_name("optimizer with a derived step", name, tuple(RULES))
    return RULES[name]

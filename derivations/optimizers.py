r"""The optimizers: what one step does to a matrix, and how it meets the vector it was made from. A rule each.

A rule is given the gradient that reaches a matrix, |delta|, and what the matrix reads, |z|, of n coordinates or of
fixed dimension, and says how large the own update |m dW z| is, in powers of n and L, and by which lemma.

    gradient  -lambda m delta z^T:                m^2 lambda |delta| <z, z>    sgd, the first of momentum and Nesterov
    sign      -lambda sgn(delta) sgn(z)^T:        m lambda |z|_1               signsgd, Lion, Adam far above epsilon
    damped    -lambda g/(|g| + epsilon):          the same times min(1, |g|/epsilon), g = m delta z an entry   Adam
    polar     -lambda s delta z^T/(|delta| |z|):  m lambda s |z|               Muon, s = (max(1, rows/columns))^(1/2);
                                                                               Shampoo, s = 1

One lemma holds them together: the first-order change of the loss from one matrix is -lambda times the dual norm of its
gradient (squared Euclidean, entrywise, nuclear), positive for every block, so that over depth they add up coherently.
The last two do not see the size of the gradient, but where it is exactly zero they do not move: sgn(0) = 0.

To add an optimizer: a rule here, one in ``empirical.optimizers``, and its name in ``recipe.OPTIMIZERS``; its exact
values in ``normalised``, if they are not there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from powercount.derivations.forward import SymbolicRole
from powercount.derivations.recipe import check_name
from powercount.derivations.scale import ONE, ZERO, Scale, added, aligned, product


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """One matrix at its step: its powers, the gradient |delta| that reaches it, and the vector z it reads.

    ``size`` is |z| and ``coordinates`` how many it has, ``rows`` how many delta has, as far as powers go. ``letters``
    and ``signal`` are symbols for m, lambda and for |delta|; ``square``, ``sum`` and ``norm`` those of <z, z>, |z|_1
    and what a polar step leaves of z, with their own space in front; ``keys`` names the steps of the chain that the
    gradient comes from.
    """

    role: SymbolicRole
    delta: Scale
    size: Scale
    coordinates: Scale
    rows: Scale
    letters: tuple[str, str]
    signal: str
    square: str
    sum: str
    norm: str
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
    damped: SizeRule | None = None

    def of(self, role: SymbolicRole) -> SizeRule:
        """The rule of a role: another where it has an epsilon."""
        return self if self.damped is None or role.epsilon.zero else self.damped


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


def _normalised(met: Meeting, *factors: Scale) -> Scale:
    """m lambda times the factors; zero where no gradient comes in."""
    return ZERO if met.delta.zero else product(met.role.multiplier, met.role.learning_rate, *factors)


def _root(of: Scale) -> Scale:
    return Scale(of.width / 2, of.depth / 2)


def _sign_size(met: Meeting) -> Scale:
    return _normalised(met, met.coordinates, met.size)


def _sign_formula(met: Meeting) -> str:
    m, rate = met.letters
    return rf"{m}\,{rate}{met.sum}"


def _damped_size(met: Meeting) -> Scale:
    size = _sign_size(met)
    if size.zero:
        return size
    entry = product(met.role.multiplier, met.delta, met.size)
    return size * added(ONE, met.role.epsilon * entry**-1) ** -1


def _damped_formula(met: Meeting) -> str:
    m, _ = met.letters
    return rf"{_sign_formula(met)}\,/\,(1+\epsilon/{m}\,{met.signal}\,|z|)"


def _polar_size(met: Meeting) -> Scale:
    # Of n by n matrices the roots cancel; the input's has a shape factor that cancels them; the readout's rows are few.
    return _normalised(met, met.size, Scale() if met.rows == aligned else _root(met.coordinates))


def _bare_size(met: Meeting) -> Scale:
    return _normalised(met, met.size, _root(met.coordinates), _root(met.rows) ** -1)


def _polar_formula(met: Meeting) -> str:
    m, rate = met.letters
    return rf"{m}\,{rate}{met.norm}"


def _bare_formula(met: Meeting) -> str:
    return _polar_formula(met) + (r"\,/\sqrt n" if met.coordinates != aligned else "")


SIGN: Final = SizeRule(
    size=_sign_size,
    formula=_sign_formula,
    step="the step is -lambda sgn(delta) sgn(z)^T, whatever the size of delta",
    meets="<sgn(z), z> = |z|_1 = n |z| (lemma aligned)",
    fixed="|x|_1/d^(1/2) of order one",
    parents=lambda met: met.keys if met.delta.zero else (),
)
POLAR: Final = SizeRule(
    size=_polar_size,
    formula=_polar_formula,
    step="the step is -lambda delta z^T/(|delta| |z|) in norms, whatever the size of delta",
    meets="z/|z| meets z in its norm n^(1/2) |z|, and delta/|delta| has entries n^(-1/2)",
    fixed="|x|/d^(1/2) of order one, and the shape factor (n/d)^(1/2) makes up for n^(-1/2)",
    parents=lambda met: met.keys if met.delta.zero else (),
)
DAMPED: Final = SizeRule(
    size=_damped_size,
    formula=_damped_formula,
    step="the step is -lambda g/(|g| + epsilon), the sign of an entry g far above epsilon and g/epsilon far below",
    meets="n |z| times min(1, |g|/epsilon) (lemma aligned)",
    fixed="|x|_1/d^(1/2) of order one, times min(1, |g|/epsilon)",
    parents=lambda met: met.keys,
)
ADAM: Final = replace(SIGN, damped=DAMPED)
BARE: Final = replace(
    POLAR,
    size=_bare_size,
    formula=_bare_formula,
    step="from statistics of zero the step is -lambda delta z^T/(|delta| |z|) in norms, whatever the size of delta",
    fixed="|x|/d^(1/2) of order one, and delta/|delta| has entries n^(-1/2)",
)
RULES: Final[dict[str, SizeRule]] = {
    "sgd": SGD,
    "sgd-momentum": replace(SGD, step="momentum's first step is plain descent's, -lambda m delta z^T"),
    "nesterov": replace(SGD, step="Nesterov's first step is -(1 + mu) lambda m delta z^T"),
    "signsgd": SIGN,
    "lion": SIGN,
    "adam": ADAM,
    "adamw": ADAM,
    "muon": POLAR,
    "shampoo": BARE,
}


def rule_of(name: str) -> SizeRule:
    """The rule of an optimizer; ``QuestionError`` where none is derived."""
    check_name("optimizer with a derived step", name, tuple(RULES))
    return RULES[name]

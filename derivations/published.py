r"""A recipe under another optimizer: the rates that papers print for the pair, in the recipe's own coordinates.

The other honest translation of a rate rule (see ``translate``). A row is (a, b, c) of input, hidden and readout as
printed, multiplier n^(-a), initial standard deviation n^(-b), rate n^(-c), and a power of L on the hidden rates. The
recipe keeps its own multipliers and initial weights; the rate is moved by the exact symmetry
    (a, b, c) -> (a + theta, b - theta, c - p theta),   p = 2 for SGD, 1 for steps that do not see the gradient's size,
and by the shape factor where a row is printed for the bare polar factor: torch's Muon multiplies the step of the n by d
input matrix by (n/d)^(1/2).

What the rows give in width: muP's, mean-field's and the depth recipes' give own updates, features and outputs of n^0,
as printed, and are what ``translate`` gives. The rows of SP and NTK give own updates and features of n^0, and an output
that moves by n^(1/2): the table takes a change of the stream to meet the readout's initial weights as it meets
independent ones (omega = 1/2), but it was made along them and meets them as n. Haas et al. (arXiv 2505.22491) find
that output to diverge as well. The rows, and omega, are known to us from notes on the papers.

Worked line: muP's readout under Adam is printed as (1/2, 1/2, 1/2); without a multiplier theta = -1/2 and c = 1, rate
n^(-1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from powercount.derivations.named import HALF, NAMED
from powercount.derivations.recipe import MOST_LAYERS, Power, QuestionError, Recipe
from powercount.derivations.sources import COMPLETEP, EVERETT, TP6, WIDTH_DEPTH

ZERO: Final = Fraction(0)
ONE: Final = Fraction(1)
Triple = tuple[Fraction, Fraction, Fraction]
Pair = tuple[Fraction, Fraction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A printed row: (a, b, c) of input, hidden and readout, the power of L on hidden rates, and where it is printed.

    ``layers`` are the least and the most internal layers of a block it is printed for.
    """

    source: str
    powers: tuple[Triple, Triple, Triple]
    depth: Fraction = ZERO
    layers: tuple[int, int] = (1, MOST_LAYERS)


def _row(coordinates: tuple[Pair, Pair, Pair], *rates: Fraction) -> tuple[Triple, Triple, Triple]:
    first, hidden, last = ((a, b, c) for (a, b), c in zip(coordinates, rates, strict=True))
    return first, hidden, last


_SP: Final = ((ZERO, ZERO), (ZERO, HALF), (ZERO, HALF))
_NTK: Final = ((ZERO, ZERO), (HALF, ZERO), (HALF, ZERO))
_MUP: Final = ((-HALF, HALF), (ZERO, HALF), (HALF, HALF))
_MEAN_FIELD: Final = ((ZERO, ZERO), (HALF, ZERO), (ONE, ZERO))
# Multiplier 1/n on the readout, hidden weights of variance 1/n.
_DEPTH: Final = ((ZERO, ZERO), (ZERO, HALF), (ONE, ZERO))

# Rows of full alignment; the theory's SGD is without momentum.
_EVERETT: Final = {
    ("sp", "sgd"): _row(_SP, -HALF, HALF, ONE),
    ("sp", "adam"): _row(_SP, ZERO, ONE, ONE),
    ("ntk", "sgd"): _row(_NTK, -HALF, -HALF, ZERO),
    ("ntk", "adam"): _row(_NTK, ZERO, HALF, HALF),
    ("mean-field", "sgd"): _row(_MEAN_FIELD, -ONE, -ONE, -ONE),
    ("mean-field", "adam"): _row(_MEAN_FIELD, ZERO, HALF, ZERO),
    ("mup", "sgd"): _row(_MUP, ZERO, ZERO, ZERO),
    ("mup", "adam"): _row(_MUP, HALF, ONE, HALF),
}
_DEPTH_SGD: Final = _row(_DEPTH, -ONE, ZERO, -ONE)
_DEPTH_SIGN: Final = _row(_DEPTH, ZERO, ONE, ZERO)
_DEPTH_POLAR: Final = _row(_DEPTH, -HALF, ZERO, -HALF)
_ONE_LAYER: Final = (1, 1)
_SEVERAL: Final = (2, MOST_LAYERS)

# What is printed, by recipe and optimizer; of depth-mup's Tensor Programs VI prints powers of L alone, on muP's of n.
PRINTED: Final[dict[tuple[str, str], Printed]] = {
    **{pair: Printed(source=f"{EVERETT}, full alignment", powers=row) for pair, row in _EVERETT.items()},
    ("depth-mup", "sgd"): Printed(source=f"{TP6}, table 1", powers=_EVERETT["mup", "sgd"]),
    ("depth-mup", "adam"): Printed(source=f"{TP6}, table 1", powers=_EVERETT["mup", "adam"], depth=-HALF),
    ("depth-mup", "adamw"): Printed(source=WIDTH_DEPTH, powers=_DEPTH_SIGN, depth=-HALF, layers=_ONE_LAYER),
    ("depth-mup", "lion"): Printed(source=WIDTH_DEPTH, powers=_DEPTH_SIGN, depth=-HALF, layers=_ONE_LAYER),
    ("depth-mup", "muon"): Printed(source=WIDTH_DEPTH, powers=_DEPTH_POLAR, depth=-HALF, layers=_ONE_LAYER),
    ("completep", "sgd"): Printed(source=WIDTH_DEPTH, powers=_DEPTH_SGD, depth=ONE, layers=_SEVERAL),
    ("completep", "adamw"): Printed(source=f"{COMPLETEP}; {WIDTH_DEPTH}", powers=_DEPTH_SIGN, layers=_SEVERAL),
    ("completep", "lion"): Printed(source=WIDTH_DEPTH, powers=_DEPTH_SIGN, layers=_SEVERAL),
    ("completep", "muon"): Printed(source=WIDTH_DEPTH, powers=_DEPTH_POLAR, layers=_SEVERAL),
}
# The power of n by which a step here is larger than the printed one of the same rate, where it is.
SHAPE: Final = {("muon", "input"): HALF}


def published(recipe: Recipe, optimizer: str) -> Recipe:
    """The named recipe, under its own name, with that optimizer and the rates printed for the two.

    Raises ``QuestionError`` where none are printed: for the pair, for so many layers, or for a recipe of one's own.
    """
    made = replace(recipe, optimizer=replace(recipe.optimizer, name=optimizer))
    row, layers = PRINTED.get((recipe.name, optimizer)), recipe.block.layers
    if row is None:
        raise QuestionError(
            f"no rates are printed for {recipe.name} under {optimizer}; choose one of: {_pairs()}; or keep every own "
            "update (--rates keep)"
        )
    if recipe.parametrization != NAMED[recipe.name].make(layers):
        raise QuestionError(
            f"{recipe.name} is not the named recipe, and rates are printed for those alone; write its own"
        )
    least, most = row.layers
    if not least <= layers <= most:
        raise QuestionError(
            f"the rates of {recipe.name} under {optimizer}, {row.source}, are printed for blocks of "
            f"{'one internal layer' if most == 1 else 'two internal layers and more'}, not of {layers}; set --layers"
        )
    first, hidden, last = row.powers
    for name, (a, _, c) in zip(recipe.role_names, (first, *(hidden,) * layers, last), strict=True):
        role = recipe.role(name)
        theta = -role.multiplier.width - a
        width = (2 if optimizer == "sgd" else 1) * theta - c - SHAPE.get((optimizer, name), ZERO)
        rate = Power(width=width, depth=row.depth if name.startswith("hidden") else ZERO)
        made = replace(made, parametrization=made.parametrization.with_role(name, replace(role, learning_rate=rate)))
    return made


def _pairs() -> str:
    """What is printed, a recipe after the other."""
    recipes = dict.fromkeys(name for name, _ in PRINTED)
    return "; ".join(f"{each} under {', '.join(o for name, o in PRINTED if name == each)}" for each in recipes)

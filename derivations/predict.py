"""``derive(recipe, observable)``: the symbolic chain with a recipe's powers put in.

The chain is derived with a recipe's powers put in, and once more for symbolic powers where they are asked for. A
prediction keeps the steps it rests on, and refuses an axis on which a condition of the
chain is broken: it then carries the reason, never a number.

Worked line: ``derive(named_recipe("depth-mup"), own-update:1)`` is lambda_1^L - alpha + ... = -1/2 along L.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypedDict

import sympy

from powercount.derivations.features import features
from powercount.derivations.forward import forward, placed_roles, slope_of_activation, symbolic_roles
from powercount.derivations.optimizers import rule_of
from powercount.derivations.recipe import AXES, KINDS, Axis, Observable, Recipe, internal_index
from powercount.derivations.scale import ONE, Scale, product
from powercount.derivations.shrinkage import shrinkage
from powercount.derivations.sources import HERE
from powercount.derivations.steps import Chain, Step, plain
from powercount.derivations.updates import updates


class StepRow(TypedDict):
    """One line of a derivation as plain data."""

    quantity: str
    symbol: str
    formula: str
    because: str
    symbolic: str
    scale: str
    source: str


class PredictionRow(TypedDict):
    """A prediction as plain data: powers as strings such as "-1/2", or null with a reason."""

    recipe: str
    observable: str
    width: str | None
    depth: str | None
    reason: str | None
    steps: list[StepRow]
    assumptions: list[str]
    sources: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The scale of an observable with the steps it rests on.

    ``reasons`` holds, for each axis without an exponent, why there is none. The steps carry the recipe's own powers;
    ``symbolic`` has the same steps for free ones.
    """

    recipe: Recipe
    observable: Observable
    scale: Scale
    steps: tuple[Step, ...]
    reasons: tuple[tuple[Axis, str], ...] = ()
    symbols: tuple[Scale, ...] | None = None
    steps_made: int = 0

    def along(self, axis: Axis) -> sympy.Rational | None:
        """The exact power on one axis; None where there is none (see ``reason``)."""
        if self.reason(axis) is not None:
            return None
        return sympy.Rational(self.scale.along(axis))

    def reason(self, axis: Axis) -> str | None:
        """Why that axis has no exponent."""
        return dict(self.reasons).get(axis)

    @property
    def placed(self) -> tuple[Scale, ...]:
        """The scale of every step."""
        return tuple(step.scale for step in self.steps)

    @property
    def symbolic(self) -> tuple[Scale, ...]:
        """The scale of every step in symbols: ``symbols`` where given, else those of the chain it was derived by."""
        if self.symbols is not None:
            return self.symbols
        return tuple(step.scale for step in chain_of(self.recipe, self.steps_made).behind(str(self.observable)))

    @property
    def vanishes(self) -> bool:
        """Whether the quantity is identically zero."""
        return self.scale.zero

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the chain takes for granted."""
        return tuple(dict.fromkeys(text for step in self.steps for text in step.assumes))

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the steps are printed."""
        return tuple(dict.fromkeys(step.source for step in self.steps if step.source != HERE)) or (HERE,)

    def as_row(self) -> PredictionRow:
        """As plain data, ready for JSON."""
        width, depth = self.along("width"), self.along("depth")
        reasons = dict.fromkeys(text for _, text in self.reasons)
        return {
            "recipe": self.recipe.name,
            "observable": str(self.observable),
            "width": None if width is None else str(width),
            "depth": None if depth is None else str(depth),
            "reason": "; ".join(reasons) or None,
            "steps": [
                {
                    "quantity": step.key,
                    "symbol": step.symbol,
                    "formula": step.formula,
                    "because": step.because,
                    "symbolic": str(symbolic),
                    "scale": str(step.scale),
                    "source": step.source,
                }
                for step, symbolic in zip(self.steps, self.symbolic, strict=True)
            ],
            "assumptions": list(self.assumptions),
            "sources": list(self.sources),
        }

    def shares(self) -> dict[str, Scale]:
        """The terms an observable is the sum of, by the role that owes them and, under the squared loss, by chi's part.

        One term where it is no sum; terms that vanish are left out.
        """
        known = {step.key: step.scale for step in self.steps}
        quantity = self.observable.quantity
        own = {f"feature-update@{role}": role for role in self.recipe.role_names}
        own |= {f"share@{role}": role for role in self.recipe.role_names}
        found: dict[str, Scale] = {}
        if self.observable.role is None and quantity == "output-update" and "output-update@input" in known:
            found = {role: known[f"output-update@{role}"] for role in self.recipe.role_names}
        elif self.observable.role is None and quantity == "feature-update":
            found = {role: known[key] for key, role in own.items() if key in known}
        elif quantity == "total-update":
            last = internal_index(str(self.observable.role))
            layers, activation = self.recipe.block.layers, self.recipe.block.activation
            chain = placed_chain(self.recipe, learns_readout(self.recipe, self.steps_made))
            first = 1 if layers == 1 else 2  # the first internal layer that an activation feeds
            # What one layer hands to the next: its gain, and the slope of the activation before it.
            passed = [
                product(
                    known[f"gain:{j}"], slope_of_activation(chain, layers, activation, j - 1) if j >= first else ONE
                )
                for j in range(1, last + 1)
            ]
            found = {f"{role} (inherited)": product(*passed, known[key]) for key, role in own.items() if key in known}
            for j in range(1, last + 1):
                found[f"hidden{j}"] = product(*passed[j:], known[f"own-update:{j}"])
        else:
            found = {"": self.scale}
        if self.recipe.optimizer.loss == "mse" and "error" in known:
            error = known["error"]
            parts = {"label": ONE, "output": known["output"]}
            found = {
                " ".join(filter(None, (name, f"({part})"))): Scale(
                    scale.width - error.width + size.width, scale.depth - error.depth + size.depth
                )
                for name, scale in found.items()
                for part, size in parts.items()
                if not scale.zero and not size.zero
            }
        return {name: scale for name, scale in found.items() if not scale.zero}

    def _apart(self) -> tuple[str, str] | None:
        """What leads along n and what leads along L, where no one term leads along both."""
        if self.vanishes or self.reasons:
            return None
        shares = self.shares().items()
        if any(each.width == self.scale.width and each.depth == self.scale.depth for _, each in shares):
            return None
        wide, deep = ([name for name, each in shares if each.along(axis) == self.scale.along(axis)] for axis in AXES)
        return ", ".join(wide), ", ".join(deep)

    def headline(self) -> str:
        """The answer in one line; two where no one term of a sum leads along both axes."""
        apart = self._apart()
        if apart is not None:
            return (
                f"{self.observable} under {self.recipe.name}: along n at fixed L n^({self.along('width')}), owed to "
                f"{apart[0]};\n  along L at fixed n L^({self.along('depth')}), owed to {apart[1]}; at no size both"
            )
        powers = []
        for axis, letter in zip(AXES, ("n", "L"), strict=True):
            power = self.along(axis)
            powers.append(f"no power of {letter}" if power is None else f"{letter}^({power})")
        return f"{self.observable} under {self.recipe.name}: " + (
            "exactly zero" if self.vanishes else ", ".join(powers)
        )

    def as_text(self) -> str:
        """The derivation as plain text."""
        lines = [self.headline()]
        lines += [f"  no exponent along {axis}: {text}" for axis, text in self.reasons]
        lines.append("derivation:")
        for number, (step, symbolic) in enumerate(zip(self.steps, self.symbolic, strict=True), start=1):
            lines += [
                f"  {number}. {step.key}:  {plain(step.symbol)} = {plain(step.formula)}",
                f"     because {step.because}",
                f"     in symbols {symbolic}",
                f"     here       {step.scale}",
            ]
        lines += ["assumptions:", *(f"  - {text}" for text in self.assumptions or ("none",))]
        lines += ["sources:", *(f"  - {text}" for text in self.sources)]
        return "\n".join(lines)

    def as_markdown(self) -> str:
        """The derivation as Markdown with LaTeX."""
        lines = [f"### {self.headline()}", ""]
        lines += [f"*No exponent along {axis}:* {text}.\n" for axis, text in self.reasons]
        for number, (step, symbolic) in enumerate(zip(self.steps, self.symbolic, strict=True), start=1):
            lines.append(
                f"{number}. ${step.symbol} = {step.formula}$: {step.because}. Scale "
                f"${symbolic.latex()}$, here ${step.scale.latex()}$."
            )
        lines += ["", "Assumptions: " + ("; ".join(self.assumptions) or "none") + "."]
        lines += ["", "Sources: " + "; ".join(self.sources) + "."]
        return "\n".join(lines)


@lru_cache(maxsize=256)
def symbolic_chain(
    layers: int,
    activation: str,
    loss: str,
    absent: frozenset[tuple[str, str]],
    learned: bool = False,
    optimizer: str = "sgd",
) -> Chain:
    """The whole derivation for symbolic powers: one per kind of block, loss, optimizer and set of absent powers.

    ``learned``: after the first of several steps that moved a readout which starts at zero.
    """
    chain = Chain()
    roles = symbolic_roles(layers, absent)
    forward(chain, roles, layers, activation)
    updates(chain, roles, layers, activation, loss, rule=rule_of(optimizer), learned=learned)
    features(chain, roles, layers, activation, learned=learned)
    shrinkage(chain, roles, layers, activation)
    return chain


def zero_roles(recipe: Recipe) -> frozenset[str]:
    """The roles that start at exactly zero."""
    return frozenset(name for name, role in recipe.parametrization.roles() if role.init_std is None)


def learns_readout(recipe: Recipe, steps: int) -> bool:
    """Whether ``steps`` steps hand down a gradient that the first step has put into a readout of zeros."""
    return steps > 1 and zero_roles(recipe) == {"readout"}


def chain_of(recipe: Recipe, steps: int = 0) -> Chain:
    """The symbolic chain a recipe is a substitution of."""
    learned = learns_readout(recipe, steps)
    block, optimizer = recipe.block, recipe.optimizer
    absent = {(name, kind) for name, role in recipe.parametrization.roles() for kind in KINDS if not role.has(kind)}
    return symbolic_chain(block.layers, block.activation, optimizer.loss, frozenset(absent), learned, optimizer.name)


@lru_cache(maxsize=1 << 12)
def placed_chain(recipe: Recipe, learned: bool = False) -> Chain:
    """The same derivation for the recipe's own powers."""
    chain, alpha = Chain(), sympy.Rational(-recipe.parametrization.branch)
    roles, layers, activation = placed_roles(recipe), recipe.block.layers, recipe.block.activation
    forward(chain, roles, layers, activation, alpha)
    rule = rule_of(recipe.optimizer.name)
    updates(chain, roles, layers, activation, recipe.optimizer.loss, alpha, rule=rule, learned=learned)
    features(chain, roles, layers, activation, alpha, learned=learned)
    shrinkage(chain, roles, layers, activation, alpha)
    return chain


def derive(recipe: Recipe, observable: Observable, *, steps_made: int = 0) -> Prediction:
    """The exponents of an observable under a recipe, with the derivation they came from.

    ``steps_made`` matters where a readout starts at zero: what is zero at the first step is not at the second.
    """
    steps = placed_chain(recipe, learns_readout(recipe, steps_made)).behind(str(observable))
    placed = tuple(step.scale for step in steps)

    def broken() -> Iterator[tuple[Axis, str]]:
        if placed[-1].zero:
            for axis in AXES:
                yield axis, f"exactly zero{'' if steps_made > 1 else ' at the first step'}: {_why_zero(steps, placed)}"
            return
        for axis in AXES:
            for step in steps:
                for condition in step.conditions:
                    if condition.axis == axis and not condition.holds({}):
                        yield axis, condition.reason

    first: dict[Axis, str] = {}
    for axis, text in broken():
        first.setdefault(axis, text)
    return Prediction(
        recipe=recipe,
        observable=observable,
        scale=placed[-1],
        steps=steps,
        reasons=tuple(first.items()),
        steps_made=steps_made,
    )


def _why_zero(steps: tuple[Step, ...], placed: tuple[Scale, ...]) -> str:
    """The first step of the chain that vanishes, which makes the rest vanish."""
    step = next(step for step, scale in zip(steps, placed, strict=True) if scale.zero)
    return f"{step.key} is zero ({step.because})"

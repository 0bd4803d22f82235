"""The recorded chain: every quantity of a derivation with its formula, its reason and its scale.

A derivation is a list of steps, each naming the steps it rests on. A step may carry conditions, the
places where the algebra's assumptions can fail: each bounds one power on one axis, and says what is
true instead where the bound is broken. Asking for a quantity returns the steps it rests on, in order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from sympy import Expr

from powercount.derivations.scale import Scale
from powercount.derivations.sources import HERE

_LETTERS: Final = {
    "Delta": "Δ",
    "Gamma": "Γ",
    "alpha": "α",
    "beta": "β",
    "chi": "χ",
    "delta": "δ",
    "lambda": "λ",
    "omega": "ω",
    "epsilon": "ε",
    "phi": "φ",
    "sigma": "σ",
    "partial": "∂",
    "prod": "∏",
    "sum": "∑",
    "sqrt": "√",
    "le": "≤",
    "mathrm": "",
}


def plain(formula: str) -> str:
    """A LaTeX formula as readable text: Greek letters, _in and ^(1/2) in place of commands and braces."""
    text = re.sub(r"\\[,;]", " ", formula)
    text = re.sub(r"\\([A-Za-z]+) ?", lambda found: _LETTERS[found.group(1)], text)
    text = re.sub(r"([_^])\{(\w+)\}", r"\1\2", text)
    text = re.sub(r"([_^])\{([^}]*)\}", r"\1(\2)", text)
    return re.sub(r" +", " ", text.replace("{", "").replace("}", "")).strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """``power <= bound`` on one axis, or there is no exponent there, for the reason given."""

    axis: str
    power: Expr
    bound: Expr
    reason: str

    def holds(self, values: Mapping[Expr, Expr]) -> bool:
        """Whether the bound is kept once the recipe's powers are put in."""
        return bool(self.power.xreplace(values) <= self.bound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a derivation: what it is about, because ..., resting on the lines named."""

    key: str
    because: str
    parents: tuple[str, ...] = ()
    source: str = HERE


@dataclass(frozen=True, slots=True, kw_only=True)
class Value(Line):
    """A line that gives an exact value."""

    value: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Line):
    """A line that gives a scale: symbol = formula."""

    symbol: str
    formula: str
    scale: Scale
    conditions: tuple[Condition, ...] = ()
    assumes: tuple[str, ...] = ()


L = TypeVar("L", bound=Line)


def joined(before: Mapping[str, L], line: L) -> dict[str, L]:
    """The lines before and one more; ``ValueError`` if it is there already or rests on what is not."""
    missing = [parent for parent in line.parents if parent not in before]
    if missing or line.key in before:
        raise ValueError(f"step {line.key!r}: repeated, or resting on unknown steps {missing}")
    return {**before, line.key: line}


def values(*lines: Value) -> dict[str, Value]:
    """Lines by name, in the order they were derived."""
    chain: dict[str, Value] = {}
    for line in lines:
        chain = joined(chain, line)
    return chain


@dataclass(slots=True)
class Chain:
    """Steps in the order they were derived."""

    steps: dict[str, Step] = field(default_factory=dict)

    def add(self, step: Step) -> Scale:
        """Record a step and hand its scale on."""
        self.steps = joined(self.steps, step)
        return step.scale

    def scale(self, key: str) -> Scale:
        """The scale of a quantity already derived."""
        return self.steps[key].scale

    def behind(self, key: str) -> tuple[Step, ...]:
        """The step and all it rests on, in the order they were derived."""
        wanted, stack = set(), [key]
        while stack:
            current = stack.pop()
            if current not in wanted:
                wanted.add(current)
                stack.extend(self.steps[current].parents)
        return tuple(step for name, step in self.steps.items() if name in wanted)

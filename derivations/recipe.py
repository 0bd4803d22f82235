"""The question: a recipe (parametrization + block + optimizer) and an observable.

A network of width n and depth L reads an input x of fixed dimension d, carries a stream
h_0, ..., h_L of n coordinates through L residual blocks of k internal layers, and reads out f:

    h_0 = m_input W_input x / sqrt(d)
    k >= 2:  y_1 = m_1 W_1 h_{l-1},       y_j = m_j W_j phi(y_{j-1}),   h_l = h_{l-1} + L^branch y_k
    k  = 1:  y_1 = m_1 W_1 phi(h_{l-1}),                                h_l = h_{l-1} + L^branch y_1
    f = m_readout W_readout h_L

Every role r has three powers of n and L: the standard deviation of its initial weights, its
multiplier m_r, and its learning rate. All powers are exact fractions and the constants before
them are 1. Worked line: ``Power(width=Fraction(-1, 2))`` is n^(-1/2).

Both sides of the house read this module; nothing else is shared between them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Literal

ACTIVATIONS: Final = ("linear", "relu", "abs", "erf", "tanh", "gelu", "silu")
OPTIMIZERS: Final = ("sgd", "sgd-momentum", "nesterov", "signsgd", "lion", "adam", "adamw", "muon", "shampoo")
DAMPED: Final = ("adam", "adamw")  # those that divide by |g| + epsilon
# Of the others decay is added to the gradient before its sign is taken, and is no decay of its own.
DECAYING: Final = ("sgd", "sgd-momentum", "nesterov", "lion", "adamw", "muon")
LOSSES: Final = ("cross-entropy", "mse")
MOST_LAYERS: Final = 8
# A factor stays a float32 number at every width that can be built: (2^15)^8 = 2^120, and float32 ends at 2^128.
MOST_POWER: Final = 8
# Powers closer than 1/100 are nearer to each other than the narrowest interval a measurement is asked for.
MOST_DENOMINATOR: Final = 100

Axis = Literal["width", "depth"]
Kind = Literal["init_std", "multiplier", "learning_rate", "weight_decay", "epsilon"]
AXES: Final[tuple[Axis, ...]] = ("width", "depth")
KINDS: Final[tuple[Kind, ...]] = ("init_std", "multiplier", "learning_rate", "weight_decay", "epsilon")
OPTIONAL: Final[tuple[Kind, ...]] = ("weight_decay", "epsilon")


class PowercountError(Exception):
    """Base of every error powercount raises on purpose; its text names the value and the remedy."""


class QuestionError(PowercountError):
    """The question is wrong: an unknown name, a missing role, a power that is no fraction."""


def check_name(what: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise ``QuestionError`` unless ``value`` is one of the ``allowed`` names of ``what``."""
    if value not in allowed:
        raise QuestionError(f"unknown {what} {value!r}; choose one of: {', '.join(allowed)}")


def printable(text: str) -> str:
    """The text with whatever a terminal would obey, and every end of a line, written as an escape."""
    if text.isprintable():
        return text
    return "".join(
        letter.encode("unicode_escape").decode("ascii")
        if unicodedata.category(letter)[0] == "C" or unicodedata.category(letter) in ("Zl", "Zp")
        else letter
        for letter in text
    )


def check_power(place: str, value: Fraction) -> None:
    """Raise ``QuestionError`` unless a power is one that a network can be built with and a measurement tell."""
    if abs(value) > MOST_POWER or value.denominator > MOST_DENOMINATOR:
        long = max(abs(value.numerator), value.denominator) >= 10**20
        raise QuestionError(
            f"{place} = {'a number of more than 20 digits' if long else value}: a power lies between -{MOST_POWER} and "
            f"{MOST_POWER} and has a denominator of at most {MOST_DENOMINATOR}; write one such as -1/2"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """The factor n^width L^depth."""

    width: Fraction = Fraction(0)
    depth: Fraction = Fraction(0)

    def at(self, width: int, depth: int) -> float:
        """Its value for a network of that width and depth."""
        return float(width**self.width * depth**self.depth)

    def along(self, axis: Axis) -> Fraction:
        """The power of n (axis "width") or of L (axis "depth")."""
        return self.width if axis == "width" else self.depth

    def shifted(self, axis: Axis, by: Fraction) -> Power:
        """The same factor with one power moved."""
        return replace(self, **{axis: self.along(axis) + by})


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """The powers of one kind of matrix; ``init_std=None`` means initialized at exactly zero.

    ``weight_decay``: a step multiplies the weights by 1 - learning_rate weight_decay, as in torch; None: it does not.
    ``epsilon``: what Adam adds to the size of a gradient before it divides by it; None: far below every gradient.
    """

    init_std: Power | None = Power()
    multiplier: Power = Power()
    learning_rate: Power = Power()
    weight_decay: Power | None = None
    epsilon: Power | None = None

    def has(self, kind: str) -> bool:
        """Whether there is a power of that kind."""
        return getattr(self, kind) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parametrization:
    """The powers of every role, and the power of L on each branch."""

    input: Role
    hidden: tuple[Role, ...]
    readout: Role
    branch: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        if not 1 <= len(self.hidden) <= MOST_LAYERS:
            raise QuestionError(f"{len(self.hidden)} hidden roles; a block has 1 to {MOST_LAYERS} internal layers")

    def roles(self) -> Iterator[tuple[str, Role]]:
        """(name, role) in the order of the forward pass."""
        yield "input", self.input
        for index, role in enumerate(self.hidden, start=1):
            yield f"hidden{index}", role
        yield "readout", self.readout

    def with_role(self, name: str, role: Role) -> Parametrization:
        """The same parametrization with one role replaced."""
        if name == "input":
            return replace(self, input=role)
        if name == "readout":
            return replace(self, readout=role)
        index = internal_index(name)
        return replace(self, hidden=(*self.hidden[: index - 1], role, *self.hidden[index:]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The residual block: internal layers per branch and the activation between them."""

    layers: int = 2
    activation: str = "relu"

    def __post_init__(self) -> None:
        if not 1 <= self.layers <= MOST_LAYERS:
            raise QuestionError(f"layers = {self.layers}; a block has 1 to {MOST_LAYERS} internal layers")
        check_name("activation", self.activation, ACTIVATIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """What makes the step, from a state of zeros: plain gradient descent on the mean loss over the batch by default.

    Of one infinitesimal step sgd and sgd-momentum are the same, nesterov 1 + .9 times as much; signsgd, lion, adam and
    adamw are all -rate sgn(gradient) where a role has no ``epsilon``; shampoo is -rate times the polar factor, and muon
    (max(1, rows/columns))^(1/2) times that. Weights decay beside that step where a role has ``weight_decay``.
    """

    name: str = "sgd"
    loss: str = "cross-entropy"

    def __post_init__(self) -> None:
        check_name("optimizer", self.name, OPTIMIZERS)
        check_name("loss", self.loss, LOSSES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The whole question but for the observable; ``eval(repr(recipe)) == recipe``."""

    name: str
    parametrization: Parametrization
    block: Block = Block()
    optimizer: Optimizer = Optimizer()

    def __post_init__(self) -> None:
        if printable(self.name) != self.name:
            raise QuestionError(f"name {self.name!r} holds control characters; write plain text")
        roles, layers = len(self.parametrization.hidden), self.block.layers
        if roles > layers:
            raise QuestionError(f"{roles} hidden roles but layers = {layers}; drop hidden{layers + 1} or raise layers")
        if roles < layers:
            raise QuestionError(f"layers = {layers} but role hidden{roles + 1} is missing; add it or lower layers")
        if self.decayed and self.optimizer.name not in DECAYING:
            raise QuestionError(
                f"weight_decay of {', '.join(self.decayed)}: {self.optimizer.name} adds it to the gradient before the "
                "sign is taken, where it is no decay of its own; use optimizer adamw, or leave weight_decay out"
            )
        if self.damped and (self.optimizer.name not in DAMPED or self.optimizer.loss == "mse"):
            why = (
                f"{self.optimizer.name} has none; use optimizer adam or adamw"
                if self.optimizer.name not in DAMPED
                else "under the squared loss the size of the error signal is that of the output; use cross-entropy"
            )
            raise QuestionError(f"epsilon of {', '.join(self.damped)}: {why}, or leave epsilon out")

    @property
    def damped(self) -> tuple[str, ...]:
        """The roles whose gradient's size an epsilon is added to."""
        return tuple(name for name, role in self.parametrization.roles() if role.epsilon is not None)

    @property
    def decayed(self) -> tuple[str, ...]:
        """The roles whose weights decay."""
        return tuple(name for name, role in self.parametrization.roles() if role.weight_decay is not None)

    def role(self, name: str) -> Role:
        """The role of that name."""
        return dict(self.parametrization.roles())[name]

    @property
    def role_names(self) -> tuple[str, ...]:
        """input, hidden1, ..., readout."""
        return role_names(self.block.layers)

    def shifted(self, role: str, kind: Kind, axis: Axis, by: Fraction) -> Recipe:
        """The recipe with one power of one role moved by ``by``: a mutant.

        ``role="branch"`` moves the branch's power of L, whatever the kind.
        """
        old = self.parametrization
        sign = "+" if by > 0 else "-"
        if role == "branch":
            name = f"{self.name} with branch depth {sign}{abs(by)}"
            return replace(self, name=name, parametrization=replace(old, branch=old.branch + by))
        name = f"{self.name} with {role} {kind} {axis} {sign}{abs(by)}"
        values = self.role(role)
        power: Power | None = getattr(values, kind)
        if power is None:
            said = {"weight_decay": "does not decay", "epsilon": "has no epsilon"}.get(kind, "starts at zero")
            raise QuestionError(f"{role} {said}: it has no {kind} power to move")
        moved = replace(values, **{kind: power.shifted(axis, by)})
        return replace(self, name=name, parametrization=old.with_role(role, moved))

    def single_powers(self) -> Iterator[tuple[str, Kind, Axis]]:
        """Every power that ``shifted`` can move, as its first three arguments."""
        for name, role in self.parametrization.roles():
            for kind in KINDS:
                if getattr(role, kind) is not None:
                    yield name, kind, "width"
                    yield name, kind, "depth"
        yield "branch", "multiplier", "depth"


def check_powers(recipe: Recipe) -> None:
    """Raise ``QuestionError`` unless a network can be built with every power; ``derive`` asks for no bound."""
    for name, role in recipe.parametrization.roles():
        for kind in KINDS:
            power: Power | None = getattr(role, kind)
            if power is not None:
                for axis in AXES:
                    check_power(f"{name} {kind} {axis}", power.along(axis))
    check_power("branch depth", recipe.parametrization.branch)


def role_names(layers: int) -> tuple[str, ...]:
    """The roles of a network with that many internal layers, in the order of the forward pass."""
    return ("input", *(f"hidden{j}" for j in range(1, layers + 1)), "readout")


def internal_index(role: str) -> int:
    """The J of "hiddenJ"."""
    match = re.fullmatch(r"hidden([1-9][0-9]*)", role)
    if match is None:
        raise QuestionError(f"{role!r} is no hidden role; hidden roles are hidden1, hidden2, ...")
    return int(match.group(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Observable:
    """What is reduced: a quantity, of one role where it has one.

    Sizes are root mean squares over coordinates, examples and seeds. A step is one step of the
    optimizer at base rate 1; an update is the first-order change along it.

    stream             h_L at initialization
    branch-sum         h_L - h_0 at initialization
    gradient           df/dh_l at mid-depth, l = ceil(L/2), at initialization
    output             f at initialization
    own-update:J       m_J dW_J z_J at the mid-depth block (J internal layer, "input" or "readout")
    total-update:J     the whole change of y_J at the mid-depth block
    feature-update     the change of h_L; ``feature-update@ROLE``: only that role's matrices move
    output-update      the change of f;   ``output-update@ROLE``: likewise
    decay-update:J     what the decay of role J's matrices alone does to h_L, of the readout's to f

    All updates but the last are the gradient's part of a step; to first order the step is that part and the decay's.
    """

    quantity: str
    role: str | None = None

    @property
    def is_change(self) -> bool:
        """Whether the step makes it; the others are there at initialization."""
        return self.quantity.endswith("-update")

    @property
    def reads_error(self) -> bool:
        """Whether it is made by a gradient of the loss."""
        return self.is_change and self.quantity != "decay-update"

    def __str__(self) -> str:
        if self.role is None:
            return self.quantity
        if self.quantity in ("own-update", "total-update", "decay-update"):
            return f"{self.quantity}:{self.role.removeprefix('hidden')}"
        return f"{self.quantity}@{self.role}"


def observables(layers: int, decayed: Iterable[str] = ()) -> tuple[Observable, ...]:
    """Every observable of a network with that many internal layers, of which some roles decay."""
    roles = role_names(layers)
    hidden = roles[1:-1]
    return (
        *(Observable(quantity=name) for name in ("stream", "branch-sum", "gradient", "output")),
        *(Observable(quantity="own-update", role=role) for role in roles),
        *(Observable(quantity="total-update", role=role) for role in hidden),
        Observable(quantity="feature-update"),
        Observable(quantity="output-update"),
        *(Observable(quantity="feature-update", role=role) for role in roles),
        *(Observable(quantity="output-update", role=role) for role in roles),
        *(Observable(quantity="decay-update", role=role) for role in decayed),
    )


def observables_of(*recipes: Recipe) -> tuple[Observable, ...]:
    """Every observable of a recipe's networks, or of any of several with the same number of internal layers."""
    layers = recipes[0].block.layers
    decayed = {role for recipe in recipes for role in recipe.decayed}
    return observables(layers, [role for role in role_names(layers) if role in decayed])


def middle(depth: int) -> int:
    """The mid-depth block, counted from 1: ceil(L/2)."""
    return (depth + 1) // 2


def observable_named(text: str, layers: int, decayed: Iterable[str] = ()) -> Observable:
    """The observable a user wrote, such as ``own-update:1`` or ``feature-update@hidden1``."""
    known = {str(observable): observable for observable in observables(layers, decayed)}
    if text.startswith("decay-update:") and text not in known:
        raise QuestionError(f"observable {text!r}: no such role decays; give it a weight_decay in a TOML recipe")
    if text not in known:
        raise QuestionError(
            f"unknown observable {text!r} for a block of {layers} internal layer(s); choose one of: {', '.join(known)}"
        )
    return known[text]

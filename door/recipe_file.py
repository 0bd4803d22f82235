"""A recipe as TOML: powers as written on n and L, every role spelled out.

    name = "mine"
    [block]
    layers = 2
    activation = "relu"
    [optimizer]
    name = "sgd"                  # or any other of ``recipe.OPTIMIZERS``
    loss = "cross-entropy"        # optional
    [branch]
    depth = "-1/2"                # the branch is multiplied by L^(-1/2)
    [input]
    init_std      = {width = "0", depth = "0"}      # or "zero": starts at exactly zero
    multiplier    = {width = "0", depth = "0"}
    learning_rate = {width = "1", depth = "0"}
    weight_decay  = {width = "0", depth = "0"}      # optional; left out: none, whatever torch's default is
    epsilon       = {width = "-1", depth = "0"}     # optional, of adam and adamw; left out: far below every gradient
    # [hidden1] [hidden2] ... [readout] likewise

A power is a whole number or a fraction in quotes: "-1/2". Decimal floats are refused, since powers are exact.
"""

from __future__ import annotations

import re
import reprlib
import sys
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from powercount.derivations.recipe import (
    KINDS,
    OPTIONAL,
    Block,
    Optimizer,
    Parametrization,
    Power,
    PowercountError,
    Recipe,
    Role,
    check_power,
    printable,
    role_names,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ZERO: Final = "zero"
LONGEST_FILE: Final = 1 << 20  # characters; a recipe of eight internal layers has 2,000
LONGEST_NAME: Final = 200
Table = dict[str, Any]


class RecipeFileError(PowercountError):
    """The file is missing, is no TOML, or does not describe a recipe; the text names the place and the remedy."""


def _power(text: object, place: str) -> Fraction:
    value = None
    if isinstance(text, str) and re.fullmatch(r"[+-]?[0-9]{1,20}(/[0-9]{1,20})?", text.strip()):
        with suppress(ZeroDivisionError):
            value = Fraction(text.strip())
    elif isinstance(text, int) and not isinstance(text, bool):
        value = Fraction(text)
    if value is None:
        raise RecipeFileError(
            f'{place} = {_shown(text)} is no rational power; write a whole number or a fraction such as "-1/2"'
        )
    check_power(place, value)
    return value


def _shown(value: object) -> str:
    """A value of the file, cut where it is long or deep."""
    return reprlib.repr(value)


def _text(source: Table, key: str, place: str, default: str) -> str:
    """A short text, or its default."""
    value = source.get(key, default)
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        raise RecipeFileError(f"{place} = {_shown(value)} must be a text of at most {LONGEST_NAME} characters")
    return value


def _table(source: Table, key: str, place: str, allowed: tuple[str, ...]) -> Table:
    if key not in source:
        raise RecipeFileError(f"[{place}] is missing; add it with: {', '.join(allowed)}")
    return _checked(source[key], place, allowed)


def _checked(value: object, place: str, allowed: tuple[str, ...]) -> Table:
    if not isinstance(value, dict):
        raise RecipeFileError(f"{place} = {_shown(value)} must be a table with: {', '.join(allowed)}")
    for key in value:
        if key not in allowed:
            raise RecipeFileError(f"unknown entry {_shown(key)} in [{place}]; it may have: {', '.join(allowed)}")
    return value


def _both_powers(value: object, place: str) -> Power:
    table = _checked(value, place, ("width", "depth"))
    return Power(
        width=_power(table.get("width", "0"), f"{place} width"), depth=_power(table.get("depth", "0"), f"{place} depth")
    )


def _role(source: Table, name: str) -> Role:
    table = _table(source, name, name, KINDS)
    powers: dict[str, Power | None] = {}
    for kind in KINDS:
        if kind not in table and kind in OPTIONAL:
            powers[kind] = None
            continue
        if kind not in table:
            raise RecipeFileError(f'[{name}] has no {kind}; add {kind} = {{width = "0", depth = "0"}}')
        zero = kind == "init_std" and table[kind] == ZERO
        powers[kind] = None if zero else _both_powers(table[kind], f"{name} {kind}")
    return Role(**powers)  # type: ignore[arg-type]  # only init_std and what is optional may be None, as checked above


def recipe_from(text: str, place: str = "recipe") -> Recipe:
    """The recipe a TOML text describes."""
    try:
        source = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeFileError(f"{place} is not valid TOML: {error}") from None
    except (ValueError, RecursionError):  # a number of more digits than Python reads, or brackets without end
        raise RecipeFileError(
            f"{place} is no recipe: a number of thousands of digits, or tables too deep; powers are short fractions"
        ) from None
    if "block" not in source:
        raise RecipeFileError(f"[block] is missing in {place}; add it with: layers, activation")
    block = _table(source, "block", "block", ("layers", "activation"))
    layers = block.get("layers", 2)
    if not isinstance(layers, int) or isinstance(layers, bool):
        raise RecipeFileError(f"block layers = {_shown(layers)} must be a whole number of internal layers")
    made = Block(layers=layers, activation=_text(block, "activation", "block activation", "relu"))
    roles = role_names(layers)
    known = ("name", "block", "optimizer", "branch", *roles)
    extra = [key for key in source if key not in known]
    hidden = [key for key in extra if re.fullmatch(r"hidden\d+", key)]
    if hidden:
        raise RecipeFileError(f"[{hidden[0]}] but layers = {layers}: drop it, or raise layers")
    if extra:
        raise RecipeFileError(f"unknown entry {_shown(extra[0])} in {place}; it may have: {', '.join(known)}")
    optimizer = source.get("optimizer", {})
    if isinstance(optimizer, dict) and "clip" in optimizer:
        raise RecipeFileError(
            f"clip in [optimizer] of {place}: what clipping by the norm of the whole gradient does to a rate is not "
            "derived; leave it out"
        )
    optimizer = _checked(optimizer, "optimizer", ("name", "loss"))
    branch = _table(source, "branch", "branch", ("depth",))
    return Recipe(
        name=_text(source, "name", "name", printable(place)[-LONGEST_NAME:]),
        block=made,
        optimizer=Optimizer(
            name=_text(optimizer, "name", "optimizer name", "sgd"),
            loss=_text(optimizer, "loss", "optimizer loss", "cross-entropy"),
        ),
        parametrization=Parametrization(
            input=_role(source, "input"),
            hidden=tuple(_role(source, name) for name in roles[1:-1]),
            readout=_role(source, "readout"),
            branch=_power(branch.get("depth", "0"), "branch depth"),
        ),
    )


def read_recipe(path: str | Path) -> Recipe:
    """The recipe in a TOML file."""
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(LONGEST_FILE + 1)  # a device has no end
    except OSError as error:
        raise RecipeFileError(f"cannot read {path}: {error.strerror}; give a named recipe or a TOML file") from None
    except UnicodeDecodeError:
        raise RecipeFileError(f"{path} is not UTF-8 text; a recipe is a TOML file") from None
    except ValueError:
        raise RecipeFileError(f"{path} is no path; give a named recipe or a TOML file") from None
    if len(text) > LONGEST_FILE:
        raise RecipeFileError(f"{path} has more than {LONGEST_FILE} characters; a recipe is a short TOML file")
    return recipe_from(text, str(path))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def recipe_text(recipe: Recipe) -> str:
    """The TOML text of a recipe; ``recipe_from(recipe_text(r)) == r``."""
    lines = [
        f"name = {_quoted(recipe.name)}",
        "[block]",
        f"layers = {recipe.block.layers}",
        f"activation = {_quoted(recipe.block.activation)}",
        "[optimizer]",
        f"name = {_quoted(recipe.optimizer.name)}",
        f"loss = {_quoted(recipe.optimizer.loss)}",
        "[branch]",
        f'depth = "{recipe.parametrization.branch}"',
    ]
    for name, role in recipe.parametrization.roles():
        lines.append(f"[{name}]")
        for kind in KINDS:
            power: Power | None = getattr(role, kind)
            if power is None and kind in OPTIONAL:
                continue
            value = f'"{ZERO}"' if power is None else f'{{width = "{power.width}", depth = "{power.depth}"}}'
            lines.append(f"{kind} = {value}")
    return "\n".join(lines) + "\n"

"""powercount: derive the width and depth exponents of a parametrization, then measure them.

Four verbs: ``derive(recipe, observable)``, ``build(recipe, width, depth, seed)``,
``measure(recipe, observables, sweep)``, ``judge(prediction, measurement)``. Names are looked up when they
are first used, so that importing this package costs nothing: neither sympy nor torch. A type checker reads the
imports below, which never run; a test holds both lists to each other.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from powercount.derivations.named import named_recipe as named_recipe
    from powercount.derivations.predict import Prediction as Prediction
    from powercount.derivations.predict import derive as derive
    from powercount.derivations.recipe import Block as Block
    from powercount.derivations.recipe import Observable as Observable
    from powercount.derivations.recipe import Optimizer as Optimizer
    from powercount.derivations.recipe import Parametrization as Parametrization
    from powercount.derivations.recipe import Power as Power
    from powercount.derivations.recipe import PowercountError as PowercountError
    from powercount.derivations.recipe import Recipe as Recipe
    from powercount.derivations.recipe import Role as Role
    from powercount.derivations.recipe import observable_named as observable_named
    from powercount.derivations.recipe import observables as observables
    from powercount.door.recipe_file import read_recipe as read_recipe
    from powercount.empirical.design import Sweep as Sweep
    from powercount.empirical.network import build as build
    from powercount.empirical.sweep import Measurement as Measurement
    from powercount.empirical.sweep import measure as measure
    from powercount.recipes import verify as verify
    from powercount.verdict import Verdict as Verdict
    from powercount.verdict import judge as judge

__version__ = "0.1.0"

_HOME: Final = {
    "Block": "derivations.recipe",
    "Measurement": "empirical.sweep",
    "Observable": "derivations.recipe",
    "Optimizer": "derivations.recipe",
    "Parametrization": "derivations.recipe",
    "Power": "derivations.recipe",
    "PowercountError": "derivations.recipe",
    "Prediction": "derivations.predict",
    "Recipe": "derivations.recipe",
    "Role": "derivations.recipe",
    "Sweep": "empirical.design",
    "Verdict": "verdict",
    "build": "empirical.network",
    "derive": "derivations.predict",
    "judge": "verdict",
    "measure": "empirical.sweep",
    "named_recipe": "derivations.named",
    "observable_named": "derivations.recipe",
    "observables": "derivations.recipe",
    "read_recipe": "door.recipe_file",
    "verify": "recipes",
}
__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604 - the table above is the one list of names


if not TYPE_CHECKING:  # a type checker would take any name for an object

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module 'powercount' has no attribute {name!r}")
        return getattr(importlib.import_module(f"powercount.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)

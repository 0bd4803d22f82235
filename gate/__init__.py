"""powercount: derive the width and depth exponents of a parametrization, then measure them.

Four verbs: ``derive(recipe, observable)``, ``build(recipe, width, depth, seed)``,
``measure(recipe, observables, sweep)``, ``judge(prediction, measurement)``. Names are looked up when they
are first used, so that importing this package costs nothing: neither sympy nor torch.
"""

from __future__ import annotations

import importlib
from typing import Final

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
    "Sweep": "empirical.sweep",
    "Verdict": "verdict",
    "build": "empirical.network",
    "derive": "derivations.predict",
    "judge": "verdict",
    "measure": "empirical.sweep",
    "named_recipe": "derivations.named",
    "observable_named": "derivations.recipe",
    "observables": "derivations.recipe",
    "read_recipe": "recipe_file",
    "verify": "recipes",
}
__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604 - the table above is the one list of names


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'powercount' has no attribute {name!r}")
    return getattr(importlib.import_module(f"powercount.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)

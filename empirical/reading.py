r"""What a factory says of itself at several widths, without a step: rates, decay, epsilon, momentum, initial weights.

Of every parameter the options of the group that its optimizer holds it in, and the root mean square it starts with, are
powers of the width or they are not: a kink (a maximum that changes sides, a warm-up by size) is no power, and is said.

Worked line: ``lr = 1e-3 * 64 / width`` reads as n^(-1) to the last digit; a matrix of n^2 normal numbers knows its own
standard deviation to 1/(2 n^2)^(1/2), a hundredth at n = 64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from powercount.empirical.factory import Built, groups_of
from powercount.empirical.uses import rms

OPTIONS: Final = ("lr", "weight_decay", "eps", "momentum", "betas")
INIT: Final = "init"
EXACT: Final = 1e-6  # of the logarithm of an option: it is computed, not drawn
DEVIATIONS: Final = 5.0  # of a drawn root mean square, for a kink


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One option of one parameter at several widths; ``power`` is None where it is zero, or no power (``kinked``).

    ``error`` is the standard error of the power: of initial weights, which are drawn.
    """

    values: tuple[float, ...]
    power: float | None
    error: float = 0.0
    kinked: bool = False


def read(every: Mapping[int, Built]) -> dict[str, dict[str, Reading]]:
    """What the builds at several widths say of every parameter: by parameter, by option."""
    widths = sorted(every)
    said = [options_of(every[width]) for width in widths]
    found: dict[str, dict[str, Reading]] = {}
    for name in (name for name in said[0] if all(name in each for each in said)):
        kinds = [kind for kind in said[0][name] if all(kind in each[name] for each in said)]
        found[name] = {
            kind: reading(widths, [each[name][kind][0] for each in said], [each[name][kind][1] for each in said])
            for kind in kinds
        }
    return found


def reading(widths: Sequence[int], values: Sequence[float], errors: Sequence[float]) -> Reading:
    """The power of the width in some values, known to relative errors."""
    if not all(value > 0 for value in values) or len(set(widths)) < 2:
        several = len(set(widths)) > 1
        return Reading(values=tuple(values), power=None, kinked=several and any(value > 0 for value in values))
    x, y, known = np.log(np.asarray(widths, dtype=float)), np.log(np.asarray(values)), EXACT + np.asarray(errors)
    trust = known**-2 / (known**-2).sum()
    centred = x - trust @ x
    power = float((trust * centred) @ y / ((trust * centred) @ centred))
    off = np.abs(y - trust @ y - power * centred)
    kinked = bool((off > DEVIATIONS * known).any())
    error = float((known**-2 @ centred**2) ** -0.5)
    return Reading(values=tuple(values), power=None if kinked else power, error=error, kinked=kinked)


def options_of(built: Built) -> dict[str, dict[str, tuple[float, float]]]:
    """By parameter: every option of its group, and its initial root mean square; each with its relative error."""
    names = {id(p): name for name, p in built.model.named_parameters()}
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for name, parameter in built.model.named_parameters():
        # One entry alone does not tell whether it was drawn: its error is that of one that was.
        size, entries = rms(parameter), parameter.detach().flatten()
        varied = len(entries) == 1 or bool((entries != entries[:1]).any())
        found[name] = {INIT: (size, (2 * len(entries)) ** -0.5 if varied else 0.0)}
    for optimizer in built.optimizers:
        for group in groups_of(optimizer):
            for parameter in group.get("params", ()):
                if id(parameter) in names:
                    found[names[id(parameter)]] |= numbers_of(group)
    return found


def numbers_of(group: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    """The options of a group that are numbers; of several, such as betas, each by its place."""
    found: dict[str, tuple[float, float]] = {}
    for option in OPTIONS:
        value = group.get(option)
        several = value if isinstance(value, tuple | list) else (value,)
        for place, each in enumerate(several):
            if isinstance(each, int | float) or (hasattr(each, "item") and np.size(each) == 1):
                found[option if len(several) == 1 else f"{option}[{place}]"] = (float(each), 0.0)
    return found

"""A loss in any unit: fitted in multiples of a power of two near its geometric mean, and given back in its own.

The law loss = E + A x^(-a) has no unit of its own: in another unit E, A and every prediction are other multiples and
a is the same. A power of two changes no digit, so that ordinary tables are fitted as they stand; losses near the ends
of the floats, such as 4e-300 or 4e300, whose squares are none, are fitted all the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from powercount.empirical.scaling_laws.fit import AxisFit, FitError, Interval, JointFit, fit_axis, fit_joint
from powercount.empirical.scaling_laws.scatter import Array, Asked, Losses


def unit_of(losses: Losses) -> int:
    """The power of two nearest the geometric mean."""
    return round(float(np.log2(losses.loss).mean()))


def rescaled(values: Array | float, power: int) -> Array:
    """values 2^power, without a step in between that a float could not hold; infinite or zero where the end is none."""
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.ldexp(values, power), dtype=np.float64)


def _back(interval: Interval, power: int) -> Interval:
    value, low, high = (float(rescaled(each, power)) for each in (interval.value, interval.low, interval.high))
    return Interval(value=value, low=low, high=high)


def _in_unit(losses: Losses) -> tuple[Losses, int]:
    power = unit_of(losses)
    return replace(losses, loss=rescaled(losses.loss, -power)), power


def _no_law(axis: str) -> FitError:
    return FitError(
        f"the losses along {axis} follow no law of the form offset + amplitude x^(-exponent) that could be fitted; "
        "plot them, and remove runs that failed"
    )


def _trials() -> np.errstate:
    """A step too far is no number: the optimizer takes a shorter one, and what is none in the end is refused."""
    return np.errstate(over="ignore", invalid="ignore", divide="ignore")


def axis_law(losses: Losses, axis: str, at: Sequence[float], asked: Asked | None = None) -> AxisFit:
    """``fit_axis`` in the table's own unit, whatever it is."""
    scaled, power = _in_unit(losses)
    try:
        with _trials():
            fit = fit_axis(scaled, axis, tuple(at), asked)
    except (ArithmeticError, np.linalg.LinAlgError):
        raise _no_law(axis) from None
    seen = (fit.exponent.value, fit.offset.value, fit.amplitude, *(each.value for _, each in fit.predictions))
    if not all(map(math.isfinite, seen)):
        raise _no_law(axis)
    return replace(
        fit,
        offset=_back(fit.offset, power),
        amplitude=float(rescaled(fit.amplitude, power)),
        predictions=tuple((place, _back(each, power)) for place, each in fit.predictions),
        means=rescaled(fit.means, power),
    )


def joint_law(losses: Losses, at: tuple[float, float], asked: Asked | None = None) -> JointFit:
    """``fit_joint`` in the table's own unit, whatever it is."""
    scaled, power = _in_unit(losses)
    try:
        with _trials():
            fit = fit_joint(scaled, at, asked)
    except (ArithmeticError, np.linalg.LinAlgError):
        raise _no_law("N and D") from None
    if not all(map(math.isfinite, (fit.difference.value, fit.offset.value, fit.prediction.value))):
        raise _no_law("N and D")
    return replace(fit, offset=_back(fit.offset, power), prediction=_back(fit.prediction, power))

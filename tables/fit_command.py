"""``powercount scaling-law fit FILE.csv``: the power laws in a table of losses, their regime, and what they predict.

Along N and D a law is fitted in a slice: the rows that share one value of the other axis, the one with the most sizes
(of equals the largest). Along C, which is asked for or all there is, it is fitted to the best mean loss at each C, the
compute-optimal front. Where N and D both have a slice the joint law tells whether their exponents agree.
Exit codes: 0 every regime decided, 3 some undecided, 2 bad input.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from powercount.derivations.recipe import QuestionError
from powercount.door.figure import FIGURES, check_figure
from powercount.tables.table_file import AXES, LARGEST_SIZE, SMALLEST_SIZE, read_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from powercount.empirical.scaling_laws.fit import AxisFit, Interval
    from powercount.empirical.scaling_laws.scatter import Asked, Losses

DECIDED, UNDECIDED_EXIT = 0, 3
FEWEST_RESAMPLES: Final = 200
HEADER: Final = ("axis", "regime", "exponent", "interval", "offset", "interval", "loss predicted", "interval")
COLOUR: Final = {"variance-limited": "green", "resolution-limited": "green", "undecided": "yellow"}


def add_verb(verbs: Any) -> None:
    """Describe ``scaling-law`` and its own verbs on the command line."""
    text = "fit scaling laws to a table of losses, and say which regime each is in"
    room = verbs.add_parser("scaling-law", help=text, description=text)
    asked = room.add_subparsers(dest="scaling_law", required=True)
    made = asked.add_parser("fit", help=text, description=text)
    made.add_argument("table", type=Path, metavar="FILE.csv", help="columns loss and any of N, D, C; run or seed")
    made.add_argument("--axis", choices=AXES, help="fit along this axis alone")
    made.add_argument("--at", action="append", default=[], metavar="AXIS=SIZE", help="predict there, such as N=1e9")
    made.add_argument("--resamples", type=int, default=1000, help="resamples behind each interval (1000)")
    made.add_argument("--confidence", type=float, default=0.95, help="of the intervals (0.95)")
    made.add_argument("--seed", type=int, default=0, help="the seed the resamples are drawn from (0)")
    made.add_argument("--plot", type=Path, metavar="FILE", help=f"write the figure, as one of: {', '.join(FIGURES)}")
    made.add_argument("--json", action="store_true", help="print JSON")


def show_scaling_law(given: argparse.Namespace) -> int:
    """Run the verb of ``scaling-law`` that was asked for."""
    return {"fit": show_fit}[given.scaling_law](given)


def sizes_asked(texts: list[str], losses: Losses) -> dict[str, float]:
    """The sizes of ``--at``, by axis."""
    found: dict[str, float] = {}
    for text in texts:
        axis, _, size = text.partition("=")
        axis = axis.strip().upper()
        try:
            value = float(size)
        except ValueError:
            raise QuestionError(f"--at {text!r} is no axis and size; write one such as D=1e6") from None
        if axis not in losses.sizes:
            raise QuestionError(
                f"--at {text!r}: {axis or 'nothing'} does not vary here; choose: {', '.join(losses.sizes)}"
            )
        if not (math.isfinite(value) and value > 0):
            raise QuestionError(f"--at {text!r}: a size is positive and finite; write one such as {axis}=1e6")
        if not SMALLEST_SIZE <= value <= LARGEST_SIZE:
            raise QuestionError(f"--at {text!r}: a size lies between {SMALLEST_SIZE:g} and {LARGEST_SIZE:g}")
        if axis in found:
            raise QuestionError(f"--at {text!r}: {axis} is asked for twice; ask once for each axis")
        found[axis] = value
    return found


def asked_for(given: argparse.Namespace) -> Asked:
    """How intervals are made, checked."""
    from powercount.empirical.scaling_laws.scatter import Asked

    if given.resamples < FEWEST_RESAMPLES:
        raise QuestionError(
            f"--resamples {given.resamples} is too few for an interval; give {FEWEST_RESAMPLES} or more"
        )
    if not 0 < given.confidence < 1:
        raise QuestionError(f"--confidence {given.confidence:g} is no probability; give one such as 0.95")
    if given.seed < 0:
        raise QuestionError(f"--seed {given.seed} is negative; give 0 or more")
    return Asked(resamples=given.resamples, seed=given.seed, confidence=given.confidence)


def slice_along(losses: Losses, axis: str) -> tuple[Losses, dict[str, float]]:
    """The rows one law is fitted to, and the sizes they share."""
    if axis == "C":
        return losses.taken(_front(losses)), {}
    shared = {}
    for other in ("N", "D"):
        if other != axis and other in losses.sizes:
            own, beside = losses.sizes[axis], losses.sizes[other]
            shared[other] = max(
                {float(each) for each in beside}, key=lambda each: (len(set(own[beside == each])), each)
            )
            losses = losses.taken(beside == shared[other])
    return losses, shared


def _front(losses: Losses) -> NDArray[np.bool_]:
    """The rows of the best (N, D) at each C."""
    import numpy as np

    names = [axis for axis in ("C", "N", "D") if axis in losses.sizes]
    cells, cell = np.unique(np.stack([losses.sizes[axis] for axis in names], axis=1), axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    means = np.bincount(cell, weights=losses.loss) / np.bincount(cell)
    best = [min(np.flatnonzero(cells[:, 0] == size), key=lambda each: means[each]) for size in np.unique(cells[:, 0])]
    return np.isin(cell, best)


def axes_asked(losses: Losses, chosen: str | None) -> dict[str, tuple[Losses, dict[str, float]]]:
    """The axes to fit along, with their rows: the one chosen, else N and D where a slice is long enough, else C."""
    from powercount.empirical.scaling_laws.fit import FEWEST_SIZES

    if chosen is not None and chosen not in losses.sizes:
        raise QuestionError(f"--axis {chosen} does not vary in this table; choose one of: {', '.join(losses.sizes)}")
    wanted = (chosen,) if chosen else tuple(axis for axis in ("N", "D") if axis in losses.sizes) or ("C",)
    slices = {axis: slice_along(losses, axis) for axis in wanted}
    long = {axis: found for axis, found in slices.items() if len(set(found[0].sizes[axis])) >= FEWEST_SIZES}
    if not long:
        raise QuestionError(
            f"no slice has {FEWEST_SIZES} sizes of {' or '.join(wanted)} at one size of the other; add such rows, or "
            "fit --axis C"
        )
    return long


def warning(axis: str, place: float, sizes: NDArray[np.float64]) -> str | None:
    """What to say of a size outside the table; None within."""
    low, high = float(sizes.min()), float(sizes.max())
    if low <= place <= high:
        return None
    return f"{axis} = {place:g} is outside the table, {low:g} to {high:g}: the loss there is extrapolated"


def _finite(value: float) -> float | None:
    """A number for JSON, None where an end is open."""
    return float(value) if math.isfinite(value) else None


def _ends(interval: Interval) -> dict[str, float | None]:
    """An interval for JSON."""
    return {"value": _finite(interval.value), "low": _finite(interval.low), "high": _finite(interval.high)}


def axis_row(fit: AxisFit, shared: Mapping[str, float], joint: Mapping[str, Any] | None) -> dict[str, Any]:
    """One axis as plain data."""
    from powercount.tables.regime import reason, regime

    place, predicted = fit.predictions[0]
    return {
        "axis": fit.axis,
        "shared": dict(shared),
        "regime": regime(fit.exponent, fit.offset),
        "reason": reason(fit),
        "exponent": fit.exponent.value,
        "low": _finite(fit.exponent.low),
        "high": _finite(fit.exponent.high),
        "offset": fit.offset.value,
        "offset_low": _finite(fit.offset.low),
        "offset_high": _finite(fit.offset.high),
        "amplitude": _finite(fit.amplitude),
        "prediction": {"at": place, **_ends(predicted), "warning": warning(fit.axis, place, fit.points)},
        "resampled": fit.resampled,
        "misfit": fit.misfit,
        "sizes": [float(each) for each in fit.points],
        "duality": joint,
    }


def joint_row(losses: Losses, at: Mapping[str, float], asked: Asked) -> dict[str, Any]:
    """The joint law as plain data: whether its exponents agree, and the loss it predicts."""
    from powercount.empirical.scaling_laws.units import joint_law
    from powercount.tables.regime import duality

    factor = 1 if at else 2
    place = {axis: at.get(axis, factor * float(losses.sizes[axis].max())) for axis in ("N", "D")}
    fit = joint_law(losses, (place["N"], place["D"]), asked)
    said = [text for axis, size in place.items() if (text := warning(axis, size, losses.sizes[axis]))]
    return {
        "outcome": duality(fit.difference),
        "difference": fit.difference.value,
        "low": fit.difference.low,
        "high": fit.difference.high,
        "exponents": {axis: _ends(each) for axis, each in fit.exponents.items()},
        "offset": _ends(fit.offset),
        "prediction": {"at": place, **_ends(fit.prediction), "warning": "; ".join(said) or None},
        "resampled": fit.resampled,
        "misfit": fit.misfit,
    }


def show_fit(given: argparse.Namespace) -> int:
    """Read, fit, say the regime; everything is checked before anything is fitted."""
    from powercount.door.forecast import announce, resampling
    from powercount.empirical.scaling_laws.units import axis_law
    from powercount.tables.fit_page import band_sizes, draw_fits

    check_figure(given.plot)
    asked = asked_for(given)
    losses = read_table(given.table)
    at = sizes_asked(given.at, losses)
    slices = axes_asked(losses, given.axis)
    unused = [axis for axis in at if axis not in slices]
    if unused:
        raise QuestionError(f"--at {unused[0]}=...: no law is fitted along {unused[0]}; leave --axis out or ask there")
    announce(
        resampling(len(losses.loss), asked.resamples, 3 if len(slices) == 2 else 1),
        f"choose fewer --resamples than {asked.resamples}, or average the runs at each size",
    )
    fits = {}
    for axis, (rows, _) in slices.items():
        place = at.get(axis, 2 * float(rows.sizes[axis].max()))
        wanted = (place, *(band_sizes(rows.sizes[axis], place) if given.plot else ()))
        fits[axis] = axis_law(rows, axis, wanted, asked)
    joint = joint_row(losses, at, asked) if len(fits) == 2 else None
    found = [axis_row(fit, slices[axis][1], joint) for axis, fit in fits.items()]
    if given.plot:
        draw_fits([(fits[axis], slices[axis][0], row) for axis, row in zip(fits, found, strict=True)], given.plot)
    for row in found:
        if row["prediction"]["warning"]:
            print(f"powercount: warning: {row['prediction']['warning']}", file=sys.stderr)
    if given.json:
        print(json.dumps(found[0] if len(found) == 1 else found, indent=2))
    else:
        _print(given, found, joint)
    return UNDECIDED_EXIT if any(row["reason"] for row in found) else DECIDED


def _span(low: float | None, high: float | None) -> str:
    """An interval as text."""
    return f"[{low:.4g}, {'open' if high is None else f'{high:.4g}'}]"


def _print(given: argparse.Namespace, found: list[dict[str, Any]], joint: Mapping[str, Any] | None) -> None:
    """The table, and what there is to say below it."""
    from powercount.door.report import print_table

    cells = [
        (
            row["axis"] + "".join(f" ({axis} = {size:g})" for axis, size in row["shared"].items()),
            row["regime"],
            f"{row['exponent']:.4g}",
            _span(row["low"], row["high"]),
            f"{row['offset']:.4g}",
            _span(row["offset_low"], row["offset_high"]),
            f"{row['prediction']['value']:.4g} at {row['axis']} = {row['prediction']['at']:g}",
            _span(row["prediction"]["low"], row["prediction"]["high"]),
        )
        for row in found
    ]
    title = f"{given.table.name}: loss = offset + amplitude x^(-exponent), {given.confidence:.0%} intervals"
    print_table(f"{title} from {given.resamples} resamples", HEADER, cells, COLOUR)
    for row in found:
        print(f"along {row['axis']}: resampled {row['resampled']}")
        if row["misfit"]:
            print(
                f"along {row['axis']}: the curve misses the means by more than the runs scatter; the interval allows it"
            )
        if row["reason"]:
            print(f"undecided along {row['axis']}: {row['reason']}")
    if joint is not None:
        span = _span(joint["low"], joint["high"])
        powers = ", ".join(f"{axis} {each['value']:.4g}" for axis, each in joint["exponents"].items())
        print(f"duality, from loss = E + A N^(-a) + B D^(-b): {joint['outcome']}; {powers}; a - b in {span}")

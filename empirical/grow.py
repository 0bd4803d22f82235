"""``grow``: members are added by doubling until every interval asked for is narrow, or there are as many as allowed.

The one loop by which anything is measured. Growing changes nothing already measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from powercount.empirical.design import Design
from powercount.empirical.ensemble import chunks
from powercount.empirical.fit import Estimate, Slopes, fit_slopes
from powercount.empirical.subject import Squares, Subject

Progress = Callable[[int, int], None]


def grow(
    subject: Subject,
    asked: Sequence[Any],
    design: Design,
    half_widths: Mapping[Any, float] | None = None,
    progress: Progress | None = None,
) -> tuple[Squares, dict[Any, Slopes]]:
    """(mean squares of every member, slopes along every axis of the design) of each quantity asked for.

    ``half_widths`` sets the design's ``half_width`` for each quantity apart; ``progress(seeds done, seeds wanted)`` is
    called as they come in.
    """
    points, half_widths = design.points(), half_widths or {}
    squares: Squares = {each: np.empty((0, len(points))) for each in asked}
    done, wanted = 0, design.seeds
    while True:
        for members in chunks(wanted - done, subject.numbers(design)):
            new = subject.squares(asked, design, [done + member for member in members])
            squares = {each: np.concatenate([squares[each], new[each]]) for each in asked}
            if progress is not None:
                progress(done + members.stop, wanted)
        done = wanted
        fitted = {each: fit_slopes(squares[each], points) for each in asked}
        if done >= design.most_seeds or all(
            narrow(slope, design, half_widths.get(each, design.half_width))
            for each, slopes in fitted.items()
            for slope in slopes.along.values()
        ):
            return squares, fitted
        wanted = min(2 * done, design.most_seeds)


def narrow(slope: Estimate, design: Design, half_width: float) -> bool:
    """Whether an interval is as narrow as that on each side, or never will be."""
    low, high = slope.interval(design.confidence)
    return slope.state != "measured" or high - low <= 2 * half_width

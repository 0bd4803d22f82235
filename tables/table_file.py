"""A user's table of losses, read from CSV and checked at the door.

Columns, in any order and case: ``loss``, and any of N (parameters or width), D (data), C (compute); ``run`` or ``seed``
names the run a row belongs to, so that runs are paired over sizes. Other columns are left alone.

Worked line: ``D,loss`` and four rows ``16,.29 / 32,.19 / 64,.15 / 128,.12`` are a table along D with one run.
"""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Final

from powercount.derivations.recipe import PowercountError

if TYPE_CHECKING:
    from powercount.empirical.scaling_laws.scatter import Losses

AXES: Final = ("N", "D", "C")
LONGEST_FILE: Final = 1 << 25  # characters; half a million rows
SMALLEST_SIZE, LARGEST_SIZE = 1e-30, 1e30  # to the eighth power, the largest exponent looked for, a float still
FARTHEST: Final = 1e15  # double precision has 15 digits: of two losses farther apart the fit sees one alone
RUN_NAMES: Final = ("run", "seed")


class TableError(PowercountError):
    """The table cannot be used; the text names the file, the line and the remedy."""


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The lines that hold something, with their numbers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read(LONGEST_FILE + 1)  # a device has no end
            if len(text) > LONGEST_FILE:
                raise TableError(f"{path} has more than {LONGEST_FILE} characters; average the runs at each size first")
            reader = csv.reader(io.StringIO(text, newline=""), strict=True)
            return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except FileNotFoundError:
        raise TableError(f"{path}: there is no such file; give a CSV table with columns such as D,loss") from None
    except OSError as error:
        raise TableError(f"{path}: cannot read it ({error.strerror}); give a CSV file you may read") from None
    except (ValueError, csv.Error):  # no UTF-8, or a path that holds a zero
        raise TableError(f"{path}: no CSV in UTF-8; save the table as comma-separated text") from None


def _positive(text: str, path: Path, line: int, name: str) -> float:
    """A cell that is a positive, finite number."""
    where = f"{path} line {line}: {name} {text.strip()[:40]!r}"
    try:
        value = float(text)
    except ValueError:
        raise TableError(f"{where} is no number; write one such as 0.25, or remove the row") from None
    if not math.isfinite(value):
        raise TableError(f"{where} is not finite; remove the row")
    if value <= 0:
        raise TableError(f"{where} is not positive; sizes and losses of a power law are, so correct or remove the row")
    if name != "loss" and not SMALLEST_SIZE <= value <= LARGEST_SIZE:
        raise TableError(
            f"{where} lies outside {SMALLEST_SIZE:g} to {LARGEST_SIZE:g}; write sizes in a larger or smaller unit"
        )
    return value


def _check_span(losses: list[float], lines: list[int], path: Path) -> None:
    """Raise ``TableError`` where two losses are farther apart than one fit can see."""
    low, high = (losses.index(end(losses)) for end in (min, max))
    if losses[high] / FARTHEST > losses[low]:
        raise TableError(
            f"{path}: the losses span {losses[low]:g} (line {lines[low]}) to {losses[high]:g} (line {lines[high]}), "
            f"more than a factor of {FARTHEST:g}, which no fit in doubles can hold; correct or remove these rows"
        )


def read_table(path: Path) -> Losses:
    """The table in a file, with the axes that vary."""
    import numpy as np

    from powercount.empirical.scaling_laws.fit import FEWEST_SIZES
    from powercount.empirical.scaling_laws.scatter import Losses

    rows = _rows(path)
    if not rows:
        raise TableError(f"{path}: the file is empty; give a CSV table with columns such as D,loss")
    names = [name.strip().lower() for name in rows[0][1]]
    wanted = {axis: names.index(axis.lower()) for axis in AXES if axis.lower() in names}
    seen = ", ".join(name for name in names if name)[:80]
    known = [name for name in names if name in ("n", "d", "c", "loss", *RUN_NAMES)]
    twice = sorted({name for name in known if known.count(name) > 1})
    if twice:
        raise TableError(f"{path}: column {twice[0]!r} occurs twice in the first line; keep one of them")
    if "loss" not in names:
        raise TableError(f"{path}: no column 'loss' among: {seen}; name the columns in the first line, such as D,loss")
    if not wanted:
        raise TableError(f"{path}: no column N, D or C among: {seen}; name the sizes' column one of these")
    labels = [names.index(name) for name in RUN_NAMES if name in names]
    values: dict[str, list[float]] = {name: [] for name in (*wanted, "loss")}
    runs = []
    for line, row in rows[1:]:
        if len(row) != len(names):
            raise TableError(f"{path} line {line}: {len(row)} cells for {len(names)} columns; correct the row")
        for name, place in (*wanted.items(), ("loss", names.index("loss"))):
            values[name].append(_positive(row[place], path, line, name))
        if labels:
            runs.append(row[labels[0]].strip())
    if values["loss"]:
        _check_span(values["loss"], [line for line, _ in rows[1:]], path)
    counts = {axis: len(set(values[axis])) for axis in wanted}
    if max(counts.values()) <= 1:
        raise TableError(
            f"{path}: nothing varies: {len(rows) - 1} rows with one size; give at least {FEWEST_SIZES} sizes"
        )
    if max(counts.values()) < FEWEST_SIZES:
        most = max(counts, key=lambda axis: counts[axis])
        raise TableError(
            f"{path}: {most} has {counts[most]} distinct sizes; a law of three parameters needs at least {FEWEST_SIZES}"
        )
    return Losses(
        sizes={axis: np.asarray(values[axis]) for axis in wanted if counts[axis] > 1},
        loss=np.asarray(values["loss"]),
        runs=tuple(runs) if labels else None,
    )

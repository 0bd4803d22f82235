"""What a reader sees: rich tables on a terminal, aligned plain text in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from powercount.derivations.recipe import Axis, printable
from powercount.door.table import VERDICT_HEADER, verdict_cells

if TYPE_CHECKING:
    from powercount.empirical.grow import Progress
    from powercount.explain import Explanation
    from powercount.verdict import Verdict

COLOUR = {"AGREES": "green", "CONTRADICTS": "red", "UNDECIDED": "yellow"}


def print_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]], colours: Mapping[str, str] = COLOUR
) -> None:
    """A table on standard output; on a terminal ``colours`` says which cells wear one.

    Titles and cells may hold a user's own names: they are text, never markup or what a terminal would obey.
    """
    title, rows = printable(title), [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Column, Table
        from rich.text import Text

        table = Table(*(Column(Text(name)) for name in header), title=Text(title), title_justify="left")
        for row in rows:
            table.add_row(*(Text(cell, style=colours.get(cell, "")) for cell in row))
        Console().print(table)
        return
    print(title)
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_verdicts(title: str, verdicts: Sequence[Verdict]) -> None:
    """The table of verdicts, then the story of each that does not agree."""
    rows = [verdict.as_row() for verdict in verdicts]
    print_table(title, VERDICT_HEADER, [verdict_cells(row) for row in rows])
    for axis in ("width", "depth"):
        for reason in dict.fromkeys(row["reason"] for row in rows if row["axis"] == axis and row["reason"]):
            print(f"no exponent along {axis}: {reason}")
    for row in rows:
        if row["outcome"] != "AGREES":
            print(f"\n{row['story']}")


def print_suspects(axis: Axis, ranked: Sequence[Explanation]) -> None:
    """What would explain a red result, and what to change."""
    from powercount.explain import SHOWN

    if not ranked:
        print(
            f"\nsuspect along {axis}: nothing small explains every verdict: no power of one role, of all hidden roles, "
            "of all roles or of the branch, and no two of these"
        )
        return
    print(f"\nsuspect along {axis}: {ranked[0]} (would explain every verdict)\n  to mend it: {ranked[0].remedy()}")
    if ranked[1:SHOWN]:
        print("  would explain them as well: " + "; or ".join(str(each) for each in ranked[1:SHOWN]))


@contextmanager
def progress_on_terminal(title: str) -> Iterator[Progress | None]:
    """A progress bar on standard error, if that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(printable(title), total=None)
        yield lambda done, wanted: bar.update(task, completed=done, total=wanted)

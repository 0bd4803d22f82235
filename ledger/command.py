"""``powercount claims``: the ledger as it was last measured, or claims measured again.

Exit codes: 0 every verdict is the recorded one, 1 some verdict differs from the record, 3 some claim is undecided
that the record decides, 2 bad input. An interrupt keeps what is done: the same command goes on from there.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from powercount.ledger.claim import Claim
from powercount.ledger.record import (
    EVIDENCE_HEADER,
    FindingRow,
    evidence_cells,
    finding_row,
    read_record,
    recorded,
    write_record,
)
from powercount.studies.study import Study, check_folder, kept_in, say_on_terminal
from powercount.studies.workers import run, workers

COLOUR: Final = {"confirmed": "green", "refuted": "red", "conditional": "yellow", "undecided": "magenta"}
HEADER: Final = (
    "claim",
    "verdict",
    "claimed",
    "predicted",
    "expected here",
    "measured",
    "95 % interval",
    "what it says",
)
AGREES, DIFFERS, UNDECIDED = 0, 1, 3


def add_verb(verbs: Any) -> None:
    """Describe ``claims`` on the command line."""
    text = "the ledger of printed claims with our verdict on each; with claims named, measure those again"
    made = verbs.add_parser("claims", help=text, description=text)
    made.add_argument("claims", nargs="*", metavar="CLAIM", help="a claim such as C3, or: all")
    made.add_argument("--json", action="store_true", help="print a JSON list")
    made.add_argument("--quick", action="store_true", help="fewer seeds and sizes")
    made.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (one for each core)")
    made.add_argument("--scheduler", metavar="ADDRESS", help="the workers of this Dask cluster in place of --jobs")
    made.add_argument("--seed", type=int, default=0, help="the seed everything is drawn from (0)")
    made.add_argument("--folder", type=Path, help="keep what is done here while it runs (a folder of your cache)")
    made.add_argument("--record", type=Path, metavar="FILE", help="write the findings to this record")
    made.add_argument("--page", type=Path, metavar="FOLDER", help="write claims.md and its plots to this folder")


def claims_asked(names: Sequence[str]) -> tuple[Claim, ...]:
    """The claims named, in the register's order."""
    from powercount.ledger.register import CLAIMS, claim_named

    if "all" in names:
        return CLAIMS
    wanted = {claim_named(name).id for name in names}
    return tuple(claim for claim in CLAIMS if claim.id in wanted)


def print_ledger(rows: Sequence[FindingRow]) -> None:
    """The table of claims."""
    from powercount.door.report import print_table
    from powercount.door.table import interval, number

    cells = [
        (
            row["id"],
            row["verdict"],
            row["claimed"],
            row["predicted"],
            number(row["expected"]),
            number(row["measured"]),
            interval(row["low"], row["high"]),
            row["summary"],
        )
        for row in rows
    ]
    print_table(f"{len(rows)} claims", HEADER, cells, COLOUR)


def print_findings(rows: Sequence[FindingRow]) -> None:
    """Every piece of evidence of the claims measured."""
    from powercount.door.report import print_table

    for row in rows:
        marks = f" ({'; '.join(row['marks'])})" if row["marks"] else ""
        print(f"\n{row['id']}, {row['verdict']}: {row['summary']}\n  {row['statement']} [{row['source']}{marks}]")
        title = f"  held by {row['test']}; again with: {row['command']}"
        print_table(title, EVIDENCE_HEADER, evidence_cells(row))


def show_claims(given: argparse.Namespace) -> int:
    """List the ledger, or measure claims again and compare with it."""
    known = recorded()
    if not given.claims:
        rows = list(known.values())
        if given.json:
            print(json.dumps(rows, indent=2))
        else:
            print_ledger(rows)
        return AGREES
    from powercount.door.forecast import announce, ledger

    asked = claims_asked(given.claims)
    announce(
        ledger(
            [*(claim.name_of_check for claim in asked), *(["page"] if given.page else [])],
            quick=given.quick,
            processes=given.jobs,
        ),
        "choose fewer --jobs or fewer claims",
        room=math.inf,  # few claims at a time need what each may take
    )
    study = Study(quick=given.quick, seed=given.seed, folder=given.folder or kept_in("claims"), say=say_on_terminal)
    check_places(given, study)
    found = measured(asked, study, given.jobs, given.scheduler, page=given.page)
    rows = list(found.values())
    if given.json:
        print(json.dumps(rows, indent=2))
    else:
        print_findings(rows)
    if given.record is not None:
        from powercount.ledger.register import CLAIMS

        write_record(given.record, found, [claim.id for claim in CLAIMS])
    if given.page is not None:
        from powercount.ledger.page import write_page

        write_page(given.page, {**known, **found})
    study.finished()
    return _code(known, found)


def check_places(given: argparse.Namespace, study: Study) -> None:
    """Raise before anything is measured where cells, record or page could not be written."""
    study.check()
    if given.record is not None:
        check_folder("--record", given.record.absolute().parent)
        read_record(given.record)
    if given.page is not None:
        from powercount.ledger.page import FOLDER

        check_folder("--page", given.page / FOLDER)


def measured(
    asked: Sequence[Claim],
    study: Study,
    jobs: int = 1,
    scheduler: str | None = None,
    *,
    page: Path | None = None,
) -> dict[str, FindingRow]:
    """The findings of every claim asked for, in the register's order: cells by ``jobs`` processes, or a cluster's.

    The plots of the page, where there is one, are drawn beside them: they share most of their cells.
    """
    from powercount.door.process import keep_memory, one_thread

    one_thread()
    keep_memory()
    found: dict[str, FindingRow] = {}
    with workers(jobs, scheduler) as pool:
        here = replace(study, pool=pool)
        tasks: list[Callable[[], FindingRow | None]] = [partial(finding_row, claim, here) for claim in asked]
        if page is not None:
            from powercount.ledger.figures import FIGURES
            from powercount.ledger.page import draw

            tasks += [partial(draw, name, page, here) for name in FIGURES]
        for _, row in run(lambda task: task(), tasks, pool):
            if row is not None:
                print(f"{row['id']} {row['verdict']}", file=sys.stderr, flush=True)
                found[row["id"]] = row
    return {claim.id: found[claim.id] for claim in asked}


def _code(known: dict[str, FindingRow], found: dict[str, FindingRow]) -> int:
    """A verdict that differs outweighs one that is not decided any more."""
    changed = set()
    for name, row in found.items():
        before = known[name]["verdict"] if name in known else row["verdict"]
        if row["verdict"] != before:
            print(f"powercount: {name} is {row['verdict']}; the record says {before}", file=sys.stderr)
            changed.add(row["verdict"])
    if changed - {"undecided"}:
        return DIFFERS
    return UNDECIDED if changed else AGREES

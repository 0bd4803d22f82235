"""Findings as data: what was last measured, shipped with the package and written by ``powercount claims --record``.

One row a claim: what the register says of it, the evidence, and the verdict computed from it. The row's ``claimed``,
``predicted``, ``expected``, ``measured``, ``low`` and ``high`` are those of the piece of evidence that decided.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypedDict

from powercount.derivations.recipe import PowercountError
from powercount.door.table import interval, number
from powercount.ledger.claim import Claim

RECORD: Final = "record.json"
EVIDENCE_HEADER: Final = (
    "part",
    "condition",
    "claimed",
    "predicted",
    "expected here",
    "measured",
    "95 % interval",
    "claim",
)


class RecordError(PowercountError):
    """The record cannot be read or written; the text names the file and the remedy."""


class FindingRow(TypedDict):
    """A claim with its evidence as plain data."""

    id: str
    source: str
    marks: list[str]
    summary: str
    statement: str
    conditions: str
    claimed: str
    predicted: str
    expected: float | None
    measured: float | None
    low: float | None
    high: float | None
    verdict: str
    evidence: list[dict[str, Any]]
    test: str
    command: str


def finding_row(claim: Claim, study: Any) -> FindingRow:
    """Derive and measure one claim now, and say what came out."""
    from powercount.ledger.finding import judgement

    evidence = list(claim.check(study))
    verdict = judgement(evidence)
    rows = [dict(each.as_row()) for each in evidence]
    decisive = decided_by(rows, verdict)
    return {
        "id": claim.id,
        "source": claim.source,
        "marks": list(claim.marks),
        "summary": claim.summary,
        "statement": claim.statement,
        "conditions": claim.conditions,
        "claimed": decisive["claimed"],
        "predicted": decisive["predicted"],
        "expected": decisive["expected"],
        "measured": decisive["measured"],
        "low": decisive["low"],
        "high": decisive["high"],
        "verdict": verdict,
        "evidence": rows,
        "test": claim.test,
        "command": command_of(claim),
    }


def decided_by(evidence: Sequence[dict[str, Any]], verdict: str) -> dict[str, Any]:
    """The first piece of evidence that speaks for the verdict."""
    telling = {"confirmed": "AGREES", "undecided": "UNDECIDED"}.get(verdict, "CONTRADICTS")
    return next((each for each in evidence if each["outcome"] == telling), evidence[0])


def command_of(claim: Claim) -> str:
    """The line that measures the claim again."""
    name = f'"{claim.id}"' if "'" in claim.id else claim.id
    return f"powercount claims {name}"


def evidence_cells(row: FindingRow) -> list[tuple[str, ...]]:
    """The lines of a table of evidence, under ``EVIDENCE_HEADER``."""
    return [
        (
            *(each[key] for key in ("part", "condition", "claimed", "predicted")),
            number(each["expected"]),
            number(each["measured"]),
            interval(each["low"], each["high"]),
            each["outcome"],
        )
        for each in row["evidence"]
    ]


def recorded() -> dict[str, FindingRow]:
    """The findings shipped with the package, by claim."""
    text = resources.files("powercount.ledger").joinpath(RECORD).read_text(encoding="utf-8")
    return {row["id"]: row for row in json.loads(text)["claims"]}


def read_record(path: Path) -> dict[str, FindingRow]:
    """The findings in a file; none where there is no file yet."""
    try:
        return {row["id"]: row for row in json.loads(path.read_text(encoding="utf-8"))["claims"]}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RecordError(f"cannot read the record {path}: {error}; move it away to start a new one") from None


def write_record(path: Path, rows: Mapping[str, FindingRow], order: Sequence[str]) -> None:
    """Write the findings in the register's order; rows of other claims already there stay."""
    known = {**read_record(path), **rows}
    kept = [known[name] for name in order if name in known]
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")  # another command may write the same record
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(json.dumps({"claims": kept}, indent=1) + "\n", encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise RecordError(f"cannot write the record {path}: {error.strerror}; give another --record") from None

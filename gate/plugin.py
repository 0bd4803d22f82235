"""The pytest plugin: a fixture that holds a law to its verdict, and the table of laws at the end.

Loaded by every pytest run of everyone who installed powercount, so it imports neither sympy nor torch.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from powercount.door.table import VERDICT_HEADER, verdict_cells

if TYPE_CHECKING:
    from powercount.decide import Outcome
    from powercount.verdict import Verdict

PROPERTY = "powercount"
HEADER = ("law", "case", *VERDICT_HEADER)


class Laws:
    """Records verdicts of one test and asserts what the law says of them."""

    def __init__(self, node: pytest.Item) -> None:
        self._node = node
        self._law = Path(node.path).stem.removeprefix("test_exponents_").removeprefix("test_")

    def _record(self, row: dict[str, Any]) -> None:
        self._node.user_properties.append((PROPERTY, json.dumps({"law": self._law, **row})))

    def agrees(self, verdict: Verdict, case: str = "") -> None:
        """Record the verdict and fail with its story unless it is AGREES."""
        self._hold(verdict, "AGREES", case)

    def contradicts(self, verdict: Verdict, case: str = "") -> None:
        """A negative twin: record the verdict and fail unless it is CONTRADICTS."""
        self._hold(verdict, "CONTRADICTS", f"twin: {case}")

    def _hold(self, verdict: Verdict, outcome: Outcome, case: str) -> None:
        row = dict(verdict.as_row())
        story = row.pop("story")  # the table has no room for it
        self._record({**row, "case": case})
        assert verdict.outcome == outcome, f"wanted {outcome}; {story}"

    def tally(self, verdicts: Iterable[Verdict], case: str) -> Counter[str]:
        """Record the counts of many verdicts as one line and return them."""
        rows = list(verdicts)
        counts: Counter[str] = Counter(verdict.outcome for verdict in rows)
        worst = max(
            (abs(v.measurement.slope - v.expected) / v.resolution for v in rows if v.measurement.state == "measured"),
            default=0.0,
        )
        self.note(
            case, f"{len(rows)} verdicts: {dict(sorted(counts.items()))}, largest gap {worst:.2f} of its resolution"
        )
        return counts

    def note(self, case: str, text: str) -> None:
        """Record one line of text under the law."""
        self._record({"case": case, "note": text})


@pytest.fixture
def powercount_laws(request: pytest.FixtureRequest) -> Laws:
    """Holds a law to its verdicts and prints them in the table at the end of the run."""
    return Laws(request.node)


def _rows(terminalreporter: Any) -> Iterator[dict[str, Any]]:
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, value in report.user_properties:
                    if name == PROPERTY:
                        yield json.loads(value)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print every law's verdicts: predicted, measured with interval, verdict."""
    rows = sorted(_rows(terminalreporter), key=lambda row: (row["law"], row["case"], row.get("axis", "")))
    if not rows:
        return
    terminalreporter.section("powercount: the laws", sep="=")
    lines = [HEADER, *((row["law"], row["case"], *verdict_cells(row)) for row in rows if "note" not in row)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADER))]
    if len(lines) > 1:
        for line in lines:
            terminalreporter.write_line(
                "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            )
    for row in rows:
        if "note" in row:
            terminalreporter.write_line(f"{row['law']}, {row['case']}: {row['note']}")

"""Verdicts as lines of a table, for the command and the pytest plugin alike; imports nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

VERDICT_HEADER: Final = ("observable", "axis", "predicted", "expected here", "measured", "95 % interval", "verdict")


def number(value: float | None) -> str:
    """A slope as text."""
    return "none" if value is None else f"{value:+.3f}"


def interval(low: float | None, high: float | None) -> str:
    """An interval as text."""
    return "none" if low is None or high is None else f"[{low:+.3f}, {high:+.3f}]"


def verdict_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """One line of a table of verdicts; what vanishes as derived has "zero" for an exponent."""
    zero = (row["reason"] or "").startswith("exactly zero")
    return (
        row["observable"],
        row["axis"],
        "zero" if zero else row["predicted"] or "no power",
        number(row["expected"]),
        number(row["slope"]),
        interval(row["low"], row["high"]),
        row["outcome"],
    )

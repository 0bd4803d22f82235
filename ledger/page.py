"""Findings as a page: docs/claims.md and its plots, written by ``powercount claims all --page docs``.

The text is a function of the record alone, so that a test can hold the page to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from powercount.door.table import interval, number
from powercount.ledger.record import EVIDENCE_HEADER, FindingRow, evidence_cells
from powercount.studies.study import Study, writing

PAGE: Final = "claims.md"
FOLDER: Final = "claims"
HEAD: Final = """# The ledger of claims

What the papers say about training deep and wide networks, and what came out when each sentence was derived again and
measured. Written by `powercount claims all --page docs`; nothing on this page is typed in.

*confirmed*: everything the claim says holds under every condition tried. *refuted*: something it says fails under every
condition. *conditional*: it holds under some conditions and fails under others. *undecided*: some interval is too wide.
Each number is judged at a confidence of one false alarm in 100 000; the intervals shown are at 95 %. What has no number
but a side, such as *below 0* or *not 0*, must hold by an eighth, half the distance to the nearest rival exponent, and
fails where it is seen not to; until then it is undecided. *claimed* is what the source says, *predicted* what the
derivations here give, *expected here* that prediction at the finite sizes that were measured, which is what *measured*
stands beside. Where a source could not be read in full, the claim says so; so it does where no test but `tox -e claims`
measures it.
"""


def cell(text: str) -> str:
    """Text that cannot break a table."""
    return text.replace("|", "\\|")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return lines + [f"| {' | '.join(cell(each) for each in row)} |" for row in rows]


def anchor(name: str) -> str:
    """The id of a claim's section."""
    return name.lower().replace("'", "-prime")


def page_text(rows: Mapping[str, FindingRow]) -> str:
    """The whole page."""
    from powercount.ledger.figures import FIGURES

    found = list(rows.values())
    counts = Counter(row["verdict"] for row in found)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in sorted(counts))
    lines = [HEAD, f"{len(found)} claims: {said}.\n"]
    lines += table(
        ("claim", "verdict", "claimed", "predicted", "expected here", "measured", "what it says"),
        [
            (
                f"[{row['id']}](#{anchor(row['id'])})",
                f"**{row['verdict']}**",
                row["claimed"],
                row["predicted"],
                number(row["expected"]),
                f"{number(row['measured'])} {interval(row['low'], row['high'])}",
                row["summary"],
            )
            for row in found
        ],
    )
    for name, caption in FIGURES.items():
        lines += ["", f"![{name.removesuffix('.png')}]({FOLDER}/{name})", "", caption]
    for row in found:
        marks = f" ({'; '.join(row['marks'])})" if row["marks"] else ""
        lines += [
            "",
            f'<a id="{anchor(row["id"])}"></a>',
            "",
            f"## {row['id']}: {row['verdict']}",
            "",
            f"{row['summary'][0].upper()}{row['summary'][1:]}. *Source:* {row['source']}{marks}.",
            "",
            f"*Statement:* `{row['statement']}`. *Conditions:* {row['conditions']}.",
            "",
            f"*Again:* `{row['command']}`. *Held by:* {row['test']}.",
            "",
        ]
        lines += table(EVIDENCE_HEADER, evidence_cells(row))
    return "\n".join(lines) + "\n"


def draw(name: str, folder: Path, study: Study) -> None:
    """One of the page's plots."""
    from powercount.ledger.figures import DRAWN

    with writing("--page", folder):
        DRAWN[name](study, folder / FOLDER / name)


def write_page(folder: Path, rows: Mapping[str, FindingRow]) -> None:
    """The page, without its plots."""
    with writing("--page", folder):
        (folder / PAGE).write_text(page_text(rows), encoding="utf-8")

"""A claim as the ledger keeps it, the names of its sources, and the marks a reader is warned by.

A claim is a printed sentence, put here in our own words, with its formal statement and the exponents it gives.
``check`` names the function ("module:function" in this folder) that derives, measures and judges it; ``test`` the
file that measures the claim quickly under pytest, or ``ALONE`` where to decide it takes minutes. Verdicts are never
written here: they are measured.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from powercount.ledger.finding import Evidence
    from powercount.studies.study import Study

NFD: Final = "arXiv 2512.21075"
TP4: Final = "Tensor Programs IV (arXiv 2011.14522)"
TP6: Final = "Tensor Programs VI (arXiv 2310.02244)"
COMPLETEP: Final = "CompleteP (arXiv 2505.01618)"
HERE: Final = "derived here"
ALONE: Final = "`tox -e claims` alone"
V1_ONLY: Final = "in the first version only"
SECOND_HAND: Final = "read at second hand"
ABSTRACT: Final = "the paper could not be read: abstracts and the notes of others alone"
INFERRED: Final = "the printed formula could not be read; ours is an inference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One claim: ``summary`` in our words, ``statement`` as a formula; ``conditions`` under which it is tried."""

    id: str
    source: str
    summary: str
    statement: str
    conditions: str
    check: str
    test: str
    marks: tuple[str, ...] = ()

    def evidence(self, study: Study) -> Sequence[Evidence]:
        """Derive and measure the claim now."""
        module, _, function = self.check.partition(":")
        found: Callable[[Study], Sequence[Evidence]] = getattr(
            importlib.import_module(f"powercount.ledger.{module}"), function
        )
        return found(study)
